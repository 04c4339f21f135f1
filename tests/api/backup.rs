//! `vestibule backup` and `vestibule restore`: nothing that was acknowledged is lost, and nothing that has ended comes
//! back.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use crate::support::{Actor, Finished, PASSWORD, Place, Process, Server, jwt_header, one_engine};

one_engine![
    sqlite: Sqlite,
    what_was_acknowledged_before_a_backup_began_is_in_it,
    a_backup_is_its_owners_alone_and_overwrites_nothing,
    a_backup_can_be_made_while_nothing_runs_and_of_an_older_database,
    a_restore_ends_sessions_and_links_and_drops_messages,
    a_signing_key_that_was_replaced_does_not_come_back,
    what_is_no_good_backup_is_refused_and_nothing_is_replaced,
    a_backup_with_another_sealing_key_is_refused,
    a_restore_is_refused_while_the_database_is_in_use,
    a_restore_that_is_killed_leaves_the_old_database_or_the_new,
    a_backup_that_is_killed_leaves_nothing_under_its_name,
    a_damaged_database_is_replaced_and_kept,
    another_applications_database_is_not_replaced,
    the_generated_key_goes_with_a_backup_that_asks_for_it,
    a_key_that_does_not_open_the_copy_is_not_put_in_place,
    stored_keys_do_not_sign_again_after_a_restore_with_hs256,
    a_log_beside_a_copy_is_taken_only_where_it_is_the_copys,
];

one_engine![postgres: Postgres, for_postgres_it_is_told_in_words,];

fn path(place: &Place, name: &str) -> PathBuf {
    place.directory().join(name)
}

async fn back_up(place: &Place, name: &str) -> Finished {
    place.vestibule(&["backup", name]).await.expect_success()
}

async fn restore(place: &Place, name: &str) -> Finished {
    place.vestibule(&["restore", name]).await.expect_success()
}

/// The names of all files in the directory, but for the logs of servers.
fn files(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.directory()).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names
        .filter(|name| !name.starts_with("output-") && name != "mail")
        .collect();
    names.sort();
    names
}

/// Waits until nobody has the database open, which takes its log with it.
async fn is_closed(place: &Place) {
    for _ in 0..1000 {
        if !path(place, "vestibule.db-wal").exists() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("somebody is still connected");
}

async fn stop(server: Server) {
    let place = server.place.clone();
    server.database().close().await;
    server.stop().await;
    is_closed(&place).await;
}

async fn execute(database: &Path, sql: &str) {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", database.display());
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    connection.close().await.unwrap();
}

async fn emails(database: &Path) -> Vec<String> {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", database.display());
    let mut connection = AnyConnection::connect(&url).await.unwrap();
    let emails = sqlx::query_scalar("SELECT email FROM users ORDER BY email")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    emails
}

async fn what_was_acknowledged_before_a_backup_began_is_in_it(place: Place) {
    let variables = [("ARGON2_MEMORY_KIB", "7168"), ("ARGON2_PASSES", "5")];
    let mut process = Process::start(&place, &variables).await;
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let (anonymous, acknowledged, done) = (process.anonymous(), Arc::clone(&acknowledged), Arc::clone(&done));
        writers.spawn(async move {
            for number in 0.. {
                if done.load(Ordering::Relaxed) {
                    return;
                }
                let email = format!("user{writer}.{number}@example.com");
                let body = json!({"email": email, "password": PASSWORD});
                anonymous.post("/api/auth/register").json(body).await.expect(201);
                acknowledged.lock().unwrap().push(email);
            }
        });
    }
    let count = || acknowledged.lock().unwrap().len();
    let mut before = Vec::new();
    for round in 1..=3 {
        while count() < round * 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        before.clone_from(&acknowledged.lock().unwrap());
        back_up(&place, &format!("copy-{round}.db")).await;
    }
    // The load went on while the copies were made.
    let copied = count();
    while count() == copied {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    done.store(true, Ordering::Relaxed);
    writers.join_all().await;
    process.terminate();
    assert!(process.ended().success());

    let all = emails(&path(&place, "vestibule.db")).await;
    restore(&place, "copy-3.db").await;
    let restored = emails(&path(&place, "vestibule.db")).await;
    let lost: Vec<_> = before.iter().filter(|email| !restored.contains(email)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(
        before.len() >= 30 && restored.len() < all.len(),
        "{} {}",
        restored.len(),
        all.len()
    );
    let server = place.start().await;
    server.log_in(&before[0]).await;
    server.log_in(&before[before.len() - 1]).await;
}

async fn a_backup_is_its_owners_alone_and_overwrites_nothing(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let before = files(&place);
    let told = back_up(&place, "copy.db").await.stdout;
    assert!(told.contains("SEALING_KEY") && told.contains("copy.db"), "{told}");
    let mode = fs::metadata(path(&place, "copy.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut after = files(&place);
    after.retain(|name| !before.contains(name));
    assert_eq!(after, ["copy.db"], "one file, whole in itself");
    let copy = fs::read(path(&place, "copy.db")).unwrap();

    fs::write(path(&place, "letter.txt"), "To my aunt").unwrap();
    for (name, said) in [
        ("copy.db", "exists already"),
        ("letter.txt", "exists already"),
        ("vestibule.db", "exists already"),
        ("nowhere/copy.db", "nowhere/copy.db"),
    ] {
        let refused = place.vestibule(&["backup", name]).await.expect_failure();
        assert!(refused.stderr.contains(said), "{refused:?}");
    }
    assert_eq!(fs::read(path(&place, "copy.db")).unwrap(), copy);
    assert_eq!(fs::read_to_string(path(&place, "letter.txt")).unwrap(), "To my aunt");
    server.log_in("ann@example.com").await;
}

async fn a_backup_can_be_made_while_nothing_runs_and_of_an_older_database(place: Place) {
    let missing = place.vestibule(&["backup", "copy.db"]).await.expect_failure();
    for said in ["there is no database yet", "DATA_DIR"] {
        assert!(missing.stderr.contains(said), "{missing:?}");
    }
    assert_eq!(files(&place), Vec::<String>::new());
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    stop(server).await;
    // As a version before the last would have left it: a backup is what one makes before an upgrade.
    execute(
        &path(&place, "vestibule.db"),
        "DROP TABLE imports; DELETE FROM vestibule_migrations WHERE version = 5",
    )
    .await;
    back_up(&place, "copy.db").await;
    for name in ["vestibule.db", "copy.db"] {
        let database = format!("sqlite:{}", path(&place, name).display());
        let mut connection = AnyConnection::connect(&database).await.unwrap();
        let newest: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM vestibule_migrations WHERE version = 5")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(newest, 0, "{name} was brought up to date");
        connection.close().await.unwrap();
    }
    restore(&place, "copy.db").await;
    place.start().await.log_in("ann@example.com").await;
}

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
    assert!(told.contains("1 sessions and 2 links; dropped: 1 messages"), "{told}");

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

async fn a_backup_that_is_killed_leaves_nothing_under_its_name(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    stop(server).await;
    let database = path(&place, "vestibule.db");
    // So that it takes a while to copy.
    let fill = "CREATE TABLE filler AS WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM \
                numbers WHERE number < 20000) SELECT number, randomblob(1000) AS noise FROM numbers";
    execute(&database, fill).await;
    let (copy, unfinished) = (path(&place, "copy.db"), path(&place, "copy.db.unfinished"));
    let mut killed = 0;
    for _ in 0..5 {
        let has_begun = async {
            for _ in 0..20_000 {
                if unfinished.exists() || copy.exists() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            panic!("it does not begin");
        };
        place.vestibule_killed_when(&["backup", "copy.db"], has_begun).await;
        if copy.exists() {
            assert_eq!(emails(&copy).await, ["ann@example.com"]);
            fs::remove_file(&copy).unwrap();
        } else {
            killed += 1;
        }
    }
    assert!(killed > 0, "none was killed in time");
    back_up(&place, "copy.db").await;
    assert_eq!(emails(&copy).await, ["ann@example.com"]);
    assert!(!unfinished.exists());
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

async fn the_generated_key_goes_with_a_backup_that_asks_for_it(place: Place) {
    let generated = [("SEALING_KEY", "")];
    let server = place.start_with(&generated).await;
    server.sign_up("ann@example.com").await;
    let told = place
        .vestibule_with(&["backup", "plain.db"], &generated, "")
        .await
        .expect_success()
        .stdout;
    assert!(told.contains("sealing.key") && told.contains("not in it"), "{told}");
    assert!(!path(&place, "plain.db.key").exists());
    let told = place
        .vestibule_with(&["backup", "--with-key", "copy.db"], &generated, "")
        .await
        .expect_success()
        .stdout;
    assert!(told.contains("copy.db.key"), "{told}");
    let (key, kept) = (path(&place, "copy.db.key"), path(&place, "sealing.key"));
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&key).unwrap(), fs::read(&kept).unwrap());
    let set = place
        .vestibule(&["backup", "--with-key", "set.db"])
        .await
        .expect_failure();
    assert!(set.stderr.contains("SEALING_KEY is set"), "{set:?}");

    // On another machine there is nothing yet.
    stop(server).await;
    let machine = tempfile::tempdir().unwrap();
    let directory = machine.path().join("data");
    let url = format!("sqlite:{}", directory.join("vestibule.db").display());
    let there = [
        ("SEALING_KEY", ""),
        ("DATA_DIR", directory.to_str().unwrap()),
        ("DATABASE_URL", &url),
    ];
    let refused = place
        .vestibule_with(&["restore", "plain.db"], &there, "")
        .await
        .expect_failure();
    assert!(
        refused.stderr.contains("sealing.key is missing") && !refused.stderr.contains("--with-key"),
        "{refused:?}"
    );
    let refused = place
        .vestibule_with(&["restore", "copy.db"], &there, "")
        .await
        .expect_failure();
    assert!(
        refused.stderr.contains("--with-key puts copy.db.key back"),
        "{refused:?}"
    );
    assert!(!directory.join("vestibule.db").exists());
    let told = place
        .vestibule_with(&["restore", "--with-key", "copy.db"], &there, "")
        .await
        .expect_success()
        .stdout;
    assert!(!told.contains("before-restore"), "{told}");
    assert_eq!(emails(&directory.join("vestibule.db")).await, ["ann@example.com"]);
    assert_eq!(
        fs::read(directory.join("sealing.key")).unwrap(),
        fs::read(&key).unwrap()
    );
    // A key that is there is not replaced by another.
    fs::write(directory.join("sealing.key"), "x".repeat(43)).unwrap();
    let refused = place
        .vestibule_with(&["restore", "--with-key", "copy.db"], &there, "")
        .await
        .expect_failure();
    assert!(refused.stderr.contains("another key is there"), "{refused:?}");
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

async fn for_postgres_it_is_told_in_words(place: Place) {
    place.start().await.stop().await;
    for (arguments, said) in [
        (&["backup", "copy.db"], "pg_dump --format=custom"),
        (&["restore", "copy.db"], "its line under \"Backup and restore\""),
    ] {
        let refused = place.vestibule(arguments).await.expect_failure();
        assert!(refused.stderr.contains(said), "{refused:?}");
        assert!(!path(&place, "copy.db").exists());
    }
    assert!(include_str!("../../README.md").contains("\n## Backup and restore\n"));
}
