//! Requests that a browser sends for a page of somebody else.

use reqwest::Method;
use serde_json::json;

use crate::support::{Actor, PASSWORD, PUBLIC_URL, Place, Process, both_engines, one_engine};

const ALLOWED: &str = "https://app.example.com";

both_engines![
    a_page_of_another_site_changes_nothing,
    log_in_cannot_be_forged_either,
    an_older_browser_is_judged_by_its_origin,
    programs_that_are_no_browsers_pass,
    reading_is_free_but_not_readable,
    an_allowed_origin_passes_and_reads,
    a_preflight_is_answered_for_allowed_origins_only,
    an_origin_that_only_looks_allowed_is_not,
    the_check_comes_before_the_credentials,
];

one_engine![
    sqlite: Sqlite,
    an_origin_that_is_kept_out_is_told_of_once,
];

async fn a_page_of_another_site_changes_nothing(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let before = server.snapshot().await;
    for (site, origin) in [
        ("cross-site", "https://evil.example"),
        ("same-site", "http://localhost:9000"),
        ("cross-site", "null"),
        ("same-site", "http://evil.localhost:8000"),
    ] {
        let page = browser.on_page_of(site, origin);
        for (method, path, body) in [
            (Method::POST, "/api/auth/logout", json!({})),
            (Method::POST, "/api/auth/refresh", json!({})),
            (Method::PATCH, "/api/auth/me", json!({"name": "Eve"})),
            (Method::DELETE, "/api/auth/me", json!({"password": PASSWORD})),
            (Method::DELETE, "/api/auth/sessions", json!({})),
            (Method::POST, "/api/products", json!({"name": "x"})),
            (Method::POST, "/auth/logout", json!({})),
        ] {
            page.request(method, path).json(body).await.expect_any_problem(403);
        }
    }
    assert_eq!(server.snapshot().await, before);
    browser
        .patch("/api/auth/me")
        .json(json!({"name": "Ann"}))
        .await
        .expect(200);
}

async fn log_in_cannot_be_forged_either(place: Place) {
    let server = place.start().await;
    server.sign_up("eve@example.com").await;
    let before = server.snapshot().await;
    // A form on a page of Eve's, which would sign Ann in as Eve.
    let page = server.browser().on_page_of("cross-site", "https://evil.example");
    let fields = [("username", "eve@example.com"), ("password", PASSWORD)];
    for path in ["/api/auth/login", "/token", "/auth/login", "/login"] {
        let reply = page.post(path).form(&fields).await;
        reply.expect_any_problem(403);
        assert!(reply.cookies().is_empty());
    }
    let body = json!({"email": "new@example.com", "password": PASSWORD});
    page.post("/api/auth/register").json(body).await.expect_any_problem(403);
    assert_eq!(server.snapshot().await, before);
}

async fn an_older_browser_is_judged_by_its_origin(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let log_in = |origin: &str| {
        let request = server.anonymous().post("/api/auth/login").header("origin", origin);
        request.json(json!({"email": "ann@example.com", "password": PASSWORD}))
    };
    for bad in [
        "https://evil.example",
        "null",
        "http://localhost:8001",
        "https://localhost:8000",
        "",
        "nonsense",
    ] {
        log_in(bad).await.expect_any_problem(403);
    }
    log_in(PUBLIC_URL).await.expect(200);
}

async fn programs_that_are_no_browsers_pass(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.patch("/api/auth/me").json(json!({"name": "Ann"})).await.expect(200);
    let cookie = format!("access_token={}", ann.access_token);
    let patch = server.anonymous().patch("/api/auth/me").header("cookie", cookie);
    patch.json(json!({"name": "Anna"})).await.expect(200);
}

async fn reading_is_free_but_not_readable(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("ann@example.com").await;
    let page = browser.on_page_of("cross-site", "https://evil.example");
    let reply = page.get("/users/me").await;
    assert_eq!(reply.header("access-control-allow-origin"), None);
    assert_eq!(reply.header("access-control-allow-credentials"), None);
    let link = browser
        .on_page_of("cross-site", "https://evil.example")
        .get("/health/live")
        .await;
    link.expect(200);
}

async fn an_allowed_origin_passes_and_reads(place: Place) {
    let server = place.start_with(&[("ALLOWED_ORIGINS", ALLOWED)]).await;
    server.sign_up("ann@example.com").await;
    let page = server.browser().on_page_of("cross-site", ALLOWED);
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    for reply in [
        page.post("/api/auth/login").json(&body).await.expect(200),
        page.get("/users/me").await.expect(200),
        page.patch("/api/auth/me")
            .json(json!({"name": "Ann"}))
            .await
            .expect(200),
        // A refusal must be readable too, or the page cannot say what was wrong.
        page.patch("/api/auth/me")
            .json(json!({"username": "a b"}))
            .await
            .expect(422),
        page.get("/nothing").await.expect(404),
    ] {
        assert_eq!(reply.header("access-control-allow-origin"), Some(ALLOWED));
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
        let vary = reply.header("vary").unwrap_or_default().to_lowercase();
        assert!(
            vary.contains("origin"),
            "a cache must not give one origin the other's answer: {vary}"
        );
    }
    let evil = server.browser().on_page_of("cross-site", "https://evil.example");
    evil.post("/api/auth/login").json(&body).await.expect_any_problem(403);
}

async fn a_preflight_is_answered_for_allowed_origins_only(place: Place) {
    let server = place
        .start_with(&[("ALLOWED_ORIGINS", &format!("{ALLOWED},https://other.example.com"))])
        .await;
    let ask = |origin: &str| {
        let request = server
            .anonymous()
            .request(Method::OPTIONS, "/api/auth/me")
            .header("origin", origin);
        let request = request.header("access-control-request-method", "PATCH");
        request.header("access-control-request-headers", "authorization,content-type")
    };
    for allowed in [ALLOWED, "https://other.example.com"] {
        let reply = ask(allowed).await.expect_success();
        assert_eq!(reply.header("access-control-allow-origin"), Some(allowed));
        assert_eq!(reply.header("access-control-allow-credentials"), Some("true"));
        let methods = reply.header("access-control-allow-methods").unwrap();
        assert!(methods.contains("PATCH") && methods.contains("DELETE"), "{methods}");
        let headers = reply.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(
            headers.contains("authorization") && headers.contains("content-type"),
            "{headers}"
        );
    }
    for other in ["https://evil.example", "null", "http://app.example.com"] {
        let reply = ask(other).await;
        assert_eq!(reply.header("access-control-allow-origin"), None, "{other}");
    }
}

async fn an_origin_that_only_looks_allowed_is_not(place: Place) {
    let server = place.start_with(&[("ALLOWED_ORIGINS", ALLOWED)]).await;
    server.sign_up("ann@example.com").await;
    for origin in [
        "https://app.example.com.evil.example",
        "https://evil.example/https://app.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "https://evilapp.example.com",
        "https://app.example.com@evil.example",
        "https://APP.example.com.",
    ] {
        let page = server.browser().on_page_of("cross-site", origin);
        let body = json!({"email": "ann@example.com", "password": PASSWORD});
        let reply = page.post("/api/auth/login").json(body).await;
        reply.expect_any_problem(403);
        assert_eq!(reply.header("access-control-allow-origin"), None, "{origin}");
    }
}

async fn the_check_comes_before_the_credentials(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    // Even a Bearer value, which no other site can know, does not make a page of it welcome.
    let page = server.browser().on_page_of("cross-site", "https://evil.example");
    page.patch("/api/auth/me")
        .bearer(&ann.access_token)
        .json(json!({"name": "x"}))
        .await
        .expect_any_problem(403);
    let body = json!({"email": "ann@example.com", "password": "not-the-password"});
    page.post("/api/auth/login").json(body).await.expect_any_problem(403);
}

async fn an_origin_that_is_kept_out_is_told_of_once(place: Place) {
    let process = Process::start(&place, &[("ALLOWED_ORIGINS", ALLOWED)]).await;
    let told = || process.output().matches("are kept out").count();
    let ask = |method: Method, origin: &str| {
        let request = process.anonymous().request(method, "/api/auth/refresh");
        request.header("origin", origin)
    };
    let site = format!("http://localhost:{}", process.address().port());
    for origin in [ALLOWED, &site, "null", "nonsense"] {
        ask(Method::OPTIONS, origin).await;
        ask(Method::POST, origin).await;
    }
    assert_eq!(told(), 0, "{}", process.output());
    for method in [Method::POST, Method::POST, Method::OPTIONS] {
        ask(method, "http://127.0.0.1:9").await;
    }
    ask(Method::OPTIONS, "https://spa.example").await;
    assert_eq!(told(), 2, "{}", process.output());
    for said in [
        "http://127.0.0.1:9 are kept out",
        "https://spa.example are kept out",
        "ALLOWED_ORIGINS",
        &format!("of this site are at {site}"),
    ] {
        assert!(process.output().contains(said), "no {said} in {}", process.output());
    }
    for number in 0..40 {
        ask(Method::POST, &format!("https://{number}.example")).await;
    }
    assert!(told() < 40, "{}", process.output());
}
