//! `vestibule user import`: what comes over, what does not, and that what is here stays.

mod interrupted;
mod sources;

use std::{fmt::Write, fs};

use serde_json::{Value, json};

use crate::support::{Actor, Application, Finished, NEW_PASSWORD, PASSWORD, Place, bcrypt, both_engines, one_engine};

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
    an_admin_without_a_password_is_not_the_one_who_is_left,
    an_import_is_one_event_of_the_audit_log,
    mistakes_are_told_in_words,
];

one_engine![
    sqlite: Sqlite,
    a_report_of_nothing_is_in_nobodys_way,
    a_bar_is_drawn_on_a_pseudo_terminal,
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

fn many(place: &Place, count: u64) -> String {
    let users: Vec<Value> = (0..count).map(|id| user(id, &format!("user{id}"))).collect();
    write(place, "users.jsonl", &users)
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

async fn a_report_of_nothing_is_in_nobodys_way(place: Place) {
    let file = write(&place, "users.jsonl", &[user(1, "ann")]);
    // What users are to be imported into is the application's own.
    let application = Application::in_file(&place, "app.db").await;
    application.execute("CREATE TABLE users (id INTEGER, email TEXT)").await;
    let into_theirs = [("DATABASE_URL", application.url())];
    let report = place.directory().join("report.jsonl");
    let arguments = ["user", "import", &file, "--report", report.to_str().unwrap()];
    place
        .vestibule_with(&arguments, &into_theirs, "")
        .await
        .expect_failure();
    assert!(!report.exists());
    place.vestibule(&arguments).await.expect_success();
    assert!(report.exists());
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

/// Nobody can come to their account but by mail, which may never arrive.
async fn an_admin_without_a_password_is_not_the_one_who_is_left(place: Place) {
    let server = place.start().await;
    let admin = server.admin("root@example.com").await;
    let file = write(
        &place,
        "admins.jsonl",
        &[json!({"email": "boss@example.com", "role": "admin"})],
    );
    let arguments = ["user", "import", &file, "--keep-admins", "--without-passwords"];
    place.vestibule(&arguments).await;
    assert_eq!(show(&place, "boss@example.com").await["status"], "pending");
    let own = format!("/api/users/{}", admin.user_id);
    let refused = admin.patch(&own).json(json!({"is_active": false})).await;
    refused.expect_problem(409, "last_admin");

    let token = server.reset_link("boss@example.com").await;
    let body = json!({"token": token, "new_password": NEW_PASSWORD});
    let reset = server.anonymous().post("/api/auth/reset-password").json(body);
    reset.await.expect(200);
    admin.patch(&own).json(json!({"is_active": false})).await.expect(200);
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
        assert_eq!(server.password_hash(email).await, "");
        for password in [PASSWORD, " ", "!", "5f4dcc3b5aa765d61d8327deb882cf99"] {
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
