//! A place of its own for each test: a temporary directory with a SQLite file, or a freshly made PostgreSQL database.

use std::{fs, panic::resume_unwind, path::Path, sync::Arc, time::Duration};

use sqlx::{AnyConnection, AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;
use vestibule::clock::{Clock, ManualClock, Timestamp};

/// 2026-03-01T12:00:00Z. Not the machine's time: whatever reads that instead of the injected clock is found out.
const START: i64 = 1_772_366_400;

/// The SQLite file in a place's directory.
const FILE: &str = "vestibule.db";

/// Every table whose rows a test can change, those that others refer to first.
const TABLES: [&str; 13] = [
    "users",
    "user_roles",
    "sessions",
    "refresh_tokens",
    "link_tokens",
    "signing_keys",
    "outbox",
    "audit_events",
    "products",
    "imports",
    "locks",
    "limits",
    "places",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

/// Where one test runs. Servers started in the same place share its database and its clock.
#[derive(Clone)]
pub(crate) struct Place(Arc<Inner>);

struct Inner {
    engine: Engine,
    directory: TempDir,
    database_url: String,
    clock: Arc<ManualClock>,
}

impl Place {
    async fn prepare(engine: Engine) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database_url = match engine {
            Engine::Sqlite => format!("sqlite:{}", directory.path().join(FILE).display()),
            Engine::Postgres => create_database("template1").await,
        };
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(START)));
        Self(Arc::new(Inner {
            engine,
            directory,
            database_url,
            clock,
        }))
    }

    /// Runs `scenario` in places of its own that hold what this one does, and clears them away. Nobody may be connected to
    /// this one's database meanwhile.
    pub(crate) async fn in_copies<const N: usize, F>(&self, scenario: impl FnOnce([Self; N]) -> F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut copies = Vec::new();
        for _ in 0..N {
            copies.push(self.copy().await);
        }
        let copies: [Self; N] = copies
            .try_into()
            .unwrap_or_else(|_| unreachable!("as many as asked for"));
        let outcome = tokio::spawn(scenario(copies.clone())).await;
        for copy in copies.iter().filter(|copy| copy.engine() == Engine::Postgres) {
            copy.drop_database().await;
        }
        outcome.unwrap_or_else(|error| resume_unwind(error.into_panic()))
    }

    async fn copy(&self) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database_url = match self.engine() {
            Engine::Sqlite => format!("sqlite:{}", directory.path().join(FILE).display()),
            Engine::Postgres => create_database(&database_name(self.database_url())).await,
        };
        let clock = Arc::new(ManualClock::at(self.clock().now()));
        let copy = Self(Arc::new(Inner {
            engine: self.engine(),
            directory,
            database_url,
            clock,
        }));
        match self.engine() {
            Engine::Sqlite => copy.copy_again(self).await,
            Engine::Postgres => execute(copy.database_url(), keep_rows()).await,
        }
        copy
    }

    /// Makes this copy hold again what `original` does, of which it was made. Nobody may be connected to either.
    pub(crate) async fn copy_again(&self, original: &Self) {
        match self.engine() {
            Engine::Sqlite => {
                let [from, to] = [original, self].map(|place| place.directory().join(FILE));
                for file in [&from, &to] {
                    is_closed(&file.with_extension("db-wal")).await;
                }
                fs::copy(from, to).expect("a copy of the database");
            }
            // Another database would take PostgreSQL the best part of a second.
            Engine::Postgres => execute(self.database_url(), bring_rows_back()).await,
        }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.0.engine
    }

    pub(crate) fn directory(&self) -> &Path {
        self.0.directory.path()
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.0.database_url
    }

    pub(crate) fn clock(&self) -> &Arc<ManualClock> {
        &self.0.clock
    }

    /// Ends every connection to the PostgreSQL database, as a restart of its server does.
    pub(crate) async fn end_connections(&self) {
        assert_eq!(self.engine(), Engine::Postgres);
        let mut server = connect().await;
        // Waits for each to be gone, since a backend that was only told to go may answer once more.
        sqlx::query("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1")
            .bind(database_name(self.database_url()))
            .execute(&mut server)
            .await
            .expect("connections can be ended");
    }

    /// Runs statements in the place's database, behind every server's back.
    pub(crate) async fn execute(&self, sql: &'static str) {
        sqlx::any::install_default_drivers();
        let url = match self.engine() {
            Engine::Sqlite => format!("{}?mode=rwc", self.database_url()),
            Engine::Postgres => self.database_url().to_owned(),
        };
        let mut database = AnyConnection::connect(&url).await.expect("the database answers");
        let done = sqlx::raw_sql(sql).execute(&mut database).await;
        done.expect("its rows can be changed");
        database.close().await.expect("the connection can be closed");
    }

    /// Has the PostgreSQL database take no more changes, as a standby does.
    pub(crate) async fn default_to_read_only(&self) {
        self.set_read_only("on").await;
    }

    /// Has it take them again.
    pub(crate) async fn default_to_read_and_write(&self) {
        self.set_read_only("off").await;
    }

    async fn set_read_only(&self, value: &str) {
        let name = database_name(self.database_url());
        let alter = format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = {value}");
        let mut server = connect().await;
        let altered = sqlx::raw_sql(AssertSqlSafe(alter)).execute(&mut server).await;
        altered.expect("the database can be altered");
    }

    /// Has the PostgreSQL server turn away who wants to connect to the database, or take them again.
    pub(crate) async fn refuse_connections(&self, refuse: bool) {
        let name = database_name(self.database_url());
        let alter = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS {}", !refuse);
        let mut server = connect().await;
        let altered = sqlx::raw_sql(AssertSqlSafe(alter)).execute(&mut server).await;
        altered.expect("the database can be altered");
    }

    /// Takes the PostgreSQL database away, whoever is still connected to it.
    pub(crate) async fn drop_database(&self) {
        assert_eq!(self.engine(), Engine::Postgres);
        let name = database_name(self.database_url());
        let mut server = connect().await;
        sqlx::raw_sql(AssertSqlSafe(format!(
            "DROP DATABASE IF EXISTS \"{name}\" WITH (FORCE)"
        )))
        .execute(&mut server)
        .await
        .expect("the test's database can be dropped");
    }
}

/// Waits for the last connection, which takes the log with it: SQLite's connections are closed by threads of their own.
async fn is_closed(log: &Path) {
    for _ in 0..1000 {
        if !log.exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("somebody is still connected: {}", log.display());
}

fn postgres_url() -> Url {
    let Ok(url) = std::env::var("TEST_POSTGRES_URL") else {
        panic!(
            "TEST_POSTGRES_URL is not set. Run `make test`, which starts a PostgreSQL for the tests, \
             or leave these tests out: `cargo test -- --skip postgres`"
        );
    };
    url.parse().expect("TEST_POSTGRES_URL is a URL")
}

async fn connect() -> PgConnection {
    PgConnection::connect(postgres_url().as_str())
        .await
        .expect("the server at TEST_POSTGRES_URL answers")
}

async fn execute(url: &str, sql: String) {
    let mut database = PgConnection::connect(url).await.expect("the database answers");
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut database).await;
    done.expect("its rows can be changed");
    database.close().await.expect("the connection can be closed");
}

fn keep_rows() -> String {
    let keep = TABLES.map(|table| format!("CREATE TABLE kept.{table} AS TABLE {table};"));
    // A table that is not among these would be brought back as it never was.
    let others = "DO $$ BEGIN ASSERT (SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public') \
                  = (SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'kept') + 1; END $$;";
    format!("CREATE SCHEMA kept; {} {others}", keep.join(" "))
}

fn bring_rows_back() -> String {
    let clear = TABLES.iter().rev().map(|table| format!("DELETE FROM {table};"));
    let fill = TABLES
        .iter()
        .map(|table| format!("INSERT INTO {table} TABLE kept.{table};"));
    clear.chain(fill).collect::<Vec<_>>().join(" ")
}

async fn create_database(template: &str) -> String {
    let name = format!("vestibule_test_{}", Uuid::new_v4().simple());
    let mut server = connect().await;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""
    )))
    .execute(&mut server)
    .await
    .expect("a database can be created at TEST_POSTGRES_URL");
    let mut url = postgres_url();
    url.set_path(&name);
    url.to_string()
}

fn database_name(url: &str) -> String {
    let url: Url = url.parse().expect("a database's URL");
    url.path().trim_start_matches('/').to_owned()
}

/// Runs a scenario in a place on `engine` and clears the place away, whether the scenario held or not.
pub(crate) fn run<F>(engine: Engine, scenario: impl FnOnce(Place) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let outcome = runtime.block_on(async {
        let place = Place::prepare(engine).await;
        let outcome = tokio::spawn(scenario(place.clone())).await;
        if engine == Engine::Postgres {
            place.drop_database().await;
        }
        outcome
    });
    if let Err(error) = outcome {
        resume_unwind(error.into_panic());
    }
}

/// Makes each named scenario two tests, `name::sqlite` and `name::postgres`. A scenario left out of the list is dead
/// code to the compiler, so none is forgotten.
macro_rules! both_engines {
    ($($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[test]
            fn sqlite() {
                $crate::support::run(crate::support::Engine::Sqlite, super::$scenario);
            }

            #[test]
            fn postgres() {
                $crate::support::run(crate::support::Engine::Postgres, super::$scenario);
            }
        }
    )+};
}

/// As [`both_engines`], for what only one engine has.
macro_rules! one_engine {
    ($test:ident: $engine:ident, $($scenario:ident),+ $(,)?) => {$(
        mod $scenario {
            #[test]
            fn $test() {
                $crate::support::run(crate::support::Engine::$engine, super::$scenario);
            }
        }
    )+};
}

pub(crate) use both_engines;
pub(crate) use one_engine;
