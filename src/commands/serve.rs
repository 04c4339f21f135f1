//! `vestibule serve`: the server itself.

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use vestibule::{app, clock::SystemClock, config::Config, telemetry};

/// Serves until it is asked to stop by SIGTERM or Ctrl-C.
pub(crate) async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::init(config.log_format)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let site = config.public_url.origin().to_owned();
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut app = app::start(config, Arc::new(SystemClock)).await?;
    tracing::info!("listening on {scheme}://{}", app.address());
    tracing::info!("the site is at {site}, its API is described at {site}/docs");
    if let Some(address) = app.metrics_address() {
        tracing::info!("metrics are at http://{address}/metrics");
    }
    if app.has_mailbox() {
        tracing::info!("mail goes to the built-in mailbox at {site}/dev/mail");
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
