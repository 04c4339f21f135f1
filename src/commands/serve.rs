//! `vestibule serve`: the server itself.

use std::{net::SocketAddr, sync::Arc, thread};

use anyhow::Context;
use aws_lc_rs::rand;
use tokio::signal::unix::{SignalKind, signal};
use vestibule::{
    app,
    clock::SystemClock,
    config::{Config, PublicUrl},
    doctor, telemetry,
};

use super::health::reachable;

/// Serves until it is asked to stop by SIGTERM or Ctrl-C.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::init(config.log_format)?;
    let proxy = doctor::unnamed_proxy(&config);
    for warning in config.warnings.iter().map(String::as_str).chain(proxy) {
        tracing::warn!("{warning}");
    }
    let older_key = doctor::sealing_key_that_is_there(&config);
    let site = config.public_url.clone();
    let database = app::location(&config.database);
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut app = app::start(config, Arc::new(SystemClock)).await?;
    gather_entropy();
    let new = if app.has_new_database() { " (new)" } else { "" };
    tracing::info!("the database is {database}{new}");
    if let Some(key) = older_key.filter(|_| app.has_new_database()) {
        tracing::warn!(
            "{} is from before, and there was no database: this one is new and has no users. If there were some, stop, and \
             restore a backup or mount the right directory",
            key.display()
        );
    }
    tracing::info!("listening on {scheme}://{}", app.address());
    tracing::info!("the site is at {site}, its API is described at {site}/docs");
    if let Some(address) = app.metrics_address() {
        tracing::info!("metrics are at http://{address}/metrics");
    }
    if app.has_mailbox() {
        let mailbox = mailbox_origin(&site, scheme, app.address());
        tracing::info!("mail goes to the built-in mailbox at {mailbox}/dev/mail");
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        error = app.failed() => return Err(error).context("the listener failed"),
    }
    tracing::info!("stopping");
    app.stop().await;
    Ok(())
}

/// Where the mailbox is found: it shows itself to nobody who comes by a proxy.
fn mailbox_origin(site: &PublicUrl, scheme: &str, address: SocketAddr) -> String {
    if site.is_https() == (scheme == "https") && site.port() == Some(address.port()) {
        return site.origin().to_owned();
    }
    let address = SocketAddr::new(reachable(address.ip()), address.port());
    format!("{scheme}://{address}")
}

/// The first random bytes wait for the jitter of the processor's own timing, for longer than all of a start takes. Nothing
/// until here needs any on an existing database, and the first who signs in is not to wait for them.
fn gather_entropy() {
    // What it would fail with, it fails with again where the bytes are needed.
    drop(thread::Builder::new().spawn(|| rand::fill(&mut [0]).is_ok()));
}
