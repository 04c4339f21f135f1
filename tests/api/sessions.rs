use serde_json::json;

use crate::support::{Actor, ApiClient, PASSWORD, Place, both_engines, jwt_claims};

both_engines![
    a_user_sees_their_own_devices,
    a_device_is_ended_by_its_id,
    nobody_ends_anothers_device,
    all_devices_but_this_one_are_ended,
    an_ended_session_disappears,
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
