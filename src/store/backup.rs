//! Copies of a SQLite database: one file each, taken while others write, and never one that is half done, as it gets its
//! name when it is whole. `restore` puts one back.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf, absolute},
};

use sqlx::{AnyConnection, Connection, Row};

use super::{
    Error,
    engine::{self, Engine},
    error::{SQLITE_BUSY, SQLITE_CORRUPT, SQLITE_NOTADB, sqlite_code},
    open::{MIGRATIONS_TABLE, list_tables},
};
use crate::private_file;

/// How many of the damages found are told.
const TOLD: usize = 3;

/// A copy was not made, or not put back.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no such file.
    #[error("there is no file {}", path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The copy's name is taken.
    #[error("{} exists already, and is not overwritten", path.display())]
    Taken {
        /// The name.
        path: PathBuf,
    },
    /// What is to be put back is the database itself.
    #[error("{} is the database itself, not a copy of it", path.display())]
    Itself {
        /// The path.
        path: PathBuf,
    },
    /// It is no SQLite database.
    #[error("{} is not a database, or is damaged from its beginning", path.display())]
    NotADatabase {
        /// The path.
        path: PathBuf,
    },
    /// It is a database, but not a whole one.
    #[error("{} is damaged: {damage}", path.display())]
    Damaged {
        /// The path.
        path: PathBuf,
        /// What SQLite found.
        damage: String,
    },
    /// It is another application's.
    #[error("{} is not a database of Vestibule's", path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
    },
    /// Somebody has the database open.
    #[error("{} is in use: stop the server, and whatever else has it open, first", path.display())]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// Another process is at the same.
    #[error("another process writes {}", path.display())]
    UnderWay {
        /// What is half done.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error("cannot {verb} {}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The database does not answer as it should.
    #[error("cannot use the database {}", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: Error,
    },
}

impl BackupError {
    /// The same of the file that whoever asked knows.
    pub(super) fn of(self, source: &Path) -> Self {
        let path = source.to_owned();
        match self {
            Self::NotADatabase { .. } => Self::NotADatabase { path },
            Self::Damaged { damage, .. } => Self::Damaged { path, damage },
            Self::Foreign { .. } => Self::Foreign { path },
            other => other,
        }
    }
}

/// The error of a file operation on `path`.
pub(super) fn file_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    move |source| match source.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Taken { path: path.to_owned() },
        io::ErrorKind::NotFound if verb == "read" => BackupError::Missing { path: path.to_owned() },
        _ => BackupError::File {
            verb,
            path: path.to_owned(),
            source,
        },
    }
}

/// What a statement on `path` that failed says of the file.
pub(super) fn database_error(path: &Path) -> impl Fn(sqlx::Error) -> BackupError {
    move |error| {
        let path = path.to_owned();
        match error.as_database_error().and_then(sqlite_code) {
            Some(SQLITE_NOTADB) => BackupError::NotADatabase { path },
            Some(SQLITE_CORRUPT) => BackupError::Damaged {
                path,
                damage: error.to_string(),
            },
            Some(SQLITE_BUSY) => BackupError::InUse { path },
            _ => BackupError::Database {
                path,
                source: error.into(),
            },
        }
    }
}

/// Copies the SQLite database `database`, whoever reads and writes it meanwhile, into a new file `target`, which only its
/// owner can read. What was committed before this began is in it. Nothing is brought up to date: the copy can be made by
/// a version that is about to replace the one that runs.
pub async fn back_up(database: &Path, target: &Path) -> Result<(), BackupError> {
    sqlx::any::install_default_drivers();
    let mut connection = inspect(database).await?;
    if fs::symlink_metadata(target).is_ok() {
        return Err(BackupError::Taken {
            path: target.to_owned(),
        });
    }
    let unfinished = with_suffix(target, ".unfinished");
    let file = have_alone(&unfinished)?;
    let copied = copy(&mut connection, &file, &unfinished).await;
    if let Err(error) = copied.and_then(|()| give_name(&unfinished, target)) {
        drop(fs::remove_file(&unfinished));
        return Err(error);
    }
    sync_directory_of(target)
}

/// Gives a whole copy its name, unless something has that, and in one step, so that a copy that is cut short leaves nothing
/// under it.
fn give_name(unfinished: &Path, target: &Path) -> Result<(), BackupError> {
    match fs::hard_link(unfinished, target) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => rename(unfinished, target),
        linked => linked
            .map_err(file_error("write", target))
            .and_then(|()| fs::remove_file(unfinished).map_err(file_error("remove", unfinished))),
    }
}

/// Where a file cannot have two names: in two steps, as to rename it alone would replace whatever has the name.
fn rename(unfinished: &Path, target: &Path) -> Result<(), BackupError> {
    create(target)?;
    fs::rename(unfinished, target).map_err(|error| {
        drop(fs::remove_file(target));
        file_error("write", target)(error)
    })
}

/// Writes into `file`, which lies at `target`.
async fn copy(connection: &mut AnyConnection, file: &File, target: &Path) -> Result<(), BackupError> {
    // What a copy that was cut short has left.
    file.set_len(0).map_err(file_error("write", target))?;
    // A path that begins with `file:` would be read as a URI, which an absolute one never does.
    let path = absolute(target).map_err(file_error("write", target))?;
    let path = path.to_str().ok_or_else(|| BackupError::File {
        verb: "write",
        path: target.to_owned(),
        source: io::Error::new(io::ErrorKind::InvalidInput, "its path is not UTF-8"),
    })?;
    let vacuum = sqlx::query("VACUUM INTO $1").bind(path.to_owned());
    vacuum.execute(connection).await.map_err(database_error(target))?;
    check_integrity(target).await?;
    file.sync_all().map_err(file_error("write", target))
}

/// A connection that reads a database of ours, of whatever age.
async fn inspect(path: &Path) -> Result<AnyConnection, BackupError> {
    if !path.exists() {
        return Err(BackupError::Missing { path: path.to_owned() });
    }
    let connecting = engine::sqlite_inspector(path).await;
    let mut connection = connecting.map_err(database_error(path))?;
    let tables = list_tables(Engine::Sqlite, &mut connection).await;
    let tables = tables.map_err(database_error(path))?;
    if tables.iter().any(|table| table == MIGRATIONS_TABLE) {
        Ok(connection)
    } else {
        Err(BackupError::Foreign { path: path.to_owned() })
    }
}

/// Reads the whole of a database of ours, and every index against its table.
pub(super) async fn check_integrity(path: &Path) -> Result<(), BackupError> {
    let mut connection = inspect(path).await?;
    let mut found = first_column(&mut connection, "PRAGMA integrity_check").await;
    if found.as_ref().is_ok_and(|found| found.iter().all(|text| text == "ok")) {
        let tables = first_column(&mut connection, "PRAGMA foreign_key_check").await;
        found = tables.map(|tables| {
            let tables = tables.iter();
            tables
                .map(|table| format!("a row of {table} refers to nothing"))
                .collect()
        });
    }
    let mut found = found.map_err(database_error(path))?;
    connection.close().await.map_err(database_error(path))?;
    if found.is_empty() {
        return Ok(());
    }
    found.truncate(TOLD);
    Err(BackupError::Damaged {
        path: path.to_owned(),
        damage: found.join("; ").replace('\n', " "),
    })
}

async fn first_column(connection: &mut AnyConnection, check: &'static str) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query(check).fetch_all(connection).await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Opens a file that is written before it gets the name for which it is meant, and keeps every other process from it that
/// does the same. It may hold what one that was cut short has left. Whoever can write into the directory can guess its
/// name: what another may have put there would become the copy, with its owner and its mode, or be overwritten, where it
/// is a link. So that is replaced.
pub(super) fn have_alone(path: &Path) -> Result<File, BackupError> {
    let left = open_left(path)?;
    if let Some(left) = &left {
        lock(left, path)?;
    }
    // One that is replaced stays locked until the new one is: of two processes that found it, one goes on.
    let _replaced = match left {
        Some(left) if private_file::is_ours_alone(&left) => return Ok(left),
        Some(left) => {
            fs::remove_file(path).map_err(file_error("remove", path))?;
            Some(left)
        }
        None => None,
    };
    let file = create(path).map_err(|error| match error {
        BackupError::Taken { path } => BackupError::UnderWay { path },
        other => other,
    })?;
    lock(&file, path)?;
    Ok(file)
}

/// The file that lies where one is to be written. What is no file is removed: nothing of ours leaves a link or a pipe.
fn open_left(path: &Path) -> Result<Option<File>, BackupError> {
    let is_file = fs::symlink_metadata(path).map(|found| found.is_file());
    let opened = match is_file {
        Ok(true) => private_file::open_itself(path).map(Some),
        Ok(false) => fs::remove_file(path).map(|()| None),
        Err(error) => Err(error),
    };
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map_err(file_error("take over", path)),
    }
}

fn lock(file: &File, path: &Path) -> Result<(), BackupError> {
    let under_way = || BackupError::UnderWay { path: path.to_owned() };
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(under_way()),
        Err(TryLockError::Error(error)) => return Err(file_error("lock", path)(error)),
        Ok(()) => {}
    }
    // Another may have given this very file its name since it was opened.
    if is_at(file, path) { Ok(()) } else { Err(under_way()) }
}

/// Makes a new file for its owner alone.
pub(super) fn create(path: &Path) -> Result<File, BackupError> {
    let created = private_file::options().write(true).create_new(true).open(path);
    created.map_err(file_error("write", path))
}

/// Whether the open file is the one that has this name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let ids = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
        matches!((file.metadata(), fs::symlink_metadata(path)), (Ok(file), Ok(named)) if ids(&file) == ids(&named))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

pub(super) fn directory_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|directory| !directory.as_os_str().is_empty())
}

/// A name is not on disk before its directory is.
pub(super) fn sync_directory_of(path: &Path) -> Result<(), BackupError> {
    let directory = directory_of(path).unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(file_error("write", directory))
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
