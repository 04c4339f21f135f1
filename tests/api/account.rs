use serde_json::{Value, json};

use crate::support::{Actor, NEW_PASSWORD, PASSWORD, Place, both_engines};

both_engines![
    a_user_reads_their_own_account,
    nobody_is_nobody,
    a_user_changes_their_name_and_username,
    what_is_left_out_stays_and_null_clears,
    a_taken_username_is_refused,
    the_owner_is_told_of_another_username,
    nothing_else_can_be_changed,
    deletion_takes_the_password_and_everything_goes,
    a_deleted_address_can_be_taken_again,
    the_export_holds_all_there_is_but_no_secrets,
];

const ME: &str = "/api/auth/me";

async fn a_user_reads_their_own_account(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    for path in [ME, "/users/me", "/current-user"] {
        let reply = ann.get(path).await.expect(200);
        let me = reply.json();
        let mut members: Vec<&String> = me.as_object().unwrap().keys().collect();
        members.sort();
        let expected = [
            "created_at",
            "email",
            "email_verified",
            "external_id",
            "id",
            "is_active",
            "name",
            "roles",
            "updated_at",
            "username",
        ];
        assert_eq!(members, expected, "{path}");
        assert_eq!(me["email"], "ann@example.com");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
}

async fn nobody_is_nobody(place: Place) {
    let server = place.start().await;
    for path in [
        ME,
        "/users/me",
        "/current-user",
        "/users/me/items",
        "/product/",
        "/users/",
        "/api/auth/sessions",
    ] {
        let reply = server.anonymous().get(path).await;
        reply.expect_problem(401, "not_authenticated");
        let challenge = reply.header("www-authenticate").unwrap();
        assert!(
            !challenge.contains("error"),
            "RFC 6750 section 3.1: no error where nothing was tried: {challenge}"
        );
    }
}

async fn a_user_changes_their_name_and_username(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    server.advance(60);
    let reply = ann
        .patch(ME)
        .json(json!({"name": "Ann O’Hara", "username": "ann"}))
        .await
        .expect(200);
    let me = reply.json();
    assert_eq!(me["name"], "Ann O’Hara");
    assert_eq!(me["username"], "ann");
    assert_eq!(me["updated_at"], "2026-03-01T12:01:00Z");
    assert_eq!(ann.get(ME).await.json(), me);
    let body = json!({"username": "ann", "password": PASSWORD});
    server.anonymous().post("/api/auth/login").json(body).await.expect(200);
}

async fn what_is_left_out_stays_and_null_clears(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.patch(ME)
        .json(json!({"name": "Ann", "username": "ann"}))
        .await
        .expect(200);
    let me = ann.patch(ME).json(json!({"name": "Anna"})).await.expect(200).json();
    assert_eq!((&me["name"], &me["username"]), (&json!("Anna"), &json!("ann")));
    let me = ann.patch(ME).json(json!({"username": null})).await.expect(200).json();
    assert_eq!((&me["name"], &me["username"]), (&json!("Anna"), &Value::Null));
    let me = ann.patch(ME).json(json!({})).await.expect(200).json();
    assert_eq!(me["name"], "Anna");
}

async fn a_taken_username_is_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let bob = server.user("bob@example.com").await;
    ann.patch(ME).json(json!({"username": "Ann"})).await.expect(200);
    bob.patch(ME)
        .json(json!({"username": "aNN", "name": "Bob"}))
        .await
        .expect_problem(409, "username_taken");
    assert_eq!(bob.get(ME).await.json()["name"], Value::Null, "all or nothing");
    // One's own, in another case, is free.
    ann.patch(ME).json(json!({"username": "ANN"})).await.expect(200);
    bob.patch(ME)
        .json(json!({"username": "no spaces"}))
        .await
        .expect_invalid_field("username");
}

async fn the_owner_is_told_of_another_username(place: Place) {
    const LETTERS: &str = "SELECT COUNT(*) FROM outbox WHERE kind = 'username_changed'";
    let few = [("RATE_LIMITS", "on"), ("LIMIT_MAILS_PER_ADDRESS", "2/1h")];
    let server = place.start_with(&few).await;
    let ann = server.user("ann@example.com").await;
    let mut told = Vec::new();
    for username in [json!("ann"), json!("ANN"), Value::Null, json!("eve"), json!("adam")] {
        let request = ann.patch(ME).header("user-agent", "curl/8.14.1");
        request.json(json!({"username": username})).await.expect(200);
        told.push(server.count(LETTERS).await);
    }
    // In other letters it is the same; and whoever changes it to and fro cannot fill the mailbox.
    assert_eq!(told, [1, 1, 2, 2, 2]);
    ann.patch(ME).json(json!({"name": "Ann"})).await.expect(200);
    let mail = server.mails("ann@example.com", 2).await.remove(0);
    assert!(mail.subject.contains("username"), "{}", mail.subject);
    assert!(mail.text.contains("curl, network address 127.0.0.1"), "{}", mail.text);
    assert!(!mail.text.contains("eve"), "{}", mail.text);
}

async fn nothing_else_can_be_changed(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let before = ann.get(ME).await.json();
    let body = json!({
        "roles": ["admin"], "is_active": false, "email": "eve@example.com", "email_verified": true, "id": "x",
        "password": NEW_PASSWORD, "external_id": "x",
    });
    let after = ann.patch(ME).json(body).await.expect(200).json();
    for member in ["roles", "is_active", "email", "email_verified", "id", "external_id"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    server.log_in("ann@example.com").await;
}

async fn deletion_takes_the_password_and_everything_goes(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.post("/api/products")
        .json(json!({"name": "lamp"}))
        .await
        .expect(201);
    let before = server.snapshot().await;
    for (password, expected) in [("not-the-password", "wrong_password"), ("", "required")] {
        let reply = ann.delete(ME).json(json!({"password": password})).await;
        assert_eq!(reply.expect_invalid_field("password"), expected);
    }
    ann.delete(ME).await.expect_refusal();
    assert_eq!(server.snapshot().await, before);

    ann.delete(ME)
        .json(json!({"password": PASSWORD}))
        .await
        .expect_success();
    assert_eq!(server.snapshot().await, Vec::<String>::new());
    ann.get(ME).await.expect_any_problem(401);
    server
        .anonymous()
        .post("/api/auth/refresh")
        .bearer(&ann.refresh_token)
        .await
        .expect_any_problem(401);
    server.refuses_log_in("ann@example.com", PASSWORD).await;
}

async fn a_deleted_address_can_be_taken_again(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.delete(ME)
        .json(json!({"password": PASSWORD}))
        .await
        .expect_success();
    let again = server.user("ann@example.com").await;
    assert_ne!(again.user_id, ann.user_id);
    assert!(!ann.is_signed_in().await);
}

async fn the_export_holds_all_there_is_but_no_secrets(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let bob = server.user("bob@example.com").await;
    ann.post("/api/products")
        .json(json!({"name": "lamp of Ann"}))
        .await
        .expect(201);
    server.reset_link("ann@example.com").await;
    let reply = ann.get("/api/auth/me/export").await.expect(200);
    let text = reply.text();
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert!(reply.json().is_object());
    let session = crate::support::jwt_claims(&ann.access_token)["sid"]
        .as_str()
        .unwrap()
        .to_owned();
    for present in [
        "ann@example.com",
        &ann.user_id,
        "lamp of Ann",
        session.as_str(),
        "log_in",
    ] {
        assert!(text.contains(present), "no {present} in {text}");
    }
    assert_eq!(reply.json()["places"][0]["network"], "127.0.0.0/24");
    for absent in ["$argon2", "vst_rt_", "vst_lt_", "bob@example.com", &bob.user_id] {
        assert!(!text.contains(absent), "{absent} in {text}");
    }
    let hashes: Vec<String> = sqlx::query_scalar("SELECT hash FROM refresh_tokens UNION SELECT hash FROM link_tokens")
        .fetch_all(server.database())
        .await
        .unwrap();
    assert!(hashes.iter().all(|hash| !text.contains(hash.as_str())), "{text}");
}
