//! `vestibule …`, as an operator types it, alone and beside a running server.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Actor, Engine, PASSWORD, Place, Process, both_engines, one_engine, settings};

both_engines![
    the_first_admin_is_made_from_standard_input,
    users_are_listed_shown_and_found_by_any_name,
    who_was_invited_is_known_by_that,
    a_list_of_nobody_names_the_database,
    roles_are_granted_and_revoked_beside_a_running_server,
    what_a_role_came_to_is_told,
    users_are_disabled_enabled_and_deleted,
    the_last_admin_stays,
    keys_are_listed_and_rotated,
    messages_are_listed_and_sent_again,
    mistakes_are_told_in_words,
    each_reason_has_a_line,
    no_database_is_made_where_one_was_meant_to_be,
];

one_engine![
    sqlite: Sqlite,
    help_and_usage_tell_of_a_commands_own_options,
    the_openapi_document_is_printed,
    a_stop_finishes_the_request_in_flight,
    a_busy_port_is_told,
    a_sealing_key_that_is_missing_is_not_made_anew,
    a_reader_that_has_seen_enough_is_no_failure,
    what_broke_an_import_off_is_told_whoever_reads,
    a_dry_run_without_room_says_that_and_no_more,
];

async fn create(place: &Place, email: &str, more: &[&str]) {
    let arguments = [&["user", "create", "--email", email], more].concat();
    place
        .vestibule_with(&arguments, &[], &format!("{PASSWORD}\n"))
        .await
        .expect_success();
}

async fn show(place: &Place, name: &str) -> Value {
    let shown = place.vestibule(&["user", "show", name]).await.expect_success();
    serde_json::from_str(&shown.stdout).expect("JSON")
}

async fn the_first_admin_is_made_from_standard_input(place: Place) {
    create(
        &place,
        "root@example.com",
        &["--admin", "--username", "root", "--name", "Root"],
    )
    .await;
    let server = place.start().await;
    let root = server.log_in("root@example.com").await;
    let me = root.get("/users/me").await.json();
    assert_eq!((&me["username"], &me["name"]), (&json!("root"), &json!("Root")));
    assert_eq!(me["roles"], json!(["admin"]));
    root.get("/api/users").await.expect(200);
    // A password in an argument would be seen by everybody on the machine.
    let help = place
        .vestibule(&["user", "create", "--help"])
        .await
        .expect_success()
        .stdout;
    assert!(!help.contains("--password "), "{help}");
    let refused = place
        .vestibule(&["user", "create", "--email", "ann@example.com", "--password", "hunter2"])
        .await
        .expect_failure();
    assert!(
        refused.stderr.contains("a password is never an argument") && !refused.stderr.contains("password-min"),
        "{refused:?}"
    );
}

async fn help_and_usage_tell_of_a_commands_own_options(place: Place) {
    let help = place.vestibule(&["--help"]).await.expect_success().stdout;
    assert!(help.contains("--port <PORT>") && help.contains("[env: PORT]"), "{help}");
    for arguments in [&["user", "import", "--help"][..], &["help", "user", "import"]] {
        let help = place.vestibule(arguments).await.expect_success().stdout;
        assert!(
            help.contains("--bring-back") && help.contains("Every option of `vestibule --help`"),
            "{help}"
        );
        assert!(!help.contains("--port"), "{help}");
    }
    let refused = place
        .vestibule_with(&["backup"], &[("PORT", "8000")], "")
        .await
        .expect_failure();
    assert!(
        refused.stderr.contains("Usage: vestibule backup [OPTIONS] <FILE>")
            || refused.stderr.contains("Usage: vestibule backup <FILE>"),
        "{refused:?}"
    );
    // They are taken there all the same.
    let refused = place
        .vestibule(&["user", "list", "--port", "many"])
        .await
        .expect_failure();
    assert!(refused.stderr.contains("PORT"), "{refused:?}");
}

async fn what_a_role_came_to_is_told(place: Place) {
    for name in ["root", "ann"] {
        create(&place, &format!("{name}@example.com"), &["--username", name]).await;
    }
    for (arguments, said, unsaid) in [
        (
            &["grant", "ann"][..],
            "ann@example.com is an admin now",
            "has the roles",
        ),
        (&["grant", "ann"], "has the roles: admin", "now"),
        (
            &["grant", "root", "amdin"],
            "nobody else has the role amdin",
            "admin now",
        ),
        (&["grant", "ann", "amdin"], "amdin", "nobody else"),
        (
            &["revoke", "root", "nosuch"],
            "did not have the role nosuch",
            "no roles",
        ),
        (&["revoke", "root", "amdin"], "has no roles", "did not have"),
    ] {
        let told = place.vestibule(&[&["user"], arguments].concat()).await;
        let told = told.expect_success().stdout;
        assert!(told.contains(said) && !told.contains(unsaid), "{arguments:?}: {told}");
    }
}

async fn a_list_of_nobody_names_the_database(place: Place) {
    place.start().await.stop().await;
    for arguments in [&["user", "list"][..], &["user", "list", "--json", "--search", "ann"]] {
        let listed = place.vestibule(arguments).await.expect_success();
        assert_eq!(listed.stdout, "");
        let said = match place.engine() {
            Engine::Sqlite => "vestibule.db",
            Engine::Postgres => place.database_url().rsplit('/').next().unwrap(),
        };
        assert!(
            listed.stderr.contains("no such account in the database") && listed.stderr.contains(said),
            "{listed:?}"
        );
    }
    create(&place, "ann@example.com", &[]).await;
    let listed = place.vestibule(&["user", "list"]).await.expect_success();
    assert_eq!(listed.stderr, "");
}

async fn who_was_invited_is_known_by_that(place: Place) {
    let invite = ["user", "create", "--invite", "--email", "ann@example.com"];
    place.vestibule(&invite).await.expect_success();
    assert_eq!(show(&place, "ann@example.com").await["has_password"], json!(false));
    let listed = place.vestibule(&["mail", "list"]).await.expect_success().stdout;
    let id = listed.split_whitespace().next().expect("an id");
    let again = place.vestibule(&invite).await.expect_failure().stderr;
    let command = format!("`vestibule mail resend {id}` sends the invitation again");
    assert!(
        again.contains("ann@example.com was invited and has no password yet") && again.contains(&command),
        "{again}"
    );
    create(&place, "bob@example.com", &[]).await;
    assert_eq!(show(&place, "bob@example.com").await["has_password"], json!(true));
}

async fn users_are_listed_shown_and_found_by_any_name(place: Place) {
    create(&place, "ann@example.com", &["--username", "ann"]).await;
    create(&place, "root@example.com", &["--admin", "--username", " "]).await;
    assert_eq!(show(&place, "root@example.com").await["username"], Value::Null);
    let listed = place.vestibule(&["user", "list"]).await.expect_success().stdout;
    assert!(
        listed.contains("ann@example.com") && listed.contains("root@example.com"),
        "{listed}"
    );
    let admins = place
        .vestibule(&["user", "list", "--role", "admin"])
        .await
        .expect_success()
        .stdout;
    assert!(
        !admins.contains("ann@example.com") && admins.contains("root@example.com"),
        "{admins}"
    );
    let by_email = show(&place, "ANN@example.com").await;
    assert_eq!(show(&place, "ann").await, by_email);
    assert_eq!(show(&place, by_email["id"].as_str().unwrap()).await, by_email);
    assert_eq!(by_email["email"], "ann@example.com");
    assert!(!by_email.to_string().contains("argon2"), "{by_email}");
}

async fn roles_are_granted_and_revoked_beside_a_running_server(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    create(&place, "root@example.com", &["--admin"]).await;
    place
        .vestibule(&["user", "grant", "ann@example.com", "admin"])
        .await
        .expect_success();
    ann.get("/api/users").await.expect(200);
    place
        .vestibule(&["user", "grant", "ann@example.com", "editor"])
        .await
        .expect_success();
    assert_eq!(
        show(&place, "ann@example.com").await["roles"],
        json!(["admin", "editor"])
    );
    place
        .vestibule(&["user", "revoke", "ann@example.com", "admin"])
        .await
        .expect_success();
    ann.get("/api/users").await.expect_problem(403, "forbidden");
    place
        .vestibule(&["user", "grant", "ann@example.com", "not a role"])
        .await
        .expect_failure();
    assert_eq!(show(&place, "ann@example.com").await["roles"], json!(["editor"]));
    let revoked = place
        .vestibule(&["user", "revoke", "ann@example.com", "editor"])
        .await
        .expect_success()
        .stdout;
    assert_eq!(revoked, "ann@example.com has no roles\n");
}

async fn users_are_disabled_enabled_and_deleted(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    place
        .vestibule(&["user", "disable", "ann@example.com"])
        .await
        .expect_success();
    ann.get("/users/me").await.expect_refusal();
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    server
        .anonymous()
        .post("/login")
        .json(&body)
        .await
        .expect_problem(400, "inactive_user");
    place
        .vestibule(&["user", "enable", "ann@example.com"])
        .await
        .expect_success();
    server.log_in("ann@example.com").await;
    // Nobody is there to be asked.
    place
        .vestibule(&["user", "delete", "ann@example.com"])
        .await
        .expect_failure();
    place
        .vestibule(&["user", "delete", "ann@example.com", "--yes"])
        .await
        .expect_success();
    server
        .anonymous()
        .post("/login")
        .json(&body)
        .await
        .expect_problem(401, "invalid_credentials");
}

async fn the_last_admin_stays(place: Place) {
    create(&place, "root@example.com", &["--admin"]).await;
    for arguments in [
        &["user", "revoke", "root@example.com", "admin"][..],
        &["user", "disable", "root@example.com"],
        &["user", "delete", "root@example.com", "--yes"],
    ] {
        let finished = place.vestibule(arguments).await.expect_failure();
        assert!(finished.stderr.contains("last active admin"), "{finished:?}");
    }
    let root = show(&place, "root@example.com").await;
    assert_eq!((&root["roles"], &root["status"]), (&json!(["admin"]), &json!("active")));
}

async fn keys_are_listed_and_rotated(place: Place) {
    let count = async || {
        let listed = place.vestibule(&["keys", "list", "--json"]).await.expect_success();
        let keys: Value = serde_json::from_str(&listed.stdout).expect("JSON");
        assert!(
            !listed.stdout.contains("sealed") && !listed.stdout.contains("private"),
            "{}",
            listed.stdout
        );
        keys.as_array().unwrap().len()
    };
    create(&place, "ann@example.com", &[]).await;
    assert_eq!(count().await, 1);
    let rotated = place.vestibule(&["keys", "rotate"]).await.expect_success().stdout;
    assert!(
        rotated.contains("signs from 20") && !rotated.contains("waiting"),
        "{rotated}"
    );
    assert_eq!(count().await, 2);
    let listed = place.vestibule(&["keys", "list"]).await.expect_success().stdout;
    let keys: Vec<&str> = listed.lines().collect();
    assert!(
        keys[0].contains("until its successor does, published until 20") && keys[1].ends_with("until it is rotated"),
        "{listed}"
    );
    let rotated = place.vestibule(&["keys", "rotate"]).await.expect_success().stdout;
    assert!(rotated.contains("was waiting already"), "{rotated}");
    let rotated = place
        .vestibule(&["keys", "rotate", "--now"])
        .await
        .expect_success()
        .stdout;
    assert!(
        rotated.contains("refused") && rotated.contains("ten seconds"),
        "{rotated}"
    );
    let variables = [("ALGORITHM", "HS256"), ("SECRET_KEY", crate::support::SECRET_KEY)];
    let finished = place
        .vestibule_with(&["keys", "rotate"], &variables, "")
        .await
        .expect_failure();
    assert!(finished.stderr.contains("SECRET_KEY"), "{finished:?}");
    let finished = place
        .vestibule_with(&["keys", "list"], &variables, "")
        .await
        .expect_success();
    assert!(finished.stderr.contains("do not sign"), "{finished:?}");
}

async fn messages_are_listed_and_sent_again(place: Place) {
    let server = place.start().await;
    for name in ["ann", "bob", "cleo"] {
        server.sign_up(&format!("{name}@example.com")).await;
    }
    server.mail_is_done().await;
    let list = async |more: &[&str]| {
        let listed = place.vestibule(&[&["mail", "list"], more].concat()).await;
        listed.expect_success().stdout
    };
    let all = list(&[]).await;
    assert_eq!(all.lines().count(), 3, "{all}");
    let newest = list(&["--limit", "1", "--state", "sent"]).await;
    assert!(
        newest.contains("verify_email  cleo@example.com  sent") && newest.lines().count() == 1,
        "{newest}"
    );
    assert_eq!(list(&["--state", "failed"]).await, "");
    let json = list(&["--json", "--limit", "2"]).await;
    let json: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(json.len(), 2);
    assert_eq!(
        (&json[1]["address"], &json[1]["state"], &json[1]["attempts"]),
        (&json!("bob@example.com"), &json!("sent"), &json!(1))
    );

    let id = json[1]["id"].as_str().unwrap();
    let said = place.vestibule(&["mail", "resend", id]).await.expect_success().stdout;
    assert_eq!(said, format!("{id} waits to be sent\n"));
    // The clock of the test stands still in the past, where the command does not live.
    sqlx::query("UPDATE outbox SET due_at = 0 WHERE finished_at IS NULL")
        .execute(server.database())
        .await
        .unwrap();
    server.app().mail().wake();
    server.mails("bob@example.com", 2).await;
    for id in ["x", "01890a5d-ac96-774b-bcce-b302099a8057"] {
        let finished = place.vestibule(&["mail", "resend", id]).await.expect_failure();
        assert!(finished.stderr.contains(id), "{finished:?}");
        let is_none = finished
            .stderr
            .contains("no id of a message; vestibule mail list shows them");
        assert_eq!(is_none, id == "x", "{finished:?}");
    }
    for arguments in [&["--state", "lost"][..], &["--limit", "0"]] {
        place
            .vestibule(&[&["mail", "list"], arguments].concat())
            .await
            .expect_failure();
    }
}

async fn mistakes_are_told_in_words(place: Place) {
    create(&place, "ann@example.com", &["--username", "ann"]).await;
    let create = ["user", "create", "--email", "bob@example.com"];
    for (arguments, input, said) in [
        (&["user", "show", "nobody@example.com"][..], "", "nobody@example.com"),
        (&create[..], "short\n", "password"),
        (&create[..], "", "no password given"),
        (
            &["user", "create", "--email", "not-an-address"],
            "plum-Tractor-94-orbit\n",
            "email",
        ),
        (
            &["user", "create", "--email", "ANN@example.com", "--username", "ANN"],
            "plum-Tractor-94-orbit\n",
            "email already registered",
        ),
        // And before anybody is asked for a password.
        (
            &["user", "create", "--admin", "--email", "ANN@example.com"],
            "",
            "`vestibule user grant ann@example.com`",
        ),
        (
            &["user", "create", "--email", "bob@example.com", "--username", "ANN"],
            "",
            "username already registered",
        ),
        (&["user", "dance"], "", "dance"),
        (&["user", "create"], "", "--email"),
    ] {
        let finished = place.vestibule_with(arguments, &[], input).await.expect_failure();
        let text = finished.stderr.to_lowercase();
        assert!(text.contains(said), "no {said} in {finished:?}");
        assert!(finished.stdout.is_empty(), "{finished:?}");
    }
}

async fn each_reason_has_a_line(place: Place) {
    let create = ["user", "create", "--email", "bob@example.com"];
    let finished = place.vestibule_with(&create, &[], "abc\n").await.expect_failure();
    let mut lines = finished.stderr.lines();
    assert_eq!(lines.next(), Some("vestibule: this cannot be used:"), "{finished:?}");
    let reasons: Vec<&str> = lines.collect();
    assert_eq!(reasons[0], "  password: Use at least 8 characters", "{finished:?}");
    assert!(
        reasons.len() > 1 && reasons.iter().all(|line| line.starts_with("  password: ")),
        "{finished:?}"
    );
}

async fn the_openapi_document_is_printed(place: Place) {
    let printed = place.vestibule(&["openapi"]).await.expect_success();
    let printed: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    let server = place.start().await;
    let document = server.anonymous().get("/openapi.json").await.expect(200).json();
    assert_eq!(printed["paths"], document["paths"]);
}

async fn a_stop_finishes_the_request_in_flight(place: Place) {
    let mut process = Process::start(&place, &[]).await;
    let register = json!({"email": "ann@example.com", "password": PASSWORD}).to_string();
    let mut stream = TcpStream::connect(process.address()).await.unwrap();
    let head = format!(
        "POST /register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        register.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&register.as_bytes()[..10]).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    process.terminate();
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    stream.write_all(&register.as_bytes()[10..]).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let status = process.ended();
    assert!(status.success(), "{status}: {}", process.output());
    // And what it acknowledged is there.
    show(&place, "ann@example.com").await;
}

async fn a_busy_port_is_told(place: Place) {
    let process = Process::start(&place, &[]).await;
    let port = process.address().port().to_string();
    let finished = place
        .vestibule_with(&["serve"], &[("PORT", &port)], "")
        .await
        .expect_failure();
    assert!(finished.stderr.contains(&port), "{finished:?}");
}

async fn no_database_is_made_where_one_was_meant_to_be(place: Place) {
    let file = place.directory().join("vestibule.db");
    let name = match place.engine() {
        Engine::Sqlite => file.to_str().unwrap(),
        Engine::Postgres => place.database_url().rsplit('/').next().unwrap(),
    };
    for arguments in [
        &["user", "list"][..],
        &["user", "show", "ann"],
        &["keys", "list"],
        &["keys", "rotate"],
        &["mail", "list"],
    ] {
        let finished = place.vestibule(arguments).await.expect_failure();
        for said in ["there is no database yet", name, "DATA_DIR", "DATABASE_URL"] {
            assert!(finished.stderr.contains(said), "no {said} in {finished:?}");
        }
        // Where a file was made, or tables, the next one would find a database.
        assert!(!file.exists(), "{arguments:?}");
    }
    let arguments = ["user", "create", "--email", "ann@example.com"];
    let made = place.vestibule_with(&arguments, &[], &format!("{PASSWORD}\n")).await;
    let told = made.expect_success().stdout;
    assert!(told.contains(name), "{told}");
    let arguments = ["user", "create", "--email", "bob@example.com"];
    let made = place.vestibule_with(&arguments, &[], &format!("{PASSWORD}\n")).await;
    let told = made.expect_success().stdout;
    assert!(!told.contains("database"), "{told}");
}

async fn a_sealing_key_that_is_missing_is_not_made_anew(place: Place) {
    let generated = [("SEALING_KEY", "")];
    place.start_with(&generated).await.stop().await;
    let key = place.directory().join("sealing.key");
    std::fs::remove_file(&key).unwrap();
    let finished = place.vestibule_with(&["serve"], &generated, "").await.expect_failure();
    assert!(
        finished.stderr.contains("sealing.key is missing: restore it") && !finished.stderr.contains("or make"),
        "{finished:?}"
    );
    assert!(!key.exists());
}

async fn a_reader_that_has_seen_enough_is_no_failure(place: Place) {
    let mut command = std::process::Command::new("sh");
    let output = command
        .args(["-c", "\"$0\" openapi | head -n 1", env!("CARGO_BIN_EXE_vestibule")])
        .current_dir(place.directory())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "{\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

async fn what_broke_an_import_off_is_told_whoever_reads(place: Place) {
    create(&place, "ann@example.com", &[]).await;
    place
        .execute("CREATE TRIGGER full BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'full'); END;")
        .await;
    std::fs::write(place.directory().join("users.csv"), "email\nbob@example.com\n").unwrap();
    let import = "\"$0\" user import users.csv --without-passwords | head -n 1";
    let mut command = std::process::Command::new("sh");
    let output = command
        .args(["-c", import, env!("CARGO_BIN_EXE_vestibule")])
        .envs(settings(&place))
        .current_dir(place.directory())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("nothing was imported"), "{told}");
}

async fn a_dry_run_without_room_says_that_and_no_more(place: Place) {
    std::fs::write(place.directory().join("users.csv"), "email\nbob@example.com\n").unwrap();
    let import = ["user", "import", "users.csv", "--without-passwords", "--dry-run"];
    let nowhere = [("TMPDIR", "/proc/x")];
    let told = place
        .vestibule_with(&import, &nowhere, "")
        .await
        .expect_failure()
        .stderr;
    assert!(
        told.contains("/proc/x/vestibule-") && !told.contains("cannot remove"),
        "{told}"
    );
}
