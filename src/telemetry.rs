//! Logging: lines for people or for machines, on standard error, which leaves standard output to the commands.
//!
//! The level is fixed. Libraries trace what they are given at the finer ones, and what they are given here are secrets.

use std::io::{self, IsTerminal};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::Targets,
    fmt::MakeWriter,
    layer::SubscriberExt,
    registry::LookupSpan,
    util::{SubscriberInitExt, TryInitError},
};

use crate::config::LogFormat;

const LEVEL: LevelFilter = LevelFilter::INFO;

/// sqlx's pool warns of each connection that it finds dead, after the request that had it and so without that request's
/// id. A request that failed for it has said so, as an error with its cause; one that did not has nothing to say.
const POOL: (&str, LevelFilter) = ("sqlx_core::pool", LevelFilter::ERROR);

/// Starts logging; fails if it was started before.
pub fn init(format: LogFormat) -> Result<(), TryInitError> {
    let in_colour = io::stderr().is_terminal();
    tracing_subscriber::registry()
        .with(lines(format, in_colour, io::stderr))
        .try_init()
}

/// The layer that writes lines. Each names the request that it is said of, and the operation.
fn lines<S, W>(format: LogFormat, in_colour: bool, writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_target(false);
    let layer = match format {
        LogFormat::Text => lines.with_ansi(in_colour).boxed(),
        // The list alone: what is current is at its end.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    layer.with_filter(Targets::new().with_default(LEVEL).with_targets([POOL]))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: LogFormat) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = lines(format, false, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _request = tracing::info_span!("request", request_id = "1").entered();
            let _operation = tracing::info_span!("refresh").entered();
            tracing::warn!(session = 2, "reused");
            tracing::debug!("not said");
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_names_its_request_and_its_operation() {
        let text = written(LogFormat::Text);
        let (_, line) = text.split_once("WARN ").unwrap();
        assert_eq!(line, "request{request_id=\"1\"}:refresh: reused session=2\n");

        let json: Value = serde_json::from_str(&written(LogFormat::Json)).unwrap();
        assert_eq!(
            json["spans"],
            json!([{"request_id": "1", "name": "request"}, {"name": "refresh"}])
        );
        assert_eq!(json["message"], "reused");
        assert_eq!(json["session"], 2);
    }
}
