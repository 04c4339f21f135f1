use serde_json::{Value, json};
use vestibule::auth;

use crate::support::{Actor, HOUR, PASSWORD, Place, both_engines, jwt_claims};

both_engines![
    json_and_form_both_log_in_by_address_and_by_username,
    the_answer_is_an_oauth_token_response,
    a_wrong_password_is_a_401_that_both_kinds_of_client_can_read,
    an_inactive_user_is_told_so_only_after_the_password,
    an_unverified_user_is_told_so_only_after_the_password,
    verification_is_not_asked_for_by_default,
    a_session_that_is_not_remembered_ends_after_twelve_hours,
    each_log_in_is_a_session_of_its_own,
    a_device_that_signs_in_anew_leaves_no_session_behind,
    a_log_in_without_credentials_names_the_fields,
    another_grant_is_not_supported,
];

const LOG_IN: &str = "/api/auth/login";

async fn json_and_form_both_log_in_by_address_and_by_username(place: Place) {
    let server = place.start().await;
    let anonymous = server.anonymous();
    let body = json!({"email": "ann@example.com", "username": "ann", "password": PASSWORD});
    anonymous.post("/api/auth/register").json(body).await.expect(201);
    for field in ["username", "email"] {
        for value in ["ann@example.com", "ANN@Example.com", "ann", "ANN"] {
            for path in [LOG_IN, "/token", "/auth/login", "/login"] {
                anonymous
                    .post(path)
                    .json(json!({field: value, "password": PASSWORD}))
                    .await
                    .expect(200);
                anonymous
                    .post(path)
                    .form(&[(field, value), ("password", PASSWORD)])
                    .await
                    .expect(200);
            }
        }
    }
    // The OAuth2 password flow sends more than is needed.
    let fields = [
        ("grant_type", "password"),
        ("username", "ann"),
        ("password", PASSWORD),
        ("scope", ""),
        ("client_id", "string"),
        ("client_secret", "string"),
    ];
    anonymous.post("/token").form(&fields).await.expect(200);
}

async fn the_answer_is_an_oauth_token_response(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    let reply = server.anonymous().post(LOG_IN).json(body).await.expect(200);
    let answer = reply.json();
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["expires_in"], 900);
    assert_eq!(answer["access_token"].as_str().unwrap().split('.').count(), 3);
    let refresh = answer["refresh_token"].as_str().unwrap();
    assert!(refresh.starts_with("vst_rt_"), "{refresh}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.cookie("refresh_token").value, refresh);
    assert_eq!(
        reply.cookie("access_token").value,
        answer["access_token"].as_str().unwrap()
    );
}

async fn a_wrong_password_is_a_401_that_both_kinds_of_client_can_read(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let body = json!({"email": "ann@example.com", "password": "not-the-password"});
    for path in [LOG_IN, "/token", "/auth/login", "/login"] {
        let reply = server.anonymous().post(path).json(&body).await;
        let problem = reply.expect_problem(401, "invalid_credentials");
        assert_eq!(problem["detail"], "Invalid credentials");
        assert_eq!(problem["error"], "invalid_grant");
        assert!(problem["error_description"].is_string());
        assert!(reply.cookies().is_empty());
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM sessions").await, 0);
}

async fn an_inactive_user_is_told_so_only_after_the_password(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let user = server.sign_up("ann@example.com").await;
    let path = format!("/api/users/{}", user["id"].as_str().unwrap());
    admin.patch(&path).json(json!({"is_active": false})).await.expect(200);
    let log_in = |password: &str| {
        server
            .anonymous()
            .post(LOG_IN)
            .json(json!({"email": "ann@example.com", "password": password}))
    };
    log_in("not-the-password")
        .await
        .expect_problem(401, "invalid_credentials");
    let problem = log_in(PASSWORD).await.expect_problem(400, "inactive_user");
    assert_eq!(problem["detail"], "Inactive user");
    admin.patch(&path).json(json!({"is_active": true})).await.expect(200);
    log_in(PASSWORD).await.expect(200);
}

async fn an_unverified_user_is_told_so_only_after_the_password(place: Place) {
    let server = place.start_with(&[("REQUIRE_VERIFIED_EMAIL", "true")]).await;
    server.sign_up("ann@example.com").await;
    let log_in = |password: &str| {
        server
            .anonymous()
            .post(LOG_IN)
            .json(json!({"email": "ann@example.com", "password": password}))
    };
    log_in("not-the-password")
        .await
        .expect_problem(401, "invalid_credentials");
    log_in(PASSWORD).await.expect_problem(403, "email_not_verified");
    assert_eq!(server.count("SELECT COUNT(*) FROM sessions").await, 0);
    let token = server.verification_link("ann@example.com").await;
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(json!({"token": token}))
        .await
        .expect_success();
    log_in(PASSWORD).await.expect(200);
}

async fn verification_is_not_asked_for_by_default(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let me = ann.get("/api/auth/me").await.expect(200).json();
    assert_eq!(me["email_verified"], false);
}

async fn a_session_that_is_not_remembered_ends_after_twelve_hours(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    // Only a page asks whether to be remembered; programs keep their tokens themselves.
    let log_in = auth::LogIn {
        identifier: "ann@example.com".to_owned(),
        password: PASSWORD.to_owned().into(),
        remember: false,
        replaces: None,
    };
    let signed_in = server
        .app()
        .auth()
        .log_in(log_in, &auth::Client::default())
        .await
        .expect("signed in");
    let cookie = format!("refresh_token={}", signed_in.refresh.expose());
    server.advance(12 * HOUR - 1);
    let reply = server
        .anonymous()
        .post("/api/auth/refresh")
        .header("cookie", cookie)
        .await
        .expect(200);
    let cookie = reply.cookie("refresh_token");
    assert_eq!(cookie.attribute("Max-Age"), None, "it ends with the browser");
    assert_eq!(cookie.attribute("Expires"), None, "it ends with the browser");
    server.advance(12 * HOUR);
    let reply = server.anonymous().post("/api/auth/refresh").bearer(&cookie.value).await;
    reply.expect_problem(401, "refresh_token_invalid");
}

async fn each_log_in_is_a_session_of_its_own(place: Place) {
    let server = place.start().await;
    let first = server.user("ann@example.com").await;
    let second = server.log_in("ann@example.com").await;
    let [one, other] = [&first, &second].map(|client| jwt_claims(&client.access_token));
    assert_eq!(one["sub"], other["sub"]);
    assert_ne!(one["sid"], other["sid"]);
    assert_ne!(one["jti"], other["jti"]);
    first.post("/api/auth/logout").await.expect(200);
    assert!(!first.is_signed_in().await);
    assert!(second.is_signed_in().await);
}

async fn a_device_that_signs_in_anew_leaves_no_session_behind(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let elsewhere = server.log_in("ann@example.com").await;
    server.sign_up("bob@example.com").await;
    let cookies = ["access_token", "refresh_token"].map(|name| browser.jar.get(name).expect("a cookie"));
    let is_alive = async |[access, refresh]: &[String; 2]| {
        let by_access = server.anonymous().get("/users/me").bearer(access).await;
        let cookie = format!("refresh_token={refresh}");
        let by_refresh = server
            .anonymous()
            .get("/api/auth/forward")
            .header("cookie", cookie)
            .await;
        assert_eq!(by_access.status, by_refresh.status);
        by_access.status == 200
    };

    // Who fails to sign in, is not signed out for it.
    let wrong = json!({"email": "ann@example.com", "password": "not-the-password"});
    browser.post(LOG_IN).json(wrong).await.expect(401);
    assert!(is_alive(&cookies).await);

    let right = json!({"email": "ann@example.com", "password": PASSWORD});
    browser.post(LOG_IN).json(&right).await.expect(200);
    assert!(!is_alive(&cookies).await);
    let again = ["access_token", "refresh_token"].map(|name| browser.jar.get(name).expect("a cookie"));
    assert!(is_alive(&again).await);

    // The next one at the same machine. What lives elsewhere is not touched.
    let other = json!({"email": "bob@example.com", "password": PASSWORD});
    browser.post(LOG_IN).json(&other).await.expect(200);
    assert!(!is_alive(&again).await);
    assert_eq!(
        browser.get("/users/me").await.expect(200).json()["email"],
        "bob@example.com"
    );
    assert!(elsewhere.is_signed_in().await);
    assert_eq!(
        server.count("SELECT COUNT(*) FROM sessions WHERE expires_at > 0").await,
        2
    );
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM audit_events WHERE event = 'log_out'")
            .await,
        2
    );
}

async fn a_log_in_without_credentials_names_the_fields(place: Place) {
    let server = place.start().await;
    for body in [
        json!({}),
        json!({"email": "ann@example.com"}),
        json!({"password": PASSWORD}),
        json!({"email": "ann@example.com", "password": ""}),
        json!({"username": "", "password": PASSWORD}),
    ] {
        let reply = server.anonymous().post(LOG_IN).json(&body).await;
        let problem = reply.expect_any_problem(422);
        assert_ne!(problem["errors"], Value::Null, "{problem}");
        assert_eq!(problem["error"], "invalid_request", "RFC 6749 section 5.2");
    }
}

async fn another_grant_is_not_supported(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let anonymous = server.anonymous();
    for path in [LOG_IN, "/token", "/auth/login", "/login"] {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", "x")];
        let reply = anonymous.post(path).form(&fields).await;
        let problem = reply.expect_problem(400, "unsupported_grant_type");
        assert_eq!(problem["error"], "unsupported_grant_type");
        for grant in ["password", ""] {
            let fields = [
                ("grant_type", grant),
                ("username", "ann@example.com"),
                ("password", PASSWORD),
            ];
            anonymous.post(path).form(&fields).await.expect(200);
        }
    }
    let reply = anonymous.post(LOG_IN).json(json!({})).await;
    reply.expect_invalid_field("username");
    reply.expect_invalid_field("password");
}
