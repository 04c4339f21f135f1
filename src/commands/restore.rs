//! `vestibule restore`: a copy takes the place of the database.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, bail};
use clap::Args;
use vestibule::{
    app::Services,
    auth::{Actor, Client, EndedByRestore},
    clock::{Clock, SystemClock},
    config::{Config, DatabaseUrl, Signing, put_sealing_key_back, sealing_key_to_copy},
    store::{LogOfCopy, Staged},
};

use super::backup::key_of;

#[derive(Args)]
pub(crate) struct Restore {
    /// The copy, as `backup` made it
    file: PathBuf,
    /// Put the sealing key back too, from the same name with `.key` at its end, where there is none
    #[arg(long)]
    with_key: bool,
}

pub(crate) async fn run(restore: &Restore, config: &Config) -> anyhow::Result<()> {
    let DatabaseUrl::Sqlite(database) = &config.database else {
        bail!(
            "this replaces a SQLite database, and DATABASE_URL names one of PostgreSQL: that is what pg_restore is for. The \
             README gives its line under \"Backup and restore\", and one for psql, without which a copy would bring back what \
             has ended since"
        );
    };
    let file = &restore.file;
    let staged = Staged::new(file, database).await?;
    let mut in_the_copy = Config {
        database: DatabaseUrl::Sqlite(staged.path().to_owned()),
        ..config.clone()
    };
    let mut key_goes_to = None;
    if restore.with_key {
        let Some(kept) = config.sealing_key_file() else {
            bail!(
                "--with-key puts a generated key back, but SEALING_KEY is set: set the one that the copy was made with"
            );
        };
        let key = sealing_key_to_copy(&key_of(file), &kept).context("cannot put the sealing key back")?;
        in_the_copy.sealing_key = Some(key);
        key_goes_to = Some(kept);
    }
    let opened = Services::open(&in_the_copy, Arc::new(SystemClock)).await;
    let services = opened.with_context(|| {
        let hint = if restore.with_key {
            String::new()
        } else {
            key_hint(file, config)
        };
        format!("{} cannot be used; nothing was replaced{hint}", file.display())
    })?;
    let ended = services.auth.restore_backup(&Actor::Operator, &Client::default()).await;
    services.close().await;
    let ended = ended.context("nothing was replaced")?;
    let log = staged.log();
    let kept = staged.replace(SystemClock.now()).await?;
    tell(config, database, file, kept.as_deref(), log, ended)?;
    // Not before it is known that it opens what is there now.
    if let Some(to) = key_goes_to {
        put_sealing_key_back(&key_of(file), &to)
            .context("the sealing key could not be put back: copy it there yourself")?;
        super::say(format_args!("The sealing key is back as {}", to.display()))?;
    }
    Ok(())
}

/// What there is to know now.
fn tell(
    config: &Config,
    database: &Path,
    file: &Path,
    kept: Option<&Path>,
    log: LogOfCopy,
    ended: EndedByRestore,
) -> anyhow::Result<()> {
    super::say(format_args!(
        "{} is now what {} held",
        database.display(),
        file.display()
    ))?;
    if let Some(kept) = kept {
        super::say(format_args!(
            "What it was before is kept as {}: delete that once all is well",
            kept.display()
        ))?;
    }
    let log_in_words = match log {
        LogOfCopy::Absent => None,
        LogOfCopy::Taken => Some("was taken in too"),
        LogOfCopy::LeftOut => Some("was left out: it is not the copy's, which is not in WAL mode or has another owner"),
    };
    if let Some(words) = log_in_words {
        super::say(format_args!("The log beside it, {}-wal, {words}", file.display()))?;
    }
    let signs = match config.signing {
        Signing::Hs256(_) => "No stored key signs access tokens any more; SECRET_KEY does",
        Signing::EdDsa | Signing::Es256 => "A new key signs access tokens",
    };
    super::say(format_args!(
        "Ended: {} and {}; dropped: {} that had not left. {signs}.",
        counted(ended.sessions, "session"),
        counted(ended.links, "link"),
        counted(ended.messages, "message")
    ))?;
    Ok(())
}

/// "1 session", "2 sessions".
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// Whoever copied both files to a new machine may not know of `--with-key`.
fn key_hint(file: &Path, config: &Config) -> String {
    let key = key_of(file);
    match config.sealing_key_file() {
        Some(kept) if !kept.exists() && key.exists() => format!("; --with-key puts {} back too", key.display()),
        _ => String::new(),
    }
}
