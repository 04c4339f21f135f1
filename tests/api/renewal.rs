//! A browser whose access cookie has run out is renewed on the way, by its refresh cookie.

use serde_json::json;

use crate::support::{Actor, DAY, MINUTE, PUBLIC_URL, Place, SetCookie, both_engines, in_parallel};

both_engines![
    an_expired_access_cookie_is_renewed_on_the_way,
    a_missing_access_cookie_is_renewed_on_the_way,
    a_good_access_cookie_is_left_alone,
    parallel_tabs_are_renewed_alike,
    writing_requests_are_renewed_too,
    a_request_from_elsewhere_renews_nothing,
    programs_with_a_bearer_header_are_not_renewed,
    a_dead_session_is_not_renewed,
    a_renewed_answer_is_not_cached,
];

const UNUSED: &str = "SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NULL";
const ALL: &str = "SELECT COUNT(*) FROM refresh_tokens";

async fn an_expired_access_cookie_is_renewed_on_the_way(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let before = (browser.jar.get("access_token"), browser.jar.get("refresh_token"));
    server.advance(16 * MINUTE);
    let reply = browser.get("/users/me").await.expect(200);
    assert_eq!(reply.json()["email"], "ann@example.com");
    for name in ["access_token", "refresh_token"] {
        assert!(reply.cookie(name).attribute("HttpOnly").is_some());
    }
    assert_ne!(
        before,
        (browser.jar.get("access_token"), browser.jar.get("refresh_token"))
    );
    let next = browser.get("/users/me").await.expect(200);
    assert!(next.cookies().is_empty(), "once is enough");
}

async fn a_missing_access_cookie_is_renewed_on_the_way(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    browser.jar.remove("access_token");
    browser.get("/api/auth/sessions").await.expect(200);
    assert!(browser.jar.get("access_token").is_some());
    browser.get("/api/auth/me").await.expect(200);
}

async fn a_good_access_cookie_is_left_alone(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let reply = browser.get("/users/me").await.expect(200);
    assert!(reply.cookies().is_empty());
    assert_eq!(server.count(ALL).await, 1);
}

async fn parallel_tabs_are_renewed_alike(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    server.advance(16 * MINUTE);
    let cookies = browser.jar.header().unwrap();
    let replies = in_parallel(8, || {
        let request = server.anonymous().get("/users/me").header("cookie", &cookies);
        async move { request.await }
    });
    let mut successors: Vec<String> = replies
        .await
        .into_iter()
        .map(|reply| reply.expect(200).cookie("refresh_token").value)
        .collect();
    successors.dedup();
    assert_eq!(successors.len(), 1, "each tab holds the same token");
    assert_eq!(server.count(UNUSED).await, 1);
}

async fn writing_requests_are_renewed_too(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    server.advance(16 * MINUTE);
    let me = browser
        .patch("/api/auth/me")
        .json(json!({"name": "Ann"}))
        .await
        .expect(200)
        .json();
    assert_eq!(me["name"], "Ann");
}

async fn a_request_from_elsewhere_renews_nothing(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    server.advance(16 * MINUTE);
    let evil = browser.on_page_of("cross-site", "https://evil.example");
    evil.patch("/api/auth/me")
        .json(json!({"name": "Eve"}))
        .await
        .expect_any_problem(403);
    evil.post("/api/auth/refresh").await.expect_any_problem(403);
    assert_eq!(server.count(ALL).await, 1, "nothing was exchanged");
    assert_eq!(
        browser.get("/users/me").await.expect(200).json()["name"],
        serde_json::Value::Null
    );
}

async fn programs_with_a_bearer_header_are_not_renewed(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let bearer = browser.jar.get("access_token").unwrap();
    server.advance(16 * MINUTE);
    let reply = browser.get("/users/me").bearer(&bearer).await;
    reply.expect_problem(401, "token_expired");
    assert!(reply.cookies().is_empty());
    assert_eq!(server.count(ALL).await, 1);
}

async fn a_dead_session_is_not_renewed(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    server.advance(7 * DAY);
    let reply = browser.get("/users/me").await;
    reply.expect_any_problem(401);
    assert!(
        reply.cookies().iter().all(SetCookie::is_removal),
        "{:?}",
        reply.cookies()
    );
    // What anyone may do is not in the way of a stale cookie.
    browser.get("/health/live").await.expect(200);
    server.sign_up("bob@example.com").await;
    let body = json!({"email": "bob@example.com", "password": crate::support::PASSWORD});
    browser.post("/api/auth/login").json(body).await.expect(200);
}

async fn a_renewed_answer_is_not_cached(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    server.advance(16 * MINUTE);
    let reply = browser.get("/users/me").header("origin", PUBLIC_URL).await.expect(200);
    assert_eq!(reply.cookies().len(), 2);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}
