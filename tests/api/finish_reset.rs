use serde_json::json;

use crate::support::{Actor, MINUTE, NEW_PASSWORD, PASSWORD, Place, Reply, Server, both_engines, in_parallel};

both_engines![
    the_link_sets_a_new_password,
    a_link_works_once,
    parallel_uses_of_a_link_succeed_once,
    a_link_ends_after_ten_minutes,
    the_life_of_a_link_is_configurable,
    a_reset_ends_all_sessions_and_all_other_reset_links,
    a_refused_password_leaves_the_link_good,
    a_get_does_not_use_a_link_up,
    a_link_of_another_kind_resets_nothing,
    what_is_not_a_link_token_is_refused,
    the_user_is_told,
];

const RESET: &str = "/api/auth/reset-password";

async fn reset(server: &Server, token: &str) -> Reply {
    server
        .anonymous()
        .post(RESET)
        .json(json!({"token": token, "new_password": NEW_PASSWORD}))
        .await
}

async fn the_link_sets_a_new_password(place: Place) {
    let server = place.start().await;
    for (email, path) in [("ann@example.com", RESET), ("bob@example.com", "/auth/change-password")] {
        server.sign_up(email).await;
        let token = server.reset_link(email).await;
        let body = json!({"token": token, "new_password": NEW_PASSWORD});
        let reply = server.anonymous().post(path).json(body).await.expect(200);
        assert_eq!(reply.json(), json!({"msg": "Password changed successfully"}));
        server.log_in_with(email, NEW_PASSWORD).await;
        server.refuses_log_in(email, PASSWORD).await;
    }
}

async fn a_link_works_once(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    reset(&server, &token).await.expect(200);
    reset(&server, &token).await.expect_problem(400, "link_invalid");
}

async fn parallel_uses_of_a_link_succeed_once(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    let number = std::sync::atomic::AtomicUsize::new(0);
    let password = |number: usize| format!("Copper7-lantern-{number}-vowel");
    let replies = in_parallel(8, || {
        let mine = password(number.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        let request = server
            .anonymous()
            .post(RESET)
            .json(json!({"token": token, "new_password": mine}));
        async move { request.await }
    });
    let statuses: Vec<u16> = replies.await.iter().map(|reply| reply.status).collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 200).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 400).count(),
        7,
        "{statuses:?}"
    );
    let mut holding = 0;
    for number in 0..8 {
        let body = json!({"email": "ann@example.com", "password": password(number)});
        let status = server.anonymous().post("/api/auth/login").json(body).await.status;
        holding += usize::from(status == 200);
    }
    assert_eq!(holding, 1);
}

async fn a_link_ends_after_ten_minutes(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    server.advance(10 * MINUTE);
    reset(&server, &token).await.expect_problem(400, "link_invalid");

    server.sign_up("bob@example.com").await;
    let token = server.reset_link("bob@example.com").await;
    server.advance(10 * MINUTE - 1);
    reset(&server, &token).await.expect(200);
}

async fn the_life_of_a_link_is_configurable(place: Place) {
    let server = place.start_with(&[("RESET_TOKEN_EXPIRE_MINUTES", "2")]).await;
    server.sign_up("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    server.advance(2 * MINUTE);
    reset(&server, &token).await.expect_problem(400, "link_invalid");
}

async fn a_reset_ends_all_sessions_and_all_other_reset_links(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let second = server.log_in("ann@example.com").await;
    let bob = server.user("bob@example.com").await;
    let of_bob = server.reset_link("bob@example.com").await;
    server.reset_link("ann@example.com").await;
    server
        .anonymous()
        .post("/api/auth/forgot-password")
        .json(json!({"email": "ann@example.com"}))
        .await
        .expect(200);
    let links = server.links("ann@example.com", "/reset-password", 2).await;

    reset(&server, &links[0]).await.expect(200);
    reset(&server, &links[1]).await.expect_problem(400, "link_invalid");
    for client in [&ann, &second] {
        client.get("/api/auth/me").await.expect_problem(401, "session_ended");
        server
            .anonymous()
            .post("/api/auth/refresh")
            .bearer(&client.refresh_token)
            .await
            .expect_any_problem(401);
    }
    assert!(bob.is_signed_in().await);
    reset(&server, &of_bob).await.expect(200);
}

async fn a_refused_password_leaves_the_link_good(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    for (bad, expected) in [
        ("short", "password_too_short"),
        ("password123", "password_guessable"),
        ("", "required"),
    ] {
        let body = json!({"token": token, "new_password": bad});
        let reply = server.anonymous().post(RESET).json(body).await;
        assert_eq!(reply.expect_invalid_field("new_password"), expected);
    }
    assert!(ann.is_signed_in().await);
    reset(&server, &token).await.expect(200);
}

async fn a_get_does_not_use_a_link_up(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    for path in ["/reset-password", RESET, "/auth/change-password"] {
        // A mail scanner follows links, with and without a body to show for it.
        server.anonymous().get(&format!("{path}?token={token}")).await;
    }
    reset(&server, &token).await.expect(200);
}

async fn a_link_of_another_kind_resets_nothing(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let verification = server.verification_link("ann@example.com").await;
    reset(&server, &verification).await.expect_problem(400, "link_invalid");
    let reset_token = server.reset_link("ann@example.com").await;
    let reply = server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": reset_token}))
        .await;
    reply.expect_problem(400, "link_invalid");
    // And neither was used up by the attempt.
    let reply = server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": verification}))
        .await;
    reply.expect_success();
    reset(&server, &reset_token).await.expect(200);
}

async fn what_is_not_a_link_token_is_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let before = server.snapshot().await;
    let unknown = format!("vst_lt_{}", "A".repeat(43));
    for bad in [
        "",
        "x",
        "vst_lt_",
        "🌷",
        "vst_lt_\u{0}",
        &unknown,
        &ann.refresh_token,
        &ann.access_token,
    ] {
        reset(&server, bad).await.expect_problem(400, "link_invalid");
    }
    assert_eq!(server.snapshot().await, before);
}

async fn the_user_is_told(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    let before = server.mails("ann@example.com", 2).await.len();
    reset(&server, &token).await.expect(200);
    let notice = server.mails("ann@example.com", before + 1).await.remove(0);
    assert!(notice.subject.to_lowercase().contains("password"), "{notice:?}");
    assert_eq!(notice.link_token("/reset-password"), None);
}
