//! What can go wrong in the store, told apart by what the caller can do about it.

use std::{fmt, io, path::PathBuf};

use sqlx::{error::DatabaseError, migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};

use super::Location;

/// What the driver says. Displayed without the line of PostgreSQL's own source that it adds, which reads like one of ours.
#[derive(Debug)]
pub struct Cause(pub(super) sqlx::Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answer = self.0.as_database_error();
        match answer.filter(|error| error.try_downcast_ref::<PgDatabaseError>().is_some()) {
            Some(error) => write!(f, "PostgreSQL says: {}", error.message()),
            None => self.0.fmt(f),
        }
    }
}

impl std::error::Error for Cause {}

/// A statement did not happen. A [`Tx`](super::Tx) that returned one is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached, is too busy, or refuses to write: the same request may succeed later.
    #[error("the database is not available")]
    Unavailable(#[source] Cause),
    /// A mistake of ours, or a damaged database.
    #[error("the database gave an unexpected answer")]
    Unexpected(#[source] Cause),
    /// The transaction was used after one of its statements had failed or was given up.
    #[error("the transaction had failed before")]
    Aborted,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let passing = match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => is_passing(&**error),
            _ => false,
        };
        if passing {
            Self::Unavailable(Cause(error))
        } else {
            Self::Unexpected(Cause(error))
        }
    }
}

// SQLite's primary result codes, https://sqlite.org/rescode.html.
pub(super) const SQLITE_BUSY: u32 = 5;
pub(super) const SQLITE_READONLY: u32 = 8;
pub(super) const SQLITE_IOERR: u32 = 10;
pub(super) const SQLITE_CORRUPT: u32 = 11;
pub(super) const SQLITE_FULL: u32 = 13;
pub(super) const SQLITE_NOTADB: u32 = 26;

/// SQLite's primary result code, the low byte of what it says; none of another engine.
pub(super) fn sqlite_code(error: &dyn DatabaseError) -> Option<u32> {
    error.try_downcast_ref::<SqliteError>()?;
    Some(error.code()?.parse::<u32>().ok()? & 0xff)
}

/// Whether the engine says that it cannot do now what it could do at another time.
fn is_passing(error: &dyn DatabaseError) -> bool {
    if let Some(code) = sqlite_code(error) {
        // Beside those with a name, LOCKED, NOMEM, CANTOPEN, PROTOCOL.
        return matches!(
            code,
            SQLITE_BUSY | 6 | 7 | SQLITE_READONLY | SQLITE_IOERR | SQLITE_FULL | 14 | 15
        );
    }
    let Some(code) = error.code() else { return false };
    // Classes of SQLSTATE: connection, no such database and no such login (both met while connecting, when the server
    // is being moved or set up again), rolled back to break a deadlock, insufficient resources, lock not available,
    // operator intervention (shutdown, time-out), system error. 25006 is a server that fell back to read-only, 25P03 a
    // transaction that was idle for too long.
    matches!(
        code.get(..2),
        Some("08" | "28" | "3D" | "40" | "53" | "55" | "57" | "58")
    ) || matches!(&*code, "25006" | "25P03")
}

/// A user could not be written.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// Another user has this email address.
    #[error("the email address is taken")]
    EmailTaken,
    /// Another user has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// Any other reason.
    #[error(transparent)]
    Failed(Error),
}

impl From<Error> for InsertError {
    fn from(error: Error) -> Self {
        let Error::Unexpected(Cause(sqlx::Error::Database(cause))) = &error else {
            return Self::Failed(error);
        };
        if violates(&**cause, "users_email_taken", "users.email_key") {
            Self::EmailTaken
        } else if violates(&**cause, "users_username_taken", "users.username_key") {
            Self::UsernameTaken
        } else {
            Self::Failed(error)
        }
    }
}

/// PostgreSQL names the constraint; SQLite only names the column, in its message.
fn violates(error: &dyn DatabaseError, constraint: &str, column: &str) -> bool {
    error.is_unique_violation()
        && error
            .constraint()
            .map_or_else(|| error.message().contains(column), |name| name == constraint)
}

/// The database cannot be used, and was left as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It belongs to another application.
    #[error(
        "the database holds tables that are not Vestibule's ({}); it was left untouched. Give Vestibule a database of its \
         own with DATABASE_URL, and bring the users over with `{import}`",
        tables.join(", ")
    )]
    Foreign {
        /// The tables found, in alphabetical order.
        tables: Vec<String>,
        /// The command that brings its users over.
        import: String,
    },
    /// A newer Vestibule wrote it.
    #[error("the database was written by a newer Vestibule (its schema has version {version}); start that version")]
    Newer {
        /// The version of the schema that this program does not know.
        version: i64,
    },
    /// Its file was overwritten, or the disk has lost some of it.
    #[error("the database is damaged ({verdict}): stop the server and restore a backup")]
    Damaged {
        /// What SQLite says.
        verdict: String,
    },
    /// It answers, and takes no change.
    #[error(
        "the database can be read but not written; the user whom DATABASE_URL names, or who runs Vestibule, must be allowed to"
    )]
    ReadOnly(#[source] Error),
    /// The directory that the file is to be in cannot be made.
    #[error("cannot make the directory {} for the database; DATA_DIR or DATABASE_URL says where it is", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file cannot be made or read.
    #[error("cannot open the database file {}; DATA_DIR or DATABASE_URL says where it is", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// PostgreSQL has tables made by those alone whom the owner of the schema lets.
    #[error(
        "the user whom DATABASE_URL names may not make tables in the schema {schema}: make that user the owner of the \
         database, or have its owner run `GRANT USAGE, CREATE ON SCHEMA {schema} TO` that user"
    )]
    MayNotCreate {
        /// The first schema of the `search_path`.
        schema: String,
    },
    /// The database does not answer as it should.
    #[error("cannot open {database}")]
    Database {
        /// Which, and what says where it is.
        database: String,
        /// What came of it.
        source: Error,
    },
}

impl OpenError {
    /// The same of the database at `location`.
    pub(super) fn at(self, location: &Location) -> Self {
        let Self::Database { source, .. } = self else {
            return self;
        };
        let database = match location {
            Location::Sqlite(_) => format!("the database {location}; DATA_DIR or DATABASE_URL says where it is"),
            Location::Postgres(_) => format!("the database {location}, as DATABASE_URL says"),
        };
        Self::Database { database, source }
    }
}

impl OpenError {
    /// What an operator may do, where the error does not say it itself.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        let Self::Database {
            source: Error::Unavailable(Cause(error)),
            ..
        } = self
        else {
            return None;
        };
        let Some(answer) = error.as_database_error() else {
            return Some("check that it runs, and its place in DATABASE_URL");
        };
        // Classes of SQLSTATE, as PostgreSQL alone has them.
        let code = answer.code();
        match code.as_deref().and_then(|code| code.get(..2)) {
            Some("28") => Some("check user and password in DATABASE_URL"),
            Some("3D") => Some("make it with `CREATE DATABASE … OWNER …`, or name another in DATABASE_URL"),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        match damage(&error) {
            Some(verdict) => Self::Damaged { verdict },
            None => Self::Database {
                database: "the database".to_owned(),
                source: error.into(),
            },
        }
    }
}

/// What SQLite says of a file that is none of its own any more.
fn damage(error: &sqlx::Error) -> Option<String> {
    let error = error.as_database_error()?;
    (sqlite_code(error)? == SQLITE_CORRUPT).then(|| error.message().to_owned())
}

impl From<MigrateError> for OpenError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(version) => Self::Newer { version },
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
            error => sqlx::Error::Migrate(Box::new(error)).into(),
        }
    }
}
