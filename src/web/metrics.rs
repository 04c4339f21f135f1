//! `GET /metrics`, on a listener of its own: who watches the server is not who signs in to it.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router, ServiceExt,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tower::Layer;
use tower_http::normalize_path::NormalizePathLayer;

use super::{MakeService, origin::is_to_this_machine};
use crate::{
    auth::{Auth, Counts, Measures},
    metrics::{Kind, Requests, Text},
};

const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The service of that listener, which is at `address`.
#[must_use]
pub fn metrics_service(auth: Auth, requests: Arc<Requests>, address: Option<SocketAddr>) -> MakeService {
    let watched = Watched {
        auth,
        requests,
        is_local: address.is_some_and(|address| address.ip().to_canonical().is_loopback()),
    };
    let router = Router::new().route("/metrics", get(show)).with_state(watched);
    let service = NormalizePathLayer::trim_trailing_slash().layer(router);
    ServiceExt::<Request>::into_make_service_with_connect_info(service)
}

#[derive(Clone)]
struct Watched {
    auth: Auth,
    requests: Arc<Requests>,
    /// Whether only this machine reaches it, and so the browsers on it.
    is_local: bool,
}

/// Where nothing but this machine reaches the listener, nothing calls it by another name: but for a page that had its own
/// name resolve to it, to read the numbers with the operator's browser.
async fn show(State(watched): State<Watched>, uri: Uri, headers: HeaderMap) -> Response {
    if watched.is_local && !is_to_this_machine(&uri, &headers) {
        let text = "METRICS_ADDR is a loopback address: ask for it by that, or as localhost\n";
        return (StatusCode::MISDIRECTED_REQUEST, text).into_response();
    }
    let Watched { auth, requests, .. } = watched;
    let measures = auth.measure().await;
    let mut text = Text::default();
    text.family(
        "vestibule_build_info",
        Kind::Gauge,
        "Always 1; the label says what runs",
    );
    text.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    requests.write(&mut text);
    write(&measures, &mut text);
    ([(header::CONTENT_TYPE, FORMAT)], text.into_string()).into_response()
}

fn write(measures: &Measures, text: &mut Text) {
    text.family(
        "vestibule_log_ins_total",
        Kind::Counter,
        "Log-ins by outcome, success or the code of the refusal",
    );
    for (outcome, count) in &measures.log_ins {
        text.sample("", &[("outcome", outcome)], count);
    }
    let hashing = measures.hashing;
    let (name, help) = (
        "vestibule_hashing_jobs",
        "Passwords at the hashing threads, by whether their turn has come",
    );
    text.family(name, Kind::Gauge, help);
    text.sample("", &[("state", "running")], hashing.running);
    text.sample("", &[("state", "waiting")], hashing.waiting);
    let (name, help) = (
        "vestibule_hashing_jobs_limit",
        "How many there may be before the answer is 503",
    );
    text.single(name, Kind::Gauge, help, hashing.limit);
    let (name, help) = (
        "vestibule_database_connections",
        "Open connections to the database, by use",
    );
    text.family(name, Kind::Gauge, help);
    for pool in &measures.connections {
        text.sample("", &[("pool", pool.pool), ("state", "busy")], pool.busy);
        text.sample("", &[("pool", pool.pool), ("state", "idle")], pool.idle);
    }
    let (name, help) = (
        "vestibule_database_connections_limit",
        "How many connections there may be",
    );
    text.family(name, Kind::Gauge, help);
    for pool in &measures.connections {
        text.sample("", &[("pool", pool.pool)], pool.limit);
    }
    let (name, help) = (
        "vestibule_database_up",
        "1 if the database answered in time, else 0, and what follows is left out",
    );
    text.single(name, Kind::Gauge, help, u8::from(measures.counts.is_some()));
    if let Some(counts) = &measures.counts {
        write_counts(counts, text);
    }
}

fn write_counts(counts: &Counts, text: &mut Text) {
    text.single(
        "vestibule_sessions",
        Kind::Gauge,
        "Sessions that have not ended",
        counts.sessions,
    );
    text.family(
        "vestibule_outbox_messages",
        Kind::Gauge,
        "Messages in the outbox, by state",
    );
    for (state, count) in &counts.messages {
        text.sample("", &[("state", state.as_str())], count);
    }
}
