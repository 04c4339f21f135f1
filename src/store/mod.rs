//! The database.
//!
//! Reads are methods of `Store`, one query each. Writes are methods of `Tx`, so that what belongs together commits
//! together. One set of statements serves SQLite and PostgreSQL; the few differences are in `engine`.

use std::{
    fmt, path,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use sqlx::{
    Any, AnyConnection, FromRow,
    any::{AnyArguments, AnyRow},
};

use self::{
    connections::Connections,
    engine::Engine,
    file::OpenFile,
    watch::{Repeatable, STATEMENT_LIMIT, Watch, is_lost, is_worth_another_try},
};

mod audit;
mod backup;
mod connections;
mod engine;
mod error;
mod file;
mod foreign;
mod imports;
mod inspect;
mod keys;
mod limits;
mod links;
mod open;
mod outbox;
mod places;
mod products;
mod restore;
mod sessions;
#[cfg(test)]
mod tests;
mod tx;
mod types;
mod users;
mod watch;

pub use self::{
    audit::{EventFilter, EventRow, ListedEventRow},
    backup::{BackupError, back_up},
    connections::ConnectionUse,
    error::{Cause, Error, InsertError, OpenError},
    foreign::{ForeignError, ForeignRows, ForeignTable, ForeignValue},
    imports::{ImportRow, ImportedUserRow},
    inspect::{Found, Inspection},
    keys::{FORGET_SIGNING_KEYS, SigningKeyRow},
    limits::LimitRow,
    links::LinkTokenRow,
    outbox::{MessageFilter, MessageRow, MessageState},
    places::PlaceRow,
    products::{ProductFilter, ProductRow},
    restore::{LogOfCopy, Staged},
    sessions::{PresentedRefreshToken, RefreshTokenRow, SessionFilter, SessionRow, SessionUserRow},
    tx::Tx,
    users::{UserFilter, UserRow, UserStatus},
};

/// The most rows of one kind that a user's own export holds, newest first: what one request may read into memory.
pub const EXPORT_LIMIT: i64 = 10_000;

/// How long the database may take to say that it is there. Whoever asks has other servers to send requests to, and gives
/// up soon itself.
const PING_LIMIT: Duration = Duration::from_secs(2);

/// Where the data is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite's. It and its directory are made when missing, readable by their owner only.
    Sqlite(PathBuf),
    /// A `postgres://` URL. The tables live in the first schema of its `search_path`.
    Postgres(String),
}

impl Location {
    /// Whether both lead to one database, as far as can be told without asking there.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sqlite(one), Self::Sqlite(other)) => {
                let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
                canonical(one) == canonical(other)
            }
            (Self::Postgres(one), Self::Postgres(other)) => engine::is_same_postgres(one, other),
            _ => false,
        }
    }
}

/// Without the URL, which holds a password.
impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// What it is called, for people: never with user or password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path::absolute(path).unwrap_or_else(|_| path.clone()).display().fmt(f),
            Self::Postgres(url) => f.write_str(&engine::postgres_name(url)),
        }
    }
}

/// The database. Cloning it is cheap and shares its connections.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    is_new: bool,
    /// None with PostgreSQL.
    file: Option<Arc<OpenFile>>,
    reader: Connections,
    writer: Connections,
    watch: Watch,
}

/// A statement and its arguments. The text is static, so that every connection prepares it once and keeps it.
type Query = sqlx::query::Query<'static, Any, AnyArguments>;

/// How much of what a query finds is taken.
type Fetch<T> = fn(Query, &mut AnyConnection) -> BoxFuture<'_, Result<T, sqlx::Error>>;

/// What one row of the database says by itself. A user is not, whose roles are rows of their own.
trait Decode: for<'row> FromRow<'row, AnyRow> {}

impl<R: for<'row> FromRow<'row, AnyRow>> Decode for R {}

fn decode_one<R: Decode>(row: Option<&AnyRow>) -> Result<Option<R>, Error> {
    Ok(row.map(R::from_row).transpose()?)
}

fn decode_all<R: Decode>(rows: &[AnyRow]) -> Result<Vec<R>, Error> {
    Ok(rows.iter().map(R::from_row).collect::<Result<_, _>>()?)
}

impl Store {
    /// Starts a transaction to write in. On SQLite there is one at a time: do nothing slow inside.
    pub async fn begin(&self) -> Result<Tx, Error> {
        // Nothing has been written yet, so that on a connection that proves lost nothing is. One that fell silent is among
        // them: this is known so soon that there is time for another try.
        let begun = match self.begin_once().await {
            Err(error) if is_lost(&error) => self.begin_once().await,
            begun => begun,
        };
        Ok(begun?)
    }

    async fn begin_once(&self) -> Result<Tx, sqlx::Error> {
        Tx::begin(self.engine, self.writer.acquire().await?, self.watch.clone()).await
    }

    /// Whether the database answers, holds our tables, takes changes, and is still where it was opened.
    pub async fn ping(&self) -> Result<(), Error> {
        let answer = tokio::time::timeout(PING_LIMIT, self.try_out()).await;
        answer.map_err(|elapsed| sqlx::Error::Io(elapsed.into()))?
    }

    async fn try_out(&self) -> Result<(), Error> {
        // A look at a directory that is always at hand: not worth a thread of its own.
        self.file.as_deref().map_or(Ok(()), OpenFile::is_in_place)?;
        let query = sqlx::query("SELECT name FROM locks LIMIT 1");
        // Half for a connection to become free, half for its answer.
        let fetch: Fetch<_> = |query, connection| query.fetch_one(connection).boxed();
        self.read(query, PING_LIMIT / 2, fetch).await?;
        // Only after a change was refused: each takes the disk a moment, and strangers may ask as often as they like.
        if self.watch.refuses_changes() {
            self.try_to_change().await?;
        }
        Ok(())
    }

    /// Makes a change that leaves everything as it was, and is written all the same.
    async fn try_to_change(&self) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        tx.execute(sqlx::query("INSERT INTO locks (name) VALUES ('trial')"))
            .await?;
        tx.execute(sqlx::query("DELETE FROM locks WHERE name = 'trial'"))
            .await?;
        tx.commit().await?;
        self.watch.note_change(Ok(()));
        Ok(())
    }

    /// What the connections are used for at the moment.
    #[must_use]
    pub fn connection_use(&self) -> Vec<ConnectionUse> {
        match self.engine {
            Engine::Sqlite => vec![self.reader.used_as("reader"), self.writer.used_as("writer")],
            // One for both.
            Engine::Postgres => vec![self.writer.used_as("shared")],
        }
    }

    /// Waits for what is under way and closes every connection. SQLite then folds its log into the file.
    pub async fn close(&self) {
        self.writer.close().await;
        self.reader.close().await;
    }

    async fn read_one<R: Decode>(&self, query: Query) -> Result<Option<R>, Error> {
        decode_one(self.row(query).await?.as_ref())
    }

    async fn read_all<R: Decode>(&self, query: Query) -> Result<Vec<R>, Error> {
        decode_all(&self.rows(query).await?)
    }

    async fn row(&self, query: Query) -> Result<Option<AnyRow>, Error> {
        let fetch: Fetch<_> = |query, connection| query.fetch_optional(connection).boxed();
        self.read(query, STATEMENT_LIMIT, fetch).await
    }

    async fn rows(&self, query: Query) -> Result<Vec<AnyRow>, Error> {
        let fetch: Fetch<_> = |query, connection| query.fetch_all(connection).boxed();
        self.read(query, STATEMENT_LIMIT, fetch).await
    }

    async fn read<T>(&self, query: Query, limit: Duration, fetch: Fetch<T>) -> Result<T, Error> {
        let query = Repeatable::new(query).map_err(sqlx::Error::Encode)?;
        // A read changes nothing, and may be made again where the connection proves lost.
        let read = match self.read_once(query.query(), limit, fetch).await {
            Err(error) if is_worth_another_try(&error) => self.read_once(query.query(), limit, fetch).await,
            read => read,
        };
        Ok(read?)
    }

    async fn read_once<T>(&self, query: Query, limit: Duration, fetch: Fetch<T>) -> Result<T, sqlx::Error> {
        let mut connection = self.reader.acquire().await?;
        let read = self.watch.limit(limit, fetch(query, &mut connection)).await?;
        connection.keep();
        Ok(read)
    }
}
