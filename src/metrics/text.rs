//! Prometheus' text format, version 0.0.4.

use std::fmt::{Display, Write};

/// What kind of a number it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Counters by upper bound.
    Histogram,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A page of metrics, written from top to bottom.
#[derive(Debug, Default)]
pub(crate) struct Text {
    written: String,
    family: &'static str,
}

impl Text {
    /// Begins a family. Its samples follow at once: a family is one block.
    pub(crate) fn family(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.family = name;
        // Writing to a String does not fail, here and below.
        let _ = writeln!(self.written, "# HELP {name} {help}.\n# TYPE {name} {}", kind.as_str());
    }

    /// A family of one sample without labels.
    pub(crate) fn single(&mut self, name: &'static str, kind: Kind, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample("", &[], value);
    }

    /// Adds a sample to the family last begun, whose name gets `suffix`.
    pub(crate) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        self.written.push_str(self.family);
        self.written.push_str(suffix);
        for (index, (name, text)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.written, "{before}{name}=\"{}\"", escape(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.written, "{end} {value}");
    }

    pub(crate) fn into_string(self) -> String {
        self.written
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let mut text = Text::default();
        text.family("a_total", Kind::Counter, "Things");
        text.sample("", &[("b", "\\ \" \n"), ("c", "")], 1);
        assert_eq!(
            text.into_string(),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{b=\"\\\\ \\\" \\n\",c=\"\"} 1\n"
        );
    }
}
