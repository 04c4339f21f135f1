//! Whatever is sent, the answer is a problem document with a 4xx, and nothing has changed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Actor, PASSWORD, Place, Reply, both_engines, one_engine, send_bytes};

both_engines![
    malformed_bodies_are_refused_everywhere,
    wrong_types_are_refused_everywhere,
    control_characters_are_refused_everywhere,
    emoji_are_welcome_where_text_is_free,
    a_body_of_a_mebibyte_is_too_large,
    a_field_given_twice_is_refused_or_read_one_way,
    unknown_fields_are_ignored,
    malformed_cookies_do_no_harm,
    malformed_queries_and_paths_are_refused,
];

one_engine![sqlite: Sqlite,
    what_is_no_http_is_refused,
    headers_beyond_measure_are_refused,
];

/// Every operation that reads a body: its method and path, its good body, and whether a user has to be signed in.
/// `{id}` stands for the id of a user who may be managed.
fn operations() -> Vec<(Method, &'static str, Value)> {
    vec![
        (
            Method::POST,
            "/api/auth/register",
            json!({"email": "new@example.com", "password": PASSWORD}),
        ),
        (
            Method::POST,
            "/auth/register",
            json!({"email": "new@example.com", "password": PASSWORD}),
        ),
        (
            Method::POST,
            "/register",
            json!({"email": "new@example.com", "password": PASSWORD}),
        ),
        (
            Method::POST,
            "/users/",
            json!({"email": "new@example.com", "password": PASSWORD}),
        ),
        (
            Method::POST,
            "/api/auth/login",
            json!({"email": "admin@example.com", "password": PASSWORD}),
        ),
        (
            Method::POST,
            "/token",
            json!({"username": "admin@example.com", "password": PASSWORD}),
        ),
        (
            Method::POST,
            "/auth/login",
            json!({"email": "admin@example.com", "password": PASSWORD}),
        ),
        (
            Method::POST,
            "/login",
            json!({"username": "admin@example.com", "password": PASSWORD}),
        ),
        (Method::PATCH, "/api/auth/me", json!({"name": "x", "username": "x"})),
        (Method::DELETE, "/api/auth/me", json!({"password": PASSWORD})),
        (
            Method::POST,
            "/api/auth/me/password",
            json!({"current_password": "x", "new_password": "x"}),
        ),
        (
            Method::POST,
            "/api/auth/me/email",
            json!({"password": "x", "new_email": "x"}),
        ),
        (
            Method::POST,
            "/api/auth/forgot-password",
            json!({"email": "new@example.com"}),
        ),
        (
            Method::POST,
            "/auth/forgot-password",
            json!({"email": "new@example.com"}),
        ),
        (
            Method::POST,
            "/api/auth/reset-password",
            json!({"token": "x", "new_password": "x"}),
        ),
        (
            Method::POST,
            "/auth/change-password",
            json!({"token": "x", "new_password": "x"}),
        ),
        (Method::POST, "/api/auth/verify-email", json!({"token": "x"})),
        (
            Method::POST,
            "/api/auth/resend-verification",
            json!({"email": "new@example.com"}),
        ),
        (
            Method::POST,
            "/api/auth/password-strength",
            json!({"password": "x", "email": "x", "username": "x"}),
        ),
        (
            Method::PATCH,
            "/api/users/{id}",
            json!({"name": "x", "username": "x", "roles": [], "is_active": true}),
        ),
        (Method::POST, "/api/products", json!({"name": "x", "description": "x"})),
        (Method::POST, "/product/", json!({"name": "x", "description": "x"})),
    ]
}

/// A server with an admin and somebody to manage.
struct Scene {
    server: crate::support::Server,
    admin: crate::support::Admin,
    target: String,
}

impl Scene {
    async fn in_place(place: &Place) -> Self {
        let server = place.start().await;
        let admin = server.admin("admin@example.com").await;
        let target = server.sign_up("target@example.com").await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        server.verification_link("target@example.com").await;
        server.verification_link("admin@example.com").await;
        Self { server, admin, target }
    }

    async fn send(&self, method: &Method, path: &str, kind: &str, body: Vec<u8>) -> Reply {
        let path = path.replace("{id}", &self.target);
        self.admin.request(method.clone(), &path).body(kind, body).await
    }
}

async fn malformed_bodies_are_refused_everywhere(place: Place) {
    let scene = Scene::in_place(&place).await;
    let before = scene.server.snapshot().await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_object = format!("{}1{}", "{\"name\":".repeat(10_000), "}".repeat(10_000));
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("application/json", b"".to_vec()),
        ("application/json", b"{".to_vec()),
        ("application/json", b"{\"name\": ".to_vec()),
        ("application/json", b"{'name': 'x'}".to_vec()),
        ("application/json", b"{\"name\": \"\xff\xfe\"}".to_vec()),
        ("application/json", b"{\"name\": \"\\ud800\"}".to_vec()),
        ("application/json", b"\xef\xbb\xbf{}".to_vec()),
        ("application/json", b"{} {}".to_vec()),
        ("application/json", b"null".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", b"[[]]".to_vec()),
        ("application/json", b"\"text\"".to_vec()),
        ("application/json", b"1e999".to_vec()),
        ("application/json", b"NaN".to_vec()),
        ("application/json", deep.into_bytes()),
        ("application/json", deep_object.into_bytes()),
        ("application/json; charset=utf-16", b"\xff\xfe{\0}\0".to_vec()),
        ("application/x-www-form-urlencoded", b"%".to_vec()),
        ("application/x-www-form-urlencoded", b"=&=&&&".to_vec()),
        (
            "application/x-www-form-urlencoded",
            b"username=%ff%fe&password=%00".to_vec(),
        ),
        (
            "application/x-www-form-urlencoded",
            b"username=\xff&password=\xfe".to_vec(),
        ),
        ("text/plain", b"{}".to_vec()),
        ("text/html", b"<html>".to_vec()),
        (
            "application/xml",
            b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><x>&e;</x>".to_vec(),
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--".to_vec()),
        ("multipart/form-data", b"".to_vec()),
        ("", b"{}".to_vec()),
        ("nonsense", b"{}".to_vec()),
        ("application/json/json", b"{}".to_vec()),
    ];
    for (method, path, _) in operations() {
        for (kind, body) in &bodies {
            let reply = scene.send(&method, path, kind, body.clone()).await;
            let sent = String::from_utf8_lossy(&body[..body.len().min(80)]);
            assert!(reply.status >= 400, "{method} {path} took {kind}: {sent}");
            reply.expect_refusal();
        }
        let reply = scene.admin.request(method, &path.replace("{id}", &scene.target)).await;
        reply.expect_refusal();
    }
    assert_eq!(scene.server.snapshot().await, before);
}

async fn wrong_types_are_refused_everywhere(place: Place) {
    let scene = Scene::in_place(&place).await;
    let before = scene.server.snapshot().await;
    let wrong = [
        json!(1),
        json!(true),
        json!(["x"]),
        json!({"$ne": ""}),
        json!(1.5),
        json!(-1),
        json!({"x": {"y": []}}),
    ];
    for (method, path, good) in operations() {
        for field in good.as_object().unwrap().keys() {
            for value in &wrong {
                if (field == "is_active" && value.is_boolean()) || (field == "roles" && value.is_array()) {
                    continue;
                }
                let mut body = good.clone();
                body[field] = value.clone();
                let reply = scene
                    .send(&method, path, "application/json", body.to_string().into_bytes())
                    .await;
                reply.expect_refusal();
                assert!(
                    [400, 422].contains(&reply.status),
                    "{method} {path} {body}: {}",
                    reply.text()
                );
            }
        }
    }
    assert_eq!(scene.server.snapshot().await, before);
}

async fn control_characters_are_refused_everywhere(place: Place) {
    let scene = Scene::in_place(&place).await;
    let before = scene.server.snapshot().await;
    // A password may hold anything that can be typed; an unknown user's is wrong, and NUL is nobody's name.
    let free = ["password", "current_password", "new_password"];
    for (method, path, good) in operations() {
        for field in good
            .as_object()
            .unwrap()
            .keys()
            .filter(|field| !free.contains(&field.as_str()))
        {
            if field == "is_active" || path.ends_with("password-strength") {
                continue;
            }
            for bad in ["a\u{0}b", "\u{0}", "a\nb\u{1b}[31m", "a\u{7f}\u{9f}"] {
                let mut body = good.clone();
                body[field] = if field == "roles" { json!([bad]) } else { json!(bad) };
                // A description is text of several lines.
                if field == "description" && bad.contains('\n') {
                    continue;
                }
                let reply = scene
                    .send(&method, path, "application/json", body.to_string().into_bytes())
                    .await;
                let silent = path.ends_with("forgot-password") || path.ends_with("resend-verification");
                assert!(
                    !silent || reply.status == 200 || reply.status == 422,
                    "{path}: {}",
                    reply.text()
                );
                if !silent || reply.status != 200 {
                    reply.expect_refusal();
                }
            }
        }
    }
    // And in a password it is a password like any other, which is not stored cut off at the NUL.
    let odd = "plum-Tractor\u{0}-94-orbit\u{7}";
    let reply = scene.server.anonymous().post("/api/auth/register");
    let reply = reply.json(json!({"email": "odd@example.com", "password": odd})).await;
    if reply.status == 201 {
        let cut = json!({"email": "odd@example.com", "password": "plum-Tractor"});
        scene
            .server
            .anonymous()
            .post("/api/auth/login")
            .json(cut)
            .await
            .expect(401);
        scene.server.log_in_with("odd@example.com", odd).await;
    } else {
        reply.expect_invalid_field("password");
        assert_eq!(scene.server.snapshot().await, before);
    }
}

async fn emoji_are_welcome_where_text_is_free(place: Place) {
    let server = place.start().await;
    let text = "👩‍👩‍👧‍👦 🌷 \u{202d}x ẞ 𝕏 é\u{301} 日本";
    let body = json!({"email": "ann@example.com", "name": "👩‍👩‍👧‍👦 ẞ 𝕏 日本", "password": "🌷 tractor 🪵 94 orbit"});
    let user = server
        .anonymous()
        .post("/api/auth/register")
        .json(body)
        .await
        .expect(201)
        .json();
    assert_eq!(user["name"], "👩‍👩‍👧‍👦 ẞ 𝕏 日本");
    let ann = server.log_in_with("ann@example.com", "🌷 tractor 🪵 94 orbit").await;
    let made = ann
        .post("/api/products")
        .json(json!({"name": "🪔", "description": text}))
        .await;
    if made.status == 201 {
        let path = format!("/api/products/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(ann.get(&path).await.json()["description"], text);
    } else {
        made.expect_invalid_field("description");
    }
    let body = json!({"username": "🌷", "password": "🌷"});
    server
        .anonymous()
        .post("/api/auth/login")
        .json(body)
        .await
        .expect_problem(401, "invalid_credentials");
}

async fn a_body_of_a_mebibyte_is_too_large(place: Place) {
    let scene = Scene::in_place(&place).await;
    let before = scene.server.snapshot().await;
    let huge = "x".repeat(1024 * 1024);
    for (method, path, good) in operations() {
        let mut body = good;
        body["email"] = json!(huge);
        body["token"] = json!(huge);
        let reply = scene
            .send(&method, path, "application/json", body.to_string().into_bytes())
            .await;
        reply.expect_any_problem(413);
    }
    let form = format!("username={huge}&password=x");
    let reply = scene
        .send(
            &Method::POST,
            "/token",
            "application/x-www-form-urlencoded",
            form.into_bytes(),
        )
        .await;
    reply.expect_any_problem(413);
    assert_eq!(scene.server.snapshot().await, before);
}

async fn a_field_given_twice_is_refused_or_read_one_way(place: Place) {
    let scene = Scene::in_place(&place).await;
    let before = scene.server.snapshot().await;
    let twice = r#"{"email": "one@example.com", "email": "two@example.com", "password": "plum-Tractor-94-orbit"}"#;
    let reply = scene
        .send(
            &Method::POST,
            "/api/auth/register",
            "application/json",
            twice.as_bytes().to_vec(),
        )
        .await;
    reply.expect_any_problem(reply.status);
    assert!([400, 422].contains(&reply.status), "{}", reply.text());
    let twice = "username=admin@example.com&username=target@example.com&password=plum-Tractor-94-orbit";
    let kind = "application/x-www-form-urlencoded";
    let reply = scene
        .send(&Method::POST, "/token", kind, twice.as_bytes().to_vec())
        .await;
    assert!([400, 422].contains(&reply.status), "{}", reply.text());
    let reply = scene.admin.get("/api/users?limit=1&limit=2").await;
    assert!([400, 422].contains(&reply.status), "{}", reply.text());
    assert_eq!(scene.server.snapshot().await, before);
}

async fn unknown_fields_are_ignored(place: Place) {
    let server = place.start().await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD, "colour": "red", "__proto__": {"admin": true}});
    let user = server
        .anonymous()
        .post("/api/auth/register")
        .json(body)
        .await
        .expect(201)
        .json();
    assert_eq!(user.get("colour"), None);
    let body = json!({"email": "ann@example.com", "password": PASSWORD, "otp": "123456", "scope": []});
    server.anonymous().post("/api/auth/login").json(body).await.expect(200);
    let ann = server.log_in("ann@example.com").await;
    ann.get("/api/auth/me?colour=red").await.expect(200);
    ann.get("/api/products?colour=red&limit=1").await.expect(200);
}

async fn malformed_cookies_do_no_harm(place: Place) {
    let server = place.start().await;
    let before = server.snapshot().await;
    let long = format!("access_token={}", "a".repeat(6000));
    let cookies: [&[u8]; 12] = [
        b"access_token",
        b"access_token=",
        b"=x",
        b";;;;",
        b"access_token=nonsense",
        b"access_token=\"quoted\"",
        b"access_token=%00; refresh_token=%00",
        b"access_token=\xff\xfe",
        b"refresh_token=vst_rt_nonsense",
        b"access_token=a; access_token=b; refresh_token=c; refresh_token=d",
        "access_token=🌷".as_bytes(),
        long.as_bytes(),
    ];
    for cookie in cookies {
        for path in ["/users/me", "/api/auth/sessions", "/api/auth/forward"] {
            server
                .anonymous()
                .get(path)
                .header("cookie", cookie)
                .await
                .expect_refusal();
        }
        server
            .anonymous()
            .post("/api/auth/refresh")
            .header("cookie", cookie)
            .await
            .expect_refusal();
        server
            .anonymous()
            .get("/health/live")
            .header("cookie", cookie)
            .await
            .expect(200);
    }
    assert_eq!(server.snapshot().await, before);
}

async fn malformed_queries_and_paths_are_refused(place: Place) {
    let scene = Scene::in_place(&place).await;
    let before = scene.server.snapshot().await;
    for path in [
        "/api/users/%00",
        "/api/users/%ff",
        "/api/users/%",
        "/api/users/..%2f..%2f",
        "/api/products/%f0%9f%8c%b7",
        "/api/auth/sessions/x",
        "/api/users?limit=%",
        "/api/users?limit=%ff",
        "/api/users?cursor=%ff",
        "/api/audit?user=%ff",
        "/api/mail?state=%ff",
        "/api/nothing",
        "/nothing/at/all",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/.env",
        "/data/sealing.key",
        "/.well-known/",
        "/health",
    ] {
        scene.admin.get(path).await.expect_refusal();
    }
    scene.admin.delete("/api/auth/sessions/x").await.expect_refusal();
    let long = scene.admin.get(&format!("/api/users?q={}", "x".repeat(20_000))).await;
    assert!(long.status < 500, "{}", long.text());
    assert_eq!(scene.server.snapshot().await, before);
}

/// The status of a raw answer; `None` where the server just hung up, as RFC 9112 allows for what is no HTTP.
fn status(answer: &str) -> Option<u16> {
    answer
        .strip_prefix("HTTP/1.")
        .and_then(|rest| rest.get(2..5))
        .and_then(|status| status.parse().ok())
}

async fn what_is_no_http_is_refused(place: Place) {
    let server = place.start().await;
    let requests: [&[u8]; 10] = [
        b"nonsense\r\n\r\n",
        b"GET /users/me\r\n\r\n",
        b"GET /users/me HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET /us ers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\nConnection: close\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\nConnection: close\r\n\r\nabcde",
        b"POST /token HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for request in requests {
        // A client that says no more hangs up its side; what it sent so far is all there is.
        let answer = send_bytes(server.address(), request).await;
        let status = status(&answer);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{answer}");
    }
    server.anonymous().get("/health/live").await.expect(200);
}

async fn headers_beyond_measure_are_refused(place: Place) {
    let server = place.start().await;
    let long = "x".repeat(1_000_000);
    let many = (0..1000).fold(String::new(), |headers, number| headers + &format!("X-{number}: x\r\n"));
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\nConnection: close\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}Connection: close\r\n\r\n"),
    ] {
        let answer = send_bytes(server.address(), request.as_bytes()).await;
        let status = status(&answer);
        assert!(status.is_none_or(|status| (400..500).contains(&status)), "{answer}");
    }
    server.anonymous().get("/health/live").await.expect(200);
}
