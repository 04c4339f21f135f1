use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::{Actor, NEW_PASSWORD, PASSWORD, Place, both_engines, in_parallel};

both_engines![
    a_sign_up_answers_with_the_user,
    an_address_can_be_taken_once,
    addresses_are_compared_by_their_normal_form,
    a_username_can_be_taken_once_whatever_its_case,
    what_cannot_be_a_username_is_refused,
    what_cannot_be_an_address_is_refused,
    passwords_that_could_be_guessed_are_refused,
    passwords_may_be_long_but_not_endless,
    a_password_counts_exactly_as_typed,
    two_sign_ups_for_one_address_at_once_give_one_user,
    two_sign_ups_for_one_username_at_once_give_one_user,
    nobody_gives_themselves_a_role,
    a_closed_house_takes_nobody_in,
    a_private_house_says_the_same_to_known_and_unknown,
    every_mistake_is_told_at_once,
];

const REGISTER: &str = "/api/auth/register";

async fn a_sign_up_answers_with_the_user(place: Place) {
    let server = place.start().await;
    let body = json!({"email": "Ann@Example.com", "username": "Ann.O-1_x", "name": "Ann Ō 🌷", "password": PASSWORD});
    let reply = server.anonymous().post(REGISTER).json(body).await.expect(201);
    let user = reply.json();
    assert_eq!(user["msg"], "user created");
    assert_eq!(user["email"], "Ann@Example.com", "kept as typed");
    assert_eq!(user["username"], "Ann.O-1_x");
    assert_eq!(user["name"], "Ann Ō 🌷");
    assert_eq!(user["roles"], json!([]));
    assert_eq!(user["email_verified"], false);
    assert_eq!(user["is_active"], true);
    assert_eq!(user["external_id"], Value::Null);
    assert_eq!(user["created_at"], "2026-03-01T12:00:00Z");
    assert_eq!(user["updated_at"], "2026-03-01T12:00:00Z");
    let id: uuid::Uuid = user["id"].as_str().unwrap().parse().expect("a UUID");
    assert_eq!(id.get_version_num(), 7);
    assert!(!reply.text().contains("argon2"), "no hash leaves the house");
    assert!(!reply.text().contains(PASSWORD));
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

async fn an_address_can_be_taken_once(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let before = server.snapshot().await;
    let body = json!({"email": "ann@example.com", "password": NEW_PASSWORD});
    let problem = server
        .anonymous()
        .post(REGISTER)
        .json(body)
        .await
        .expect_problem(409, "email_taken");
    assert_eq!(problem["detail"], "Email already registered");
    assert_eq!(server.snapshot().await, before);
}

async fn addresses_are_compared_by_their_normal_form(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@bücher.example").await;
    for same in [
        "ANN@BÜCHER.example",
        "ann@xn--bcher-kva.example",
        "Ann@bu\u{308}cher.Example",
    ] {
        let body = json!({"email": same, "password": PASSWORD});
        server
            .anonymous()
            .post(REGISTER)
            .json(body)
            .await
            .expect_problem(409, "email_taken");
        server.log_in(same).await;
    }
}

async fn a_username_can_be_taken_once_whatever_its_case(place: Place) {
    let server = place.start().await;
    let anonymous = server.anonymous();
    let body = json!({"email": "ann@example.com", "username": "Ann", "password": PASSWORD});
    anonymous.post(REGISTER).json(body).await.expect(201);
    let body = json!({"email": "other@example.com", "username": "aNN", "password": PASSWORD});
    anonymous
        .post(REGISTER)
        .json(body)
        .await
        .expect_problem(409, "username_taken");
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1);
}

async fn what_cannot_be_a_username_is_refused(place: Place) {
    let server = place.start().await;
    let before = server.snapshot().await;
    let long = "a".repeat(300);
    for bad in [
        "ann@example.com",
        "ann smith",
        "änn",
        "ann!",
        "ann/../x",
        "a\u{0}b",
        "a\nb",
        "🌷",
        long.as_str(),
    ] {
        let body = json!({"email": "ann@example.com", "username": bad, "password": PASSWORD});
        server
            .anonymous()
            .post(REGISTER)
            .json(body)
            .await
            .expect_invalid_field("username");
    }
    assert_eq!(server.snapshot().await, before);
}

async fn what_cannot_be_an_address_is_refused(place: Place) {
    let server = place.start().await;
    let before = server.snapshot().await;
    let long = format!("{}@example.com", "a".repeat(300));
    let bad = [
        "",
        "ann",
        "@example.com",
        "ann@",
        "ann@@example.com",
        "ann@example.com\r\nBcc: eve@example.com",
        "ann@exam ple.com",
        "a\u{0}nn@example.com",
        "ann@example.com, eve@example.com",
        "Ann <ann@example.com>",
        long.as_str(),
    ];
    for bad in bad {
        let body = json!({"email": bad, "password": PASSWORD});
        server
            .anonymous()
            .post(REGISTER)
            .json(body)
            .await
            .expect_invalid_field("email");
    }
    assert_eq!(server.snapshot().await, before);
}

async fn passwords_that_could_be_guessed_are_refused(place: Place) {
    let server = place.start_with(&[("SITE_NAME", "Quastelgrum")]).await;
    for (password, code) in [
        ("", "required"),
        ("aB3$xyz", "password_too_short"),
        ("password123", "password_guessable"),
        ("aaaaaaaaaaaaaaaaaaaa", "password_guessable"),
        ("qwertyuiop", "password_guessable"),
        // Strong, were they not the user's own name and the site's.
        ("zorbvint.flumvek", "password_guessable"),
        ("quastelgrum", "password_guessable"),
    ] {
        let body = json!({"email": "zorbvint.flumvek@example.com", "password": password});
        let reply = server.anonymous().post(REGISTER).json(body).await;
        assert_eq!(reply.expect_invalid_field("password"), code, "{password}");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 0);
}

async fn passwords_may_be_long_but_not_endless(place: Place) {
    let server = place.start().await;
    let longest: String = PASSWORD.chars().cycle().take(128).collect();
    let body = json!({"email": "ann@example.com", "password": longest});
    server.anonymous().post(REGISTER).json(body).await.expect(201);
    server.log_in_with("ann@example.com", &longest).await;
    let body = json!({"email": "bob@example.com", "password": format!("{longest}!")});
    let code = server
        .anonymous()
        .post(REGISTER)
        .json(body)
        .await
        .expect_invalid_field("password");
    assert_eq!(code, "password_too_long");
}

async fn a_password_counts_exactly_as_typed(place: Place) {
    let server = place.start().await;
    let typed = "  Plum tractor é 94 orbit 🌷 ";
    let body = json!({"email": "ann@example.com", "password": typed});
    server.anonymous().post(REGISTER).json(body).await.expect(201);
    for other in [
        typed.trim(),
        "  plum tractor é 94 orbit 🌷 ",
        "  Plum tractor e\u{301} 94 orbit 🌷 ",
    ] {
        server.refuses_log_in("ann@example.com", other).await;
    }
    server.log_in_with("ann@example.com", typed).await;
}

async fn two_sign_ups_for_one_address_at_once_give_one_user(place: Place) {
    let server = place.start().await;
    for round in 0..5 {
        let email = format!("ann{round}@example.com");
        let replies = in_parallel(2, || {
            let request = server
                .anonymous()
                .post(REGISTER)
                .json(json!({"email": email, "password": PASSWORD}));
            async move { request.await }
        });
        let mut statuses: Vec<u16> = replies.await.iter().map(|reply| reply.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 5);
}

async fn two_sign_ups_for_one_username_at_once_give_one_user(place: Place) {
    let server = place.start().await;
    let number = AtomicUsize::new(0);
    let replies = in_parallel(8, || {
        let email = format!("user{}@example.com", number.fetch_add(1, Ordering::SeqCst));
        let body = json!({"email": email, "username": "ann", "password": PASSWORD});
        let request = server.anonymous().post(REGISTER).json(body);
        async move { request.await }
    });
    let mut statuses: Vec<u16> = replies.await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(
        server.count("SELECT COUNT(*) FROM users").await,
        1,
        "no half-written row"
    );
}

async fn nobody_gives_themselves_a_role(place: Place) {
    let server = place.start().await;
    let body = json!({
        "email": "eve@example.com", "password": PASSWORD, "roles": ["admin"], "role": "admin", "is_admin": true,
        "is_active": false, "email_verified": true, "email_verified_at": 1, "id": "00000000-0000-7000-8000-000000000000",
        "external_id": "x", "password_hash": "x", "created_at": "1999-01-01T00:00:00Z",
    });
    let user = server.anonymous().post(REGISTER).json(body).await.expect(201).json();
    assert_eq!(user["roles"], json!([]));
    assert_eq!(user["is_active"], true);
    assert_eq!(user["email_verified"], false);
    assert_eq!(user["external_id"], Value::Null);
    assert_eq!(user["created_at"], "2026-03-01T12:00:00Z");
    assert_ne!(user["id"], "00000000-0000-7000-8000-000000000000");
    assert_eq!(server.count("SELECT COUNT(*) FROM user_roles").await, 0);
    let eve = server.log_in("eve@example.com").await;
    eve.get("/api/users").await.expect_problem(403, "forbidden");
}

async fn a_closed_house_takes_nobody_in(place: Place) {
    let server = place.start_with(&[("ALLOW_SIGNUP", "false")]).await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    for path in [REGISTER, "/auth/register", "/register", "/users/"] {
        server
            .anonymous()
            .post(path)
            .json(&body)
            .await
            .expect_problem(403, "sign_up_closed");
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 0);
}

async fn a_private_house_says_the_same_to_known_and_unknown(place: Place) {
    let server = place.start_with(&[("PRIVATE_SIGNUP", "true")]).await;
    let anonymous = server.anonymous();
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    let unknown = anonymous.post(REGISTER).json(&body).await.expect(201);
    let link = server.verification_link("ann@example.com").await;
    let known = anonymous.post(REGISTER).json(&body).await.expect(201);
    assert_eq!(unknown.observable(), known.observable());
    assert_eq!(unknown.json(), json!({"msg": "user created"}));

    // The owner is told, once, and gets no second verification: under whose password the account is, nobody knows.
    let mails = server.mails("ann@example.com", 2).await;
    assert_eq!(mails.len(), 2);
    assert!(
        mails
            .iter()
            .filter(|mail| mail.link_token("/verify-email").is_some())
            .count()
            == 1
    );
    let told = mails
        .iter()
        .find(|mail| mail.subject.contains("waits for you"))
        .unwrap();
    assert!(told.text.contains("/forgot-password"), "{told:?}");
    assert_eq!(server.count("SELECT COUNT(*) FROM users").await, 1);

    // Whoever tries to sign up for an address and then to log in must not learn from that whose it is.
    let log_in = anonymous.post("/api/auth/login").json(&body).await;
    log_in.expect_problem(401, "invalid_credentials");
    anonymous
        .post("/api/auth/verify-email")
        .json(json!({"token": link}))
        .await
        .expect_success();
    server.log_in("ann@example.com").await;
    anonymous.post(REGISTER).json(&body).await.expect(201);
    let mails = server.mails("ann@example.com", 3).await;
    assert!(
        mails
            .iter()
            .any(|mail| mail.subject.contains("already have an account")),
        "{mails:?}"
    );
}

async fn every_mistake_is_told_at_once(place: Place) {
    let server = place.start().await;
    let body = json!({"email": "ann", "username": "a b", "password": "short"});
    let reply = server.anonymous().post(REGISTER).json(body).await;
    for field in ["email", "username", "password"] {
        reply.expect_invalid_field(field);
    }
    let reply = server.anonymous().post(REGISTER).json(json!({})).await;
    reply.expect_invalid_field("email");
}
