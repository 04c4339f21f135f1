use serde_json::json;

use crate::support::{Actor, Place, both_engines};

both_engines![
    the_access_token_ends_its_session,
    the_refresh_token_ends_its_session_as_bearer_and_as_field,
    what_is_presented_on_purpose_names_the_session_alone,
    a_browser_logs_out_and_forgets_its_cookies,
    the_template_path_logs_out_too,
    logging_out_without_credentials_still_clears_the_cookies,
    one_device_logs_out_and_the_others_stay,
    a_dead_refresh_cookie_does_not_keep_the_session_alive,
];

const LOG_OUT: &str = "/api/auth/logout";

async fn the_access_token_ends_its_session(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let reply = ann.post(LOG_OUT).await.expect(200);
    assert_eq!(reply.json(), json!({"msg": "logged out"}));
    ann.get("/api/auth/me").await.expect_problem(401, "session_ended");
    let refresh = server
        .anonymous()
        .post("/api/auth/refresh")
        .bearer(&ann.refresh_token)
        .await;
    refresh.expect_problem(401, "refresh_token_invalid");
    assert_eq!(
        server.count("SELECT COUNT(*) FROM sessions WHERE expires_at > 0").await,
        0
    );
}

async fn the_refresh_token_ends_its_session_as_bearer_and_as_field(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    server
        .anonymous()
        .post(LOG_OUT)
        .bearer(&ann.refresh_token)
        .await
        .expect(200);
    assert!(!ann.is_signed_in().await);

    let ann = server.log_in("ann@example.com").await;
    let body = json!({"refresh_token": ann.refresh_token});
    server.anonymous().post(LOG_OUT).json(body).await.expect(200);
    assert!(!ann.is_signed_in().await);
}

async fn what_is_presented_on_purpose_names_the_session_alone(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let (by_field, by_bearer) = (
        server.log_in("ann@example.com").await,
        server.log_in("ann@example.com").await,
    );
    let request = || browser.moved_to(server.anonymous()).post(LOG_OUT);
    let body = json!({"refresh_token": by_field.refresh_token});
    request().bearer(&by_bearer.access_token).json(body).await.expect(200);
    assert!(!by_field.is_signed_in().await && by_bearer.is_signed_in().await);
    request().bearer(&by_bearer.access_token).await.expect(200);
    assert!(!by_bearer.is_signed_in().await);
    // What names no session any more does not fall back on the cookies.
    let body = json!({"refresh_token": by_field.refresh_token});
    request().json(body).await.expect_problem(401, "refresh_token_invalid");
    browser.get("/api/auth/me").await.expect(200);
}

async fn a_browser_logs_out_and_forgets_its_cookies(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    browser.get("/api/auth/me").await.expect(200);
    let reply = browser.post(LOG_OUT).await.expect(200);
    for name in ["access_token", "refresh_token"] {
        let cookie = reply.cookie(name);
        assert!(cookie.is_removal(), "{cookie:?}");
        assert_eq!(
            cookie.attribute("Path"),
            Some("/"),
            "a browser keeps it under any other path"
        );
    }
    assert!(browser.jar.is_empty());
    browser
        .get("/api/auth/me")
        .await
        .expect_problem(401, "not_authenticated");
    assert_eq!(
        server.count("SELECT COUNT(*) FROM sessions WHERE expires_at > 0").await,
        0
    );
}

async fn the_template_path_logs_out_too(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    // By the refresh cookie alone, as the template does.
    browser.jar.remove("access_token");
    let reply = browser.post("/auth/logout").await.expect(200);
    assert_eq!(reply.json(), json!({"msg": "logged out"}));
    assert_eq!(
        server.count("SELECT COUNT(*) FROM sessions WHERE expires_at > 0").await,
        0
    );
}

async fn logging_out_without_credentials_still_clears_the_cookies(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let other = server.log_in("ann@example.com").await;
    other.delete("/api/auth/sessions").await.expect_success();
    // The session is gone; nobody should be stuck with cookies that cannot be logged out.
    let reply = browser.post(LOG_OUT).await;
    assert!(reply.status < 500, "{}", reply.text());
    assert!(browser.jar.is_empty(), "{}", reply.text());
}

async fn one_device_logs_out_and_the_others_stay(place: Place) {
    let server = place.start().await;
    let phone = server.user("ann@example.com").await;
    let mut laptop = server.log_in("ann@example.com").await;
    phone.post(LOG_OUT).await.expect(200);
    laptop.refresh().await;
    assert!(laptop.is_signed_in().await);
}

async fn a_dead_refresh_cookie_does_not_keep_the_session_alive(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let access = browser.jar.get("access_token").expect("a cookie");
    let cookies = format!("refresh_token=dead; access_token={access}");
    let reply = server
        .browser()
        .post(LOG_OUT)
        .header("cookie", &cookies)
        .await
        .expect(200);
    for name in ["access_token", "refresh_token"] {
        assert!(reply.cookie(name).is_removal());
    }
    assert_eq!(
        server.count("SELECT COUNT(*) FROM sessions WHERE expires_at > 0").await,
        0
    );
    let reply = server.browser().post(LOG_OUT).header("cookie", &cookies).await;
    reply.expect_any_problem(401);
    assert!(reply.cookie("access_token").is_removal());
}
