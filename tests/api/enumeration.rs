//! Whether somebody has an account here is nobody's business: the answers are alike to the byte.

use serde_json::json;

use crate::support::{Actor, PASSWORD, Place, Reply, Server, both_engines};

both_engines![
    log_in_answers_alike,
    forgot_password_answers_alike,
    resend_verification_answers_alike,
    a_foreign_identifier_answers_alike,
    an_unknown_user_costs_the_same_hash,
];

/// The identifiers of somebody active, disabled, verified, and of nobody at all.
async fn people(server: &Server) -> Vec<&'static str> {
    let admin = server.admin("admin@example.com").await;
    server.sign_up("active@example.com").await;
    server.sign_up("verified@example.com").await;
    let link = server.verification_link("verified@example.com").await;
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": link}))
        .await
        .expect_success();
    let disabled = server.sign_up("disabled@example.com").await;
    let path = format!("/api/users/{}", disabled["id"].as_str().unwrap());
    admin.patch(&path).json(json!({"is_active": false})).await.expect(200);
    vec![
        "active@example.com",
        "verified@example.com",
        "disabled@example.com",
        "nobody@example.com",
    ]
}

#[track_caller]
fn assert_alike(replies: &[Reply]) {
    for reply in replies {
        assert_eq!(reply.observable(), replies[0].observable());
    }
}

async fn log_in_answers_alike(place: Place) {
    let server = place.start().await;
    let mut replies = Vec::new();
    for email in people(&server).await {
        let body = json!({"email": email, "password": "not-the-password"});
        replies.push(server.anonymous().post("/api/auth/login").json(body).await.expect(401));
    }
    assert_alike(&replies);
}

async fn forgot_password_answers_alike(place: Place) {
    let server = place.start().await;
    let mut replies = Vec::new();
    for email in people(&server).await {
        let body = json!({"email": email});
        replies.push(
            server
                .anonymous()
                .post("/api/auth/forgot-password")
                .json(body)
                .await
                .expect(200),
        );
    }
    assert_alike(&replies);
    server.links("active@example.com", "/reset-password", 1).await;
    let strangers = server
        .count("SELECT COUNT(*) FROM outbox WHERE address = 'nobody@example.com'")
        .await;
    assert_eq!(strangers, 0, "nobody is mailed");
}

async fn resend_verification_answers_alike(place: Place) {
    let server = place.start().await;
    let mut replies = Vec::new();
    for email in people(&server).await {
        let body = json!({"email": email});
        replies.push(
            server
                .anonymous()
                .post("/api/auth/resend-verification")
                .json(body)
                .await
                .expect(200),
        );
    }
    assert_alike(&replies);
}

async fn a_foreign_identifier_answers_alike(place: Place) {
    let server = place.start().await;
    server.sign_up("active@example.com").await;
    let mut replies = Vec::new();
    for identifier in [
        "active@example.com",
        "nobody",
        "not a name at all",
        "a@b@c",
        "\u{0}",
        "",
        &"x".repeat(500),
    ] {
        let body = json!({"username": identifier, "password": "not-the-password"});
        let reply = server.anonymous().post("/api/auth/login").json(body).await;
        // An empty field is a mistake of the form, and says nothing of anybody.
        if !identifier.is_empty() || reply.status == 401 {
            replies.push(reply.expect(401));
        }
    }
    assert_alike(&replies);
}

async fn an_unknown_user_costs_the_same_hash(place: Place) {
    // With a hash that takes its time, a path without one would stand out by more than any noise.
    let server = place
        .start_with(&[("ARGON2_MEMORY_KIB", "65536"), ("ARGON2_PASSES", "4")])
        .await;
    server.sign_up("active@example.com").await;
    let time = async |email: &str| {
        let mut best = std::time::Duration::MAX;
        for _ in 0..3 {
            let started = std::time::Instant::now();
            let body = json!({"email": email, "password": PASSWORD.to_lowercase()});
            server.anonymous().post("/api/auth/login").json(body).await.expect(401);
            best = best.min(started.elapsed());
        }
        best
    };
    let known = time("active@example.com").await;
    let unknown = time("nobody@example.com").await;
    assert!(unknown > known / 2, "known {known:?}, unknown {unknown:?}");
}
