//! The users of each template move in, as the README says, and its client goes on with their old passwords.

use crate::{
    support::{Actor, Application, Place, Server, bcrypt, both_engines, one_engine},
    templates::{SETTINGS, calls_of_000, calls_of_001, calls_of_002, calls_of_003, calls_of_004},
};

both_engines![template_000, template_001, template_002, template_003, template_004];

one_engine![
    postgres: Postgres,
    template_000_from_postgres,
    template_001_from_postgres,
    template_002_from_postgres,
    template_003_from_postgres,
    template_004_from_postgres,
];

/// A template: its table as SQL that both engines take, and whose password it is that its README uses.
struct Template {
    number: &'static str,
    table: &'static str,
    email: &'static str,
    password: &'static str,
}

/// The tutorial's user, who may be disabled; kept in a dictionary until it is given a database.
const TEMPLATE_000: Template = Template {
    number: "000",
    table: "CREATE TABLE users (username VARCHAR(50) PRIMARY KEY, full_name VARCHAR(100), email VARCHAR(100), \
            hashed_password VARCHAR(100), disabled BOOLEAN); \
            INSERT INTO users VALUES ('admin', 'The Admin', 'admin@example.com', '{hash}', FALSE); \
            INSERT INTO users VALUES ('alice', 'Alice', 'inactive@example.com', '{hash}', TRUE);",
    email: "admin@example.com",
    password: "your_password",
};

const TEMPLATE_001: Template = Template {
    number: "001",
    table: "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, email VARCHAR NOT NULL UNIQUE, username VARCHAR NOT NULL \
            UNIQUE, hashed_password VARCHAR NOT NULL, is_active BOOLEAN, created_at TIMESTAMP); \
            INSERT INTO users VALUES (7, 'newuser@example.com', 'newuser', '{hash}', TRUE, '2024-05-01 10:00:00.123456'); \
            INSERT INTO users VALUES (8, 'inactive@example.com', 'inactive', '{hash}', FALSE, '2024-05-01 10:00:00'); \
            CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);",
    email: "newuser@example.com",
    password: "password123",
};

const TEMPLATE_002: Template = Template {
    number: "002",
    table: "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, email VARCHAR UNIQUE, password VARCHAR, is_active BOOLEAN, \
            created_at TIMESTAMP); \
            CREATE TABLE refresh_tokens (id INTEGER NOT NULL PRIMARY KEY, user_id INTEGER REFERENCES users (id), \
            token VARCHAR, revoked BOOLEAN); \
            INSERT INTO users VALUES (7, 'john@example.com', '{hash}', TRUE, '2024-05-01 10:00:00'); \
            INSERT INTO users VALUES (8, 'inactive@example.com', '{hash}', FALSE, '2024-05-01 10:00:00'); \
            INSERT INTO refresh_tokens VALUES (1, 7, 'eyJhbGciOiJIUzI1NiJ9', FALSE);",
    email: "john@example.com",
    password: "securepassword123",
};

const TEMPLATE_003: Template = Template {
    number: "003",
    table: "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR, email VARCHAR, password VARCHAR); \
            CREATE TABLE products (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR, owner_id INTEGER REFERENCES users (id)); \
            INSERT INTO users VALUES (7, 'hamed', 'hamed@example.com', '{hash}'); \
            INSERT INTO users VALUES (8, 'other', 'other@example.com', '{hash}');",
    email: "hamed@example.com",
    password: "1234",
};

const TEMPLATE_004: Template = Template {
    number: "004",
    table: "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, email VARCHAR UNIQUE, username VARCHAR UNIQUE, \
            hashed_password VARCHAR, is_active BOOLEAN); \
            INSERT INTO users VALUES (7, 'user@example.com', 'user123', '{hash}', TRUE); \
            INSERT INTO users VALUES (8, 'inactive@example.com', 'inactive', '{hash}', FALSE);",
    email: "user@example.com",
    password: "secure_password",
};

/// The command that the README gives for a template.
fn documented(number: &str) -> Vec<&'static str> {
    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("<!-- moving in -->").expect("where the table begins");
    let (table, _) = rest.split_once("<!-- /moving in -->").expect("where the table ends");
    let row = table.lines().find(|line| line.starts_with(&format!("| {number} ")));
    let row = row.unwrap_or_else(|| panic!("nothing about {number} in {table}"));
    let command = row.split('`').find(|part| part.starts_with("vestibule user import"));
    let words = command.expect("a command").split_whitespace();
    words.skip(1).collect()
}

/// Moves in from the SQLite file that the template's `.env` names, by the README's command.
async fn move_in(place: &Place, template: &Template) -> Server {
    let command = documented(template.number);
    let from = command.iter().find_map(|word| word.strip_prefix("sqlite:///./"));
    let application = Application::in_file(place, from.expect("a file")).await;
    move_in_with(place, template, &application, &command).await
}

async fn move_in_from_postgres(place: &Place, template: &Template) -> Server {
    let application = Application::in_schema(place, "app").await;
    let command = ["user", "import", "--from", application.url(), "--table", "users"];
    move_in_with(place, template, &application, &command).await
}

async fn move_in_with(place: &Place, template: &Template, application: &Application, command: &[&str]) -> Server {
    let table = template.table.replace("{hash}", &bcrypt(template.password));
    application.execute(&table).await;
    let imported = place.vestibule(command).await.expect_success();
    assert!(
        imported
            .stdout
            .contains("Imported 2 users, 0 were here already, 0 skipped"),
        "{imported:?}"
    );

    let server = place.start_with(&SETTINGS).await;
    assert!(server.password_hash(template.email).await.starts_with("$2b$04$"));
    server
}

/// What holds of whichever template, once its client has logged in.
async fn has_moved_in(server: &Server, template: &Template) {
    let hash = server.password_hash(template.email).await;
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    if template.table.contains("inactive@") {
        let fields = [("username", "inactive@example.com"), ("password", template.password)];
        let refused = server.anonymous().post("/token").form(&fields).await.expect(400);
        assert_eq!(refused.json()["detail"], "Inactive user");
        let fields = [("username", "inactive@example.com"), ("password", "another")];
        server.anonymous().post("/token").form(&fields).await.expect(401);
    }
    if template.table.contains("(7, ") {
        let external: String = sqlx::query_scalar("SELECT external_id FROM users WHERE email = $1")
            .bind(template.email)
            .fetch_one(server.database())
            .await
            .unwrap();
        assert_eq!(external, "7");
    }
    if template.table.contains("created_at") {
        let sql = "SELECT CAST(created_at AS TEXT) FROM users WHERE email = 'inactive@example.com'";
        assert_eq!(server.text(sql).await, "1714557600");
    }
}

async fn template_000(place: Place) {
    let server = move_in(&place, &TEMPLATE_000).await;
    calls_of_000(&server).await;
    has_moved_in(&server, &TEMPLATE_000).await;
}

async fn template_001(place: Place) {
    let server = move_in(&place, &TEMPLATE_001).await;
    calls_of_001(&server).await;
    has_moved_in(&server, &TEMPLATE_001).await;
}

async fn template_002(place: Place) {
    let server = move_in(&place, &TEMPLATE_002).await;
    calls_of_002(&server).await;
    has_moved_in(&server, &TEMPLATE_002).await;
}

async fn template_003(place: Place) {
    let server = move_in(&place, &TEMPLATE_003).await;
    calls_of_003(&server).await;
    has_moved_in(&server, &TEMPLATE_003).await;
}

async fn template_004(place: Place) {
    let server = move_in(&place, &TEMPLATE_004).await;
    calls_of_004(&server).await;
    has_moved_in(&server, &TEMPLATE_004).await;
}

async fn template_000_from_postgres(place: Place) {
    let server = move_in_from_postgres(&place, &TEMPLATE_000).await;
    calls_of_000(&server).await;
    has_moved_in(&server, &TEMPLATE_000).await;
}

async fn template_001_from_postgres(place: Place) {
    let server = move_in_from_postgres(&place, &TEMPLATE_001).await;
    calls_of_001(&server).await;
    has_moved_in(&server, &TEMPLATE_001).await;
}

async fn template_002_from_postgres(place: Place) {
    let server = move_in_from_postgres(&place, &TEMPLATE_002).await;
    calls_of_002(&server).await;
    has_moved_in(&server, &TEMPLATE_002).await;
}

async fn template_003_from_postgres(place: Place) {
    let server = move_in_from_postgres(&place, &TEMPLATE_003).await;
    calls_of_003(&server).await;
    has_moved_in(&server, &TEMPLATE_003).await;
}

async fn template_004_from_postgres(place: Place) {
    let server = move_in_from_postgres(&place, &TEMPLATE_004).await;
    calls_of_004(&server).await;
    has_moved_in(&server, &TEMPLATE_004).await;
}
