//! A disk that is really full: a file system of a few MiB, mounted for the server alone.
//!
//! That takes root, or a system that lets everybody have namespaces of their own. Where neither is, `scripts/with-others`
//! leaves this file out, by its name.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    faults::{all_goes_on, only_reads_go_on},
    support::{Actor, ApiClient, PASSWORD, Place, Process, one_engine},
};

one_engine![
    sqlite: Sqlite,
    without_room_all_changes_are_refused_and_none_that_was_acknowledged_is_lost,
];

const PATIENCE: Duration = Duration::from_mins(1);

/// Takes all the room that there is.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    for size in [1 << 16, 1] {
        let block = vec![0; size];
        let full = loop {
            if let Err(error) = file.write_all(&block) {
                break error;
            }
        };
        assert_eq!(full.kind(), ErrorKind::StorageFull, "{full}");
    }
}

/// Makes changes until there is no room for any: what the database has already of the disk takes some. Gives the last one
/// that was acknowledged.
async fn use_up(client: &ApiClient, mut name: String) -> String {
    let deadline = Instant::now() + PATIENCE;
    for number in 0.. {
        assert!(Instant::now() < deadline, "there is still room after {number} changes");
        let next = format!("Ann {number}");
        let reply = client.patch("/api/auth/me").json(json!({"name": next})).await;
        if reply.status == 200 {
            name = next;
            continue;
        }
        reply.expect_problem(503, "unavailable");
        // The smallest change there is.
        if client.anonymous.get("/health/ready").status().await == Some(503) {
            break;
        }
    }
    name
}

async fn without_room_all_changes_are_refused_and_none_that_was_acknowledged_is_lost(place: Place) {
    let disk = place.directory().join("disk");
    fs::create_dir(&disk).expect("a directory");
    let database = format!("sqlite:{}", disk.join("vestibule.db").display());
    let process = Process::start_on_disk(&place, &disk, 6, &[("DATABASE_URL", &database)]).await;
    let (anonymous, filler) = (process.anonymous(), process.file(&disk.join("filler")));
    let mut ann = anonymous.user("ann@example.com").await;
    let mut name = "Ann".to_owned();
    ann.patch("/api/auth/me").json(json!({"name": name})).await.expect(200);
    for round in 0..2 {
        let signed_up = format!("user{round}@example.com");
        anonymous.sign_up(&signed_up).await;
        fill(&filler);
        name = use_up(&ann, name).await;
        only_reads_go_on(&ann).await;
        assert_eq!(ann.get("/users/me").await.json()["name"], name);

        fs::remove_file(&filler).expect("it is there");
        anonymous.get("/health/ready").await.expect(200);
        ann.refresh().await;
        assert_eq!(ann.get("/users/me").await.json()["name"], name);
        anonymous.log_in(&signed_up, PASSWORD).await;
    }
    all_goes_on(ann).await;
    assert!(!process.output().contains("panicked"), "{}", process.output());
}
