use serde_json::json;

use crate::support::{Actor, DAY, PASSWORD, Place, Reply, Server, both_engines};

both_engines![
    over_http_cookies_are_plain_but_guarded,
    over_https_cookies_are_secure_and_bound_to_the_host,
    a_cookie_domain_shares_them_with_its_hosts,
    a_remembered_session_keeps_its_cookie_for_a_week,
    other_cookies_do_not_disturb,
    a_plain_cookie_is_nothing_over_https,
    a_cookie_that_is_called_otherwise_as_it_stands_is_nothing,
];

async fn log_in(server: &Server) -> Reply {
    server.sign_up("ann@example.com").await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    server.anonymous().post("/api/auth/login").json(body).await.expect(200)
}

#[track_caller]
fn assert_guarded(reply: &Reply, name: &str, secure: bool, domain: Option<&str>) {
    let cookie = reply.cookie(name);
    assert!(cookie.attribute("HttpOnly").is_some(), "{cookie:?}");
    assert_eq!(cookie.attribute("SameSite"), Some("Lax"), "{cookie:?}");
    assert_eq!(cookie.attribute("Path"), Some("/"), "{cookie:?}");
    assert_eq!(cookie.attribute("Secure").is_some(), secure, "{cookie:?}");
    assert_eq!(
        cookie.attribute("Domain").map(|domain| domain.trim_start_matches('.')),
        domain,
        "{cookie:?}"
    );
}

async fn over_http_cookies_are_plain_but_guarded(place: Place) {
    let server = place.start().await;
    let reply = log_in(&server).await;
    assert_eq!(reply.cookies().len(), 2);
    for name in ["access_token", "refresh_token"] {
        assert_guarded(&reply, name, false, None);
    }
}

async fn over_https_cookies_are_secure_and_bound_to_the_host(place: Place) {
    let server = place.start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    let reply = log_in(&server).await;
    assert_eq!(reply.cookies().len(), 2);
    for name in ["__Host-access_token", "__Host-refresh_token"] {
        assert_guarded(&reply, name, true, None);
    }
    let cookie = format!("__Host-refresh_token={}", reply.cookie("__Host-refresh_token").value);
    let refreshed = server
        .anonymous()
        .post("/api/auth/refresh")
        .header("cookie", cookie)
        .await
        .expect(200);
    assert_guarded(&refreshed, "__Host-refresh_token", true, None);
    let cookie = format!("__Host-access_token={}", reply.cookie("__Host-access_token").value);
    server
        .anonymous()
        .get("/users/me")
        .header("cookie", &cookie)
        .await
        .expect(200);
    let gone = server
        .anonymous()
        .post("/api/auth/logout")
        .header("cookie", &cookie)
        .await
        .expect(200);
    for name in ["__Host-access_token", "__Host-refresh_token"] {
        // Without Secure and Path=/ a browser ignores the removal of a cookie of this name.
        assert_guarded(&gone, name, true, None);
        assert!(gone.cookie(name).is_removal());
    }
}

async fn a_cookie_domain_shares_them_with_its_hosts(place: Place) {
    let variables = [
        ("PUBLIC_URL", "https://auth.example.com"),
        ("COOKIE_DOMAIN", "example.com"),
    ];
    let server = place.start_with(&variables).await;
    let reply = log_in(&server).await;
    assert_eq!(reply.cookies().len(), 2);
    for name in ["__Secure-access_token", "__Secure-refresh_token"] {
        assert_guarded(&reply, name, true, Some("example.com"));
    }
    let cookie = format!("__Secure-access_token={}", reply.cookie("__Secure-access_token").value);
    server
        .anonymous()
        .get("/users/me")
        .header("cookie", &cookie)
        .await
        .expect(200);
    let gone = server
        .anonymous()
        .post("/api/auth/logout")
        .header("cookie", &cookie)
        .await
        .expect(200);
    for name in ["__Secure-access_token", "__Secure-refresh_token"] {
        assert_guarded(&gone, name, true, Some("example.com"));
        assert!(gone.cookie(name).is_removal());
    }
}

async fn a_remembered_session_keeps_its_cookie_for_a_week(place: Place) {
    let server = place.start().await;
    let reply = log_in(&server).await;
    let age: u64 = reply
        .cookie("refresh_token")
        .attribute("Max-Age")
        .expect("it is remembered")
        .parse()
        .unwrap();
    assert_eq!(age, 7 * DAY);
}

async fn other_cookies_do_not_disturb(place: Place) {
    let server = place.start().await;
    let reply = log_in(&server).await;
    let token = reply.cookie("access_token").value;
    for cookies in [
        format!("theme=dark; access_token={token}; lang=de"),
        format!("bad; =; ;;; access_token={token}"),
        format!("session=\"quoted; value\"; access_token={token}"),
    ] {
        let reply = server.anonymous().get("/users/me").header("cookie", &cookies).await;
        assert_eq!(reply.status, 200, "{cookies}: {}", reply.text());
    }
}

async fn a_plain_cookie_is_nothing_over_https(place: Place) {
    // A sibling host, or a network attacker over http, can set a cookie of the plain name, but not a prefixed one.
    let server = place.start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    let reply = log_in(&server).await;
    let token = reply.cookie("__Host-access_token").value;
    let cookie = format!(
        "access_token={token}; refresh_token={}",
        reply.cookie("__Host-refresh_token").value
    );
    server
        .anonymous()
        .get("/users/me")
        .header("cookie", cookie)
        .await
        .expect_problem(401, "not_authenticated");
}

async fn a_cookie_that_is_called_otherwise_as_it_stands_is_nothing(place: Place) {
    // What a browser compares is the name as it stands: a sibling host may set these, though none that is called `__Host-…`.
    let server = place.start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    let reply = log_in(&server).await;
    let (access, refresh) = (
        reply.cookie("__Host-access_token").value,
        reply.cookie("__Host-refresh_token").value,
    );
    for prefix in ["__Host%2D", "%5F_Host-", "\u{2000}__Host-", "\u{a0}__Host-"] {
        let cookie = format!("{prefix}access_token={access}; {prefix}refresh_token={refresh}");
        let reply = server.anonymous().get("/users/me").header("cookie", &cookie).await;
        reply.expect_problem(401, "not_authenticated");
        let cookie = format!("__Host-access_token={access}; {cookie}; {prefix}access_token=x");
        server
            .anonymous()
            .get("/users/me")
            .header("cookie", &cookie)
            .await
            .expect(200);
    }
}
