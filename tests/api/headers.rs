use serde_json::json;

use crate::support::{Actor, PASSWORD, Place, both_engines};

both_engines![
    answers_with_personal_data_or_tokens_are_not_stored,
    answers_are_taken_for_what_they_say_they_are,
    the_strength_of_a_password_is_told_before_it_is_chosen,
    reports_of_the_content_policy_are_taken,
];

const STRENGTH: &str = "/api/auth/password-strength";

async fn answers_with_personal_data_or_tokens_are_not_stored(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    for path in [
        "/api/auth/me",
        "/users/me",
        "/current-user",
        "/users/me/items",
        "/api/auth/me/export",
        "/api/auth/sessions",
        "/api/users",
        "/users/",
        "/api/audit",
        "/api/mail",
        "/api/auth/forward",
    ] {
        let reply = admin.get(path).await.expect_success();
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
    let body = json!({"username": "admin@example.com", "password": PASSWORD});
    for path in ["/token", "/login"] {
        let reply = server.anonymous().post(path).json(&body).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "RFC 6749 section 5.1");
    }
}

async fn answers_are_taken_for_what_they_say_they_are(place: Place) {
    let server = place.start().await;
    for path in [
        "/users/me",
        "/health/live",
        "/.well-known/jwks.json",
        "/openapi.json",
        "/docs",
        "/nothing",
    ] {
        let reply = server.anonymous().get(path).await;
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    let jwks = server.anonymous().get("/.well-known/jwks.json").await;
    assert!(["application/json", "application/jwk-set+json"].contains(&jwks.header("content-type").unwrap()));
}

async fn the_strength_of_a_password_is_told_before_it_is_chosen(place: Place) {
    let server = place.start().await;
    let strong = server
        .anonymous()
        .post(STRENGTH)
        .json(json!({"password": PASSWORD}))
        .await
        .expect(200)
        .json();
    assert_eq!(strong["accepted"], true);
    assert!(strong["score"].as_u64().unwrap() >= 3);
    assert_eq!(strong["reasons"], json!([]));
    let weak = server
        .anonymous()
        .post(STRENGTH)
        .json(json!({"password": "password1"}))
        .await
        .expect(200)
        .json();
    assert_eq!(weak["accepted"], false);
    assert!(!weak["reasons"].as_array().unwrap().is_empty());
    let own = json!({"password": "zorbvint.flumvek", "email": "zorbvint.flumvek@example.com", "username": "zorb"});
    let own = server.anonymous().post(STRENGTH).json(own).await.expect(200).json();
    assert_eq!(own["accepted"], false, "{own}");
    // What is long takes no longer than what is short.
    let started = std::time::Instant::now();
    server
        .anonymous()
        .post(STRENGTH)
        .json(json!({"password": "a1B2".repeat(10_000)}))
        .await;
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}

async fn reports_of_the_content_policy_are_taken(place: Place) {
    let server = place.start().await;
    let before = server.snapshot().await;
    let report = json!({"csp-report": {"document-uri": "http://localhost:8000/login", "blocked-uri": "inline"}});
    let post = || server.anonymous().post("/api/csp-report");
    post()
        .body("application/csp-report", report.to_string())
        .await
        .expect_success();
    let reports = json!([{"type": "csp-violation", "age": 1, "url": "http://localhost:8000/", "body": {}}]);
    post()
        .body("application/reports+json", reports.to_string())
        .await
        .expect_success();
    post()
        .body("application/csp-report", "{".repeat(100_000))
        .await
        .expect_refusal();
    post()
        .body("application/csp-report", vec![b' '; 1024 * 1024])
        .await
        .expect_any_problem(413);
    assert_eq!(server.snapshot().await, before);
}
