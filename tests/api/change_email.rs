use serde_json::{Value, json};

use crate::support::{Actor, ApiClient, DAY, PASSWORD, Place, both_engines, in_parallel};

both_engines![
    a_new_address_holds_only_once_confirmed,
    the_password_is_asked_for,
    the_old_address_is_told,
    the_link_ends_after_a_day,
    an_address_is_confirmed_for_one_user_only,
    what_cannot_be_an_address_is_refused,
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
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    server
        .anonymous()
        .post("/api/auth/login")
        .json(body)
        .await
        .expect_problem(401, "invalid_credentials");
}

async fn the_password_is_asked_for(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let body = json!({"password": "not-the-password", "new_email": "eve@example.com"});
    let code = ann.post(CHANGE).json(body).await.expect_invalid_field("password");
    assert_eq!(code, "wrong_password");
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
