//! A copy of a SQLite database put in the database's place: first a file beside it, which is checked and changed there, and
//! which then takes its name in one step. The database that was there keeps its data under another name.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    iter,
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{AnyConnection, Connection};

use super::{
    BackupError, Error, Tx,
    backup::{
        check_integrity, create, database_error, directory_of, file_error, have_alone, sync_directory_of, with_suffix,
    },
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

/// What became of the log that lay beside a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogOfCopy {
    /// There was none, as with all that [`back_up`](super::back_up) makes.
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
        staged.log = staged.fill(&mut original, source)?;
        check_integrity(&staged.path).await.map_err(|error| error.of(source))?;
        Ok(staged)
    }

    /// The log of a copy that was made with other means than [`back_up`](super::back_up) is a part of it. SQLite reads
    /// whatever lies under the log's name, in every mode: what cannot be the copy's must not get there.
    fn fill(&mut self, original: &mut File, source: &Path) -> Result<LogOfCopy, BackupError> {
        // Of a restore that was cut short.
        self.remove_logs()?;
        self.lock.set_len(0).map_err(file_error("write", &self.path))?;
        io::copy(original, &mut self.lock).map_err(file_error("copy", source))?;
        let source_log = with_suffix(source, "-wal");
        let mut found = match File::open(&source_log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LogOfCopy::Absent),
            opened => opened.map_err(file_error("read", &source_log))?,
        };
        let is_its_own = is_in_wal_mode(original).and_then(|wal| Ok(wal && have_one_owner(original, &found)?));
        if !is_its_own.map_err(file_error("read", source))? {
            return Ok(LogOfCopy::LeftOut);
        }
        let mut log = create(&with_suffix(&self.path, "-wal"))?;
        io::copy(&mut found, &mut log).map_err(file_error("copy", &source_log))?;
        Ok(LogOfCopy::Taken)
    }

    fn remove_logs(&self) -> Result<(), BackupError> {
        for suffix in LOGS {
            let log = with_suffix(&self.path, suffix);
            match fs::remove_file(&log) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(file_error("remove", &log)(error));
                }
                _ => {}
            }
        }
        Ok(())
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
        synced.map(|()| kept.map(|kept| kept.path))
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
    fn set_aside(&self, is_held: bool, now: Timestamp) -> Result<Option<Kept>, BackupError> {
        if !self.database.exists() {
            return Ok(None);
        }
        let path = self.name_to_keep(now);
        let copied = match fs::hard_link(&self.database, &path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Some(copy_aside(&self.database, &path)?),
            linked => {
                linked.map_err(file_error("write", &path))?;
                None
            }
        };
        // None of these must be taken for the new one's. Of a database that is held nothing is in them any more; of one
        // that is damaged they may be all that is left.
        for suffix in LOGS {
            let log = with_suffix(&self.database, suffix);
            let gone = if is_held {
                fs::remove_file(&log)
            } else {
                fs::rename(&log, with_suffix(&path, suffix))
            };
            match gone {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(file_error("move", &log)(error));
                }
                _ => {}
            }
        }
        Ok(Some(Kept { path, _copied: copied }))
    }
}

/// The database that was there, under the name that it keeps.
struct Kept {
    path: PathBuf,
    /// What it was copied from, if it was. POSIX ends every lock that a process has on a file when the process closes any
    /// descriptor of it: this stays open for as long as SQLite holds the database.
    _copied: Option<File>,
}

/// Copies the database, and gives what it was read from, still open.
fn copy_aside(database: &Path, path: &Path) -> Result<File, BackupError> {
    let mut original = File::open(database).map_err(file_error("read", database))?;
    let mut copy = create(path)?;
    let copied = io::copy(&mut original, &mut copy).and_then(|_| copy.sync_all());
    copied.map_err(file_error("write", path))?;
    Ok(original)
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.is_in_place {
            drop(fs::remove_file(&self.path));
            drop(self.remove_logs());
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

/// A server that runs as somebody else than whoever restores must be able to open it: it belongs to whom the database
/// belongs, or its directory.
fn give_to_owner_of(database: &Path, file: &File) -> io::Result<()> {
    let owned = if database.exists() {
        database
    } else {
        directory_of(database).unwrap_or(Path::new("."))
    };
    private_file::give_to_owner_of(owned, file)
}

/// Whether the header says that the database goes on in a log,
/// <https://sqlite.org/fileformat2.html#file_format_version_numbers>.
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

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::store::{Location, Store};

    /// Whether some process holds a lock of POSIX on the file, where the kernel tells: not every container does.
    fn is_locked(path: &Path) -> bool {
        let file = format!(":{} ", fs::metadata(path).unwrap().ino());
        let locks = fs::read_to_string("/proc/locks").unwrap_or_default();
        locks
            .lines()
            .any(|lock| lock.contains(" POSIX ") && lock.contains(&file))
    }

    #[tokio::test]
    async fn a_database_that_is_copied_aside_stays_held() {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("vestibule.db");
        Store::open(&Location::Sqlite(database.clone()))
            .await
            .unwrap()
            .close()
            .await;
        let held = take(&database).await.unwrap();
        assert!(held.is_some());
        let before = is_locked(&database);
        let kept = directory.path().join("kept.db");
        let copied = copy_aside(&database, &kept).unwrap();
        assert_eq!(is_locked(&database), before);
        assert_eq!(fs::read(&kept).unwrap(), fs::read(&database).unwrap());
        drop(copied);
        release(held).await;
        assert!(!is_locked(&database));
    }
}
