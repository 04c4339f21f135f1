//! `vestibule backup` and `vestibule restore`: nothing that was acknowledged is lost, and nothing that has ended comes
//! back.

mod restoring;

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use crate::support::{Actor, Finished, PASSWORD, Place, Process, Server, one_engine};

one_engine![
    sqlite: Sqlite,
    what_was_acknowledged_before_a_backup_began_is_in_it,
    a_backup_is_its_owners_alone_and_overwrites_nothing,
    a_backup_can_be_made_while_nothing_runs_and_of_an_older_database,
    a_backup_that_is_killed_leaves_nothing_under_its_name,
    the_generated_key_goes_with_a_backup_that_asks_for_it,
    what_another_left_where_a_backup_is_written_is_neither_used_nor_changed,
];

one_engine![postgres: Postgres, for_postgres_it_is_told_in_words,];

fn path(place: &Place, name: &str) -> PathBuf {
    place.directory().join(name)
}

/// Whoever can write into a directory can put something where a command is about to write.
#[derive(Clone, Copy, Debug)]
enum Trap {
    Link,
    LinkToNothing,
    SecondName,
    OpenToAll,
    AnothersFile,
    Pipe,
}

impl Trap {
    const ALL: [Self; 6] = [
        Self::Link,
        Self::LinkToNothing,
        Self::SecondName,
        Self::OpenToAll,
        Self::AnothersFile,
        Self::Pipe,
    ];

    fn set(self, place: &Place, at: &str) -> Victim {
        let (at, file, nothing) = (path(place, at), path(place, "victim.txt"), path(place, "nothing.txt"));
        fs::write(&file, "To my aunt").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let open = File::open(&file).unwrap();
        match self {
            Self::Link => symlink(&file, &at).unwrap(),
            Self::LinkToNothing => symlink(&nothing, &at).unwrap(),
            Self::SecondName => fs::hard_link(&file, &at).unwrap(),
            Self::OpenToAll => {
                fs::rename(&file, &at).unwrap();
                fs::set_permissions(&at, fs::Permissions::from_mode(0o666)).unwrap();
            }
            Self::AnothersFile => {
                fs::rename(&file, &at).unwrap();
                // Only root can give a file away. For anybody else it is one that the group can read.
                if chown(&at, Some(65534), None).is_err() {
                    fs::set_permissions(&at, fs::Permissions::from_mode(0o640)).unwrap();
                }
            }
            Self::Pipe => assert!(Command::new("mkfifo").arg(&at).status().unwrap().success()),
        }
        let before = Victim::rights(&open);
        Victim { open, before, nothing }
    }
}

/// The file that a [trap](Trap) leads to, whatever its name is by now.
struct Victim {
    open: File,
    before: (u32, u32),
    nothing: PathBuf,
}

impl Victim {
    fn rights(file: &File) -> (u32, u32) {
        let found = file.metadata().unwrap();
        (found.uid(), found.mode())
    }

    /// It is as it was, and what was written has an owner of its own.
    fn expect_untouched_by(mut self, written: &Path, trap: Trap) {
        let mut text = String::new();
        self.open.read_to_string(&mut text).unwrap();
        assert_eq!(text, "To my aunt", "{trap:?}");
        assert_eq!(Self::rights(&self.open), self.before, "{trap:?}");
        assert!(!self.nothing.exists(), "{trap:?}");
        let found = fs::symlink_metadata(written).unwrap();
        let own = fs::metadata(written.parent().unwrap()).unwrap().uid();
        assert!(found.is_file(), "{trap:?}");
        assert_eq!((found.uid(), found.mode() & 0o777), (own, 0o600), "{trap:?}");
        assert_ne!(found.ino(), self.open.metadata().unwrap().ino(), "{trap:?}");
    }
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

async fn what_another_left_where_a_backup_is_written_is_neither_used_nor_changed(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    for trap in Trap::ALL {
        let victim = trap.set(&place, "copy.db.unfinished");
        back_up(&place, "copy.db").await;
        let copy = path(&place, "copy.db");
        victim.expect_untouched_by(&copy, trap);
        assert_eq!(emails(&copy).await, ["ann@example.com"], "{trap:?}");
        fs::remove_file(copy).unwrap();
    }
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
        refused.stderr.contains("--with-key puts copy.db.key back too"),
        "{refused:?}"
    );
    assert!(!directory.join("vestibule.db").exists());
    // The key goes into a directory that is not there, and the database to where it is to be.
    let elsewhere = machine.path().join("elsewhere/data");
    let apart = [there[0], ("DATA_DIR", elsewhere.to_str().unwrap()), there[2]];
    let told = place.vestibule_with(&["restore", "--with-key", "copy.db"], &apart, "");
    let told = told.await.expect_success().stdout;
    assert!(
        told.contains("copy.db held") && told.contains("elsewhere/data/sealing.key"),
        "{told}"
    );
    assert_eq!(
        fs::read(elsewhere.join("sealing.key")).unwrap(),
        fs::read(&key).unwrap()
    );
    fs::remove_file(directory.join("vestibule.db")).unwrap();
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
    assert!(include_str!("../../../README.md").contains("\n## Backup and restore\n"));
}
