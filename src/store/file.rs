//! The file of a SQLite database, and whether it is where it was: SQLite goes on with a file that was deleted or replaced,
//! and nobody would find again what it acknowledges.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The file that is open.
#[derive(Debug)]
pub(super) struct OpenFile {
    path: PathBuf,
    identity: Identity,
}

/// Its device and its number there.
type Identity = (u64, u64);

impl OpenFile {
    /// The one that is at `path` now, and was just opened.
    pub(super) fn at(path: &Path) -> Result<Self, sqlx::Error> {
        Ok(Self {
            identity: identity(path)?,
            path: path.to_owned(),
        })
    }

    /// Fails where its path leads to another file, or to none.
    pub(super) fn is_in_place(&self) -> Result<(), sqlx::Error> {
        match identity(&self.path) {
            Ok(found) if found == self.identity => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!(
                    "{} was deleted, moved or replaced under the running server, and what is written will be lost: stop \
                     the server and put the database back, from a backup if it is gone",
                    self.path.display()
                ),
            )
            .into()),
        }
    }
}

fn identity(path: &Path) -> io::Result<Identity> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}
