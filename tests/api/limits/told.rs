//! How a limit is told: to whoever meets it, to those who watch the server, and to who writes a client.

use serde_json::{Value, json};

use super::{FORGOT, LOG_IN, REFRESH, REGISTER, RESEND, STRENGTH, assert_refused, attack, limited, log_in};
use crate::support::{Actor, HTML, MINUTE, PASSWORD, Place, Process, both_engines, field_value, one_engine};

both_engines![
    a_form_comes_back_with_the_time_to_wait,
    the_audit_log_says_once_that_a_limit_was_reached,
];

one_engine![
    sqlite: Sqlite,
    the_api_tells_what_it_limits,
    the_log_says_once_that_a_limit_was_reached,
];

async fn a_form_comes_back_with_the_time_to_wait(place: Place) {
    let few = [("LIMIT_TRIES_PER_ACCOUNT", "3/3m"), ("LIMIT_MAILS_PER_ADDRESS", "1/1h")];
    let server = limited(&place, &few).await;
    server.sign_up("ann@example.com").await;
    attack(&server, "ann@example.com").await;
    let browser = server.browser();
    let fields = [
        ("username", "ann@example.com"),
        ("password", PASSWORD),
        ("remember", "true"),
        ("next", "/products"),
    ];
    let back = browser.submit("/form/log_in", &fields).await.expect_see_other();
    assert_eq!(back, "/login?next=%2Fproducts");
    let page = browser.open(&back).await.expect_page(200);
    let html = page
        .says("This was tried too often. Wait 60 seconds, and try again.")
        .text();
    assert!(html.contains("<title>Error: Sign in · Vestibule</title>"), "{html}");
    assert_eq!(html.matches("role=\"alert\"").count(), 1, "{html}");
    assert_eq!(field_value(&html, "username").as_deref(), Some("ann@example.com"));
    assert!(!html.contains(PASSWORD), "{html}");

    browser
        .send("/form/request_reset", &[("email", "ann@example.com")])
        .await;
    let page = browser
        .send("/form/request_reset", &[("email", "ann@example.com")])
        .await;
    let html = page
        .says("This was tried too often. Wait 60 minutes, and try again.")
        .text();
    assert_eq!(field_value(&html, "email").as_deref(), Some("ann@example.com"));

    // A program that sends the form is told as by the API.
    let form = json!({"username": "ann@example.com", "password": PASSWORD});
    let program = server.anonymous().post("/form/log_in").json(&form).await;
    assert_refused(&program, "a program's form", "account", (3, 180), 60);
    assert_eq!(
        program.json(),
        without_oauth(log_in(&server, "ann@example.com", PASSWORD).await.json())
    );

    // A browser at a path of the templates', which has no form of ours to come back to.
    let login = server.browser().post("/login").header("accept", HTML);
    let page = login
        .form(&[("username", "ann@example.com"), ("password", PASSWORD)])
        .await;
    assert_eq!(page.header("retry-after"), Some("60"));
    assert!(page.header("ratelimit").is_some());
    page.expect_page(429)
        .says("Too many tries")
        .says("This was tried too often. Wait 60 seconds, and try again.");
}

fn without_oauth(mut problem: Value) -> Value {
    for member in ["error", "error_description"] {
        problem.as_object_mut().unwrap().remove(member);
    }
    problem
}

async fn the_audit_log_says_once_that_a_limit_was_reached(place: Place) {
    let few = [("LIMIT_TRIES_PER_ACCOUNT", "2/2m"), ("LIMIT_TRIES_PER_NETWORK", "4/4m")];
    let server = limited(&place, &few).await;
    let events = async || {
        let sql = "SELECT event || ' ' || outcome || ' ' || client_address FROM audit_events WHERE event = 'log_in' ORDER BY id";
        let events: Vec<String> = sqlx::query_scalar(sql).fetch_all(server.database()).await.unwrap();
        events
    };
    let wrong = "log_in invalid_credentials 192.0.2.1".to_owned();
    let refused = "log_in too_many_requests 192.0.2.1".to_owned();
    let guess = async |identifier: &str| {
        let request = log_in(&server, identifier, "wrong").header("x-forwarded-for", "192.0.2.1");
        request.await.status
    };
    // Two pass, two find the account's limit reached, and all others the network's.
    for number in 0..10 {
        let status = guess("ann").await;
        assert_eq!(status == 429, number >= 2);
    }
    let expected = [&wrong, &wrong, &refused, &refused];
    assert_eq!(events().await.iter().collect::<Vec<_>>(), expected);
    // While any of it is used it is the same attack; after that, another.
    server.advance(MINUTE);
    for status in [401, 429, 429] {
        assert_eq!(guess("ann").await, status);
    }
    assert_eq!(events().await.len(), 5);
    server.advance(10 * MINUTE);
    for status in [401, 401, 429, 429] {
        assert_eq!(guess("ann").await, status);
    }
    assert_eq!(events().await.len(), 8);
}

async fn the_api_tells_what_it_limits(place: Place) {
    let server = place.start().await;
    let document = server.anonymous().get("/openapi.json").await.expect(200).json();
    for (method, path) in [
        ("post", LOG_IN),
        ("post", "/token"),
        ("post", REFRESH),
        ("post", REGISTER),
        ("post", FORGOT),
        ("post", RESEND),
        ("post", "/api/auth/verify-email"),
        ("post", "/api/auth/reset-password"),
        ("post", "/api/auth/me/password"),
        ("post", "/api/auth/me/email"),
        ("delete", "/api/auth/me"),
        ("post", STRENGTH),
    ] {
        let refusal = &document["paths"][path][method]["responses"]["429"];
        for name in ["Retry-After", "RateLimit", "RateLimit-Policy"] {
            assert!(
                refusal["headers"][name]["description"].is_string(),
                "{method} {path}: {refusal}"
            );
        }
        let example = &refusal["content"]["application/problem+json"]["examples"]["too_many_requests"]["value"];
        assert_eq!(example["status"], 429, "{method} {path}: {refusal}");
    }
    let unlimited = &document["paths"]["/api/auth/logout"]["post"]["responses"];
    assert!(unlimited["401"].is_object() && unlimited.get("429").is_none());
}

async fn the_log_says_once_that_a_limit_was_reached(place: Place) {
    let process = Process::start(&place, &[("RATE_LIMITS", "on"), ("LIMIT_TRIES_PER_ACCOUNT", "2/1h")]).await;
    for status in [401, 401, 429, 429, 429] {
        let body = json!({"username": "ann@example.com", "password": "wrong"});
        process.anonymous().post(LOG_IN).json(body).await.expect(status);
    }
    let output = process.output();
    let lines: Vec<&str> = output.lines().filter(|line| line.contains("too many tries")).collect();
    assert_eq!(lines.len(), 1, "{output}");
    assert!(
        lines[0].contains("WARN") && lines[0].contains("log_in") && lines[0].contains("account"),
        "{lines:?}"
    );
    assert!(!output.contains("ann@example.com"), "{output}");
}
