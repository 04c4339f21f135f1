//! `vestibule user import`: what comes over, what does not, and that what is here stays.

use std::{fmt::Write, fs, time::Duration};

use serde_json::{Value, json};

use crate::support::{
    Actor, Application, Finished, NEW_PASSWORD, PASSWORD, Place, Server, bcrypt, both_engines, one_engine,
};

both_engines![
    hashes_of_every_kind_let_their_users_in,
    an_import_that_is_run_again_changes_nothing,
    whoever_deleted_their_account_stays_deleted,
    what_cannot_come_over_is_told_with_its_row_and_reason,
    a_dry_run_checks_everything_and_writes_nothing,
    an_account_that_was_here_first_is_not_touched_and_is_told,
    whoever_is_left_out_keeps_nothing_from_others,
    two_applications_may_have_the_same_ids,
    another_application_is_not_taken_for_the_one_before,
    roles_come_over_only_when_asked_for,
    addresses_are_verified_where_the_application_or_the_operator_says_so,
    users_without_a_usable_password_choose_one_by_mail,
    an_import_is_one_event_of_the_audit_log,
    a_running_server_goes_on_beside_an_import,
    imports_that_run_at_once_bring_each_user_over_once,
    an_import_that_is_killed_is_finished_by_the_next,
    mistakes_are_told_in_words,
];

one_engine![
    sqlite: Sqlite,
    the_other_applications_file_is_not_changed,
    a_source_that_breaks_off_is_refused_before_anything_is_written,
    hashes_that_are_bytes_and_texts_that_are_none_are_read_from_a_table,
    what_a_table_holds_besides_users_is_not_read,
    names_of_another_application_say_nothing_to_the_terminal,
    a_bar_is_drawn_on_a_pseudo_terminal,
    a_file_that_is_a_database_is_told_with_what_reads_it,
];

one_engine![
    postgres: Postgres,
    a_table_of_another_schema_is_found_by_its_name,
    a_cell_that_goes_on_and_on_is_not_read_from_postgres,
];

/// A file of users, in the directory of `place`.
fn write(place: &Place, name: &str, users: &[Value]) -> String {
    let lines = users.iter().fold(String::new(), |mut lines, user| {
        writeln!(lines, "{user}").unwrap();
        lines
    });
    let path = place.directory().join(name);
    fs::write(&path, lines).unwrap();
    path.to_str().unwrap().to_owned()
}

fn user(id: u64, name: &str) -> Value {
    json!({
        "id": id,
        "email": format!("{name}@example.com"),
        "username": name,
        "full_name": name.to_uppercase(),
        "hashed_password": bcrypt(PASSWORD),
    })
}

async fn import(place: &Place, file: &str, more: &[&str]) -> Finished {
    place.vestibule(&[&["user", "import", file], more].concat()).await
}

#[track_caller]
fn assert_told(finished: &Finished, counts: &str) {
    assert!(finished.stdout.contains(counts), "no {counts} in {finished:?}");
}

/// The command did what it could, and says by its status that this was not all.
#[track_caller]
fn assert_unfinished(finished: &Finished) {
    assert_eq!(finished.status.code(), Some(3), "{finished:?}");
}

async fn show(place: &Place, name: &str) -> Value {
    let shown = place.vestibule(&["user", "show", name]).await.expect_success();
    serde_json::from_str(&shown.stdout).expect("JSON")
}

async fn hashes_of_every_kind_let_their_users_in(place: Place) {
    // All of the usual password.
    let hashes = [
        bcrypt(PASSWORD),
        bcrypt(PASSWORD).replace("$2b$", "$2a$"),
        bcrypt(PASSWORD).replace("$2b$", "$2y$"),
        "$pbkdf2-sha256$29000$MDEyMzQ1Njc4OWFiY2RlZg$y2LJ8Jo039oznio.MjH4HlWPjOeMnacD4zt4bi/fxwg".to_owned(),
        "pbkdf2_sha256$29000$saltsaltsalt$I1n0DBAQjKCX9IR1ZjdKsl2Zdj0LH6l1o1LDw6jzIGk=".to_owned(),
        "$scrypt$ln=14,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$SrNLsW7TD5qTxDy0g9h1/TKQ7dGu5JhOGLCKruY6tCE".to_owned(),
        "scrypt$16384$saltsaltsalt$8$1$\
         q/Ul8skJjVG0e2M7vImwqxHlYduFa6vXM7VhrNHb2f6JPxg77jQ06L8MacbS1c0BP5GGIVbktowUluH5lESpOw=="
            .to_owned(),
    ];
    let users: Vec<Value> = hashes
        .iter()
        .enumerate()
        .map(|(index, hash)| json!({"email": format!("user{index}@example.com"), "password": hash}))
        .collect();
    let file = write(&place, "users.jsonl", &users);
    import(&place, &file, &[]).await.expect_success();
    let server = place.start().await;
    for (index, hash) in hashes.iter().enumerate() {
        let email = format!("user{index}@example.com");
        assert_eq!(&server.password_hash(&email).await, hash, "it comes over as it was");
        let wrong = json!({"email": email, "password": NEW_PASSWORD});
        server.anonymous().post("/api/auth/login").json(wrong).await.expect(401);
        server.log_in(&email).await;
        let hash = server.password_hash(&email).await;
        assert!(hash.starts_with("$argon2id$"), "{hash}");
    }
}

async fn an_import_that_is_run_again_changes_nothing(place: Place) {
    let users = [
        user(1, "ann"),
        user(2, "bob"),
        user(3, "cleo"),
        json!({
            "email": "dan@example.com", "hashed_password": bcrypt(PASSWORD),
        }),
    ];
    let file = write(&place, "users.jsonl", &users);
    let told = import(&place, &file, &[]).await.expect_success();
    assert_told(&told, "Imported 4 users, 0 were here already, 0 skipped");

    let server = place.start().await;
    let ann = server.log_in("ann@example.com").await;
    let profile = json!({"name": "Anna", "username": "anna"});
    ann.patch("/api/auth/me").json(profile).await.expect(200);
    let password = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    ann.post("/api/auth/me/password").json(password).await.expect(200);
    let bob = server.log_in("bob@example.com").await;
    let change = json!({"password": PASSWORD, "new_email": "robert@example.com"});
    bob.post("/api/auth/me/email").json(change).await.expect_success();
    let link = server.verification_link("robert@example.com").await;
    let link = json!({"token": link});
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(link)
        .await
        .expect(200);
    let admin = server.admin("root@example.com").await;
    let cleo = admin.get("/api/users?q=cleo").await.items().remove(0);
    let path = format!("/api/users/{}", cleo["id"].as_str().unwrap());
    admin.patch(&path).json(json!({"is_active": false})).await.expect(200);

    let before = server.snapshot().await;
    for _ in 0..2 {
        let told = import(&place, &file, &[]).await.expect_success();
        assert_told(&told, "Imported 0 users, 4 were here already, 0 skipped");
        assert_eq!(server.snapshot().await, before);
    }
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
    server.log_in("robert@example.com").await;
}

async fn whoever_deleted_their_account_stays_deleted(place: Place) {
    let file = write(&place, "users.jsonl", &[user(1, "ann"), user(2, "bob")]);
    import(&place, &file, &[]).await.expect_success();
    let server = place.start().await;
    let ann = server.log_in("ann@example.com").await;
    ann.delete("/api/auth/me")
        .json(json!({"password": PASSWORD}))
        .await
        .expect_success();

    let told = import(&place, &file, &[]).await.expect_success();
    assert_told(&told, "Imported 0 users, 1 was here already");
    assert_told(&told, "1 user imported before and deleted here since; --bring-back");
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1);
    // Nothing is left that her address could be guessed from.
    let erased = "SELECT COUNT(*) FROM imports WHERE user_id IS NULL AND address_key = ''";
    assert_eq!(server.count(erased).await, 1);
    for counts in [
        "Imported 1 user, 1 was here already",
        "Imported 0 users, 2 were here already",
    ] {
        let told = import(&place, &file, &["--bring-back"]).await.expect_success();
        assert_told(&told, counts);
    }
    server.log_in("ann@example.com").await;
}

async fn what_cannot_come_over_is_told_with_its_row_and_reason(place: Place) {
    let hash = bcrypt(PASSWORD);
    let long = "x".repeat(101);
    let mut users: Vec<Value> = [
        json!({"email": "good@example.com", "username": "good", "hashed_password": hash}),
        json!({"email": "GOOD@example.com", "hashed_password": hash}),
        json!({"email": "no-address", "hashed_password": hash}),
        json!({"email": "plain@example.com", "hashed_password": "hunter2"}),
        json!({"email": "costly@example.com", "hashed_password": hash.replace("$04$", "$15$")}),
        json!({"email": "md5@example.com", "hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}),
        json!({"email": "none@example.com", "hashed_password": null}),
        json!({"email": "maybe@example.com", "hashed_password": hash, "is_active": "perhaps"}),
        json!({"email": "evil\u{1b}[2J@example.com", "hashed_password": hash}),
        // These come over, without something.
        json!({"email": "spaced@example.com", "username": "not a name", "hashed_password": hash}),
        json!({"email": "second@example.com", "username": "Good", "hashed_password": hash}),
        json!({"email": "long@example.com", "full_name": long, "hashed_password": hash}),
        // And this with all that it needs.
        json!({"email": "twice@example.com", "username": "Twice@Example.com", "hashed_password": hash}),
    ]
    .to_vec();
    users.extend((0..30).map(|number| json!({"id": number, "email": "none", "hashed_password": hash})));
    let file = write(&place, "users.jsonl", &users);
    let report = place.directory().join("report.jsonl");
    let told = import(&place, &file, &["--report", report.to_str().unwrap()]).await;
    assert_unfinished(&told);
    assert_told(&told, "Imported 5 users, 0 were here already, 38 skipped");
    assert_told(&told, "row 2 (GOOD@example.com) skipped: it has the address of row 1");
    assert_told(&told, "and 21 more; the report has them");
    assert!(
        told.stderr.contains("38 users skipped, 3 users imported without"),
        "{told:?}"
    );
    assert!(
        !told.stdout.contains('\u{1b}') && !told.stdout.contains("hunter2"),
        "{told:?}"
    );

    let report = fs::read_to_string(&report).unwrap();
    let report: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(report.len(), 41);
    for (row, outcome, said) in [
        (2, "skipped", "row 1"),
        (3, "skipped", "email"),
        (4, "skipped", "plain text"),
        (5, "skipped", "a cost of at most 14"),
        (6, "skipped", "of a kind"),
        (7, "skipped", "no password hash; --without-passwords"),
        (8, "skipped", "is_active"),
        (9, "skipped", "email"),
        (10, "imported without", "username: A username is"),
        (11, "imported without", "username: row 1 has it"),
        (12, "imported without", "name: A name is"),
        (14, "skipped", "email"),
    ] {
        let entry = report.iter().find(|entry| entry["row"] == row).unwrap();
        let reasons = entry["reasons"].to_string();
        assert!(entry["outcome"] == outcome && reasons.contains(said), "{entry}");
    }
    let server = place.start().await;
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 5);
    for email in [
        "spaced@example.com",
        "second@example.com",
        "long@example.com",
        "twice@example.com",
    ] {
        server.log_in(email).await;
    }
    assert_eq!(show(&place, "good").await["email"], "good@example.com");
}

async fn a_dry_run_checks_everything_and_writes_nothing(place: Place) {
    let file = write(
        &place,
        "users.jsonl",
        &[
            user(1, "ann"),
            json!({"email": "plain@example.com", "hashed_password": "hunter2"}),
        ],
    );
    let told = import(&place, &file, &["--dry-run"]).await;
    assert_unfinished(&told);
    assert_told(
        &told,
        "nothing was written: would import 1 user, 0 were here already, 1 skipped",
    );
    assert!(
        told.stderr.contains("1 user skipped") && !told.stderr.contains("0 users"),
        "{told:?}"
    );
    // Not even a database.
    let missing = place.vestibule(&["user", "list"]).await.expect_failure();
    assert!(missing.stderr.contains("there is no database yet"), "{missing:?}");

    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let before = server.snapshot().await;
    let told = import(&place, &file, &["--dry-run"]).await;
    assert_told(&told, "would import 0 users, 0 were here already, 2 skipped");
    assert_eq!(server.snapshot().await, before);
    let events = "SELECT COUNT(*) FROM audit_events WHERE event = 'import_users'";
    assert_eq!(server.count(events).await, 0);
    assert_eq!(server.count("SELECT COUNT(*) FROM imports").await, 0);
}

async fn an_account_that_was_here_first_is_not_touched_and_is_told(place: Place) {
    let server = place.start().await;
    // Whoever signed up with somebody's address before they moved in is not to be taken for them unnoticed.
    server.sign_up("ann@example.com").await;
    let body = json!({"email": "other@example.com", "username": "bob", "password": PASSWORD});
    server
        .anonymous()
        .post("/api/auth/register")
        .json(body)
        .await
        .expect(201);
    let before = server.snapshot().await;
    let file = write(&place, "users.jsonl", &[user(1, "ann"), user(2, "bob")]);
    let told = import(&place, &file, &[]).await;
    assert_unfinished(&told);
    assert_told(
        &told,
        "row 1 (ann@example.com) skipped: its address has an account here, which was not imported",
    );
    assert_told(
        &told,
        "row 2 (bob@example.com) imported without: username: an account here has it",
    );
    let after = server.snapshot().await;
    assert!(before.iter().all(|row| after.contains(row)), "{before:?} {after:?}");
    assert_eq!(show(&place, "bob").await["email"], "other@example.com");
}

async fn whoever_is_left_out_keeps_nothing_from_others(place: Place) {
    let here = ["user", "create", "--email", "here@example.com"];
    place
        .vestibule_with(&here, &[], "a staple for the horse\n")
        .await
        .expect_success();
    let hash = bcrypt(PASSWORD);
    let of = |id: u64, email: &str, username: &str| json!({"id": id, "email": email, "username": username, "hashed_password": hash});
    let users = [
        of(1, "here@example.com", "ann"),
        of(2, "ann@example.com", "ann"),
        of(2, "bob@example.com", "bob"),
        of(3, "bob@example.com", "bob"),
        // This one came over.
        of(4, "robert@example.com", "bob"),
    ];
    let file = write(&place, "users.jsonl", &users);
    for more in [&["--dry-run"][..], &[]] {
        let told = import(&place, &file, more).await;
        assert_unfinished(&told);
        assert_told(&told, "3 users, 0 were here already, 2 skipped");
        assert_told(
            &told,
            "row 1 (here@example.com) skipped: its address has an account here",
        );
        assert_told(&told, "row 3 (bob@example.com) skipped: it has the id of row 2");
        assert_told(
            &told,
            "row 5 (robert@example.com) imported without: username: row 4 has it",
        );
    }
    for name in ["ann", "bob"] {
        assert_eq!(show(&place, name).await["email"], format!("{name}@example.com"));
    }
}

async fn two_applications_may_have_the_same_ids(place: Place) {
    let (shop, forum) = (
        write(&place, "shop.jsonl", &[user(1, "ann")]),
        write(&place, "forum.jsonl", &[user(1, "bob")]),
    );
    import(&place, &shop, &["--source", "shop"]).await.expect_success();
    let told = import(&place, &forum, &["--source", "shop"]).await;
    assert_unfinished(&told);
    assert_told(&told, "a user with its id was imported before, with another address");
    import(&place, &forum, &["--source", "forum"]).await.expect_success();
    for (file, source) in [(&shop, "shop"), (&forum, "forum")] {
        let told = import(&place, file, &["--source", source]).await.expect_success();
        assert_told(&told, "Imported 0 users, 1 was here already");
    }
    for name in ["ann", "bob"] {
        assert_eq!(show(&place, name).await["external_id"], "1");
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

async fn another_application_is_not_taken_for_the_one_before(place: Place) {
    let shop = write(&place, "shop.jsonl", &[user(1, "ann"), user(2, "bob"), user(3, "cleo")]);
    let forum = [user(2, "dora"), user(3, "ed"), user(4, "flo")];
    let forum = write(&place, "forum.jsonl", &forum);
    import(&place, &shop, &[]).await.expect_success();
    let report = place.directory().join("report.jsonl");
    for more in [&["--dry-run"][..], &["--report", report.to_str().unwrap()]] {
        let refused = import(&place, &forum, more).await.expect_failure();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(
            refused.stderr.contains(
                "this looks like another application: 2 of 3 ids were imported before with other addresses. Name it with \
                 --source NAME"
            ),
            "{refused:?}"
        );
        assert!(!refused.stdout.contains("mported") && !report.exists(), "{refused:?}");
    }
    let listed = async || place.vestibule(&["user", "list"]).await.expect_success().stdout;
    assert!(!listed().await.contains("flo@"), "{}", listed().await);
    let told = import(&place, &forum, &["--source", "forum"]).await.expect_success();
    assert_told(&told, "Imported 3 users");
    // One who has moved makes no other application of it.
    let moved = [user(1, "anna"), user(2, "bob"), user(3, "cleo"), user(5, "gus")];
    let moved = write(&place, "moved.jsonl", &moved);
    let told = import(&place, &moved, &[]).await;
    assert_unfinished(&told);
    assert_told(&told, "Imported 1 user, 2 were here already, 1 skipped");
    // Nor do many, where it is said that it is the same.
    let moved = [user(1, "anna"), user(2, "bobby"), user(6, "hal")];
    let moved = write(&place, "moved.jsonl", &moved);
    import(&place, &moved, &[]).await.expect_failure();
    let told = import(&place, &moved, &["--source", "default"]).await;
    assert_told(&told, "Imported 1 user, 0 were here already, 2 skipped");
}

async fn roles_come_over_only_when_asked_for(place: Place) {
    let hash = bcrypt(PASSWORD);
    let users = |suffix: &str| {
        let user = |name: &str, key: &str, value: Value| json!({"email": format!("{name}{suffix}@example.com"), "hashed_password": hash, key: value});
        [
            user("root", "is_superuser", json!(true)),
            user("boss", "role", json!("Admin")),
            user("ed", "role", json!("editor")),
            user("user", "is_superuser", json!(false)),
            user("list", "role", json!(["editor", "admin", "No Role"])),
        ]
    };
    let roles = async |name: &str| show(&place, &format!("{name}@example.com")).await["roles"].clone();
    let file = write(&place, "none.jsonl", &users("1"));
    let told = import(&place, &file, &[]).await.expect_success();
    assert_told(&told, "Roles of 4 users were left behind, 3 of them admins");
    for name in ["root1", "boss1", "ed1", "list1"] {
        assert_eq!(roles(name).await, json!([]), "{name}");
    }
    let file = write(&place, "roles.jsonl", &users("2"));
    let told = import(&place, &file, &["--keep-roles"]).await;
    assert_unfinished(&told);
    assert_told(&told, "imported without: role: A role is");
    assert_eq!(
        (roles("root2").await, roles("boss2").await, roles("list2").await),
        (json!([]), json!([]), json!(["editor"]))
    );
    let file = write(&place, "admins.jsonl", &users("3"));
    import(&place, &file, &["--keep-admins", "--source", "3"])
        .await
        .expect_success();
    assert_eq!(
        (
            roles("root3").await,
            roles("boss3").await,
            roles("ed3").await,
            roles("user3").await
        ),
        (json!(["admin"]), json!(["admin"]), json!([]), json!([]))
    );
    // And it does what it says.
    let server = place.start().await;
    let root = server.log_in("root3@example.com").await;
    root.get("/api/users").await.expect(200);
    let root = server.log_in("root1@example.com").await;
    root.get("/api/users").await.expect_problem(403, "forbidden");
}

async fn addresses_are_verified_where_the_application_or_the_operator_says_so(place: Place) {
    let hash = bcrypt(PASSWORD);
    let users = [
        json!({"email": "yes@example.com", "hashed_password": hash, "is_verified": true}),
        json!({"email": "no@example.com", "hashed_password": hash, "is_verified": false}),
        json!({"email": "unsaid@example.com", "hashed_password": hash}),
    ];
    let file = write(&place, "users.jsonl", &users);
    let strict = [("REQUIRE_VERIFIED_EMAIL", "true")];
    let told = place
        .vestibule_with(&["user", "import", &file, "--dry-run"], &strict, "")
        .await;
    assert_told(
        &told.expect_success(),
        "2 users must verify their address before they can log in",
    );
    import(&place, &file, &["--verified"]).await.expect_success();
    for (name, is_verified) in [("yes", true), ("no", false), ("unsaid", true)] {
        let user = show(&place, &format!("{name}@example.com")).await;
        assert_eq!(user["email_verified"], is_verified, "{name}");
    }
    let server = place.start_with(&strict).await;
    server.log_in("unsaid@example.com").await;
    let body = json!({"email": "no@example.com", "password": PASSWORD});
    let refused = server.anonymous().post("/api/auth/login").json(body).await;
    refused.expect_problem(403, "email_not_verified");
}

async fn users_without_a_usable_password_choose_one_by_mail(place: Place) {
    let users = [
        json!({"email": "md5@example.com", "hashed_password": "5f4dcc3b5aa765d61d8327deb882cf99"}),
        json!({"email": "none@example.com"}),
        json!({"email": "plain@example.com", "hashed_password": PASSWORD}),
    ];
    let file = write(&place, "users.jsonl", &users);
    let told = import(&place, &file, &["--without-passwords"]).await;
    assert_unfinished(&told);
    assert_told(&told, "Imported 3 users");
    let server = place.start().await;
    for user in users {
        let email = user["email"].as_str().unwrap();
        assert_eq!(server.password_hash(email).await, "!");
        for password in [PASSWORD, "!", "5f4dcc3b5aa765d61d8327deb882cf99"] {
            let body = json!({"email": email, "password": password});
            server.anonymous().post("/api/auth/login").json(body).await.expect(401);
        }
        let token = server.reset_link(email).await;
        let body = json!({"token": token, "new_password": NEW_PASSWORD});
        server
            .anonymous()
            .post("/api/auth/reset-password")
            .json(body)
            .await
            .expect(200);
        server.log_in_with(email, NEW_PASSWORD).await;
    }
}

async fn an_import_is_one_event_of_the_audit_log(place: Place) {
    // More than one batch.
    let mut users: Vec<Value> = (0..600).map(|id| user(id, &format!("user{id}"))).collect();
    users.push(json!({"email": "plain@example.com", "hashed_password": "hunter2"}));
    let file = write(&place, "users.jsonl", &users);
    import(&place, &file, &["--source", "shop"]).await;
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let events = admin.get("/api/audit?event=import_users").await.items();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["detail"], "from shop: 600 imported, 0 unchanged, 1 skipped");
    assert_eq!(
        (&events[0]["outcome"], &events[0]["actor_id"]),
        (&json!("success"), &Value::Null)
    );
}

/// So many users, of whom none needs to be hashed.
fn many(place: &Place, count: u64) -> String {
    let users: Vec<Value> = (0..count).map(|id| user(id, &format!("user{id}"))).collect();
    write(place, "users.jsonl", &users)
}

async fn a_running_server_goes_on_beside_an_import(place: Place) {
    let file = many(&place, 3000);
    let server = place.start().await;
    let importing = {
        let place = place.clone();
        tokio::spawn(async move { import(&place, &file, &[]).await })
    };
    let mut signed_up = 0;
    while !importing.is_finished() || signed_up == 0 {
        let ann = server.user(&format!("ann{signed_up}@example.com")).await;
        assert!(ann.is_signed_in().await);
        signed_up += 1;
    }
    let told = importing.await.unwrap().expect_success();
    assert_told(&told, "Imported 3000 users, 0 were here already, 0 skipped");
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 3000 + signed_up);
    // It knows them at once.
    server.log_in("user2999@example.com").await;
}

async fn imports_that_run_at_once_bring_each_user_over_once(place: Place) {
    let file = many(&place, 1200);
    // The database is there, so that no more than the imports run at once.
    place.start().await.stop().await;
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (place, file) = (place.clone(), file.clone());
        running.spawn(async move { import(&place, &file, &[]).await.expect_success().stdout });
    }
    let told = running.join_all().await;
    let server = place.start().await;
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1200, "{told:?}");
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM imports WHERE user_id IS NOT NULL")
            .await,
        1200
    );
}

async fn an_import_that_is_killed_is_finished_by_the_next(place: Place) {
    let file = many(&place, 5000);
    let server = place.start().await;
    assert_whole(&server).await;
    for round in 1..=4 {
        place
            .vestibule_killed(&["user", "import", &file], Duration::from_millis(250 * round))
            .await;
        assert_whole(&server).await;
    }
    let there = server.count("SELECT COUNT(*) FROM users").await;
    let told = import(&place, &file, &[]).await.expect_success();
    assert_told(
        &told,
        &format!("Imported {} users, {there} were here already, 0 skipped", 5000 - there),
    );
    assert_whole(&server).await;
}

/// Every imported user is there with all that belongs to them.
async fn assert_whole(server: &Server) {
    let users = server.count("SELECT COUNT(*) FROM users").await;
    let imports =
        "SELECT COUNT(*) FROM imports i INNER JOIN users u ON u.id = i.user_id WHERE u.external_id IS NOT NULL";
    assert_eq!(server.count(imports).await, users);
}

async fn mistakes_are_told_in_words(place: Place) {
    let file = write(&place, "users.jsonl", &[user(1, "ann")]);
    let unknown = write(&place, "users.txt", &[]);
    let unhashed = write(&place, "unhashed.jsonl", &[json!({"email": "ann@example.com"})]);
    let semicolons = place.directory().join("semicolons.csv");
    fs::write(&semicolons, "email;hashed_password\nann@example.com;x\n").unwrap();
    for (arguments, said) in [
        (&[][..], "--from"),
        (&["missing.jsonl"], "missing.jsonl"),
        (&[&unhashed], "--without-passwords"),
        (
            &[semicolons.to_str().unwrap()],
            "separated by ';', and must be by commas",
        ),
        (
            &["--from", place.database_url()],
            "the database into which users are imported",
        ),
        (&[&unknown], "--format"),
        (&[&file, "--map", "mail=email"], "mail is no field"),
        (&[&file, "--map", "email=mail"], "no column mail; there are"),
        (&[&file, "--map", "email"], "FIELD=COLUMN"),
        (&[&file, "--from", "sqlite:app.db"], "--from"),
        (
            &[&file, "--report", &file],
            "exists already, and is not overwritten; give the report another name",
        ),
        (&[&file, "--report", "/nowhere/report"], "cannot make the report"),
        (&[&file, "--source", ""], "source"),
        (&["--from", "sqlite:///./missing.db"], "no database file ./missing.db"),
        (
            &["--from", "mysql://ann:hunter2@localhost/app"],
            "another kind of database",
        ),
        (
            &["--from", "postgres://ann:hunter2@127.0.0.1:1/app"],
            "other application's database",
        ),
    ] {
        let finished = place
            .vestibule(&[&["user", "import"], arguments].concat())
            .await
            .expect_failure();
        assert!(finished.stderr.contains(said), "no {said} in {finished:?}");
        assert!(!finished.stderr.contains("hunter2"), "{finished:?}");
        assert!([Some(1), Some(2)].contains(&finished.status.code()), "{finished:?}");
    }
    let application = Application::in_file(&place, "app.db").await;
    application.execute("CREATE TABLE people (id INTEGER, mail TEXT)").await;
    for (table, said) in [
        ("users", "no table users; the database holds people"),
        ("people", "hashed_password"),
    ] {
        let arguments = [
            "user",
            "import",
            "--from",
            "sqlite:///./app.db",
            "--map",
            "email=mail",
            "--table",
            table,
        ];
        let finished = place.vestibule(&arguments).await.expect_failure();
        assert!(finished.stderr.contains(said), "no {said} in {finished:?}");
    }
    // Nothing was begun.
    let missing = place.vestibule(&["user", "list"]).await.expect_failure();
    assert!(missing.stderr.contains("there is no database yet"), "{missing:?}");
}

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

async fn a_bar_is_drawn_on_a_pseudo_terminal(place: Place) {
    let file = many(&place, 1200);
    let told = place.vestibule_on_a_terminal(&["user", "import", &file]).await;
    let told = told.expect_success();
    assert!(told.stderr.contains("█ 1200 of 1200 users, "), "{told:?}");
    assert_told(&told, "Imported 1200 users");
    assert!(!told.stdout.contains('█'), "{told:?}");

    let told = import(&place, &file, &[]).await.expect_success();
    assert!(told.stderr.is_empty(), "{told:?}");
}
