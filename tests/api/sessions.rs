use serde_json::json;

use crate::support::{Actor, ApiClient, Engine, NEW_PASSWORD, PASSWORD, Place, Server, both_engines, jwt_claims};

both_engines![
    a_user_sees_their_own_devices,
    a_device_is_ended_by_its_id,
    nobody_ends_anothers_device,
    all_devices_but_this_one_are_ended,
    an_ended_session_disappears,
    a_session_of_many_tokens_ends_in_no_time_and_they_go_in_batches,
    an_account_of_many_things_is_deleted_in_batches,
    a_deletion_that_is_broken_off_is_on_record_and_goes_on,
    however_many_devices_there_are_they_come_a_page_at_a_time,
    an_account_that_may_not_be_deleted_keeps_what_it_has,
];

const SESSIONS: &str = "/api/auth/sessions";

fn session_of(client: &ApiClient) -> String {
    jwt_claims(&client.access_token)["sid"].as_str().unwrap().to_owned()
}

async fn a_user_sees_their_own_devices(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    server.user("bob@example.com").await;
    server.advance(60);
    let log_in = server
        .anonymous()
        .post("/api/auth/login")
        .header("user-agent", "Lamp/7 (<b>\"&)");
    log_in
        .json(json!({"email": "ann@example.com", "password": PASSWORD}))
        .await
        .expect(200);
    let reply = ann.get(SESSIONS).await;
    let sessions = reply.items();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    assert_eq!(
        sessions[0]["user_agent"], "Lamp/7 (<b>\"&)",
        "the latest used comes first"
    );
    assert_eq!(sessions[0]["created_at"], "2026-03-01T12:01:00Z");
    assert_eq!(sessions[1]["id"], session_of(&ann));
    assert!(sessions[1]["last_used_at"].is_string());
    assert!(!reply.text().contains("vst_"), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

async fn a_device_is_ended_by_its_id(place: Place) {
    let server = place.start().await;
    let here = server.user("ann@example.com").await;
    let lost = server.log_in("ann@example.com").await;
    let path = format!("{SESSIONS}/{}", session_of(&lost));
    here.delete(&path).await.expect_success();
    lost.get("/api/auth/me").await.expect_problem(401, "session_ended");
    server
        .anonymous()
        .post("/api/auth/refresh")
        .bearer(&lost.refresh_token)
        .await
        .expect_any_problem(401);
    assert!(here.is_signed_in().await);
    here.delete(&path).await.expect_problem(404, "not_found");
}

async fn nobody_ends_anothers_device(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let eve = server.user("eve@example.com").await;
    eve.delete(&format!("{SESSIONS}/{}", session_of(&ann)))
        .await
        .expect_problem(404, "not_found");
    assert!(ann.is_signed_in().await);
}

async fn all_devices_but_this_one_are_ended(place: Place) {
    let server = place.start().await;
    let here = server.user("ann@example.com").await;
    let others = [
        server.log_in("ann@example.com").await,
        server.log_in("ann@example.com").await,
    ];
    let bob = server.user("bob@example.com").await;
    here.delete(SESSIONS).await.expect_success();
    for other in &others {
        other.get("/api/auth/me").await.expect_problem(401, "session_ended");
    }
    assert!(here.is_signed_in().await);
    assert!(bob.is_signed_in().await);
}

async fn an_ended_session_disappears(place: Place) {
    let server = place.start().await;
    let here = server.user("ann@example.com").await;
    let other = server.log_in("ann@example.com").await;
    assert_eq!(here.get(SESSIONS).await.items().len(), 2);
    other.post("/api/auth/logout").await.expect(200);
    assert_eq!(here.get(SESSIONS).await.items().len(), 1);
}

/// Twenty thousand uses of whatever session there is, long ago.
const USES: &str = "\
    INSERT INTO refresh_tokens (hash, session_id, issued_at, used_at) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) \
    SELECT 'use ' || i, (SELECT id FROM sessions), 1, 1 FROM n;";

const TOKENS: &str = "SELECT COUNT(*) FROM refresh_tokens";
const PRODUCTS: &str = "SELECT COUNT(*) FROM products";
const USERS: &str = "SELECT COUNT(*) FROM users";

async fn a_session_of_many_tokens_ends_in_no_time_and_they_go_in_batches(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    place.execute(USES).await;
    let admin = server.admin("admin@example.com").await;
    let before = server.count(TOKENS).await;
    let by_hand = server.log_in("ann@example.com").await;
    let by_itself = server.log_in("ann@example.com").await;
    ann.post("/api/auth/logout").await.expect(200);
    let path = format!("{SESSIONS}/{}", session_of(&by_hand));
    by_itself.delete(&path).await.expect_success();
    by_itself.delete(SESSIONS).await.expect_success();
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    by_itself
        .post("/api/auth/me/password")
        .json(change)
        .await
        .expect_success();
    let path = format!("/api/users/{}/logout", ann.user_id);
    admin.post(&path).await.expect_success();

    // They have ended, and nothing waited for what hangs on them to be cleared away.
    assert_eq!(server.count(TOKENS).await, before + 2);
    for ended in [&ann, &by_hand, &by_itself] {
        ended.get("/api/auth/me").await.expect_problem(401, "session_ended");
        let refresh = server
            .anonymous()
            .post("/api/auth/refresh")
            .bearer(&ended.refresh_token);
        refresh.await.expect_problem(401, "refresh_token_invalid");
    }
    let personal =
        "SELECT COUNT(*) FROM sessions WHERE expires_at = 0 AND (client_address IS NOT NULL OR user_agent IS NOT NULL)";
    assert_eq!(server.count(personal).await, 0);
    let sweep = async || server.app().auth().sweep().await.expect("the database is there");
    assert!(sweep().await);
    assert_eq!(server.count(TOKENS).await, before + 2 - 1000);
    while sweep().await {}
    assert_eq!(server.count(TOKENS).await, 1);
    assert_eq!(server.count("SELECT COUNT(*) FROM sessions").await, 1, "the admin's");
}

/// Of everything that there can be any number of, more than a few batches.
const THINGS: &str = "\
    INSERT INTO products (id, name, owner_id, created_at, updated_at) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500) \
    SELECT '01890000-0000-7000-a000-' || CAST(100000000000 + i AS TEXT), 'Lamp', (SELECT MIN(user_id) FROM sessions), 1, 1 FROM n; \
    INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, dies_at, idle_seconds, remembered) \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) \
    SELECT '01890000-0000-7000-9000-' || CAST(100000000000 + i AS TEXT), (SELECT MIN(user_id) FROM sessions), i, i, 0, i, 1, 1 \
    FROM n; \
    INSERT INTO refresh_tokens (hash, session_id, issued_at) SELECT 'only one of ' || id, id, 1 FROM sessions;";

/// Has the database refuse to delete a user on whom more than a little hangs.
async fn let_little_go_at_once(place: &Place) {
    const SQLITE: &str = "CREATE TRIGGER little BEFORE DELETE ON users WHEN \
        (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM refresh_tokens) + (SELECT COUNT(*) FROM products) > 20 \
        BEGIN SELECT RAISE(ABORT, 'too much'); END;";
    const POSTGRES: &str = "CREATE FUNCTION little() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF \
        (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM refresh_tokens) + (SELECT COUNT(*) FROM products) > 20 \
        THEN RAISE 'too much'; END IF; RETURN OLD; END $$; \
        CREATE TRIGGER little BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION little();";
    place
        .execute(match place.engine() {
            Engine::Sqlite => SQLITE,
            Engine::Postgres => POSTGRES,
        })
        .await;
}

async fn with_many_things(place: &Place) -> (Server, ApiClient) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    place.execute(USES).await;
    place.execute(THINGS).await;
    let_little_go_at_once(place).await;
    (server, ann)
}

async fn an_account_of_many_things_is_deleted_in_batches(place: Place) {
    let (server, ann) = with_many_things(&place).await;
    let gone = json!({"password": PASSWORD});
    ann.delete("/api/auth/me").json(gone).await.expect_success();
    assert_eq!(server.count(TOKENS).await, 0);
    assert_eq!(server.count(USERS).await, 0);
}

/// Whatever breaks it off, be it the end of the process, comes after the decision.
async fn a_deletion_that_is_broken_off_is_on_record_and_goes_on(place: Place) {
    let (stuck, freed) = match place.engine() {
        Engine::Sqlite => (
            "CREATE TRIGGER stuck BEFORE DELETE ON products WHEN (SELECT COUNT(*) FROM products) <= 1500 \
             BEGIN SELECT RAISE(ABORT, 'stuck'); END;",
            "DROP TRIGGER stuck;",
        ),
        Engine::Postgres => (
            "CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             IF (SELECT COUNT(*) FROM products) <= 1500 THEN RAISE 'stuck'; END IF; RETURN OLD; END $$; \
             CREATE TRIGGER stuck BEFORE DELETE ON products FOR EACH ROW EXECUTE FUNCTION stuck();",
            "DROP TRIGGER stuck ON products;",
        ),
    };
    let (server, ann) = with_many_things(&place).await;
    let admin = server.admin("admin@example.com").await;
    place.execute(stuck).await;
    let gone = json!({"password": PASSWORD});
    ann.delete("/api/auth/me").json(gone).await.expect_success();
    let recorded = "SELECT COUNT(*) FROM audit_events WHERE event = 'delete_account' AND outcome = 'success'";
    assert_eq!(server.count(recorded).await, 1);
    assert!(!ann.is_signed_in().await);
    let again = json!({"username": "ann@example.com", "password": PASSWORD});
    let login = server.anonymous().post("/api/auth/login").json(again).await;
    login.expect_problem(401, "invalid_credentials");
    let path = format!("/api/users/{}", ann.user_id);
    admin.get(&path).await.expect_problem(404, "not_found");
    let enable = json!({"is_active": true});
    admin.patch(&path).json(enable).await.expect_problem(404, "not_found");
    admin.delete(&path).await.expect_problem(404, "not_found");
    assert_eq!(admin.get("/api/users").await.items().len(), 1);
    assert_eq!(
        (server.count(USERS).await, server.count(PRODUCTS).await),
        (2, 1500),
        "it did break off"
    );
    let namesake = server.user("ann@example.com").await;
    assert_ne!(namesake.user_id, ann.user_id);

    place.execute(freed).await;
    while server.app().auth().sweep().await.expect("the database is there") {}
    assert_eq!(server.count(USERS).await, 2);
    assert_eq!(server.count(PRODUCTS).await, 0);
    assert!(namesake.is_signed_in().await);
}

async fn an_account_that_may_not_be_deleted_keeps_what_it_has(place: Place) {
    let (server, ann) = with_many_things(&place).await;
    let wrong = json!({"password": "not-the-password"});
    let refused = ann.delete("/api/auth/me").json(wrong).await;
    assert_eq!(refused.expect_invalid_field("password"), "wrong_password");
    place
        .execute("INSERT INTO user_roles (user_id, role) SELECT id, 'admin' FROM users")
        .await;
    let gone = json!({"password": PASSWORD});
    ann.delete("/api/auth/me")
        .json(gone)
        .await
        .expect_problem(409, "last_admin");
    ann.delete(&format!("/api/users/{}", ann.user_id))
        .await
        .expect_problem(409, "last_admin");
    assert_eq!(server.count(PRODUCTS).await, 2500);
    assert!(server.count(TOKENS).await > 20_000);
}

async fn however_many_devices_there_are_they_come_a_page_at_a_time(place: Place) {
    const MANY: &str = "\
        INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, dies_at, idle_seconds, remembered) \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1250) \
        SELECT '01890000-0000-7000-9000-' || CAST(100000000000 + i AS TEXT), (SELECT MIN(user_id) FROM sessions), 1, \
        1000 + i / 10, 1800000000, 1800000000, 1, 1 FROM n;";
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    place.execute("UPDATE sessions SET last_used_at = 1").await;
    place.execute(MANY).await;

    // This device, used before all others, is shown nevertheless.
    let page = browser.get("/profile").await.expect(200).text();
    assert_eq!(page.matches("ast used <time").count(), 200);
    assert!(page.contains("And 1051 more, last used before these."), "{page}");
    assert_eq!(page.matches("This device").count(), 1);

    let mut seen = Vec::new();
    let mut path = format!("{SESSIONS}?limit=200");
    loop {
        let reply = browser.get(&path).await.expect(200);
        let page = reply.json();
        seen.extend(reply.items().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("{SESSIONS}?limit=200&cursor={cursor}");
    }
    assert_eq!(seen.len(), 1251);
    assert_eq!(seen[0], "01890000-0000-7000-9000-100000001250", "the last used");
    let mut different = seen.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), seen.len());
    assert_eq!(browser.get(SESSIONS).await.items().len(), 50);
    for cursor in ["x", "1.x", &seen[0]] {
        let path = format!("{SESSIONS}?cursor={cursor}");
        let refused = browser.get(&path).await;
        assert_eq!(refused.expect_invalid_field("cursor"), "invalid_cursor");
    }
    let export = browser.get("/api/auth/me/export").await.expect(200).json();
    assert_eq!(export["sessions"].as_array().unwrap().len(), 1251);
}
