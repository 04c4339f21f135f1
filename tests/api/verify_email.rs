use serde_json::json;

use crate::support::{Actor, DAY, HOUR, PASSWORD, Place, Reply, Server, both_engines, in_parallel};

both_engines![
    a_letter_sent_again_says_when_the_account_was_made_and_not_who_asked,
    the_link_verifies_the_address,
    parallel_uses_of_a_link_succeed_once,
    a_link_ends_after_a_day,
    a_get_does_not_use_a_link_up,
    another_link_is_sent_on_request,
    a_verified_address_gets_no_other_link,
    a_link_to_an_address_that_was_changed_since_is_void,
    what_is_not_a_link_token_is_refused,
];

const VERIFY: &str = "/api/auth/verify-email";
const RESEND: &str = "/api/auth/resend-verification";

async fn verify(server: &Server, token: &str) -> Reply {
    server.anonymous().post(VERIFY).json(json!({"token": token})).await
}

async fn the_link_verifies_the_address(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let token = server.verification_link("ann@example.com").await;
    verify(&server, &token).await.expect(200);
    assert_eq!(ann.get("/api/auth/me").await.json()["email_verified"], true);
    verify(&server, &token).await.expect_problem(400, "link_invalid");
}

async fn parallel_uses_of_a_link_succeed_once(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.verification_link("ann@example.com").await;
    let replies = in_parallel(8, || {
        let request = server.anonymous().post(VERIFY).json(json!({"token": token}));
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
}

async fn a_link_ends_after_a_day(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.verification_link("ann@example.com").await;
    server.advance(DAY);
    verify(&server, &token).await.expect_problem(400, "link_invalid");

    server.sign_up("bob@example.com").await;
    let token = server.verification_link("bob@example.com").await;
    server.advance(DAY - 1);
    verify(&server, &token).await.expect(200);
}

async fn a_get_does_not_use_a_link_up(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.verification_link("ann@example.com").await;
    for path in ["/verify-email", VERIFY] {
        server.anonymous().get(&format!("{path}?token={token}")).await;
    }
    verify(&server, &token).await.expect(200);
}

async fn another_link_is_sent_on_request(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    server.verification_link("ann@example.com").await;
    server
        .anonymous()
        .post(RESEND)
        .json(json!({"email": "ANN@example.com"}))
        .await
        .expect(200);
    let links = server.links("ann@example.com", "/verify-email", 2).await;
    verify(&server, &links[0]).await.expect(200);
    assert_eq!(ann.get("/api/auth/me").await.json()["email_verified"], true);
}

async fn a_verified_address_gets_no_other_link(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.verification_link("ann@example.com").await;
    verify(&server, &token).await.expect(200);
    server
        .anonymous()
        .post(RESEND)
        .json(json!({"email": "ann@example.com"}))
        .await
        .expect(200);
    server.mail_is_done().await;
    assert_eq!(server.links("ann@example.com", "/verify-email", 1).await.len(), 1);
    assert_eq!(server.count("SELECT COUNT(*) FROM link_tokens").await, 0);
}

async fn a_link_to_an_address_that_was_changed_since_is_void(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let first = server.verification_link("ann@example.com").await;
    let body = json!({"password": PASSWORD, "new_email": "ann@new.example"});
    ann.post("/api/auth/me/email").json(body).await.expect_success();
    let second = server.verification_link("ann@new.example").await;
    verify(&server, &second).await.expect(200);
    verify(&server, &first).await.expect_problem(400, "link_invalid");
    assert_eq!(ann.get("/api/auth/me").await.json()["email"], "ann@new.example");
}

async fn what_is_not_a_link_token_is_refused(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    server.verification_link("ann@example.com").await;
    let before = server.snapshot().await;
    for bad in [
        "",
        "x",
        "vst_lt_",
        "🌷",
        "vst_lt_\u{0}",
        &format!("vst_lt_{}", "A".repeat(43)),
    ] {
        verify(&server, bad).await.expect_problem(400, "link_invalid");
    }
    server
        .anonymous()
        .post(VERIFY)
        .json(json!({}))
        .await
        .expect_invalid_field("token");
    assert_eq!(server.snapshot().await, before);
}

/// Whoever asks for it, the reader must not take the account for theirs because they asked.
async fn a_letter_sent_again_says_when_the_account_was_made_and_not_who_asked(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let when = |text: &str| text.lines().find(|line| line.contains("When:")).map(str::to_owned);
    let first = server.mails("ann@example.com", 1).await.remove(0);
    assert!(first.text.contains("From:") && when(&first.text).is_some(), "{first:?}");
    server.advance(HOUR);
    let body = json!({"email": "ann@example.com"});
    server.anonymous().post(RESEND).json(body).await.expect_success();
    let again = server.mails("ann@example.com", 2).await.remove(0);
    assert_eq!(again.subject, first.subject);
    assert_eq!(when(&again.text), when(&first.text));
    assert!(!again.text.contains("From:"), "{again:?}");
}
