use serde_json::json;

use crate::support::{Actor, NEW_PASSWORD, PUBLIC_URL, Place, both_engines};

both_engines![
    a_link_is_mailed_to_the_owner,
    the_answer_never_holds_the_token,
    links_are_built_from_the_public_url_and_never_from_the_host,
    the_outbox_row_holds_no_token,
    an_inactive_user_gets_no_way_in,
];

const FORGOT: &str = "/api/auth/forgot-password";

async fn a_link_is_mailed_to_the_owner(place: Place) {
    let server = place.start().await;
    server.sign_up("Ann@Example.com").await;
    for (count, path) in [FORGOT, "/auth/forgot-password"].into_iter().enumerate() {
        server
            .anonymous()
            .post(path)
            .json(json!({"email": "ann@example.com"}))
            .await
            .expect(200);
        server.links("Ann@Example.com", "/reset-password", count + 1).await;
    }
    let mail = server.mails("Ann@Example.com", 3).await.remove(0);
    assert!(mail.subject.to_lowercase().contains("password"), "{mail:?}");
    let token = mail.link_token("/reset-password").unwrap();
    assert!(token.starts_with("vst_lt_"), "{token}");
    assert!(mail.html.contains(&token), "both parts hold the link");
}

async fn the_answer_never_holds_the_token(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let reply = server
        .anonymous()
        .post(FORGOT)
        .json(json!({"email": "ann@example.com"}))
        .await
        .expect(200);
    assert!(!reply.text().contains("vst_"), "{}", reply.text());
    assert_eq!(reply.json().get("reset_token"), None);
}

async fn links_are_built_from_the_public_url_and_never_from_the_host(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let forgot = server.anonymous().post(FORGOT).header("host", "evil.example");
    let forgot = forgot
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example");
    let reply = forgot.json(json!({"email": "ann@example.com"})).await;
    if reply.status == 200 {
        server.links("ann@example.com", "/reset-password", 1).await;
    }
    for mail in server.mails("ann@example.com", 1).await {
        assert!(
            !mail.text.contains("evil.example") && !mail.html.contains("evil.example"),
            "{mail:?}"
        );
        assert!(mail.text.contains(&format!("{PUBLIC_URL}/")), "{mail:?}");
    }
}

async fn the_outbox_row_holds_no_token(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let token = server.reset_link("ann@example.com").await;
    let rows: Vec<String> = sqlx::query_scalar(
        "SELECT kind || ' ' || COALESCE(parameters, '') || ' ' || COALESCE(last_error, '') FROM outbox",
    )
    .fetch_all(server.database())
    .await
    .unwrap();
    assert!(rows.iter().all(|row| !row.contains("vst_")), "{rows:?}");
    let hashes: Vec<String> = sqlx::query_scalar("SELECT hash FROM link_tokens")
        .fetch_all(server.database())
        .await
        .unwrap();
    assert!(
        hashes
            .iter()
            .all(|hash| !hash.contains(&token) && !token.contains(hash.as_str())),
        "{hashes:?}"
    );
}

async fn an_inactive_user_gets_no_way_in(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let link = server.reset_link("ann@example.com").await;
    admin
        .patch(&format!("/api/users/{}", ann.user_id))
        .json(json!({"is_active": false}))
        .await
        .expect(200);
    let body = json!({"token": link, "new_password": NEW_PASSWORD});
    server.anonymous().post("/api/auth/reset-password").json(body).await;
    let body = json!({"email": "ann@example.com", "password": NEW_PASSWORD});
    let reply = server.anonymous().post("/api/auth/login").json(body).await;
    reply.expect_refusal();
}
