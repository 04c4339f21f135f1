//! What is printed.

use std::{
    fmt,
    io::{self, Write},
    thread,
    time::Duration,
};

use crate::{
    comparison::{Comparison, Measurement},
    flood::{Flood, MAX_P99, MAX_PEAK},
    measure::{Window, median},
};

const MIB: f64 = (1 << 20) as f64;

/// Where the figures go.
pub(crate) struct Report(io::StdoutLock<'static>);

impl Report {
    pub(crate) fn new() -> Self {
        Self(io::stdout().lock())
    }

    pub(crate) fn conditions(&mut self, clients: usize, rounds: usize, window: Window) -> io::Result<()> {
        let cores = thread::available_parallelism()?;
        let seconds = window.length.as_secs_f64();
        writeln!(
            self.0,
            "SQLite, {cores} cores for servers and clients, {clients} clients, medians of {rounds} rounds of {seconds} s\n\n\
             {:48} {:>8} {:>9} {:>9}",
            "", "a second", "p50 ms", "p99 ms"
        )
    }

    pub(crate) fn comparison(&mut self, comparison: &Comparison) -> io::Result<()> {
        for floor in &comparison.floors {
            writeln!(self.0, "{floor}")?;
        }
        let (ours, aim) = (&comparison.ours, comparison.aim);
        let share = comparison.share().unwrap_or_default();
        writeln!(
            self.0,
            "{ours}   {share:.2} of it, aim {aim:.2}: {}\n",
            verdict(share >= aim)
        )
    }

    /// An amount of bytes, which may be unknown on this system.
    pub(crate) fn memory(&mut self, what: &str, bytes: Option<u64>, aim: Option<u64>) -> io::Result<()> {
        let amount = bytes.map_or_else(|| "unknown".to_owned(), mebibytes);
        write!(self.0, "{what:48} {amount:>14}")?;
        if let Some(aim) = aim {
            let is_met = bytes.is_some_and(|bytes| bytes < aim);
            write!(self.0, "   aim under {}: {}", mebibytes(aim), verdict(is_met))?;
        }
        writeln!(self.0)
    }

    pub(crate) fn flood(&mut self, limits: &str, flood: &Flood) -> io::Result<()> {
        writeln!(self.0, "while 64 connections try to log in, {limits}:")?;
        for (name, round) in [("  GET /health/ready", flood.ready), ("  GET /users/me", flood.me)] {
            let (p50, p99) = (milliseconds(round.p50), milliseconds(round.p99));
            let verdict = verdict(round.p99 < MAX_P99);
            let aim = milliseconds(MAX_P99);
            writeln!(
                self.0,
                "{name:48} {:>8.0} {p50:>9.2} {p99:>9.2}   aim p99 under {aim} ms: {verdict}",
                round.rate
            )?;
        }
        let statuses: Vec<_> = flood
            .statuses
            .iter()
            .map(|(status, count)| format!("{count} of {status}"))
            .collect();
        let verdict = verdict(flood.is_answered());
        writeln!(
            self.0,
            "  answered: {}   nothing but 200, 401, 429, 503: {verdict}",
            statuses.join(", ")
        )?;
        self.memory("  most memory that was ever resident", flood.peak, Some(MAX_PEAK))
    }

    pub(crate) fn rate(&mut self, what: &str, rate: f64, aim: f64) -> io::Result<()> {
        let verdict = verdict(rate >= aim);
        writeln!(self.0, "{what:48} {rate:>14.0}   aim {aim:.0}: {verdict}")
    }

    pub(crate) fn time(&mut self, what: &str, time: Duration, aim: Duration) -> io::Result<()> {
        let amount = format!("{:.1} ms", milliseconds(time));
        let verdict = verdict(time <= aim);
        writeln!(
            self.0,
            "{what:48} {amount:>14}   aim {} ms: {verdict}",
            milliseconds(aim)
        )
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = median(self.rounds.iter().map(|round| round.rate)).unwrap_or_default();
        let p50 = median(self.rounds.iter().map(|round| round.p50)).unwrap_or_default();
        let p99 = median(self.rounds.iter().map(|round| round.p99)).unwrap_or_default();
        let (p50, p99) = (milliseconds(p50), milliseconds(p99));
        write!(f, "{:48} {rate:>8.0} {p50:>9.2} {p99:>9.2}", self.name)
    }
}

const fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}

#[expect(clippy::cast_precision_loss, reason = "nobody reads that many digits")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MIB)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
