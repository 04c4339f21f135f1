//! A copy in the database's place: nothing that has ended comes back, and nothing is replaced by what is no good.

use std::{fs, os::unix::fs::PermissionsExt, time::Instant};

use serde_json::json;
use sqlx::{AnyConnection, Connection};

use super::{Trap, back_up, emails, execute, files, path, restore, stop};
use crate::support::{Actor, PASSWORD, Place, Process, jwt_header, one_engine};

one_engine![
    sqlite: Sqlite,
    a_restore_ends_sessions_and_links_and_drops_messages,
    a_signing_key_that_was_replaced_does_not_come_back,
    what_is_no_good_backup_is_refused_and_nothing_is_replaced,
    a_backup_with_another_sealing_key_is_refused,
    a_restore_is_refused_while_the_database_is_in_use,
    a_restore_that_is_killed_leaves_the_old_database_or_the_new,
    a_damaged_database_is_replaced_and_kept,
    another_applications_database_is_not_replaced,
    a_key_that_does_not_open_the_copy_is_not_put_in_place,
    stored_keys_do_not_sign_again_after_a_restore_with_hs256,
    a_log_beside_a_copy_is_taken_only_where_it_is_the_copys,
    what_another_left_where_a_restore_writes_is_neither_used_nor_changed,
];

async fn a_restore_ends_sessions_and_links_and_drops_messages(place: Place) {
    let server = place.start().await;
    let mut ann = server.user("ann@example.com").await;
    let verify = server.verification_link("ann@example.com").await;
    let reset = server.reset_link("ann@example.com").await;
    server.mail_is_done().await;
    // One that waits for its time.
    sqlx::query(
        "UPDATE outbox SET state = 'waiting', finished_at = NULL, due_at = 9000000000 WHERE kind = 'verify_email'",
    )
    .execute(server.database())
    .await
    .unwrap();
    back_up(&place, "copy.db").await;
    server.sign_up("late@example.com").await;
    stop(server).await;
    let told = restore(&place, "copy.db").await.stdout;
    assert!(told.contains("1 session and 2 links; dropped: 1 message "), "{told}");

    let server = place.start().await;
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1);
    ann.anonymous = server.anonymous();
    assert!(!ann.is_signed_in().await);
    let refresh = server
        .anonymous()
        .post("/api/auth/refresh")
        .bearer(&ann.refresh_token)
        .await;
    refresh.expect_problem(401, "refresh_token_invalid");
    let body = json!({"token": verify});
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(body)
        .await
        .expect_refusal();
    let body = json!({"token": reset, "new_password": "a staple for the horse"});
    server
        .anonymous()
        .post("/api/auth/reset-password")
        .json(body)
        .await
        .expect_refusal();
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM outbox WHERE finished_at IS NULL")
            .await,
        0
    );
    server.log_in("ann@example.com").await;
    let admin = server.admin("admin@example.com").await;
    let events = admin.get("/api/audit?event=restore_backup").await.items();
    assert_eq!(events[0]["detail"], "ended: 1 sessions, 2 links, 1 messages");
    assert_eq!(events[0]["outcome"], "success");
    assert!(
        events[0]["actor_id"].is_null() && events[0]["user_id"].is_null(),
        "{events:?}"
    );

    // What was there before is kept.
    let kept: Vec<String> = files(&place)
        .into_iter()
        .filter(|name| name.contains("before-restore"))
        .collect();
    assert_eq!(kept.len(), 1, "one file, whole in itself: {kept:?}");
    let kept = path(&place, &kept[0]);
    assert_eq!(emails(&kept).await, ["ann@example.com", "late@example.com"]);
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
}

async fn a_signing_key_that_was_replaced_does_not_come_back(place: Place) {
    let server = place.start().await;
    let leaked = jwt_header(&server.user("ann@example.com").await.access_token)["kid"].clone();
    back_up(&place, "copy.db").await;
    stop(server).await;
    place.vestibule(&["keys", "rotate", "--now"]).await.expect_success();
    restore(&place, "copy.db").await;
    let process = Process::start(&place, &[]).await;
    let keys = process
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .expect(200)
        .json();
    let keys = keys["keys"].as_array().unwrap().clone();
    assert!(
        !keys.is_empty() && keys.iter().all(|key| key["kid"] != leaked),
        "{leaked} {keys:?}"
    );
}

async fn what_is_no_good_backup_is_refused_and_nothing_is_replaced(place: Place) {
    let server = place.start().await;
    for number in 0..40 {
        server.sign_up(&format!("user{number}@example.com")).await;
    }
    server.mail_is_done().await;
    back_up(&place, "good.db").await;
    server.sign_up("late@example.com").await;
    stop(server).await;

    let good = fs::read(path(&place, "good.db")).unwrap();
    let change = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        fs::write(path(&place, name), bytes).unwrap();
    };
    change("cut.db", &|bytes| bytes.truncate(bytes.len() / 2));
    change("empty.db", &|bytes| bytes.clear());
    change("text.db", &|bytes| {
        *bytes = "This is a letter to my aunt. ".repeat(99).into_bytes();
    });
    // Each page but the first, which says what the database is.
    change("scrambled.db", &|bytes| {
        bytes.iter_mut().skip(4096).step_by(97).for_each(|byte| *byte ^= 0x5a);
    });
    change("index.db", &|_| {});
    execute(
        &path(&place, "index.db"),
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'imports_by_user'",
    )
    .await;
    change("references.db", &|_| {});
    execute(
        &path(&place, "references.db"),
        "PRAGMA foreign_keys = OFF; INSERT INTO user_roles VALUES ('nobody', 'admin')",
    )
    .await;
    change("newer.db", &|_| {});
    execute(
        &path(&place, "newer.db"),
        "INSERT INTO vestibule_migrations SELECT 99999999999999, description, installed_on, success, checksum, \
         execution_time FROM vestibule_migrations LIMIT 1",
    )
    .await;
    fs::write(path(&place, "foreign.db"), "").unwrap();
    execute(
        &path(&place, "foreign.db"),
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, hashed_password TEXT)",
    )
    .await;

    let before = (fs::read(path(&place, "vestibule.db")).unwrap(), files(&place));
    for (name, said) in [
        ("cut.db", "damaged"),
        ("empty.db", "not a database of Vestibule's"),
        ("text.db", "not a database"),
        ("scrambled.db", "damaged"),
        ("index.db", "damaged"),
        ("references.db", "damaged"),
        ("newer.db", "newer Vestibule"),
        ("foreign.db", "not a database of Vestibule's"),
        ("missing.db", "there is no file missing.db"),
        ("vestibule.db", "is the database itself"),
        ("./vestibule.db", "is the database itself"),
        (".", "there is no file ."),
    ] {
        let refused = place.vestibule(&["restore", name]).await.expect_failure();
        assert!(refused.stderr.contains(said), "no {said} in {refused:?}");
        assert_eq!(files(&place), before.1, "{name}");
    }
    assert_eq!(emails(&path(&place, "vestibule.db")).await.len(), 41);
    // But for the journal's mode, which a server sets when it starts, not a byte is another.
    assert_eq!(fs::read(path(&place, "vestibule.db")).unwrap()[100..], before.0[100..]);
    restore(&place, "good.db").await;
    assert_eq!(emails(&path(&place, "vestibule.db")).await.len(), 40);
}

async fn a_backup_with_another_sealing_key_is_refused(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    back_up(&place, "copy.db").await;
    server.sign_up("late@example.com").await;
    stop(server).await;
    let another = [("SEALING_KEY", "b7Qv2rXk9LmPz4TnWc6YhJd8FsGa3UeR-another")];
    let refused = place
        .vestibule_with(&["restore", "copy.db"], &another, "")
        .await
        .expect_failure();
    for said in ["nothing was replaced", "another SEALING_KEY"] {
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    assert_eq!(emails(&path(&place, "vestibule.db")).await.len(), 2);
}

async fn a_restore_is_refused_while_the_database_is_in_use(place: Place) {
    let mut process = Process::start(&place, &[]).await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    process
        .anonymous()
        .post("/api/auth/register")
        .json(body)
        .await
        .expect(201);
    back_up(&place, "copy.db").await;
    let refused = place.vestibule(&["restore", "copy.db"]).await.expect_failure();
    assert!(refused.stderr.contains("is in use: stop the server"), "{refused:?}");
    // It is none the worse for it.
    let body = json!({"email": "late@example.com", "password": PASSWORD});
    process
        .anonymous()
        .post("/api/auth/register")
        .json(body)
        .await
        .expect(201);
    process.terminate();
    assert!(process.ended().success());
    assert_eq!(emails(&path(&place, "vestibule.db")).await.len(), 2);
    restore(&place, "copy.db").await;
    assert_eq!(emails(&path(&place, "vestibule.db")).await, ["ann@example.com"]);
}

async fn a_restore_that_is_killed_leaves_the_old_database_or_the_new(place: Place) {
    let server = place.start().await;
    server.sign_up("old@example.com").await;
    back_up(&place, "old.db").await;
    server.sign_up("new@example.com").await;
    back_up(&place, "new.db").await;
    stop(server).await;
    let (old, new) = (vec!["old@example.com"], vec!["new@example.com", "old@example.com"]);
    let started = Instant::now();
    restore(&place, "old.db").await;
    let whole = started.elapsed();

    let (mut name, mut outcomes) = ("new.db", [0, 0]);
    for round in 1..=24_u32 {
        place.vestibule_killed(&["restore", name], whole * round / 20).await;
        let is = emails(&path(&place, "vestibule.db")).await;
        assert!(is == old || is == new, "{is:?}");
        let was_replaced = (is == new) == (name == "new.db");
        outcomes[usize::from(was_replaced)] += 1;
        if was_replaced {
            name = if name == "new.db" { "old.db" } else { "new.db" };
        }
    }
    eprintln!(
        "{} killed before, {} after the database was replaced",
        outcomes[0], outcomes[1]
    );
    assert!(outcomes[0] > 0, "none was killed in time");
    restore(&place, "new.db").await;
    assert!(
        !files(&place).iter().any(|name| name.contains(".restoring")),
        "{:?}",
        files(&place)
    );
    let server = place.start().await;
    server.log_in("new@example.com").await;
}

async fn a_damaged_database_is_replaced_and_kept(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    back_up(&place, "copy.db").await;
    stop(server).await;
    let damaged = "No database any more. ".repeat(999);
    fs::write(path(&place, "vestibule.db"), &damaged).unwrap();
    // The log of a server that was killed, which is none of the new database's.
    fs::write(path(&place, "vestibule.db-wal"), "its log").unwrap();
    place.try_start(&[]).await.expect_err("it is damaged");
    restore(&place, "copy.db").await;
    let server = place.start().await;
    server.log_in("ann@example.com").await;
    let kept: Vec<String> = files(&place)
        .into_iter()
        .filter(|name| name.contains("before-restore"))
        .collect();
    assert_eq!(fs::read_to_string(path(&place, &kept[0])).unwrap(), damaged);
}

async fn another_applications_database_is_not_replaced(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    back_up(&place, "copy.db").await;
    stop(server).await;
    let other = path(&place, "auth.db");
    fs::write(&other, "").unwrap();
    execute(&other, "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)").await;
    let before = fs::read(&other).unwrap();
    let url = format!("sqlite:{}", other.display());
    let refused = place
        .vestibule_with(&["restore", "copy.db"], &[("DATABASE_URL", &url)], "")
        .await
        .expect_failure();
    assert!(
        refused.stderr.contains("auth.db is not a database of Vestibule's"),
        "{refused:?}"
    );
    assert_eq!(fs::read(&other).unwrap(), before);
}

async fn a_key_that_does_not_open_the_copy_is_not_put_in_place(place: Place) {
    let generated = [("SEALING_KEY", "")];
    let server = place.start_with(&generated).await;
    server.sign_up("ann@example.com").await;
    let copied = place.vestibule_with(&["backup", "--with-key", "copy.db"], &generated, "");
    copied.await.expect_success();
    stop(server).await;
    fs::write(path(&place, "copy.db.key"), "x".repeat(43)).unwrap();
    let machine = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", machine.path().join("vestibule.db").display());
    let there = [
        ("SEALING_KEY", ""),
        ("DATA_DIR", machine.path().to_str().unwrap()),
        ("DATABASE_URL", &url),
    ];
    let refused = place.vestibule_with(&["restore", "--with-key", "copy.db"], &there, "");
    let refused = refused.await.expect_failure();
    assert!(refused.stderr.contains("nothing was replaced"), "{refused:?}");
    assert_eq!(fs::read_dir(machine.path()).unwrap().count(), 0, "nothing stays");
}

async fn stored_keys_do_not_sign_again_after_a_restore_with_hs256(place: Place) {
    let server = place.start().await;
    let leaked = jwt_header(&server.user("ann@example.com").await.access_token)["kid"].clone();
    back_up(&place, "copy.db").await;
    stop(server).await;
    let shared = [
        ("ALGORITHM", "HS256"),
        ("SECRET_KEY", "kf83hfA0sdk3LQpz83nxMd02pQwz71mVt5"),
    ];
    let told = place.vestibule_with(&["restore", "copy.db"], &shared, "").await;
    let told = told.expect_success().stdout;
    assert!(
        told.contains("SECRET_KEY does") && !told.contains("A new key"),
        "{told}"
    );
    let server = place.start().await;
    let signs = jwt_header(&server.log_in("ann@example.com").await.access_token)["kid"].clone();
    assert_ne!(signs, leaked);
}

/// Whoever can make files where copies lie, but cannot write to them, must not be able to write into the database.
async fn a_log_beside_a_copy_is_taken_only_where_it_is_the_copys(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    server.mail_is_done().await;
    back_up(&place, "copy.db").await;
    stop(server).await;

    // As one that somebody copied from beside a running server, with all that is new in its log.
    let raw = path(&place, "raw.db");
    fs::copy(path(&place, "copy.db"), &raw).unwrap();
    execute(&raw, "PRAGMA journal_mode = WAL").await;
    let url = format!("sqlite:{}", raw.display());
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    sqlx::raw_sql("UPDATE users SET email = 'eve@example.com'")
        .execute(&mut connection)
        .await
        .unwrap();
    fs::copy(path(&place, "raw.db-wal"), path(&place, "copy.db-wal")).unwrap();

    let told = restore(&place, "copy.db").await.stdout;
    assert!(told.contains("copy.db-wal, was left out"), "{told}");
    assert_eq!(emails(&path(&place, "vestibule.db")).await, ["ann@example.com"]);
    let told = restore(&place, "raw.db").await.stdout;
    assert!(told.contains("raw.db-wal, was taken in"), "{told}");
    assert_eq!(emails(&path(&place, "vestibule.db")).await, ["eve@example.com"]);
    connection.close().await.unwrap();
}

async fn what_another_left_where_a_restore_writes_is_neither_used_nor_changed(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    back_up(&place, "copy.db").await;
    server.sign_up("late@example.com").await;
    stop(server).await;
    for trap in Trap::ALL {
        let victim = trap.set(&place, "vestibule.db.restoring");
        restore(&place, "copy.db").await;
        let database = path(&place, "vestibule.db");
        victim.expect_untouched_by(&database, trap);
        assert_eq!(emails(&database).await, ["ann@example.com"], "{trap:?}");
    }
}
