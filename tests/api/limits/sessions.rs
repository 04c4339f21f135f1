//! How often one session is refreshed.

use serde_json::json;

use super::{REFRESH, assert_refused, limited};
use crate::support::{Actor, MINUTE, Place, both_engines};

both_engines![
    a_session_is_refreshed_so_often_and_no_more,
    a_browser_that_is_not_renewed_for_a_while_stays_signed_in,
];

async fn a_session_is_refreshed_so_often_and_no_more(place: Place) {
    let server = limited(&place, &[]).await;
    let mut ann = server.user("ann@example.com").await;
    let mut elsewhere = server.log_in("ann@example.com").await;
    let first = ann.refresh_token.clone();
    let show = async |token: &str| server.anonymous().post(REFRESH).bearer(token).await;
    for _ in 0..30 {
        // A retry counts as what it retries.
        let before = ann.refresh_token.clone();
        ann.refresh().await;
        show(&before).await.expect(200);
    }
    for _ in 0..3 {
        assert_refused(&show(&ann.refresh_token).await, "refresh", "session", (60, 600), 10);
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM refresh_tokens").await, 32);
    let recorded = "SELECT COUNT(*) FROM audit_events WHERE event = 'refresh' AND outcome = 'too_many_requests'";
    assert_eq!(server.count(recorded).await, 1);
    elsewhere.refresh().await;
    assert!(ann.is_signed_in().await);
    server.advance(10);
    ann.refresh().await;
    assert_refused(&show(&ann.refresh_token).await, "refresh", "session", (60, 600), 10);
    // Who has stolen a token is found out none the less.
    server.advance(1);
    show(&first).await.expect_problem(401, "refresh_token_reused");
    assert!(!ann.is_signed_in().await);
}

async fn a_browser_that_is_not_renewed_for_a_while_stays_signed_in(place: Place) {
    let server = limited(&place, &[]).await;
    let browser = server.user_with_browser("ann@example.com").await;
    for _ in 0..60 {
        browser.jar.remove("access_token");
        browser.get("/users/me").await.expect(200).cookie("refresh_token");
    }
    browser.jar.remove("access_token");
    let held = browser.jar.get("refresh_token");
    for _ in 0..3 {
        assert!(browser.get("/users/me").await.expect(200).cookies().is_empty());
        browser.get("/profile").await.expect(200);
    }
    let change = json!({"name": "Ann"});
    let changed = browser.patch("/api/auth/me").json(change).await.expect(200);
    assert_eq!(changed.json()["name"], "Ann");
    let refused = browser.post(REFRESH).await;
    assert_refused(&refused, "refresh by cookie", "session", (60, 600), 10);
    assert!(refused.cookies().is_empty());
    assert_eq!(browser.jar.get("refresh_token"), held);
    server.advance(10 * MINUTE);
    browser.get("/users/me").await.expect(200).cookie("refresh_token");
    assert_ne!(browser.jar.get("refresh_token"), held);
}
