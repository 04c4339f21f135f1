//! A place of its own for each test: a temporary directory with a SQLite file, or a freshly made PostgreSQL database.

use std::{panic::resume_unwind, path::Path, sync::Arc};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tempfile::TempDir;
use url::Url;
use uuid::Uuid;
use vestibule::clock::{ManualClock, Timestamp};

/// 2026-03-01T12:00:00Z. Not the machine's time: whatever reads that instead of the injected clock is found out.
const START: i64 = 1_772_366_400;

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
            Engine::Sqlite => format!("sqlite:{}", directory.path().join("vestibule.db").display()),
            Engine::Postgres => create_database().await,
        };
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(START)));
        Self(Arc::new(Inner {
            engine,
            directory,
            database_url,
            clock,
        }))
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

async fn create_database() -> String {
    let name = format!("vestibule_test_{}", Uuid::new_v4().simple());
    let mut server = connect().await;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE \"{name}\"")))
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
