//! One file per command.

pub(crate) mod backup;
pub(crate) mod doctor;
pub(crate) mod health;
mod import;
pub(crate) mod keys;
pub(crate) mod mail;
pub(crate) mod openapi;
pub(crate) mod restore;
pub(crate) mod serve;
pub(crate) mod user;

use std::{
    env, fs,
    io::{self, Write},
    process::ExitCode,
    sync::Arc,
};

use serde::Serialize;
use uuid::Uuid;
use vestibule::{
    app::{self, Services},
    auth::Auth,
    causes::in_one_line,
    clock::SystemClock,
    config::{Config, DatabaseUrl},
    printable::{Lines, OneLine},
};

/// As [`with_new_auth`], where there is a database: one made here would be empty, and not the one that was meant.
pub(crate) async fn with_auth(
    config: &Config,
    work: impl AsyncFnOnce(&Auth) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if let Some(name) = missing_database(config).await? {
        return Err(no_database(name));
    }
    with_new_auth(config, work).await
}

fn no_database(name: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!(
        "there is no database yet, {name}: run this command with the server's DATA_DIR or DATABASE_URL, in its working \
         directory where they are relative"
    )
}

/// What the database is called, if it is not there.
pub(crate) async fn missing_database(config: &Config) -> anyhow::Result<Option<String>> {
    let name = match &config.database {
        DatabaseUrl::Sqlite(path) => path.display().to_string(),
        DatabaseUrl::Postgres(_) => app::location(&config.database).to_string(),
    };
    Ok((!Services::has_database(config).await?).then_some(name))
}

/// Does `work` with the operations of a house that is opened for it, beside a running server, and closed again however
/// it went.
pub(crate) async fn with_new_auth(
    config: &Config,
    work: impl AsyncFnOnce(&Auth) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let services = Services::open(config, Arc::new(SystemClock)).await?;
    let done = work(&services.auth).await;
    services.close().await;
    done
}

/// As [`with_auth`], for what only looks. Where there is no database, none is made that would stay: one in a directory of
/// its own stands for it.
pub(crate) async fn with_auth_to_look(
    config: &Config,
    work: impl AsyncFnOnce(&Auth) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if missing_database(config).await?.is_none() {
        return with_new_auth(config, work).await;
    }
    let directory = env::temp_dir().join(format!("vestibule-{}", Uuid::new_v4()));
    let stand_in = Config {
        database: DatabaseUrl::Sqlite(directory.join("vestibule.db")),
        data_dir: directory.clone(),
        ..config.clone()
    };
    let done = with_new_auth(&stand_in, work).await;
    if let Err(error) = fs::remove_dir_all(&directory)
        && error.kind() != io::ErrorKind::NotFound
    {
        remark(format_args!("cannot remove {}: {error}", directory.display()));
    }
    done
}

/// What a command has to say could not be written. A type of its own, since a database's connection breaks too.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the output")]
pub(crate) struct OutputError(#[source] io::Error);

/// Prints a line for the one who typed the command. Names of others stand in it, which a terminal must not obey.
pub(crate) fn say(line: impl std::fmt::Display) -> Result<(), OutputError> {
    writeln!(io::stdout().lock(), "{}", OneLine(line)).map_err(OutputError)
}

/// Prints `value` as JSON, for programs.
pub(crate) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    Ok(writeln!(io::stdout().lock(), "{text}").map_err(OutputError)?)
}

/// Tells on standard error what went wrong, with its causes.
pub(crate) fn complain(error: &anyhow::Error) {
    remark(in_one_line(error.as_ref()));
}

/// Tells the one who typed the command what is not part of its output.
pub(crate) fn remark(text: impl std::fmt::Display) {
    // If standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "vestibule: {}", Lines(text));
}

/// A command has done what it could, which was not all. Told by an exit status of its own: a script may go on after that, and
/// not after 1, which is a command that failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfinished(String);

/// The status with which a command ends that failed.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Unfinished>() {
        ExitCode::from(3)
    } else {
        ExitCode::FAILURE
    }
}

/// Whether whoever read the output has seen enough, as `head` has.
pub(crate) fn is_unread(error: &anyhow::Error) -> bool {
    let output = error.downcast_ref::<OutputError>();
    output.is_some_and(|OutputError(cause)| cause.kind() == io::ErrorKind::BrokenPipe)
}
