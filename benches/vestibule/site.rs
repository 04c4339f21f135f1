//! A Vestibule with accounts, as it is found on an existing database.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    time::Duration,
};

use anyhow::Context;
use serde_json::json;

use crate::{
    CLIENTS,
    client::{Connection, Tokens, get, post},
    measure::median,
    process::Process,
};

/// Answers once the database does.
pub(crate) const READY: &str = "/health/ready";

/// The page whose rendering is measured.
pub(crate) const PAGE: &str = "/login";

pub(crate) const PASSWORD: &str = "seven purple lanterns drift upstream";

/// A running server, and what its clients hold.
pub(crate) struct Site {
    pub(crate) process: Process,
    /// A session of each account. This process has seen no log-in yet: they began before its start.
    pub(crate) sessions: Vec<Tokens>,
    /// From the start of the process, the median of several starts.
    pub(crate) time_to_first_answer: Duration,
    /// In bytes, the median of the same starts.
    pub(crate) memory_at_start: Option<u64>,
}

impl Site {
    /// Makes a site in `directory`, and then starts its server anew, this many times.
    pub(crate) async fn open(directory: &Path, variables: &[(&str, &str)], starts: usize) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let log = directory.join("log");
        let mut process = Process::vestibule(directory, variables, File::create(&log)?.into())?;
        let answered = process.first_answer(READY).await;
        answered.with_context(|| fs::read_to_string(&log).unwrap_or_default())?;
        let sessions = sign_up(&process).await?;

        let (mut times, mut memory) = (Vec::new(), Vec::new());
        for _ in 0..starts {
            process.stop().await?;
            // It goes on writing a line for each request, as it does for its users. What becomes of the lines is theirs.
            process = Process::vestibule(directory, variables, Stdio::null())?;
            times.push(process.first_answer(READY).await?);
            memory.extend(process.resident_memory());
        }
        Ok(Self {
            process,
            sessions,
            time_to_first_answer: median(times).context("no start was asked for")?,
            memory_at_start: median(memory),
        })
    }
}

/// The bytes of [`PAGE`].
pub(crate) async fn page(process: &Process) -> anyhow::Result<Vec<u8>> {
    let mut connection = Connection::open(process.address()).await?;
    let answer = connection.exchange(&get(PAGE, None)).await?;
    Ok(answer.success()?.to_vec())
}

async fn sign_up(process: &Process) -> anyhow::Result<Vec<Tokens>> {
    let mut connection = Connection::open(process.address()).await?;
    let mut sessions = Vec::new();
    for number in 0..CLIENTS {
        let account = post(
            "/api/auth/register",
            &json!({ "email": email(number), "password": PASSWORD }),
        );
        connection.exchange(&account).await?.success()?;
        let answer = connection.exchange(&log_in(number)).await?;
        sessions.push(serde_json::from_slice(answer.success()?)?);
    }
    Ok(sessions)
}

/// The request that signs in to an account.
pub(crate) fn log_in(number: usize) -> Vec<u8> {
    log_in_as(&email(number), PASSWORD)
}

/// A request that tries to sign in.
pub(crate) fn log_in_as(email: &str, password: &str) -> Vec<u8> {
    post("/api/auth/login", &json!({ "email": email, "password": password }))
}

fn email(number: usize) -> String {
    format!("client-{number}@example.com")
}
