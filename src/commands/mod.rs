//! One file per command.

pub(crate) mod keys;
pub(crate) mod openapi;
pub(crate) mod serve;
pub(crate) mod user;

use std::{
    io::{self, Write},
    sync::Arc,
};

use serde::Serialize;
use vestibule::{app::Services, auth::Auth, clock::SystemClock, config::Config};

/// Does `work` with the operations of a house that is opened for it, beside a running server, and closed again however
/// it went.
pub(crate) async fn with_auth(
    config: &Config,
    work: impl AsyncFnOnce(&Auth) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let services = Services::open(config, Arc::new(SystemClock)).await?;
    let done = work(&services.auth).await;
    services.close().await;
    done
}

/// Prints a line for the one who typed the command.
pub(crate) fn say(line: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Prints `value` as JSON, for programs.
pub(crate) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    Ok(say(serde_json::to_string_pretty(value)?)?)
}

/// Tells on standard error what went wrong, with its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    // If standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "vestibule: {error:#}");
}
