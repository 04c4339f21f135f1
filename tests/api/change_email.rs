use std::{future::IntoFuture, time::Duration};

use serde_json::{Value, json};

use crate::support::{Actor, ApiClient, DAY, NEW_PASSWORD, PASSWORD, Place, both_engines, in_parallel};

both_engines![
    a_new_address_holds_only_once_confirmed,
    the_password_is_asked_for,
    the_old_address_is_told,
    the_link_ends_after_a_day,
    an_address_is_confirmed_for_one_user_only,
    what_cannot_be_an_address_is_refused,
    a_left_address_cannot_call_the_account_back,
    a_wish_ends_with_the_password_under_which_it_was_made,
    a_wish_ends_when_the_account_is_disabled,
    a_password_proof_does_not_outlive_the_password,
    a_private_house_tells_a_wish_for_a_taken_address_from_no_other,
];

const CHANGE: &str = "/api/auth/me/email";

async fn address_of(client: &ApiClient) -> Value {
    client.get("/api/auth/me").await.expect(200).json()["email"].clone()
}

async fn a_new_address_holds_only_once_confirmed(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let body = json!({"password": PASSWORD, "new_email": "Ann@new.example"});
    ann.post(CHANGE).json(body).await.expect_success();
    assert_eq!(address_of(&ann).await, "ann@example.com");
    server.log_in("ann@example.com").await;

    let link = server.verification_link("Ann@new.example").await;
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": link}))
        .await
        .expect_success();
    let me = ann.get("/api/auth/me").await.expect(200).json();
    assert_eq!(me["email"], "Ann@new.example");
    assert_eq!(me["email_verified"], true);
    server.log_in("ann@new.example").await;
    server.refuses_log_in("ann@example.com", PASSWORD).await;
}

async fn the_password_is_asked_for(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let body = json!({"password": "not-the-password", "new_email": "eve@example.com"});
    let code = ann.post(CHANGE).json(body).await.expect_invalid_field("password");
    assert_eq!(code, "wrong_password");
    let body = json!({"password": "", "new_email": "eve"});
    let reply = ann.post(CHANGE).json(body).await;
    assert_eq!(reply.expect_invalid_field("password"), "required");
    assert_eq!(
        reply.expect_invalid_field("new_email"),
        "invalid_email",
        "both are told at once"
    );
    let body = json!({"password": PASSWORD, "new_email": "eve@example.com"});
    server
        .anonymous()
        .post(CHANGE)
        .json(body)
        .await
        .expect_problem(401, "not_authenticated");
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM outbox WHERE address = 'eve@example.com'")
            .await,
        0
    );
}

async fn the_old_address_is_told(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    server.mails("ann@example.com", 1).await;
    ann.post(CHANGE)
        .json(json!({"password": PASSWORD, "new_email": "ann@new.example"}))
        .await
        .expect_success();
    let link = server.verification_link("ann@new.example").await;
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": link}))
        .await
        .expect_success();
    let notice = server.mails("ann@example.com", 2).await.remove(0);
    assert!(notice.subject.to_lowercase().contains("address"), "{notice:?}");
    assert!(!notice.text.contains("vst_"), "{notice:?}");
}

async fn the_link_ends_after_a_day(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.post(CHANGE)
        .json(json!({"password": PASSWORD, "new_email": "ann@new.example"}))
        .await
        .expect_success();
    let link = server.verification_link("ann@new.example").await;
    server.advance(DAY);
    let reply = server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": link}))
        .await;
    reply.expect_problem(400, "link_invalid");
    server.log_in("ann@example.com").await;
}

async fn an_address_is_confirmed_for_one_user_only(place: Place) {
    let server = place.start().await;
    let mut links = Vec::new();
    for email in ["ann@example.com", "bob@example.com"] {
        let user = server.user(email).await;
        user.post(CHANGE)
            .json(json!({"password": PASSWORD, "new_email": "new@example.com"}))
            .await
            .expect_success();
        links = server.links("new@example.com", "/verify-email", links.len() + 1).await;
    }
    let statuses = std::sync::Mutex::new(links);
    let replies = in_parallel(2, || {
        let token = statuses.lock().unwrap().pop().unwrap();
        let request = server
            .anonymous()
            .post("/api/auth/verify-email")
            .json(json!({"token": token}));
        async move { request.await }
    });
    let mut statuses: Vec<u16> = replies.await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[0] / 100, 2, "{statuses:?}");
    assert_eq!(statuses[1] / 100, 4, "{statuses:?}");
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM users WHERE email = 'new@example.com'")
            .await,
        1
    );
}

async fn what_cannot_be_an_address_is_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    for bad in [
        "",
        "ann",
        "a@b@c",
        "ann@new.example\r\nBcc: eve@example.com",
        "a\u{0}@new.example",
    ] {
        ann.post(CHANGE)
            .json(json!({"password": PASSWORD, "new_email": bad}))
            .await
            .expect_invalid_field("new_email");
    }
    assert_eq!(address_of(&ann).await, "ann@example.com");
}

/// Whoever reads a mailbox that an account has left can have a plain verification link mailed there, while it has not.
async fn a_left_address_cannot_call_the_account_back(place: Place) {
    let server = place.start().await;
    let owner = server.user("typo@stranger.example").await;
    let strangers = server.verification_link("typo@stranger.example").await;
    let body = json!({"password": PASSWORD, "new_email": "right@owner.example"});
    owner.post(CHANGE).json(body).await.expect_success();
    let owners = server.verification_link("right@owner.example").await;
    let verify = |token: String| {
        let request = server.anonymous().post("/api/auth/verify-email");
        request.json(json!({"token": token}))
    };
    verify(owners).await.expect_success();
    verify(strangers).await.expect_problem(400, "link_invalid");
    assert_eq!(address_of(&owner).await, "right@owner.example");
}

async fn a_wish_ends_with_the_password_under_which_it_was_made(place: Place) {
    let server = place.start().await;
    let thief = server.user("ann@example.com").await;
    let body = json!({"password": PASSWORD, "new_email": "thief@evil.example"});
    thief.post(CHANGE).json(body).await.expect_success();
    let thiefs = server.verification_link("thief@evil.example").await;
    let owners = server.reset_link("ann@example.com").await;
    let reset = json!({"token": owners, "new_password": NEW_PASSWORD});
    server
        .anonymous()
        .post("/api/auth/reset-password")
        .json(reset)
        .await
        .expect_success();
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": thiefs}))
        .await
        .expect_problem(400, "link_invalid");
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
}

async fn a_wish_ends_when_the_account_is_disabled(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let body = json!({"password": PASSWORD, "new_email": "elsewhere@example.com"});
    ann.post(CHANGE).json(body).await.expect_success();
    let link = server.verification_link("elsewhere@example.com").await;
    let path = format!("/api/users/{}", ann.user_id);
    admin
        .patch(&path)
        .json(json!({"is_active": false}))
        .await
        .expect_success();
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": link}))
        .await
        .expect_problem(400, "link_invalid");
    let user = admin.get(&path).await.expect(200).json();
    assert_eq!(user["email"], "ann@example.com");
}

/// The proof of the password waits for a hashing thread, and the owner's reset may come before its turn.
async fn a_password_proof_does_not_outlive_the_password(place: Place) {
    let dear = [("ARGON2_MEMORY_KIB", "19456"), ("ARGON2_PASSES", "2")];
    let server = place.start_with(&dear).await;
    let thief = server.user("ann@example.com").await;
    let link = server.reset_link("ann@example.com").await;
    let junk = in_parallel(30, || {
        let body = json!({"email": "nobody@example.com", "password": PASSWORD});
        server.anonymous().post("/api/auth/login").json(body).into_future()
    });
    let reset = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let body = json!({"token": link, "new_password": NEW_PASSWORD});
        let request = server.anonymous().post("/api/auth/reset-password");
        request.json(body).await.expect_success();
    };
    // One wish after another, so that some wait while the reset is written.
    let theft = async {
        let mut wishes = tokio::task::JoinSet::new();
        for _ in 0..60 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            let body = json!({"password": PASSWORD, "new_email": "thief@evil.example"});
            wishes.spawn(thief.post(CHANGE).json(body).into_future());
        }
        wishes.join_all().await
    };
    let (_, (), _) = tokio::join!(junk, reset, theft);
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
    server.mail_is_done().await;
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM link_tokens WHERE email = 'thief@evil.example'")
            .await,
        0
    );
}

/// In a private house the caller's own data must not tell whether the address they asked for has an account.
async fn a_private_house_tells_a_wish_for_a_taken_address_from_no_other(place: Place) {
    let server = place.start_with(&[("PRIVATE_SIGNUP", "true")]).await;
    let verified = async |email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        server
            .anonymous()
            .post("/api/auth/register")
            .json(body)
            .await
            .expect(201);
        let link = server.verification_link(email).await;
        let request = server.anonymous().post("/api/auth/verify-email");
        request.json(json!({"token": link})).await.expect_success();
    };
    verified("owner@example.com").await;
    let mut exports = Vec::new();
    for (who, wanted) in [
        ("ann@example.com", "owner@example.com"),
        ("bob@example.com", "nobody@example.com"),
    ] {
        verified(who).await;
        let caller = server.log_in(who).await;
        let body = json!({"password": PASSWORD, "new_email": wanted});
        let said = caller.post(CHANGE).json(body).await.expect_success().json();
        server.mail_is_done().await;
        let export = caller.get("/api/auth/me/export").await.expect(200).json();
        let shape = |list: &str, field: &str| -> Vec<String> {
            let items = export[list].as_array().expect("a list");
            items.iter().map(|item| item[field].to_string()).collect()
        };
        exports.push((
            said,
            [
                shape("messages", "kind"),
                shape("messages", "state"),
                shape("messages", "last_error"),
            ],
            [shape("events", "event"), shape("events", "outcome")],
            [shape("links", "kind"), shape("sessions", "is_current")],
        ));
    }
    assert_eq!(exports[0], exports[1]);
    let told = server.mails("owner@example.com", 2).await.remove(0);
    assert!(told.subject.contains("already have an account"), "{told:?}");
    assert!(!told.text.contains("vst_"), "{told:?}");
}
