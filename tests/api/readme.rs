//! The README's commands: each is run, here, by another test, or by CI.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use url::Url;

use crate::support::{Actor, Application, Engine, Place, Process, bcrypt, both_engines, jwt_header, one_engine};

one_engine![
    sqlite: Sqlite,
    every_command_is_run_somewhere,
    the_settings_of_the_examples_can_be_used,
    what_comes_from_the_templates_is_answered,
];

both_engines![
    the_commands_of_the_table_work,
    a_form_is_sent_as_json,
    a_site_outgrows_its_database,
];

one_engine![
    postgres: Postgres,
    a_copy_in_postgresql_comes_back,
    a_copy_in_postgresql_comes_back_with_hs256,
    a_role_and_a_database_made_as_it_says_are_enough,
];

const README: &str = include_str!("../../README.md");

/// What stands in the table of commands, and the arguments with which it is run here, one after the other. What begins
/// with `$` stands for what an earlier command has told.
const TABLE: [(&str, &[&[&str]]); 21] = [
    (
        "vestibule user create --email … [--username …] [--name …] [--admin]",
        &[
            &["user", "create", "--email", "ann@example.com"],
            &[
                "user",
                "create",
                "--email",
                "root@example.com",
                "--username",
                "root",
                "--name",
                "Root",
                "--admin",
            ],
        ],
    ),
    (
        "vestibule user create --invite --email … [--username …] [--name …] [--admin]",
        &[&[
            "user",
            "create",
            "--invite",
            "--email",
            "bob@example.com",
            "--username",
            "bob",
        ]],
    ),
    (
        "vestibule user list [--search …] [--role …] [--status …] [--json]",
        &[
            &["user", "list"],
            &[
                "user", "list", "--search", "root", "--role", "admin", "--status", "active", "--json",
            ],
        ],
    ),
    ("user show USER", &[&["user", "show", "root"]]),
    (
        "vestibule user grant USER [ROLE]",
        &[
            &["user", "grant", "ann@example.com"],
            &["user", "grant", "root", "editor"],
        ],
    ),
    (
        "user revoke USER [ROLE]",
        &[
            &["user", "revoke", "ann@example.com"],
            &["user", "revoke", "root", "editor"],
        ],
    ),
    (
        "vestibule user disable USER",
        &[&["user", "disable", "ann@example.com"]],
    ),
    ("user enable USER", &[&["user", "enable", "ann@example.com"]]),
    (
        "vestibule user delete USER [--yes]",
        &[&["user", "delete", "ann@example.com", "--yes"]],
    ),
    ("vestibule user import FILE", &[&["user", "import", "users.csv"]]),
    (
        "user import --from URL [--table …]",
        &[&["user", "import", "--from", "$application", "--table", "users"]],
    ),
    ("vestibule keys list", &[&["keys", "list"]]),
    (
        "vestibule keys rotate [--now]",
        &[&["keys", "rotate"], &["keys", "rotate", "--now"]],
    ),
    (
        "vestibule mail list [--state …] [--limit …] [--json]",
        &[
            &["mail", "list"],
            &["mail", "list", "--state", "waiting", "--limit", "1", "--json"],
        ],
    ),
    ("vestibule mail resend ID", &[&["mail", "resend", "$message"]]),
    (
        "vestibule mail templates FOLDER",
        &[&["mail", "templates", "./mail-templates"]],
    ),
    ("vestibule doctor", &[&["doctor"]]),
    ("vestibule openapi", &[&["openapi"]]),
    // With a copy of PostgreSQL's they say how else it is made.
    ("vestibule backup FILE [--with-key]", &[&["backup", "copy.db"]]),
    ("vestibule restore FILE [--with-key]", &[&["restore", "copy.db"]]),
    // With a server, at the end.
    ("vestibule health", &[]),
];

/// Commands of the README's `sh` blocks that are run elsewhere, or nowhere, and why not.
const ELSEWHERE: [(&str, &str); 23] = [
    ("cargo run", "by CI, beside the tests"),
    ("make test", "by CI"),
    (
        "make bench",
        "by CI on a small scale: `cargo bench` in its quick plan, unoptimised",
    ),
    ("cargo run -- user create", "the table's, by the binary"),
    ("useradd", "tests/systemd/run"),
    ("install ", "tests/systemd/run"),
    ("cd /var/lib/vestibule", "tests/systemd/run"),
    ("#!/bin/sh", "tests/systemd/run"),
    ("umask ", "tests/compose/run"),
    ("echo ", "tests/compose/run"),
    ("docker build", "not: needs a daemon, and a registry"),
    ("docker run", "not: needs the image"),
    ("docker exec", "not: needs the image"),
    (
        "docker compose",
        "not: needs the image; what it reads is tried by tests/compose/run",
    ),
    ("docker network inspect", "not: needs a daemon"),
    ("docker cp", "not: needs a daemon"),
    ("docker stop", "not: needs a daemon"),
    ("docker start", "not: needs a daemon"),
    (
        "vestibule user import --from sqlite:///./data/vestibule.db",
        "a_site_outgrows_its_database",
    ),
    ("vestibule mail templates", "the_commands_of_the_table_work"),
    ("vestibule backup copy.db", "the_commands_of_the_table_work"),
    ("vestibule restore copy.db", "the_commands_of_the_table_work"),
    ("curl localhost:8000/form/request_reset", "a_form_is_sent_as_json"),
];

/// The programs whose names begin a command in the README's sentences.
const PROGRAMS: [&str; 18] = [
    "cargo",
    "cd",
    "certbot",
    "chmod",
    "curl",
    "docker",
    "install",
    "journalctl",
    "make",
    "npm",
    "openssl",
    "pg_dump",
    "pg_restore",
    "pip",
    "psql",
    "runuser",
    "systemctl",
    "vestibule",
];

/// Commands in the README's sentences that are not those of its table, and where they are run, or why nowhere.
const IN_SENTENCES: [(&str, &str); 18] = [
    (
        "cd /var/lib/vestibule && runuser -u vestibule -- vestibule backup",
        "tests/systemd/run",
    ),
    ("make test-browser", "by CI, as a part of `make test`"),
    ("cargo run", "by CI, beside the tests"),
    ("cargo run -- user grant", "the table's, by the binary"),
    (
        "cargo build --release",
        "by CI, unoptimised; what comes of it is installed by tests/systemd/run",
    ),
    ("vestibule --help", "the_settings_of_the_examples_can_be_used"),
    ("vestibule user grant", "a_site_outgrows_its_database"),
    ("vestibule user import --from", "moving_in.rs"),
    ("vestibule user import users.csv", "the_commands_of_the_table_work"),
    ("vestibule keys rotate", "the_commands_of_the_table_work"),
    ("vestibule keys rotate --now", "the_commands_of_the_table_work"),
    ("vestibule restore", "the_commands_of_the_table_work"),
    ("chmod 600", "tests/systemd/run"),
    ("openssl rand", "tests/systemd/run"),
    ("systemctl enable --now vestibule", "tests/systemd/run"),
    ("systemctl edit vestibule", "tests/systemd/run"),
    ("journalctl --unit vestibule", "tests/systemd/run"),
    ("docker run", "not: needs the image"),
];

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text
        .split_once(start)
        .unwrap_or_else(|| panic!("{start} is in the README"));
    let (found, _) = rest
        .split_once(end)
        .unwrap_or_else(|| panic!("{end} comes after {start}"));
    found
}

fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().expect("the end of the block"))
}

fn is_settings(block: &str) -> bool {
    block.lines().all(|line| {
        let name = line.split('=').next().unwrap_or_default();
        name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
    })
}

/// What stands in backticks outside of blocks and begins with the name of a program, and more; variables may be set
/// before it.
fn commands_in_sentences(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(spans).filter(|span| {
        let mut words = span.split(' ').skip_while(|word| word.contains('='));
        words.next().is_some_and(|program| PROGRAMS.contains(&program)) && words.next().is_some()
    })
}

fn spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

async fn every_command_is_run_somewhere(_: Place) {
    let tour = between(README, "<!-- tour -->", "<!-- /tour -->");
    let commands: Vec<&str> = blocks(README)
        .filter(|block| !tour.contains(block) && !is_settings(block))
        .flat_map(str::lines)
        .filter(|line| !line.is_empty())
        .collect();
    assert!(commands.len() > 20, "{commands:?}");
    let postgres = copy_and_restore().concat();
    for command in &commands {
        let is_run = postgres.lines().any(|line| line == *command)
            || ELSEWHERE.iter().any(|(start, _)| command.starts_with(start));
        assert!(is_run, "nothing runs {command}");
    }
    for (start, _) in ELSEWHERE {
        assert!(
            commands.iter().any(|command| command.starts_with(start)),
            "{start} is not there any more"
        );
    }

    let places = ELSEWHERE.into_iter().chain(IN_SENTENCES).map(|(_, place)| place);
    for script in places.filter(|place| place.starts_with("tests/")) {
        let is_run = include_str!("../../Makefile").lines().any(|line| line.trim() == script);
        assert!(is_run, "`make test` does not run {script}");
    }

    let table = between(README, "\n## The command line\n", "\n### ");
    let cells = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split(" | ").next());
    let in_table: BTreeSet<&str> = cells.flat_map(|cell| spans(cell.unwrap_or_default())).collect();
    // With no argument it serves, as every test with a process has it.
    let mut run: BTreeSet<&str> = TABLE.into_iter().map(|(span, _)| span).collect();
    run.insert("vestibule");
    assert_eq!(in_table, run);

    let in_sentences: BTreeSet<&str> = commands_in_sentences(README)
        .filter(|span| !run.contains(span))
        .collect();
    let names = |span: &str, start: &str| {
        span.strip_prefix(start)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
    };
    for span in &in_sentences {
        let is_named = IN_SENTENCES.iter().any(|(start, _)| names(span, start));
        assert!(is_named, "nothing runs {span}");
    }
    for (start, _) in IN_SENTENCES {
        assert!(
            in_sentences.iter().any(|span| names(span, start)),
            "{start} is not there any more"
        );
    }
}

async fn the_commands_of_the_table_work(place: Place) {
    let table = "CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, email VARCHAR, password VARCHAR)";
    let application = Application::in_file(&place, "app.db").await;
    application.execute(table).await;
    let row = format!(
        "INSERT INTO users VALUES (1, 'cleo@example.com', '{}')",
        bcrypt("a password")
    );
    application.execute(&row).await;
    let csv = format!("email,hashed_password\ndan@example.com,{}\n", bcrypt("a password"));
    fs::write(place.directory().join("users.csv"), csv).unwrap();

    for (span, runs) in TABLE {
        for arguments in runs {
            let mut arguments = arguments.to_vec();
            let message = waiting_message(&place, &arguments).await;
            for argument in &mut arguments {
                match *argument {
                    "$application" => *argument = application.url(),
                    "$message" => *argument = &message,
                    _ => {}
                }
            }
            let input = "a staple for the horse\n";
            let done = place.vestibule_with(&arguments, &[], input).await;
            if place.engine() == Engine::Postgres && matches!(arguments[0], "backup" | "restore") {
                assert!(done.expect_failure().stderr.contains("pg_"), "{span}");
            } else {
                done.expect_success();
            }
        }
    }
    assert!(place.directory().join("mail-templates/layout.html").exists());

    let process = Process::start(&place, &[]).await;
    let port = process.address().port().to_string();
    place
        .vestibule_with(&["health"], &[("PORT", &port)], "")
        .await
        .expect_success();
}

/// The id of a message that waits in the outbox, if that is asked for.
async fn waiting_message(place: &Place, arguments: &[&str]) -> String {
    if !arguments.contains(&"$message") {
        return String::new();
    }
    let waiting = ["mail", "list", "--state", "waiting", "--json"];
    let listed = place.vestibule(&waiting).await.expect_success();
    let newest = listed.stdout.lines().next().expect("a message");
    let newest: serde_json::Value = serde_json::from_str(newest).unwrap();
    newest["id"].as_str().expect("its id").to_owned()
}

async fn the_settings_of_the_examples_can_be_used(place: Place) {
    let help = place.vestibule(&["--help"]).await.expect_success().stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut tried = 0;
    for block in blocks(README).filter(|block| is_settings(block)) {
        let directory = tempfile::tempdir().unwrap();
        // What the reader is told to put there; as it stands it is refused.
        let settings = block.replace("RANDOM TEXT OF AT LEAST 32 BYTES", "pX4vQ9rLx7TnB2mWc5YhJd8FsGa4UePqz");
        let made = rcgen::generate_simple_self_signed(["login.example.com".to_owned()]).unwrap();
        fs::write(directory.path().join("fullchain.pem"), made.cert.pem()).unwrap();
        fs::write(directory.path().join("privkey.pem"), made.signing_key.serialize_pem()).unwrap();
        let settings = settings.replace("/etc/letsencrypt/live/login.example.com/", "./");
        fs::write(directory.path().join(".env"), settings).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.arg("openapi").env_clear().current_dir(directory.path());
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        assert!(output.status.success(), "{block}\n{output:?}");
        for (name, _) in block.lines().filter_map(|line| line.split_once('=')) {
            let is_known = help.contains(&format!("[env: {name}]")) || help.contains(&format!("[env: {name}_FILE]"));
            assert!(is_known, "{name}");
        }
        tried += 1;
    }
    assert_eq!(tried, 3);
}

async fn a_form_is_sent_as_json(place: Place) {
    let process = Process::start(&place, &[]).await;
    let command = blocks(README)
        .find(|block| block.starts_with("curl localhost:8000/form/"))
        .expect("a form");
    let command = command
        .trim_end()
        .replace("localhost:8000", &format!("localhost:{}", process.address().port()));
    let output = run(
        place.directory(),
        &format!("{command} --silent --show-error --fail-with-body"),
    )
    .await;
    assert!(output.contains("\"next\":\"/forgot-password\""), "{output}");
}

async fn what_comes_from_the_templates_is_answered(place: Place) {
    let document = place.vestibule(&["openapi"]).await.expect_success().stdout;
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let mut calls = 0;
    for span in spans(between(README, "<!-- coming from -->", "<!-- /coming from -->")) {
        let Some((method, path)) = span.split_once(' ').filter(|(_, path)| path.starts_with('/')) else {
            continue;
        };
        let path = path.trim_end_matches('/');
        assert!(document["paths"][path][method.to_lowercase()].is_object(), "{span}");
        calls += 1;
    }
    assert!(calls > 40, "{calls}");
}

async fn a_site_outgrows_its_database(place: Place) {
    let old = place.directory().join("data");
    fs::create_dir(&old).unwrap();
    let database = format!("sqlite:{}", old.join("vestibule.db").display());
    let variables = [("DATABASE_URL", database.as_str())];
    let create = [
        "user",
        "create",
        "--email",
        "ann@example.com",
        "--username",
        "ann",
        "--name",
        "Ann",
    ];
    place
        .vestibule_with(&create, &variables, "a staple for the horse\n")
        .await
        .expect_success();
    let create = ["user", "create", "--email", "bob@example.com"];
    place
        .vestibule_with(&create, &variables, "a staple for the horse\n")
        .await
        .expect_success();
    place
        .vestibule_with(&["user", "disable", "bob@example.com"], &variables, "")
        .await
        .expect_success();
    let invite = ["user", "create", "--invite", "--email", "cleo@example.com"];
    place.vestibule_with(&invite, &variables, "").await.expect_success();

    let import = blocks(README)
        .find(|block| block.contains("data/vestibule.db"))
        .expect("the command");
    let import: Vec<&str> = import.split_whitespace().skip(1).collect();
    let imported = place.vestibule(&import).await.expect_success();
    assert!(imported.stdout.contains("Imported 3 users"), "{imported:?}");
    place.vestibule(&["user", "grant", "ann"]).await.expect_success();
    let shown = place.vestibule(&["user", "show", "ann"]).await.expect_success().stdout;
    let ann: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((&ann["name"], &ann["email_verified"]), (&"Ann".into(), &true.into()));
    assert_ne!(ann["external_id"], ann["id"]);
    let server = place.start().await;
    server.log_in_with("ann@example.com", "a staple for the horse").await;
    let shown = place
        .vestibule(&["user", "show", "bob@example.com"])
        .await
        .expect_success()
        .stdout;
    assert!(shown.contains("\"status\": \"disabled\""), "{shown}");
}

/// The lines of the README with which PostgreSQL is copied, and restored.
fn copy_and_restore() -> [&'static str; 2] {
    let section = between(README, "**With PostgreSQL** both commands refuse", "\n### ");
    let mut blocks = blocks(section);
    let copy = blocks.next().expect("how it is copied");
    let restore = blocks.next().expect("how it is restored");
    [copy, restore]
}

async fn a_copy_in_postgresql_comes_back(place: Place) {
    comes_back(&place, &[]).await;
}

async fn a_copy_in_postgresql_comes_back_with_hs256(place: Place) {
    let secret = "kf83hfA0sdk3LQpz83nxMd02pQwz71mVt5";
    comes_back(&place, &[("ALGORITHM", "HS256"), ("SECRET_KEY", secret)]).await;
}

/// Copies what a server holds, and goes on from there with these variables.
async fn comes_back(place: &Place, variables: &[(&str, &str)]) {
    let create = ["user", "create", "--email", "ann@example.com"];
    place
        .vestibule_with(&create, &[], "a staple for the horse\n")
        .await
        .expect_success();
    let server = place.start().await;
    let session = server.log_in_with("ann@example.com", "a staple for the horse").await;
    let leaked = jwt_header(&session.access_token)["kid"].clone();
    let [copy, restore] = copy_and_restore();
    let settings = format!("DATABASE_URL='{}'\nSITE_NAME='Two words'\n", place.database_url());
    fs::write(place.directory().join(".env"), settings).unwrap();
    run(place.directory(), copy).await;
    server.stop().await;
    place
        .vestibule(&["user", "delete", "ann@example.com", "--yes"])
        .await
        .expect_success();
    let create = ["user", "create", "--email", "after@example.com"];
    let created = place.vestibule_with(&create, &[], "a staple for the horse\n");
    created.await.expect_success();

    // Of a newer version, which may have tables that the copy does not know.
    place
        .execute("CREATE TABLE later (user_id TEXT REFERENCES users (id))")
        .await;

    // A copy that is damaged changes nothing, and no URL is no other database.
    let dump = place.directory().join("copy.dump");
    let whole = fs::read(&dump).unwrap();
    fs::write(&dump, &whole[..whole.len() / 2]).unwrap();
    assert!(try_to_run(place.directory(), restore).await.is_err());
    fs::write(&dump, &whole).unwrap();
    let without = restore.replace(". ./.env", "unset DATABASE_URL");
    assert!(try_to_run(place.directory(), &without).await.is_err());
    place
        .vestibule(&["user", "list", "--search", "after@example.com"])
        .await
        .expect_success();

    run(place.directory(), restore).await;
    let server = place.start_with(variables).await;
    let later = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'later'";
    assert_eq!(server.count(later).await, 0);
    server
        .anonymous()
        .get("/api/auth/me")
        .bearer(&session.access_token)
        .await
        .expect(401);
    let body = serde_json::json!({"refresh_token": session.refresh_token});
    server
        .anonymous()
        .post("/api/auth/refresh")
        .json(body)
        .await
        .expect(401);
    server.log_in_with("ann@example.com", "a staple for the horse").await;
    server.stop().await;

    // Nor does the key come back that whoever has the copy may have opened.
    let server = place.start().await;
    let session = server.log_in_with("ann@example.com", "a staple for the horse").await;
    assert_ne!(jwt_header(&session.access_token)["kid"], leaked);
}

async fn a_role_and_a_database_made_as_it_says_are_enough(place: Place) {
    let administrator = place.database_url();
    let mut url = Url::parse(administrator).unwrap();
    let name = format!("{}_own", url.path().trim_start_matches('/'));
    let made = between(README, "```sql\n", "```").replace("vestibule", &name);
    let psql = |lines: &str| format!("psql --quiet --set=ON_ERROR_STOP=1 '{administrator}' <<'END'\n{lines}\nEND");
    run(place.directory(), &psql(&made)).await;
    url.set_username(&name).unwrap();
    url.set_password(Some("PASSWORD")).unwrap();
    url.set_path(&name);
    let create = ["user", "create", "--email", "ann@example.com"];
    let variables = [("DATABASE_URL", url.as_str())];
    let created = place.vestibule_with(&create, &variables, "a staple for the horse\n");
    created.await.expect_success();
    let gone = format!("DROP DATABASE {name};\nDROP ROLE {name};");
    run(place.directory(), &psql(&gone)).await;
}

/// As [`try_to_run`], where it has to come out well.
async fn run(directory: &Path, lines: &str) -> String {
    let ran = try_to_run(directory, lines).await;
    ran.unwrap_or_else(|shown| panic!("{lines}\n{shown}"))
}

/// Runs lines as a shell does, with PostgreSQL's programs where Debian hides them, and gives its output.
async fn try_to_run(directory: &Path, lines: &str) -> Result<String, String> {
    let hidden = "PATH=$PATH:$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)";
    let mut command = Command::new("bash");
    command
        .args(["-c", &format!("{hidden}; set -eu\n{lines}")])
        .current_dir(directory);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .expect("bash runs");
    let shown = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() { Ok(shown) } else { Err(shown) }
}
