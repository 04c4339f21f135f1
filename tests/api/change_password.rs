use serde_json::{Value, json};

use crate::support::{Actor, NEW_PASSWORD, PASSWORD, Place, both_engines};

both_engines![
    the_new_password_holds_and_the_old_does_not,
    the_current_password_is_asked_for,
    a_guessable_new_password_is_refused,
    other_sessions_end_and_this_one_stays,
    reset_links_mailed_before_are_void,
    the_user_is_told,
];

const CHANGE: &str = "/api/auth/me/password";

async fn the_new_password_holds_and_the_old_does_not(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    ann.post(CHANGE).json(body).await.expect_success();
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
    server.refuses_log_in("ann@example.com", PASSWORD).await;
}

async fn the_current_password_is_asked_for(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let before = server.snapshot().await;
    let body = json!({"current_password": "not-the-password", "new_password": NEW_PASSWORD});
    let code = ann
        .post(CHANGE)
        .json(body)
        .await
        .expect_invalid_field("current_password");
    assert_eq!(code, "wrong_password");
    ann.post(CHANGE)
        .json(json!({"new_password": NEW_PASSWORD}))
        .await
        .expect_invalid_field("current_password");
    for (current, new, blank) in [
        ("", NEW_PASSWORD, &["current_password"][..]),
        (PASSWORD, "", &["new_password"]),
        ("not-the-password", "", &["new_password"]),
        ("", "", &["current_password", "new_password"]),
    ] {
        let body = json!({"current_password": current, "new_password": new});
        let problem = ann.post(CHANGE).json(body).await.expect_problem(422, "invalid_fields");
        let required = |field: &&str| json!({"field": field, "code": "required", "message": "This field is required."});
        assert_eq!(problem["errors"], blank.iter().map(required).collect::<Value>());
    }
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM audit_events WHERE event = 'change_password'")
            .await,
        1,
        "what is blank is no guess"
    );
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    server
        .anonymous()
        .post(CHANGE)
        .json(body)
        .await
        .expect_problem(401, "not_authenticated");
    assert_eq!(server.snapshot().await, before);
}

async fn a_guessable_new_password_is_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let before = server.snapshot().await;
    for (bad, expected) in [("short", "password_too_short"), ("password123", "password_guessable")] {
        let body = json!({"current_password": PASSWORD, "new_password": bad});
        let code = ann.post(CHANGE).json(body).await.expect_invalid_field("new_password");
        assert_eq!(code, expected);
    }
    assert_eq!(server.snapshot().await, before);
}

async fn other_sessions_end_and_this_one_stays(place: Place) {
    let server = place.start().await;
    let mut here = server.user("ann@example.com").await;
    let elsewhere = server.log_in("ann@example.com").await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    here.post(CHANGE).json(body).await.expect_success();
    assert!(here.is_signed_in().await);
    here.refresh().await;
    elsewhere.get("/api/auth/me").await.expect_problem(401, "session_ended");
}

async fn reset_links_mailed_before_are_void(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let link = server.reset_link("ann@example.com").await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    ann.post(CHANGE).json(body).await.expect_success();
    let body = json!({"token": link, "new_password": "another-Violet-harbour-12"});
    server
        .anonymous()
        .post("/api/auth/reset-password")
        .json(body)
        .await
        .expect_problem(400, "link_invalid");
}

async fn the_user_is_told(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    server.mails("ann@example.com", 1).await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    ann.post(CHANGE).json(body).await.expect_success();
    let notice = server.mails("ann@example.com", 2).await.remove(0);
    assert!(notice.subject.to_lowercase().contains("password"), "{notice:?}");
    for part in [&notice.text, &notice.html] {
        assert!(!part.contains(NEW_PASSWORD) && !part.contains("vst_"), "{part}");
    }
}
