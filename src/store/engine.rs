//! The few places where SQLite and PostgreSQL differ.

use std::{
    fmt::Write,
    io,
    path::{Path, PathBuf},
    thread,
};

use sqlx::{
    AnyConnection, Connection,
    any::{AnyConnectOptions, AnyPoolOptions},
    postgres::PgConnectOptions,
};

use super::{
    connections::{ACQUIRE_TIMEOUT, Connections, PING_LIMIT},
    outbox::{claim_message, message_columns},
    sessions::{exchange_refresh_token, extend_session},
    watch::Watch,
};

/// Connections to PostgreSQL, whose default limit is 100 for all.
const POSTGRES_CONNECTIONS: u32 = 10;

/// What every connection to a SQLite file begins with. Temporary tables stay in memory, since on disk they would be
/// copies of personal data in a directory that we do not know. Each connection keeps at most 2 MiB of pages to itself, the upper
/// ones of every index among them; the system keeps the others, once for all.
const SQLITE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; \
                             PRAGMA cache_size = -2048; PRAGMA query_only = ON;";

/// WAL lets readers go on while one writes; `synchronous = FULL` has each commit on disk before it is acknowledged;
/// `secure_delete` overwrites what is deleted, so that an erased token is not left in a free page.
const SQLITE_WRITER: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                             PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -2048; \
                             PRAGMA secure_delete = ON;";

/// A statement that waits for a lock must not hold a connection for ever, nor a transaction whose client has vanished its
/// locks: it loses them before those who wait for them give up.
///
/// No notices: a ROLLBACK after a COMMIT whose client went away is one, and strangers could fill the log with it.
const POSTGRES_SESSION: &str = "SET statement_timeout = '10s'; SET idle_in_transaction_session_timeout = '5s'; \
                                SET client_min_messages = error;";

/// No time limit, as a migration and the wait for another process's take as long as they take; and no notices about
/// what exists already.
const POSTGRES_MIGRATION: &str = "SET statement_timeout = 0; SET client_min_messages = warning;";

/// For another application's database: nothing is written, and times are read alike whatever its server is set to.
const POSTGRES_INSPECTION: &str = "SET default_transaction_read_only = on; SET statement_timeout = 0; \
                                   SET client_min_messages = warning; SET datestyle = 'ISO, YMD'; SET timezone = 'UTC';";

/// Has the file to itself, or fails at once: whoever else has it open in WAL mode keeps a lock on it, even when idle. The
/// log is folded into the file, and goes.
const SQLITE_OWNER: &str = "PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; \
                            BEGIN EXCLUSIVE;";

/// Which database is behind the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    /// The statement that starts a transaction. SQLite's takes the write lock at once: a transaction that read first
    /// and then wanted it could only fail. PostgreSQL's level is named, as a server's default may be another.
    pub(super) const fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// Whether that statement is sent by itself. SQLite takes it together with the first that writes, as each message is
    /// a change of threads; PostgreSQL takes one statement with arguments at a time.
    pub(super) const fn begins_alone(self) -> bool {
        match self {
            Self::Sqlite => false,
            Self::Postgres => true,
        }
    }

    /// The statements that exchange a refresh token, or the one.
    pub(super) const fn exchange_refresh_token(self) -> &'static str {
        match self {
            Self::Sqlite => concat!(
                extend_session!(),
                "; ",
                exchange_refresh_token!("sessions WHERE id = $2 AND expires_at > 0")
            ),
            Self::Postgres => concat!(
                "WITH held AS (",
                extend_session!(),
                " RETURNING id) ",
                exchange_refresh_token!("held")
            ),
        }
    }

    /// The statement that claims a message. On PostgreSQL workers that run side by side pass over the row that another
    /// one is taking; on SQLite there is one writer.
    pub(super) const fn claim_message(self) -> &'static str {
        match self {
            Self::Sqlite => claim_message!(""),
            Self::Postgres => claim_message!(" FOR UPDATE SKIP LOCKED"),
        }
    }

    /// The statement that looks for damage and says `ok` where there is none. A server looks after its own files.
    pub(super) const fn check_file(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => Some("PRAGMA quick_check(1)"),
            Self::Postgres => None,
        }
    }

    /// The statement that names the schema in which tables would be made, if they may not be. The owner of a SQLite file
    /// makes them.
    pub(super) const fn forbidden_schema(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            // There is no current one where none of the search path can be used, which ends with this one by default.
            Self::Postgres => Some(
                "SELECT CAST(COALESCE(current_schema(), 'public') AS TEXT) \
                 WHERE NOT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE)",
            ),
        }
    }

    /// The statement that lists the tables there are.
    pub(super) const fn list_tables(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY 1"
            }
            // The cast, because sqlx's `Any` does not know the type `name`.
            Self::Postgres => {
                "SELECT CAST(tablename AS TEXT) AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema() \
                 ORDER BY 1"
            }
        }
    }
}

impl Engine {
    /// The statement that lists the tables and views of another application: schema, name, and whether the name alone
    /// finds it.
    pub(super) const fn list_foreign_tables(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "SELECT 'main', name, 1 FROM sqlite_master WHERE type IN ('table', 'view') \
                 AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name"
            }
            Self::Postgres => {
                "SELECT CAST(table_schema AS TEXT), CAST(table_name AS TEXT), \
                 CAST(COALESCE(table_schema = current_schema(), FALSE) AS INTEGER) \
                 FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 3 DESC, 1, 2"
            }
        }
    }

    /// The statement that lists the columns of the table `$2` in the schema `$1`: name and type.
    pub(super) const fn list_foreign_columns(self) -> &'static str {
        match self {
            Self::Sqlite => "SELECT name, '' FROM pragma_table_info($2, $1) ORDER BY cid",
            Self::Postgres => {
                "SELECT CAST(column_name AS TEXT), CAST(udt_name AS TEXT) FROM information_schema.columns \
                 WHERE table_schema = $1 AND table_name = $2 ORDER BY ordinal_position"
            }
        }
    }

    /// The bytes of what a column of this type holds, but no more than `max` and one, which is then how a longer one shows.
    /// Of whatever type: sqlx's `Any` reads a handful of them, and a text that is not UTF-8 not at all.
    pub(super) fn as_bytes(self, column: &str, kind: &str, max: usize) -> String {
        let more = max + 1;
        match self {
            // Asked for its length first, as SQLite would make all of a long one to cut it.
            Self::Sqlite => format!(
                "CASE WHEN octet_length({column}) > {max} THEN zeroblob({more}) ELSE CAST({column} AS BLOB) END"
            ),
            Self::Postgres if kind == "bytea" => format!("substring({column} FROM 1 FOR {more})"),
            Self::Postgres => format!("substring(convert_to(CAST({column} AS TEXT), 'UTF8') FROM 1 FOR {more})"),
        }
    }
}

/// Connections that write, one at a time: SQLite has one writer, and a queue of ours is fairer than its lock.
pub(super) fn sqlite_writer(path: &Path, watch: &Watch) -> Result<Connections, sqlx::Error> {
    let pool = pool(1, SQLITE_WRITER, watch).idle_timeout(None).max_lifetime(None);
    Ok(Connections::of(pool.connect_lazy_with(sqlite(path, "rw")?), watch))
}

/// Connections that cannot write.
pub(super) fn sqlite_readers(path: &Path, watch: &Watch) -> Result<Connections, sqlx::Error> {
    let cores = thread::available_parallelism().map_or(4, |cores| u32::try_from(cores.get()).unwrap_or(8));
    let pool = pool(cores.clamp(4, 8), SQLITE_READER, watch)
        .idle_timeout(None)
        .max_lifetime(None);
    Ok(Connections::of(pool.connect_lazy_with(sqlite(path, "rw")?), watch))
}

/// A connection that changes nothing, not even the journal's mode.
pub(super) async fn sqlite_inspector(path: &Path) -> Result<AnyConnection, sqlx::Error> {
    connect(&sqlite(path, "ro")?, "").await
}

/// A connection to find out whether the file could be written.
pub(super) async fn sqlite_prober(path: &Path) -> Result<AnyConnection, sqlx::Error> {
    connect(&sqlite(path, "rw")?, "PRAGMA busy_timeout = 5000;").await
}

/// A connection that keeps everybody else out until it is closed.
pub(super) async fn sqlite_owner(path: &Path) -> Result<AnyConnection, sqlx::Error> {
    connect(&sqlite(path, "rw")?, SQLITE_OWNER).await
}

/// Connections that read and write.
pub(super) fn postgres(url: &str, watch: &Watch) -> Result<Connections, sqlx::Error> {
    let pool = pool(POSTGRES_CONNECTIONS, POSTGRES_SESSION, watch);
    Ok(Connections::of(pool.connect_lazy_with(url.parse()?), watch))
}

/// Whether two URLs lead to one database, as far as can be told without asking there.
pub(super) fn is_same_postgres(one: &str, other: &str) -> bool {
    let parsed = (one.parse::<PgConnectOptions>(), other.parse::<PgConnectOptions>());
    matches!(&parsed, (Ok(one), Ok(other)) if postgres_place(one) == postgres_place(other))
}

/// With the options, as the schema may be one of them.
fn postgres_place(options: &PgConnectOptions) -> (&str, u16, Option<&PathBuf>, &str, Option<&str>) {
    let database = options.get_database().unwrap_or(options.get_username());
    let (host, port) = (options.get_host(), options.get_port());
    (host, port, options.get_socket(), database, options.get_options())
}

/// A connection to find out what there is, and to migrate it.
pub(super) async fn postgres_migrator(url: &str) -> Result<AnyConnection, sqlx::Error> {
    connect(&url.parse()?, POSTGRES_MIGRATION).await
}

/// A connection that changes nothing.
pub(super) async fn postgres_inspector(url: &str) -> Result<AnyConnection, sqlx::Error> {
    connect(&url.parse()?, POSTGRES_INSPECTION).await
}

/// Which database a URL leads to, as the driver understands it.
pub(super) fn postgres_name(url: &str) -> String {
    let Ok(options) = url.parse::<PgConnectOptions>() else {
        return "of PostgreSQL".to_owned();
    };
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}, port {}", options.get_host(), options.get_port()),
    };
    match options.get_database() {
        Some(name) => format!("{name} at {place}"),
        None => format!("at {place}"),
    }
}

/// A connection outside a pool: a pool would try until its time is up, and then not say what was wrong.
async fn connect(options: &AnyConnectOptions, setup: &'static str) -> Result<AnyConnection, sqlx::Error> {
    let connecting = tokio::time::timeout(ACQUIRE_TIMEOUT, AnyConnection::connect_with(options));
    let mut connection = connecting.await.map_err(io::Error::from)??;
    sqlx::raw_sql(setup).execute(&mut connection).await?;
    Ok(connection)
}

fn pool(connections: u32, setup: &'static str, watch: &Watch) -> AnyPoolOptions {
    let (before_use, after_use) = (watch.clone(), watch.clone());
    AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let watch = before_use.clone();
            Box::pin(async move {
                Ok(!watch.suspects(meta.age) && watch.limit(PING_LIMIT, connection.ping()).await.is_ok())
            })
        })
        // Before sqlx asks the connection whether it lives, and waits for its answer.
        .after_release(move |_, meta| {
            let trusted = !after_use.suspects(meta.age);
            Box::pin(async move { Ok(trusted) })
        })
        .after_connect(move |connection, _| {
            Box::pin(async move { sqlx::raw_sql(setup).execute(connection).await.map(drop) })
        })
}

/// sqlx takes a path as a URL. Every byte that means something in one is escaped, slashes and dots too, since a URL's
/// path would be normalised and `..` behind a symbolic link is not what it looks like.
fn sqlite(path: &Path, mode: &str) -> Result<AnyConnectOptions, sqlx::Error> {
    let path = path
        .to_str()
        .ok_or_else(|| sqlx::Error::Configuration("the path is not UTF-8".into()))?;
    let mut url = String::from("sqlite:");
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() {
            url.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url.push_str("?mode=");
    url.push_str(mode);
    url.parse()
}
