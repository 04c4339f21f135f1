//! What a reverse proxy asks before it lets a request through.

use serde_json::json;

use crate::support::{Actor, DAY, MINUTE, Place, both_engines};

both_engines![
    a_signed_in_browser_is_let_through,
    a_stranger_is_not,
    an_expired_access_cookie_is_no_obstacle_and_nothing_is_exchanged,
    an_ended_session_is_not_let_through,
    whom_it_lets_through_is_told_to_the_proxy,
    an_address_is_asserted_once_it_is_verified,
];

const FORWARD: &str = "/api/auth/forward";

async fn a_signed_in_browser_is_let_through(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let reply = browser.get(FORWARD).await.expect_success();
    assert!(reply.cookies().is_empty());
    let ann = server.log_in("ann@example.com").await;
    ann.get(FORWARD).await.expect_success();
}

async fn a_stranger_is_not(place: Place) {
    let server = place.start().await;
    server
        .anonymous()
        .get(FORWARD)
        .await
        .expect_problem(401, "not_authenticated");
    server
        .anonymous()
        .get(FORWARD)
        .bearer("nonsense")
        .await
        .expect_problem(401, "token_malformed");
    let reply = server
        .anonymous()
        .get(FORWARD)
        .header("cookie", "refresh_token=nonsense")
        .await;
    reply.expect_any_problem(401);
}

async fn an_expired_access_cookie_is_no_obstacle_and_nothing_is_exchanged(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    server.advance(16 * MINUTE);
    for _ in 0..3 {
        let reply = browser.get(FORWARD).await.expect_success();
        assert!(
            reply.cookies().is_empty(),
            "a proxy may drop them: {:?}",
            reply.cookies()
        );
    }
    browser.jar.remove("access_token");
    browser.get(FORWARD).await.expect_success();
    assert_eq!(
        server.count("SELECT COUNT(*) FROM refresh_tokens").await,
        1,
        "nothing was exchanged"
    );
    server.advance(7 * DAY - 16 * MINUTE);
    browser.get(FORWARD).await.expect_any_problem(401);
}

async fn an_ended_session_is_not_let_through(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let elsewhere = server.log_in("ann@example.com").await;
    elsewhere.delete("/api/auth/sessions").await.expect_success();
    browser.get(FORWARD).await.expect_any_problem(401);
}

async fn whom_it_lets_through_is_told_to_the_proxy(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let reply = ann.get(FORWARD).await.expect_success();
    let told: Vec<&str> = reply.headers.values().filter_map(|value| value.to_str().ok()).collect();
    assert!(told.contains(&ann.user_id.as_str()), "{:?}", reply.headers);
}

async fn an_address_is_asserted_once_it_is_verified(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let reply = ann.get(FORWARD).await.expect_success();
    assert_eq!(reply.header("remote-email"), Some(""));
    let body = json!({"token": server.verification_link("ann@example.com").await});
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(body)
        .await
        .expect_success();
    let reply = ann.get(FORWARD).await.expect_success();
    assert_eq!(reply.header("remote-email"), Some("ann@example.com"));
}
