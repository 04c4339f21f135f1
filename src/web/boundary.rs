//! The outermost layer, which every request passes once on its way in and once on its way out. It gives the request its
//! id, refuses what another origin forged, survives a panic, writes problems, completes headers, logs one line, and counts.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue, Method},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tracing::Instrument;
use uuid::Uuid;

use super::{Site, accepts_html, headers, identity, origin, pages, problem::Problem};
use crate::metrics::Requests;

/// The response header that names the request. None is accepted from outside: a caller could make its lines look like
/// another's.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What it works with.
#[derive(Clone, Debug)]
pub(super) struct Boundary {
    pub(super) site: Arc<Site>,
    /// None where nobody watches.
    pub(super) requests: Option<Arc<Requests>>,
}

/// Wraps every route.
pub(super) async fn pass(State(boundary): State<Boundary>, request: Request, next: Next) -> Response {
    let mut buffer = Uuid::encode_buffer();
    let id: &str = Uuid::new_v4().hyphenated().encode_lower(&mut buffer);
    let span = tracing::info_span!("request", request_id = id);
    answer(&boundary, request, next, id).instrument(span).await
}

async fn answer(boundary: &Boundary, request: Request, next: Next, id: &str) -> Response {
    let site = &boundary.site;
    let started = Instant::now();
    let method = request.method().clone();
    // The route's template: a path can hold an id, and a query a link token.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let wants_page = wants_page(&request);

    let admitted =
        origin::check(site, &method, request.headers()).and_then(|()| identity::one_authorization(request.headers()));
    let mut response = match admitted {
        Ok(()) => run(request, next).await,
        Err(problem) => problem.into_response(),
    };
    finish(site, &mut response, id, wants_page);
    note(boundary, &method, route.as_ref(), &response, started.elapsed());
    response
}

async fn run(request: Request, next: Next) -> Response {
    catch_panic(next.run(request))
        .await
        .unwrap_or_else(|panic| Problem::internal(panic).into_response())
}

/// A panic is a bug in one handler, and no reason to drop the connection of whoever met it.
async fn catch_panic<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    poll_fn(
        |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(panic_text(panic.as_ref()))),
        },
    )
    .await
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panic: {}", text.unwrap_or("without a message"))
}

/// Whether a refusal is to be a page. The API refuses in JSON, also to a browser that looks at it; at the templates' paths,
/// and at those that nobody serves, whoever asks for HTML is a person in front of a browser.
fn wants_page(request: &Request) -> bool {
    !request.uri().path().starts_with("/api/") && accepts_html(request.headers())
}

fn finish(site: &Site, response: &mut Response, id: &str, wants_page: bool) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        if let Some(cause) = problem.cause() {
            tracing::error!(code = problem.code(), cause, "request failed");
        }
        if wants_page {
            pages::render_problem(site, &problem, response, id);
        } else {
            problem.render(response, id);
        }
    }
    headers::complete(response.headers_mut(), site);
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
}

fn note(boundary: &Boundary, method: &Method, route: Option<&MatchedPath>, response: &Response, latency: Duration) {
    let route = route.map_or("-", MatchedPath::as_str);
    let status = response.status().as_u16();
    let latency_us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%method, route, status, latency_us, "answered");
    if let Some(requests) = &boundary.requests {
        requests.count(route, method.as_str(), status, latency);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_becomes_an_error_with_its_message() {
        let outcome = catch_panic(async { assert!(std::hint::black_box(false), "by design") }).await;
        assert_eq!(outcome.unwrap_err(), "panic: by design");
        assert_eq!(catch_panic(async { 1 }).await, Ok(1));
    }
}
