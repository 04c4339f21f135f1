//! `vestibule doctor`: what is wrong with this installation.

use anyhow::bail;
use vestibule::{
    clock::SystemClock,
    config::{Config, ConfigErrors},
    doctor::{self, Verdict},
};

/// Prints a line for each thing that was looked at; fails where one of them is not good.
pub(crate) async fn run(config: Result<Config, ConfigErrors>) -> anyhow::Result<()> {
    let findings = match config {
        Ok(config) => doctor::examine(&config, &SystemClock).await,
        Err(errors) => doctor::misconfigured(&errors),
    };
    for finding in &findings {
        super::say(finding)?;
    }
    let failures = findings.iter().filter(|finding| finding.verdict == Verdict::Failure);
    match failures.count() {
        0 => Ok(()),
        1 => bail!("one thing has to be put right"),
        several => bail!("{several} things have to be put right"),
    }
}
