//! Logging: lines for people or for machines, on standard error, which leaves standard output to the commands.
//!
//! The level is fixed. Libraries trace what they are given at the finer ones, and what they are given here are secrets.

use std::io::{self, IsTerminal};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::util::TryInitError;
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::LogFormat;

const LEVEL: LevelFilter = LevelFilter::INFO;

/// sqlx's pool warns of each connection that it finds dead, after the request that had it and so without that request's
/// id. A request that failed for it has said so, as an error with its cause; one that did not has nothing to say.
const POOL: (&str, LevelFilter) = ("sqlx_core::pool", LevelFilter::ERROR);

/// Starts logging; fails if it was started before.
pub fn init(format: LogFormat) -> Result<(), TryInitError> {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_target(false);
    let layer = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let levels = Targets::new().with_default(LEVEL).with_targets([POOL]);
    tracing_subscriber::registry()
        .with(layer.with_filter(levels))
        .try_init()
}
