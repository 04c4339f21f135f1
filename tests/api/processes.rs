//! Several processes that are one server to whoever asks.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Actor, Anonymous, PASSWORD, Place, Process, Request, both_engines, jwt_header};

both_engines![two_processes_on_one_database_are_one_server];

fn try_password(anonymous: &Anonymous, email: &str) -> Request {
    let body = json!({"email": email, "password": "not-the-password"});
    anonymous.post("/api/auth/login").json(body)
}

fn kid(token: &str) -> String {
    jwt_header(token)["kid"].as_str().expect("a name").to_owned()
}

async fn two_processes_on_one_database_are_one_server(place: Place) {
    let variables = [
        ("RATE_LIMITS", "on"),
        ("LIMIT_TRIES_PER_ACCOUNT", "4/1h"),
        ("LIMIT_TRIES_PER_NETWORK", "1000/1m"),
    ];
    // Whoever comes first makes the tables and the key, and neither is in the way of the other.
    let (first, second) = tokio::join!(
        Process::start_bare(&place, &variables),
        Process::start_bare(&place, &variables)
    );
    let (one, other) = (first.anonymous(), second.anonymous());

    // Signed up and in at one, somebody is so at the other, and goes on there.
    let mut ann = one.user("ann@example.com").await;
    let elsewhere = one.log_in("ann@example.com", PASSWORD).await;
    let first_key = kid(&ann.access_token);
    ann.anonymous = other.clone();
    assert!(ann.is_signed_in().await);
    ann.refresh().await;
    ann.anonymous = one.clone();
    ann.refresh().await;

    // Signed out at the other, they are so at once at both.
    ann.anonymous = other.clone();
    ann.post("/api/auth/logout").await.expect(200);
    for anonymous in [&one, &other] {
        ann.anonymous = anonymous.clone();
        ann.get("/users/me").await.expect_problem(401, "session_ended");
        let reply = anonymous.post("/api/auth/refresh").bearer(&ann.refresh_token).await;
        reply.expect_problem(401, "refresh_token_invalid");
        let request = anonymous.get("/users/me").bearer(&elsewhere.access_token);
        request.await.expect(200);
    }

    // Guesses at an account count wherever they are made.
    for anonymous in [&one, &other, &one, &other] {
        try_password(anonymous, "ann@example.com").await.expect(401);
    }
    for anonymous in [&one, &other] {
        let reply = try_password(anonymous, "ann@example.com").await;
        reply.expect_problem(429, "too_many_requests");
        try_password(anonymous, "bob@example.com").await.expect(401);
    }

    // A new key is known to one of them first, and what it signs to both.
    place.vestibule(&["keys", "rotate", "--now"]).await.expect_success();
    one.sign_up("carol@example.com").await;
    let deadline = Instant::now() + Duration::from_secs(40);
    let fresh = loop {
        let body = json!({"email": "carol@example.com", "password": PASSWORD});
        let tokens = one.post("/api/auth/login").json(body).await.expect(200).json();
        let token = tokens["access_token"].as_str().expect("a token").to_owned();
        if kid(&token) != first_key {
            break token;
        }
        assert!(Instant::now() < deadline, "the new key is not found");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    for anonymous in [&one, &other] {
        anonymous.get("/users/me").bearer(&fresh).await.expect(200);
        let old = anonymous.get("/users/me").bearer(&elsewhere.access_token).await;
        old.expect_problem(401, "token_invalid");
        let published = anonymous.get("/.well-known/jwks.json").await.expect(200).text();
        assert!(
            published.contains(&kid(&fresh)) && !published.contains(&first_key),
            "{published}"
        );
    }

    // What one of them had in hand when it was killed is in nobody's way.
    first.kill();
    other.get("/users/me").bearer(&fresh).await.expect(200);
    other.user("dan@example.com").await;
}
