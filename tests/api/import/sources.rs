//! Files and tables: what is read of them, and that it is only read.

use std::{fmt::Write, fs};

use serde_json::json;

use super::{assert_told, assert_unfinished, import, show};
use crate::support::{Actor, Application, PASSWORD, Place, bcrypt, one_engine};

one_engine![
    sqlite: Sqlite,
    the_other_applications_file_is_not_changed,
    a_source_that_breaks_off_is_refused_before_anything_is_written,
    hashes_that_are_bytes_and_texts_that_are_none_are_read_from_a_table,
    what_a_table_holds_besides_users_is_not_read,
    names_of_another_application_say_nothing_to_the_terminal,
    a_file_that_is_a_database_is_told_with_what_reads_it,
];

one_engine![
    postgres: Postgres,
    a_cell_that_goes_on_and_on_is_not_read_from_postgres,
    a_table_of_another_schema_is_found_by_its_name,
];

async fn the_other_applications_file_is_not_changed(place: Place) {
    let application = Application::in_file(&place, "app.db").await;
    application
        .execute(&format!(
            "CREATE TABLE \"user \"\"table\" (id INTEGER PRIMARY KEY, \"e-mail\" TEXT, password TEXT); \
             INSERT INTO \"user \"\"table\" VALUES (1, 'ann@example.com', '{}')",
            bcrypt(PASSWORD)
        ))
        .await;
    application.close().await;
    let file = place.directory().join("app.db");
    let before = fs::read(&file).unwrap();
    let mut permissions = fs::metadata(&file).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&file, permissions).unwrap();
    let arguments = [
        "user",
        "import",
        "--from",
        "sqlite:///./app.db",
        "--table",
        "user \"table",
        "--map",
        "email=e-mail",
    ];
    place.vestibule(&arguments).await.expect_success();
    assert_eq!(fs::read(&file).unwrap(), before);
    place.start().await.log_in("ann@example.com").await;
}

async fn a_source_that_breaks_off_is_refused_before_anything_is_written(place: Place) {
    let mut csv = "email,password\n".to_owned();
    for number in 0..1500 {
        writeln!(csv, "user{number}@example.com,{}", bcrypt(PASSWORD)).unwrap();
    }
    csv.push('"');
    csv.push_str(&"x".repeat(2 << 20));
    let path = place.directory().join("users.csv");
    fs::write(&path, csv).unwrap();
    let finished = import(&place, path.to_str().unwrap(), &[]).await.expect_failure();
    assert!(
        finished.stderr.contains("row 1502 is longer than 1 MiB"),
        "{finished:?}"
    );
    assert!(!place.directory().join("vestibule.db").exists());
}

async fn hashes_that_are_bytes_and_texts_that_are_none_are_read_from_a_table(place: Place) {
    let application = Application::in_file(&place, "app.db").await;
    let hash = bcrypt(PASSWORD);
    application
        .execute(&format!(
            "CREATE TABLE users (id TEXT, email TEXT, password BLOB, is_active BOOLEAN, score DECIMAL, seen DATETIME); \
             INSERT INTO users VALUES ('a', 'ann@example.com', CAST('{hash}' AS BLOB), 1, 1.5, '2024-05-01'); \
             INSERT INTO users VALUES ('b', CAST(x'ff' AS TEXT), '{hash}', 1, 2, NULL); \
             INSERT INTO users VALUES ('c', 'cleo@example.com', '{hash}', NULL, NULL, NULL);"
        ))
        .await;
    let told = place
        .vestibule(&["user", "import", "--from", "sqlite:///./app.db"])
        .await;
    assert_unfinished(&told);
    assert_told(&told, "row 2 skipped: email is not text in UTF-8");
    assert_told(&told, "Imported 2 users");
    let server = place.start().await;
    server.log_in("ann@example.com").await;
    let body = json!({"email": "cleo@example.com", "password": PASSWORD});
    server
        .anonymous()
        .post("/api/auth/login")
        .json(body)
        .await
        .expect_problem(400, "inactive_user");
}

/// Neither pictures, nor what cannot be computed, nor what is no text; and of what is read no more than a user may have.
async fn what_a_table_holds_besides_users_is_not_read(place: Place) {
    let application = Application::in_file(&place, "app.db").await;
    application
        .execute(&format!(
            "CREATE TABLE people (id INTEGER, email TEXT, password TEXT, name TEXT, notes TEXT); \
             INSERT INTO people VALUES (1, 'ann@example.com', '{0}', 'Ann', CAST(x'ff' AS TEXT)); \
             INSERT INTO people VALUES (2, 'bob@example.com', '{0}', hex(zeroblob(32768)) || 'x', ''); \
             INSERT INTO people VALUES (3, 'cleo@example.com', '{0}', 'Cleo', ''); \
             CREATE VIEW users AS SELECT id, email, password, CASE id WHEN 3 THEN zeroblob(20000000) ELSE name END AS name, \
             notes, zeroblob(20000000) AS photo, abs(-9223372036854775807 - 1) AS score FROM people;",
            bcrypt(PASSWORD)
        ))
        .await;
    let told = place
        .vestibule(&["user", "import", "--from", "sqlite:///./app.db"])
        .await;
    assert_unfinished(&told);
    assert_told(&told, "row 2 skipped: name is longer than 64 KiB");
    assert_told(&told, "row 3 skipped: name is longer than 64 KiB");
    assert_told(&told, "Imported 1 user");
    assert_eq!(show(&place, "ann@example.com").await["name"], "Ann");
}

async fn names_of_another_application_say_nothing_to_the_terminal(place: Place) {
    let application = Application::in_file(&place, "app.db").await;
    application
        .execute(&format!(
            "CREATE TABLE users (id INTEGER, email TEXT, \"pass\u{1b}]0;word\" TEXT, \"\u{1b}[2J\nAll is well\" TEXT); \
             CREATE TABLE \"b\u{9b}31m\nall is well\" (id INTEGER); \
             INSERT INTO users VALUES (1, 'ann@example.com', '{0}', ''), (2, 'bob@example.com', CAST(x'ff' AS TEXT), '');",
            bcrypt(PASSWORD)
        ))
        .await;
    let from = ["user", "import", "--from", "sqlite:///./app.db"];
    let mapped = [&from[..], &["--map", "hashed_password=pass\u{1b}]0;word"]].concat();
    let told = place.vestibule(&mapped).await;
    assert_unfinished(&told);
    assert_told(&told, "not read: \\u{1b}[2J\\nAll is well");
    assert_told(&told, "row 2 skipped: pass\\u{1b}]0;word is not text in UTF-8");
    let unknown = place.vestibule(&[&from[..], &["--map", "email=x"]].concat()).await;
    let missing = place.vestibule(&[&from[..], &["--table", "x"]].concat()).await;
    for finished in [told, unknown.expect_failure(), missing.expect_failure()] {
        let texts = [&finished.stdout, &finished.stderr];
        for text in texts {
            assert!(!text.contains(['\u{1b}', '\u{9b}']), "{text:?}");
            assert!(
                !text.lines().any(|line| line.to_lowercase().starts_with("all is well")),
                "{text:?}"
            );
        }
    }
}

async fn a_file_that_is_a_database_is_told_with_what_reads_it(place: Place) {
    place.start().await.stop().await;
    let file = place.directory().join("vestibule.db");
    let file = file.to_str().unwrap();
    let refused = import(&place, file, &[]).await.expect_failure();
    let command = format!("{file} is a SQLite database: vestibule user import --from sqlite:{file} --table users");
    assert!(refused.stderr.contains(&command), "{refused:?}");
}

async fn a_cell_that_goes_on_and_on_is_not_read_from_postgres(place: Place) {
    let application = Application::in_schema(&place, "app").await;
    application
        .execute(&format!(
            "CREATE TABLE people (id INTEGER, email TEXT, password BYTEA, name TEXT, score INTEGER); \
             INSERT INTO people VALUES (1, 'ann@example.com', convert_to('{0}', 'UTF8'), 'Ann', 0), \
             (2, 'bob@example.com', convert_to('{0}', 'UTF8'), repeat('é', 32768) || 'x', 0), \
             (3, 'cleo@example.com', convert_to(repeat('x', 70000), 'UTF8'), '', 0); \
             CREATE VIEW users AS SELECT id, email, password, name, 1 / score AS share FROM people;",
            bcrypt(PASSWORD)
        ))
        .await;
    let arguments = ["user", "import", "--from", place.database_url(), "--table", "app.users"];
    let told = place.vestibule(&arguments).await;
    assert_unfinished(&told);
    assert_told(&told, "row 2 skipped: name is longer than 64 KiB");
    assert_told(&told, "row 3 skipped: password is longer than 64 KiB");
    assert_told(&told, "Imported 1 user");
    assert_eq!(show(&place, "ann@example.com").await["name"], "Ann");
}

async fn a_table_of_another_schema_is_found_by_its_name(place: Place) {
    let application = Application::in_schema(&place, "app").await;
    application
        .execute(&format!(
            "CREATE TYPE rank AS ENUM ('admin', 'editor'); \
             CREATE TABLE people (id UUID, email VARCHAR, password BYTEA, role rank[], is_active BOOLEAN, \
             created_at TIMESTAMPTZ, bio JSONB, score NUMERIC); \
             INSERT INTO people VALUES ('01890a5d-ac96-774b-bcce-b302099a8057', 'ann@example.com', \
             convert_to('{}', 'UTF8'), '{{editor}}', TRUE, '2024-05-01 12:00:00+02', '{{}}', 1.5);",
            bcrypt(PASSWORD)
        ))
        .await;
    let missing = ["user", "import", "--from", place.database_url(), "--table", "app.users"];
    let finished = place.vestibule(&missing).await.expect_failure();
    assert!(
        finished.stderr.contains("the database holds app.people"),
        "{finished:?}"
    );
    let arguments = [
        "user",
        "import",
        "--from",
        place.database_url(),
        "--table",
        "app.people",
        "--keep-roles",
    ];
    place.vestibule(&arguments).await.expect_success();
    let ann = show(&place, "ann@example.com").await;
    assert_eq!(
        (&ann["external_id"], &ann["roles"], &ann["created_at"]),
        (
            &json!("01890a5d-ac96-774b-bcce-b302099a8057"),
            &json!(["editor"]),
            &json!("2024-05-01T10:00:00Z")
        )
    );
}
