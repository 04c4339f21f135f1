//! `vestibule backup`: a copy of the database, from beside a running server.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use vestibule::{
    config::{Config, DatabaseUrl, copy_sealing_key, sealing_key_to_copy},
    store,
};

#[derive(Args)]
pub(crate) struct Backup {
    /// The copy to make; a file that is there already is not overwritten
    file: PathBuf,
    /// Copy the generated sealing key too, to the same name with `.key` at its end. Whoever has both can sign access
    /// tokens: keep them apart, or the two as you would keep a password
    #[arg(long)]
    with_key: bool,
}

/// Where `--with-key` puts the key of the copy `file`, and looks for it.
pub(super) fn key_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

pub(crate) async fn run(backup: &Backup, config: &Config) -> anyhow::Result<()> {
    let DatabaseUrl::Sqlite(database) = &config.database else {
        bail!(
            "this copies a SQLite database, and DATABASE_URL names one of PostgreSQL: that is what `pg_dump --format=custom \
             --file=FILE` is for, given the same URL; keep SEALING_KEY too, without which the signing keys in it cannot be \
             opened"
        );
    };
    if backup.with_key && config.sealing_key.is_some() {
        bail!(
            "--with-key copies a generated key, but SEALING_KEY is set: keep a copy of that, wherever you keep secrets"
        );
    }
    if !database.exists() {
        return Err(super::no_database(database.display()));
    }
    let file = &backup.file;
    if let Some(kept) = config.sealing_key_file().filter(|_| backup.with_key) {
        sealing_key_to_copy(&kept, &key_of(file)).context("nothing was copied, as the sealing key cannot be")?;
    }
    store::back_up(database, file).await?;
    super::say(format_args!("Copied {} to {}", database.display(), file.display()))?;
    match config.sealing_key_file() {
        Some(kept) if backup.with_key => {
            let key = key_of(file);
            copy_sealing_key(&kept, &key).context("cannot copy the sealing key")?;
            super::say(format_args!("Copied the sealing key to {}", key.display()))?;
        }
        Some(kept) => super::say(format_args!(
            "The signing keys in it open with the sealing key alone, which is not in it: keep a copy of {} too, elsewhere",
            kept.display()
        ))?,
        None => super::say(
            "The signing keys in it open with SEALING_KEY alone, which is not in it: keep that too, elsewhere",
        )?,
    }
    Ok(())
}
