//! What a server finds in the database that it is given.

use std::os::unix::fs::PermissionsExt;

use sqlx::{AnyPool, AssertSqlSafe};

use crate::support::{Actor, Engine, Place, both_engines, one_engine};

both_engines![
    a_restart_finds_everything_as_it_was,
    a_database_of_something_else_is_refused_untouched,
    a_database_that_is_newer_is_refused_untouched,
    several_servers_may_start_at_once,
];

one_engine![
    sqlite: Sqlite,
    a_file_that_is_no_database_is_refused_untouched,
    the_file_is_its_owners_alone,
    readers_do_not_wait_for_a_writer,
];

async fn open(place: &Place) -> AnyPool {
    sqlx::any::install_default_drivers();
    let create = if place.engine() == Engine::Sqlite {
        "?mode=rwc"
    } else {
        ""
    };
    AnyPool::connect(&format!("{}{create}", place.database_url()))
        .await
        .expect("the database")
}

async fn execute(database: &AnyPool, sql: &str) {
    sqlx::query(AssertSqlSafe(sql.to_owned()))
        .execute(database)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

async fn tables(place: &Place, database: &AnyPool) -> Vec<String> {
    let sql = match place.engine() {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
        Engine::Postgres => {
            "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
        }
    };
    sqlx::query_scalar(sql).fetch_all(database).await.unwrap()
}

async fn a_restart_finds_everything_as_it_was(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    let before = server.snapshot().await;
    server.stop().await;
    let server = place.start().await;
    assert_eq!(server.snapshot().await, before);
    ann.anonymous = server.anonymous();
    assert!(ann.is_signed_in().await);
    ann.refresh().await;
}

async fn a_database_of_something_else_is_refused_untouched(place: Place) {
    let database = open(&place).await;
    execute(
        &database,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, hashed_password TEXT)",
    )
    .await;
    execute(&database, "INSERT INTO users VALUES (1, 'ann@example.com', 'x')").await;
    execute(&database, "CREATE TABLE alembic_version (version_num TEXT)").await;
    let before = tables(&place, &database).await;
    let error = place.try_start(&[]).await.expect_err("it is not ours");
    let text = format!("{error:#}");
    let from = match place.engine() {
        Engine::Sqlite => format!("user import --from {} --table users`", place.database_url()),
        Engine::Postgres => "user import --from postgres://".to_owned(),
    };
    for said in ["users", &from, "--table users", "of its own with DATABASE_URL"] {
        assert!(text.contains(said), "no {said} in {text}");
    }
    assert_eq!(tables(&place, &database).await, before);
    let rows: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users")
        .fetch_one(&database)
        .await
        .unwrap();
    assert_eq!(rows, 1);
    if place.engine() == Engine::Sqlite {
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&database)
            .await
            .unwrap();
        assert_eq!(mode, "delete", "not even the journal's mode is changed");
    }
}

async fn a_database_that_is_newer_is_refused_untouched(place: Place) {
    place.start().await.stop().await;
    let database = open(&place).await;
    execute(
        &database,
        "INSERT INTO vestibule_migrations (version, description, success, checksum, execution_time) \
         SELECT 99999999999999, 'of the future', success, checksum, execution_time FROM vestibule_migrations LIMIT 1",
    )
    .await;
    let error = place.try_start(&[]).await.expect_err("it is newer");
    let text = format!("{error:#}").to_lowercase();
    assert!(text.contains("newer"), "{text}");
    execute(
        &database,
        "DELETE FROM vestibule_migrations WHERE version = 99999999999999",
    )
    .await;
    place.start().await;
}

async fn several_servers_may_start_at_once(place: Place) {
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let place = place.clone();
        starting.spawn(async move { place.start().await });
    }
    let servers = starting.join_all().await;
    let token = servers[0].user("ann@example.com").await.access_token;
    for server in &servers {
        server.anonymous().get("/users/me").bearer(&token).await.expect(200);
    }
}

async fn a_file_that_is_no_database_is_refused_untouched(place: Place) {
    let path = place.directory().join("vestibule.db");
    let text = "This is a letter to my aunt, and no database. ".repeat(100);
    std::fs::write(&path, &text).unwrap();
    place.try_start(&[]).await.expect_err("it is no database");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

async fn the_file_is_its_owners_alone(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    for entry in std::fs::read_dir(place.directory()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", entry.path().display());
    }
}

async fn readers_do_not_wait_for_a_writer(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let database = open(&place).await;
    let mut writer = database.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let started = std::time::Instant::now();
    assert!(ann.is_signed_in().await);
    assert!(
        started.elapsed() < std::time::Duration::from_secs(1),
        "{:?}",
        started.elapsed()
    );
    sqlx::query("SELECT 1").execute(&mut *writer).await.unwrap();
    writer.rollback().await.unwrap();
}
