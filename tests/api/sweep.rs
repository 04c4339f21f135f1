//! What is over is removed, a small batch at a time, while everything else goes on.

use serde_json::json;
use tokio::task::JoinSet;
use vestibule::auth::{self, Actor as By, Auth, Client};

use crate::support::{Actor, DAY, HOUR, PASSWORD, Place, Server, both_engines};

both_engines![
    events_are_kept_for_as_long_as_is_said,
    with_nothing_said_of_it_nothing_goes_before_its_time,
    a_backlog_goes_in_small_batches_while_people_sign_up,
    what_cannot_be_swept_keeps_nothing_else_from_going,
    who_signed_up_and_never_came_is_removed,
    who_may_still_come_is_kept,
    accounts_go_in_small_batches_each_on_record,
];

const EVENTS: &str = "SELECT COUNT(*) FROM audit_events";
const USERS: &str = "SELECT COUNT(*) FROM users";

async fn sweep(server: &Server) -> bool {
    server.app().auth().sweep().await.expect("the database is there")
}

/// Lets time pass while nobody is at work.
async fn pass(server: &Server, seconds: u64) {
    server.mail_is_done().await;
    server.advance(seconds);
}

async fn events_are_kept_for_as_long_as_is_said(place: Place) {
    let server = place.start_with(&[("AUDIT_KEEP_DAYS", "30")]).await;
    server.user("ann@example.com").await;
    let first = server.count(EVENTS).await;
    pass(&server, 29 * DAY).await;
    server.log_in("ann@example.com").await;
    assert!(!sweep(&server).await);
    assert_eq!(server.count(EVENTS).await, first + 1);
    pass(&server, DAY).await;
    sweep(&server).await;
    assert_eq!(server.count(EVENTS).await, 1);
    server.stop().await;

    let server = place.start_with(&[("AUDIT_KEEP_DAYS", "0")]).await;
    pass(&server, 9000 * DAY).await;
    sweep(&server).await;
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM audit_events WHERE event = 'log_in'")
            .await,
        1
    );
}

async fn with_nothing_said_of_it_nothing_goes_before_its_time(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    pass(&server, 90 * DAY - 1).await;
    sweep(&server).await;
    assert_eq!(server.count(USERS).await, 1);
    pass(&server, 1).await;
    sweep(&server).await;
    assert_eq!(server.count(USERS).await, 0);
    pass(&server, 274 * DAY).await;
    sweep(&server).await;
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM audit_events WHERE event = 'sign_up'")
            .await,
        1
    );
    pass(&server, DAY).await;
    sweep(&server).await;
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM audit_events WHERE event = 'sign_up'")
            .await,
        0
    );
}

/// Of each kind, more than a batch, and over for years.
const BACKLOG: &str = "\
    INSERT INTO audit_events (id, at, event, outcome) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
    SELECT '01890000-0000-7000-a000-' || CAST(100000000000 + i AS TEXT), i, 'log_in', 'old' FROM n; \
    INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, dies_at, idle_seconds, remembered) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
    SELECT '01890000-0000-7000-9000-' || CAST(100000000000 + i AS TEXT), (SELECT id FROM users), i, i, i, i, 1, 1 FROM n; \
    INSERT INTO refresh_tokens (hash, session_id, issued_at) SELECT 'first of ' || id, id, 1 FROM sessions WHERE dies_at < 9999; \
    INSERT INTO refresh_tokens (hash, session_id, issued_at) SELECT 'second of ' || id, id, 1 FROM sessions WHERE dies_at < 9999; \
    INSERT INTO link_tokens (hash, kind, user_id, email, created_at, expires_at) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
    SELECT 'link ' || i, 'reset_password', (SELECT id FROM users), 'ann@example.com', i, i FROM n; \
    INSERT INTO outbox (id, kind, address, parameters, state, due_at, attempts, created_at, finished_at) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
    SELECT '01890000-0000-7000-b000-' || CAST(100000000000 + i AS TEXT), 'reset_password', '', '{}', 'sent', i, 1, i, i FROM n;";

/// How much of it is left, by kind.
async fn left(place: &Place) -> [i64; 5] {
    [
        place
            .count("SELECT COUNT(*) FROM audit_events WHERE outcome = 'old'")
            .await,
        place
            .count("SELECT COUNT(*) FROM refresh_tokens WHERE issued_at = 1")
            .await,
        place.count("SELECT COUNT(*) FROM sessions WHERE dies_at < 9999").await,
        place
            .count("SELECT COUNT(*) FROM link_tokens WHERE expires_at < 9999")
            .await,
        place.count("SELECT COUNT(*) FROM outbox WHERE due_at < 9999").await,
    ]
}

async fn sign_up(auth: &Auth, email: &str) {
    let newcomer = auth::SignUp {
        email: email.to_owned(),
        username: None,
        name: None,
        password: PASSWORD.to_owned().into(),
    };
    auth.sign_up(newcomer, &Client::default()).await.expect("signed up");
}

async fn a_backlog_goes_in_small_batches_while_people_sign_up(place: Place) {
    let services = place.services().await;
    let auth = &services.auth;
    sign_up(auth, "ann@example.com").await;
    place.execute(BACKLOG).await;
    assert_eq!(left(&place).await, [2500, 2400, 1200, 1200, 1200]);
    // A session goes after its tokens, or they would all go with it. In between, the database is everybody's.
    let steps = [
        [1500, 1400, 1200, 200, 200],
        [500, 400, 1200, 0, 0],
        [0, 0, 200, 0, 0],
        [0, 0, 0, 0, 0],
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let is_more = auth.sweep().await.unwrap();
        assert_eq!((left(&place).await, is_more), (step, number < 3));
        sign_up(auth, &format!("user{number}@example.com")).await;
    }

    place
        .execute("DELETE FROM outbox; DELETE FROM users WHERE email <> 'ann@example.com';")
        .await;
    place.execute(BACKLOG).await;
    let mut running = JoinSet::new();
    let sweeper = auth.clone();
    running.spawn(async move { while sweeper.sweep().await.expect("swept") {} });
    for number in 0..10 {
        let auth = auth.clone();
        running.spawn(async move { sign_up(&auth, &format!("user{number}@example.com")).await });
    }
    running.join_all().await;
    assert_eq!(left(&place).await, [0; 5]);
    assert_eq!(place.count(USERS).await, 11);
    services.close().await;
}

async fn what_cannot_be_swept_keeps_nothing_else_from_going(place: Place) {
    let services = place.services().await;
    sign_up(&services.auth, "ann@example.com").await;
    place.execute(BACKLOG).await;
    // Whatever of them is referred to cannot be deleted.
    for refer in [
        "CREATE TABLE held (hash TEXT REFERENCES refresh_tokens (hash)); INSERT INTO held SELECT hash FROM refresh_tokens",
        "CREATE TABLE held (hash TEXT REFERENCES link_tokens (hash)); INSERT INTO held SELECT hash FROM link_tokens",
    ] {
        place.execute(refer).await;
        services.auth.sweep().await.unwrap_err();
        place.execute("DROP TABLE held").await;
    }
    assert_eq!(left(&place).await, [500, 1400, 1200, 200, 0]);
    while services.auth.sweep().await.expect("swept") {}
    assert_eq!(left(&place).await, [0; 5]);
    services.close().await;
}

async fn who_signed_up_and_never_came_is_removed(place: Place) {
    let server = place.start_with(&[("UNVERIFIED_KEEP_DAYS", "7")]).await;
    let ann = server.sign_up("ann@example.com").await;
    let wrong = json!({"email": "ann@example.com", "password": "not-the-password"});
    server.anonymous().post("/api/auth/login").json(wrong).await.expect(401);
    pass(&server, 7 * DAY).await;
    sweep(&server).await;
    assert_eq!(server.count(USERS).await, 0);

    let admin = server.admin("admin@example.com").await;
    let path = format!(
        "/api/audit?event=remove_unverified&user={}",
        ann["id"].as_str().unwrap()
    );
    let events = admin.get(&path).await.items();
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0]["outcome"], "success");
    assert!(
        events[0]["actor_id"].is_null() && events[0]["client_address"].is_null(),
        "{events:?}"
    );
    let kept = "SELECT COUNT(*) FROM outbox WHERE address = 'ann@example.com'";
    assert_eq!(server.count(kept).await, 0, "nothing says whose the letters were");
    // The address is as free as if nothing had been.
    server.sign_up("ann@example.com").await;
}

async fn who_may_still_come_is_kept(place: Place) {
    let server = place.start_with(&[("UNVERIFIED_KEEP_DAYS", "7")]).await;
    let admin = server.admin("admin@example.com").await;
    // Nobody has to verify an address here to sign in.
    server.user("came@example.com").await;
    server.sign_up("verified@example.com").await;
    let link = server.verification_link("verified@example.com").await;
    let verify = json!({"token": link});
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(verify)
        .await
        .expect_success();
    let editor = server.sign_up("editor@example.com").await;
    let disabled = server.sign_up("disabled@example.com").await;
    for (user, change) in [
        (editor, json!({"roles": ["editor"]})),
        (disabled, json!({"is_active": false})),
    ] {
        let path = format!("/api/users/{}", user["id"].as_str().unwrap());
        admin.patch(&path).json(change).await.expect(200);
    }
    let (by, nowhere) = (By::Operator, Client::default());
    let invited = auth::InviteUser {
        email: "invited@example.com".to_owned(),
        username: None,
        name: None,
        admin: false,
    };
    let made = auth::CreateUser {
        email: "made@example.com".to_owned(),
        username: None,
        name: None,
        password: PASSWORD.to_owned().into(),
        admin: false,
    };
    let auth = server.app().auth();
    auth.invite_user(&by, invited, &nowhere).await.expect("invited");
    auth.create_user(&by, made, &nowhere).await.expect("made");
    server.sign_up("late@example.com").await;
    pass(&server, 7 * DAY - 2 * HOUR).await;
    // Remembers it at last.
    let resend = json!({"email": "late@example.com"});
    server
        .anonymous()
        .post("/api/auth/resend-verification")
        .json(resend)
        .await
        .expect_success();
    let link = server.links("late@example.com", "/verify-email", 2).await.remove(0);
    pass(&server, 3 * HOUR).await;
    sweep(&server).await;
    assert_eq!(server.count(USERS).await, 8);
    let verify = json!({"token": link});
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(verify)
        .await
        .expect_success();
    pass(&server, 100 * DAY).await;
    sweep(&server).await;
    assert_eq!(server.count(USERS).await, 8);
    server.stop().await;

    let server = place.start_with(&[("UNVERIFIED_KEEP_DAYS", "0")]).await;
    server.sign_up("ann@example.com").await;
    pass(&server, 9000 * DAY).await;
    sweep(&server).await;
    assert_eq!(server.count(USERS).await, 9);
}

async fn accounts_go_in_small_batches_each_on_record(place: Place) {
    const WAITING: &str = "\
        INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at, waits_since) \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) \
        SELECT '01890000-0000-7000-8000-' || CAST(100000000000 + i AS TEXT), 'user' || i || '@example.com', \
        'user' || i || '@example.com', 'hash', i, i, i FROM n;";
    let services = place.services().await;
    place.execute(WAITING).await;
    for (left, is_more) in [(70, true), (20, true), (0, false)] {
        assert_eq!(services.auth.sweep().await.unwrap(), is_more);
        assert_eq!(place.count(USERS).await, left);
    }
    let removed = "SELECT COUNT(DISTINCT user_id) FROM audit_events WHERE event = 'remove_unverified'";
    assert_eq!(place.count(removed).await, 120);
    services.close().await;
}
