//! Copies of a SQLite database, and putting one back in the database's place.
//!
//! A copy is one file, taken while others write, and never one that is half done: it gets its name when it is whole. Put
//! back, it is first a file beside the database, which is checked and changed there, and then takes the database's name
//! in one step. The database that was there keeps its data under another name.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, SeekFrom},
    iter,
    path::{Path, PathBuf, absolute},
    time::Duration,
};

use sqlx::{AnyConnection, Connection, Row, error::DatabaseError, sqlite::SqliteError};

use super::{
    Error, Tx,
    engine::{self, Engine},
    open::{MIGRATIONS_TABLE, list_tables},
};
use crate::{clock::Timestamp, private_file};

/// How often, and after what pause each, a database is tried that somebody else has open: a command that has just ended,
/// or a thread that is closing its connection.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What SQLite puts after a database's name for the files that belong to it.
const LOGS: [&str; 3] = ["-wal", "-shm", "-journal"];

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

/// The error of a file operation on `path`.
fn file_error(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
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
fn database_error(path: &Path) -> impl Fn(sqlx::Error) -> BackupError {
    move |error| {
        let path = path.to_owned();
        match result_code(&error) {
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

// Primary result codes, https://sqlite.org/rescode.html.
const SQLITE_BUSY: u32 = 5;
const SQLITE_CORRUPT: u32 = 11;
const SQLITE_NOTADB: u32 = 26;

fn result_code(error: &sqlx::Error) -> Option<u32> {
    let error: &dyn DatabaseError = error.as_database_error()?;
    error.try_downcast_ref::<SqliteError>()?;
    Some(error.code()?.parse::<u32>().ok()? & 0xff)
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

/// Gives a whole copy its name, unless something has that. It is taken at the last moment, so that a copy that is cut
/// short leaves nothing under it.
fn give_name(unfinished: &Path, target: &Path) -> Result<(), BackupError> {
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
async fn check_integrity(path: &Path) -> Result<(), BackupError> {
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

/// What became of the log that lay beside a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOfCopy {
    /// There was none, as with all that [`back_up`] makes.
    Absent,
    /// It belongs to the copy, and was taken in.
    Taken,
    /// It does not, and was left out: whoever can make a file in that folder could else write into the database.
    LeftOut,
}

/// A copy that lies beside the database that it is to replace, and is removed again unless it does.
#[derive(Debug)]
pub struct Staged {
    path: PathBuf,
    database: PathBuf,
    /// Locked, so that no other process stages another one here.
    lock: File,
    log: LogOfCopy,
    is_in_place: bool,
}

impl Staged {
    /// Brings the copy `source` beside `database`, once nobody has that open, and checks it there. Neither is changed.
    pub async fn new(source: &Path, database: &Path) -> Result<Self, BackupError> {
        sqlx::any::install_default_drivers();
        if !source.is_file() {
            return Err(BackupError::Missing {
                path: source.to_owned(),
            });
        }
        if fs::canonicalize(source).is_ok_and(|source| fs::canonicalize(database).is_ok_and(|other| other == source)) {
            return Err(BackupError::Itself {
                path: source.to_owned(),
            });
        }
        let mut original = File::open(source).map_err(file_error("read", source))?;
        refuse_foreign(database).await?;
        release(take(database).await?).await;
        if let Some(directory) = directory_of(database) {
            private_file::create_directory(directory).map_err(file_error("make", directory))?;
        }
        let path = with_suffix(database, ".restoring");
        let lock = have_alone(&path)?;
        let mut staged = Self {
            path,
            database: database.to_owned(),
            lock,
            log: LogOfCopy::Absent,
            is_in_place: false,
        };
        staged.log = staged
            .fill(&mut original, source)
            .map_err(file_error("write", &staged.path))?;
        check_integrity(&staged.path).await.map_err(|error| error.of(source))?;
        Ok(staged)
    }

    /// The log of a copy that was made with other means than [`back_up`] is a part of it. SQLite reads whatever lies under
    /// the log's name, in every mode: what cannot be the copy's must not get there.
    fn fill(&mut self, original: &mut File, source: &Path) -> io::Result<LogOfCopy> {
        // Of a restore that was cut short.
        self.remove_logs();
        self.lock.set_len(0)?;
        io::copy(original, &mut self.lock)?;
        let mut found = match File::open(with_suffix(source, "-wal")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LogOfCopy::Absent),
            opened => opened?,
        };
        if !is_in_wal_mode(original)? || !have_one_owner(original, &found)? {
            return Ok(LogOfCopy::LeftOut);
        }
        let log = with_suffix(&self.path, "-wal");
        let mut log = private_file::options().write(true).create_new(true).open(log)?;
        io::copy(&mut found, &mut log)?;
        Ok(LogOfCopy::Taken)
    }

    fn remove_logs(&self) {
        for suffix in LOGS {
            drop(fs::remove_file(with_suffix(&self.path, suffix)));
        }
    }

    /// What became of the copy's log.
    #[must_use]
    pub const fn log(&self) -> LogOfCopy {
        self.log
    }

    /// Where it lies, to be opened as a database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts it in the database's place, in one step: whoever opens the database finds the old one or the new. Gives the
    /// name under which the old one is kept, if there was one. Nobody may have the copy open any more.
    pub async fn replace(mut self, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
        // Its log is folded in.
        let own = take(&self.path).await?;
        release(own).await;
        self.lock.sync_all().map_err(file_error("write", &self.path))?;
        give_to_owner_of(&self.database, &self.lock).map_err(file_error("hand over", &self.path))?;
        let held = take(&self.database).await?;
        let kept = self.set_aside(held.is_some(), now)?;
        fs::rename(&self.path, &self.database).map_err(file_error("replace", &self.database))?;
        self.is_in_place = true;
        let synced = sync_directory_of(&self.database);
        release(held).await;
        synced.map(|()| kept)
    }

    /// A name that nothing has.
    fn name_to_keep(&self, now: Timestamp) -> PathBuf {
        let time = now.to_string().replace(':', "-");
        let first = with_suffix(&self.database, &format!(".before-restore-{time}"));
        let more = (2..).map(|number| with_suffix(&first, &format!("-{number}")));
        let mut names = iter::once(first.clone()).chain(more);
        names.find(|name| !name.exists()).unwrap_or(first)
    }

    /// Gives the database a second name. Where a file cannot have two, it is copied.
    fn set_aside(&self, is_held: bool, now: Timestamp) -> Result<Option<PathBuf>, BackupError> {
        if !self.database.exists() {
            return Ok(None);
        }
        let kept = self.name_to_keep(now);
        match fs::hard_link(&self.database, &kept) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                let mut original = File::open(&self.database).map_err(file_error("read", &self.database))?;
                let mut copy = create(&kept)?;
                io::copy(&mut original, &mut copy)
                    .and_then(|_| copy.sync_all())
                    .map_err(file_error("write", &kept))?;
            }
            linked => linked.map_err(file_error("write", &kept))?,
        }
        // None of these must be taken for the new one's. Of a database that is held nothing is in them any more; of one
        // that is damaged they may be all that is left.
        for suffix in LOGS {
            let log = with_suffix(&self.database, suffix);
            let gone = if is_held {
                fs::remove_file(&log)
            } else {
                fs::rename(&log, with_suffix(&kept, suffix))
            };
            match gone {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(file_error("move", &log)(error));
                }
                _ => {}
            }
        }
        Ok(Some(kept))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_in_place {
            drop(fs::remove_file(&self.path));
            self.remove_logs();
        }
    }
}

impl BackupError {
    /// The same of the file that whoever asked knows.
    fn of(self, source: &Path) -> Self {
        let path = source.to_owned();
        match self {
            Self::NotADatabase { .. } => Self::NotADatabase { path },
            Self::Damaged { damage, .. } => Self::Damaged { path, damage },
            Self::Foreign { .. } => Self::Foreign { path },
            other => other,
        }
    }
}

/// A database of another application's is not replaced, one that is empty or damaged is.
async fn refuse_foreign(database: &Path) -> Result<(), BackupError> {
    let Ok(mut connection) = engine::sqlite_inspector(database).await else {
        return Ok(());
    };
    let tables = list_tables(Engine::Sqlite, &mut connection).await.unwrap_or_default();
    if tables.is_empty() || tables.iter().any(|table| table == MIGRATIONS_TABLE) {
        Ok(())
    } else {
        Err(BackupError::Foreign {
            path: database.to_owned(),
        })
    }
}

/// Has a database to itself, until it is [released](release), with its log folded in; `None` where there is none, or one
/// too damaged to be held.
async fn take(database: &Path) -> Result<Option<AnyConnection>, BackupError> {
    if !database.exists() {
        return Ok(None);
    }
    for _ in 1..TRIES {
        match try_to_take(database).await {
            Err(BackupError::InUse { .. }) => tokio::time::sleep(PAUSE).await,
            taken => return taken,
        }
    }
    try_to_take(database).await
}

async fn try_to_take(database: &Path) -> Result<Option<AnyConnection>, BackupError> {
    let owned = engine::sqlite_owner(database).await;
    match owned.map_err(database_error(database)) {
        Ok(connection) => {
            // Shared memory is left behind by whoever only reads. It is nobody's now.
            drop(fs::remove_file(with_suffix(database, "-shm")));
            Ok(Some(connection))
        }
        Err(BackupError::NotADatabase { .. } | BackupError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn release(taken: Option<AnyConnection>) {
    if let Some(connection) = taken {
        // What it held is let go of in any case.
        drop(connection.close().await);
    }
}

/// Opens a file that is written before it gets the name for which it is meant, and keeps every other process from it that
/// does the same. It holds what one that was cut short has left.
fn have_alone(path: &Path) -> Result<File, BackupError> {
    let under_way = || BackupError::UnderWay { path: path.to_owned() };
    let mut options = private_file::options();
    let opened = options.read(true).write(true).create(true).truncate(false).open(path);
    let file = opened.map_err(file_error("write", path))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => return Err(under_way()),
        Err(TryLockError::Error(error)) => return Err(file_error("lock", path)(error)),
        Ok(()) => {}
    }
    // Another may have given this very file its name since it was opened.
    if is_at(&file, path) { Ok(file) } else { Err(under_way()) }
}

/// Makes a new file for its owner alone.
fn create(path: &Path) -> Result<File, BackupError> {
    let created = private_file::options().write(true).create_new(true).open(path);
    created.map_err(file_error("write", path))
}

/// Whether the open file is the one that has this name.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let ids = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
        matches!((file.metadata(), fs::metadata(path)), (Ok(file), Ok(named)) if ids(&file) == ids(&named))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// A server that runs as somebody else than whoever restores must be able to open it: it belongs to whom the database
/// belongs, or its directory.
fn give_to_owner_of(database: &Path, file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let of_directory = || fs::metadata(directory_of(database).unwrap_or(Path::new(".")));
        let (owner, own) = (fs::metadata(database).or_else(|_| of_directory())?, file.metadata()?);
        if owner.uid() != own.uid() {
            fchown(file, Some(owner.uid()), Some(owner.gid()))?;
        }
    }
    Ok(())
}

/// Whether the header says that the database goes on in a log, <https://sqlite.org/fileformat2.html#file_format_version_numbers>.
fn is_in_wal_mode(database: &mut File) -> io::Result<bool> {
    const VERSIONS: u64 = 18;
    let mut versions = Vec::new();
    database.seek(SeekFrom::Start(VERSIONS))?;
    database.take(2).read_to_end(&mut versions)?;
    Ok(versions == [2, 2])
}

fn have_one_owner(one: &File, other: &File) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        Ok(one.metadata()?.uid() == other.metadata()?.uid())
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        Ok(true)
    }
}

fn directory_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|directory| !directory.as_os_str().is_empty())
}

/// A name is not on disk before its directory is.
fn sync_directory_of(path: &Path) -> Result<(), BackupError> {
    let directory = directory_of(path).unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(file_error("write", directory))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

impl Tx {
    /// Ends every link, and says how many there were.
    pub async fn delete_all_link_tokens(&mut self) -> Result<u64, Error> {
        self.execute(sqlx::query("DELETE FROM link_tokens")).await
    }

    /// Drops every message that is still to be sent, and says how many there were.
    pub async fn drop_all_messages(&mut self, reason: &str, now: Timestamp) -> Result<u64, Error> {
        self.execute(
            sqlx::query(
                "UPDATE outbox SET state = 'dropped', last_error = $1, finished_at = $2 WHERE finished_at IS NULL",
            )
            .bind(reason.to_owned())
            .bind(now),
        )
        .await
    }
}
