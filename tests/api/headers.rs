use serde_json::{Value, json};

use crate::support::{Actor, PASSWORD, Place, Reply, Server, both_engines};

both_engines![
    answers_with_personal_data_or_tokens_are_not_stored,
    answers_are_taken_for_what_they_say_they_are,
    every_answer_says_what_it_is_and_in_which_characters,
    what_is_no_page_neither_loads_nor_is_framed,
    over_https_every_answer_demands_it_for_years,
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

/// An answer of each sort that is no page, with who asks for it.
async fn answers(server: &Server) -> Vec<(&'static str, Reply)> {
    let admin = server.admin("admin@example.com").await;
    let mut answers = Vec::new();
    for path in [
        "/api/auth/me",
        "/api/users",
        "/users/",
        "/api/audit",
        "/api/mail",
        "/api/auth/forward",
        "/.well-known/jwks.json",
        "/.well-known/change-password",
        "/health/live",
        "/dev/mail.json",
        "/nothing",
        "/api/nothing",
        "/",
    ] {
        answers.push((path, admin.get(path).await));
    }
    let anonymous = server.anonymous();
    let body = json!({"username": "admin@example.com", "password": PASSWORD});
    answers.push(("/token", anonymous.post("/token").json(body).await.expect(200)));
    answers.push(("a stranger", anonymous.get("/api/auth/me").await.expect(401)));
    answers.push(("bad JSON", anonymous.post("/token").body("application/json", "{").await));
    answers.push(("a form", anonymous.post("/form/log_in").json(json!({})).await));
    let evil = server.browser().on_page_of("cross-site", "https://evil.example");
    answers.push(("forged", evil.post("/token").json(json!({})).await.expect(403)));
    answers
}

async fn every_answer_says_what_it_is_and_in_which_characters(place: Place) {
    let server = place.start().await;
    let mut answers = answers(&server).await;
    for path in ["/docs", "/docs/0.js", "/redoc", "/openapi.json", "/login", "/dev/mail"] {
        answers.push((path, server.anonymous().get(path).await.expect(200)));
    }
    for (what, reply) in answers {
        let kind = reply.header("content-type").unwrap_or_default();
        if reply.body.is_empty() {
            continue;
        }
        // JSON is UTF-8 by its own definition (RFC 8259, section 8.1).
        let is_json = [
            "application/json",
            "application/problem+json",
            "application/jwk-set+json",
        ]
        .contains(&kind);
        let is_html = reply.text().trim_start().to_lowercase().starts_with("<!doctype html>");
        assert_eq!(
            is_json,
            serde_json::from_slice::<Value>(&reply.body).is_ok(),
            "{what}: {kind}"
        );
        assert_eq!(is_html, kind == "text/html; charset=utf-8", "{what}: {kind}");
        assert!(is_json || kind.ends_with("; charset=utf-8"), "{what}: {kind}");
    }
}

async fn what_is_no_page_neither_loads_nor_is_framed(place: Place) {
    let server = place.start().await;
    for (what, reply) in answers(&server).await {
        let policy = reply.header("content-security-policy");
        let expected = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        assert_eq!(policy, Some(expected), "{what}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{what}");
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"), "{what}");
        let opener = reply.header("cross-origin-opener-policy");
        assert_eq!(opener, Some("same-origin"), "{what}");
    }
}

async fn over_https_every_answer_demands_it_for_years(place: Place) {
    let by_http = place.start().await;
    let reply = by_http.anonymous().get("/health/live").await;
    assert_eq!(
        reply.header("strict-transport-security"),
        None,
        "there is none to demand"
    );
    by_http.stop().await;
    let server = place.start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    for (what, reply) in answers(&server).await {
        let demand = reply.header("strict-transport-security");
        assert_eq!(demand, Some("max-age=63072000"), "{what}");
    }
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
        .body("application/reports+json", "[[null]]")
        .await
        .expect_any_problem(422);
    post()
        .body("application/csp-report", vec![b' '; 1024 * 1024])
        .await
        .expect_any_problem(413);
    assert_eq!(server.snapshot().await, before);
}
