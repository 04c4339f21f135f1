//! What becomes of requests while the database cannot do its work, and once it can again.

use std::{
    fs,
    future::IntoFuture,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    Actor, Anonymous, ApiClient, PASSWORD, Place, PostgresServer, Process, Reply, Request, free_address, in_parallel,
    one_engine,
};

one_engine![
    sqlite: Sqlite,
    a_full_disk_is_told_and_reads_go_on_until_there_is_room,
    a_file_that_may_not_be_written_is_told_at_the_next_start,
];

one_engine![
    postgres: Postgres,
    a_disk_that_postgres_finds_full_is_told_and_reads_go_on_until_there_is_room,
    a_database_that_takes_no_changes_is_told_and_reads_go_on_until_it_does,
    a_server_that_was_stopped_and_started_again_is_found_again,
];

const PATIENCE: Duration = Duration::from_secs(30);

fn log_in(anonymous: &Anonymous) -> Request {
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    anonymous.post("/api/auth/login").json(body)
}

fn refresh(client: &ApiClient) -> Request {
    client.anonymous.post("/api/auth/refresh").bearer(&client.refresh_token)
}

/// Waits until the request is answered so, whatever is answered before.
async fn until(status: u16, request: impl Fn() -> Request) -> Reply {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let reply = request().await;
        if reply.status == status {
            return reply;
        }
        assert!(Instant::now() < deadline, "{reply:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Whatever has to write is told to come back, and says nothing of the inside; whatever need not goes on.
pub(crate) async fn only_reads_go_on(client: &ApiClient) {
    let anonymous = &client.anonymous;
    let sign_up = json!({"email": "new@example.com", "password": PASSWORD});
    for request in [
        log_in(anonymous),
        anonymous.post("/api/auth/register").json(sign_up),
        refresh(client),
        client.patch("/api/auth/me").json(json!({"name": "Nobody's yet"})),
        client.post("/api/auth/logout"),
        anonymous.get("/health/ready"),
    ] {
        let problem = request.await.expect_problem(503, "unavailable").to_string();
        for inside in ["disk", "no space", "readonly", "read-only", "vestibule.db", "sql"] {
            assert!(!problem.to_lowercase().contains(inside), "{problem}");
        }
    }
    for path in ["/users/me", "/api/auth/sessions"] {
        client.get(path).await.expect(200);
    }
    for path in ["/.well-known/jwks.json", "/login", "/health/live"] {
        anonymous.get(path).await.expect(200);
    }
}

/// All is as before, and what was refused has left nothing behind: the refresh token that was shown is not used up.
pub(crate) async fn all_goes_on(mut client: ApiClient) {
    let anonymous = client.anonymous.clone();
    client.get("/users/me").await.expect(200);
    client.refresh().await;
    log_in(&anonymous).await.expect(200);
    anonymous.user("new@example.com").await;
    client.post("/api/auth/logout").await.expect(200);
    client.get("/users/me").await.expect_problem(401, "session_ended");
}

fn fill_disk(place: &Place, process: &Process) {
    let log = place.directory().join("vestibule.db-wal");
    process.limit_files_to(&fs::metadata(log).expect("the log").len().to_string());
}

async fn a_full_disk_is_told_and_reads_go_on_until_there_is_room(place: Place) {
    let process = Process::start_bound(&place, &[]).await;
    let anonymous = process.anonymous();
    let ann = anonymous.user("ann@example.com").await;
    for round in 0..2 {
        anonymous.get("/health/ready").await.expect(200);
        fill_disk(&place, &process);
        only_reads_go_on(&ann).await;
        process.limit_files_to("unlimited");
        anonymous.get("/health/ready").await.expect(200);
        let name = json!({"name": format!("Ann {round}")});
        ann.patch("/api/auth/me").json(name).await.expect(200);
    }
    all_goes_on(ann).await;
    assert!(!process.output().contains("panicked"), "{}", process.output());
}

/// What PostgreSQL says to every change while its disk is full, with its words and its code. Whether there is room is a row:
/// to change that while a server works waits for nobody, which could be a deadlock.
const DISK: &str = "\
    CREATE SCHEMA disk; \
    CREATE TABLE disk.is_full (); \
    CREATE FUNCTION disk.extend() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
        IF EXISTS (SELECT FROM disk.is_full) THEN \
            RAISE EXCEPTION 'could not extend file \"base/16384/16397\": No space left on device' \
                USING ERRCODE = '53100', HINT = 'Check free disk space.'; \
        END IF; \
        RETURN NULL; \
    END $$; \
    DO $$ DECLARE changed text; BEGIN \
        FOR changed IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP \
            EXECUTE format('CREATE TRIGGER extend BEFORE INSERT OR UPDATE OR DELETE ON public.%I \
                            FOR EACH STATEMENT EXECUTE FUNCTION disk.extend()', changed); \
        END LOOP; \
    END $$;";

async fn a_disk_that_postgres_finds_full_is_told_and_reads_go_on_until_there_is_room(place: Place) {
    // Its tables, before anybody works with them.
    place.services().await.close().await;
    place.execute(DISK).await;
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let anonymous = server.anonymous();
    for round in 0..2 {
        anonymous.get("/health/ready").await.expect(200);
        place.execute("INSERT INTO disk.is_full DEFAULT VALUES").await;
        only_reads_go_on(&ann).await;
        place.execute("DELETE FROM disk.is_full").await;
        anonymous.get("/health/ready").await.expect(200);
        let name = json!({"name": format!("Ann {round}")});
        ann.patch("/api/auth/me").json(name).await.expect(200);
    }
    all_goes_on(ann).await;
}

/// Who may write is asked when a file is opened, and SQLite keeps what it has open: a server that runs goes on.
async fn a_file_that_may_not_be_written_is_told_at_the_next_start(place: Place) {
    let file = place.directory().join("vestibule.db");
    let allow = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("its mode");
    let process = Process::start_bound(&place, &[]).await;
    let ann = process.anonymous().user("ann@example.com").await;
    allow(0o400);
    let name = json!({"name": "Ann"});
    ann.patch("/api/auth/me").json(name).await.expect(200);
    process.anonymous().get("/health/ready").await.expect(200);
    process.kill();

    let port = free_address().port().to_string();
    let refused = place.mere_vestibule(&[], &[("PORT", &port)]).await.expect_failure();
    assert!(refused.stderr.contains("vestibule.db"), "{refused:?}");
    allow(0o600);
    let process = Process::start_bound(&place, &[]).await;
    let anonymous = process.anonymous();
    let mut ann = anonymous.log_in("ann@example.com", PASSWORD).await;
    assert_eq!(ann.get("/users/me").await.json()["name"], "Ann");
    ann.refresh().await;
    all_goes_on(ann).await;
}

async fn a_database_that_takes_no_changes_is_told_and_reads_go_on_until_it_does(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let anonymous = server.anonymous();
    place.default_to_read_only().await;
    // As after a failover to a standby: what holds for a database holds for new connections.
    place.end_connections().await;
    only_reads_go_on(&ann).await;
    place.default_to_read_and_write().await;
    until(200, || anonymous.get("/health/ready")).await;
    // Another connection may be older than the change.
    until(200, || log_in(&anonymous)).await;
    all_goes_on(ann).await;
}

async fn a_server_that_was_stopped_and_started_again_is_found_again(place: Place) {
    let mut database = PostgresServer::start().await;
    let server = place.start_with(&[("DATABASE_URL", &database.url())]).await;
    let anonymous = server.anonymous();
    let mut ann = server.user("ann@example.com").await;
    for (number, mode) in ["fast", "immediate"].into_iter().enumerate() {
        // Every connection that the server may have is open.
        for reply in in_parallel(40, || ann.get("/users/me").into_future()).await {
            reply.expect(200);
        }
        database = database.stop(mode).await;
        let mut asked = JoinSet::new();
        for request in [
            ann.get("/users/me"),
            log_in(&anonymous),
            refresh(&ann),
            ann.patch("/api/auth/me").json(json!({"name": "Ann"})),
            anonymous.get("/health/ready"),
        ] {
            asked.spawn(request.into_future());
        }
        for reply in asked.join_all().await {
            reply.expect_problem(503, "unavailable");
        }
        anonymous.get("/health/live").await.expect(200);
        database = database.start_again().await;
        anonymous.get("/health/ready").await.expect(200);
        for _ in 0..12 {
            ann.get("/users/me").await.expect(200);
        }
        ann.refresh().await;
        log_in(&anonymous).await.expect(200);
        server.sign_up(&format!("bob{number}@example.com")).await;
        server.mails(&format!("bob{number}@example.com"), 1).await;
    }
    // Its database is another than the place's, and ends with its server.
    server.stop().await;
    drop(database);
}
