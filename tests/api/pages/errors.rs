//! Refusals are pages for whoever looks at pages, and problem documents for everybody else, with the same status and
//! headers.

use reqwest::Method;
use serde_json::Value;

use crate::support::{Actor, Browser, HTML, PASSWORD, Place, Reply, both_engines, one_engine};

both_engines![a_refusal_is_a_page_or_a_problem_as_it_is_asked_for];

one_engine![
    sqlite: Sqlite,
    the_api_refuses_in_json_whoever_asks,
    a_page_of_a_fault_tells_the_request_and_not_the_cause,
];

one_engine![
    postgres: Postgres,
    while_the_database_is_away_pages_say_so,
];

const UNKNOWN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// What pages and problems have in common.
const HEADERS: [&str; 5] = [
    "allow",
    "retry-after",
    "www-authenticate",
    "cache-control",
    "x-content-type-options",
];

/// Asks for the same twice, and gives the page.
async fn refused_alike(browser: &Browser, method: &Method, path: &str, status: u16) -> Reply {
    let page = browser
        .request(method.clone(), path)
        .header("accept", HTML)
        .await
        .expect_page(status);
    for accepted in ["application/json", "*/*"] {
        let problem = browser.request(method.clone(), path).header("accept", accepted).await;
        problem.expect_any_problem(status);
        for name in HEADERS {
            assert_eq!(page.header(name), problem.header(name), "{method} {path}: {name}");
        }
    }
    let neither = browser.request(method.clone(), path).await;
    neither.expect_any_problem(status);
    let html = page.text();
    assert!(
        html.contains("content=\"noindex\"") && html.contains("href=\"/\""),
        "{html}"
    );
    assert_eq!(
        html.contains("<code>"),
        status >= 500,
        "who met a fault will ask about it: {html}"
    );
    page
}

async fn a_refusal_is_a_page_or_a_problem_as_it_is_asked_for(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    server.admin("admin@example.com").await;
    let admin = server.browser();
    admin
        .send(
            "/form/log_in",
            &[("username", "admin@example.com"), ("password", PASSWORD)],
        )
        .await;

    let nobody = server.browser();
    for path in [
        "/nothing",
        "/admin",
        "/products/none",
        "/form/nothing",
        "/assets/nothing.css",
        "/dev/mail/none",
    ] {
        let browser = if path.starts_with("/products") { &ann } else { &nobody };
        let page = refused_alike(browser, &Method::GET, path, 404).await;
        page.says("Page not found");
    }
    let product = format!("/products/{UNKNOWN}");
    refused_alike(&ann, &Method::GET, &product, 404).await;
    refused_alike(&admin, &Method::GET, &format!("/admin/users/{UNKNOWN}"), 404).await;
    refused_alike(&admin, &Method::GET, "/admin/users/none", 404).await;
    for path in [
        "/admin/users",
        "/admin/audit",
        "/admin/mail",
        &format!("/admin/users/{UNKNOWN}"),
    ] {
        let page = refused_alike(&ann, &Method::GET, path, 403).await;
        page.says("This is not for you");
    }
    for (method, path) in [
        (Method::POST, "/profile"),
        (Method::GET, "/form/log_out"),
        (Method::DELETE, "/signup"),
    ] {
        let page = refused_alike(&ann, &method, path, 405).await;
        assert!(page.header("allow").is_some(), "{method} {path}");
    }
    for (path, status) in [
        ("/login?next=%00", 400),
        ("/login?next=%ff", 400),
        ("/login?next=a&next=b", 422),
        ("/admin/users?cursor=bad", 422),
        ("/admin/users?status=bad", 422),
        ("/admin/audit?event=bad", 422),
        ("/products?cursor=bad", 422),
    ] {
        refused_alike(&admin_or(&nobody, &admin, path), &Method::GET, path, status).await;
    }
}

fn admin_or(nobody: &Browser, admin: &Browser, path: &str) -> Browser {
    if path.starts_with("/login") {
        nobody.clone()
    } else {
        admin.clone()
    }
}

async fn the_api_refuses_in_json_whoever_asks(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    for (path, status) in [("/api/auth/me", 401), ("/api/nothing", 404), ("/api/auth/login", 405)] {
        browser.open(path).await.expect_any_problem(status);
    }
    let evil = browser.on_page_of("cross-site", "https://evil.example");
    evil.submit("/api/auth/login", &[("username", "a")])
        .await
        .expect_problem(403, "cross_origin");
}

async fn a_page_of_a_fault_tells_the_request_and_not_the_cause(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    let broken = sqlx::query("ALTER TABLE products RENAME TO mislaid")
        .execute(server.database())
        .await;
    broken.expect("renamed");
    let page = ann
        .open("/products")
        .await
        .expect_page(500)
        .says("Something went wrong");
    let id = page.header("x-request-id").unwrap().to_owned();
    let html = page.text();
    assert!(html.contains(&format!("<code>{id}</code>")), "{html}");
    for inside in ["products", "SQL", "sql", "table"] {
        assert!(!page.page_text().contains(inside), "{inside}: {html}");
    }
    let page = ann
        .submit("/form/create_product", &[("name", "Lamp")])
        .await
        .expect_page(500);
    assert!(page.header("location").is_none());
    let problem = ann.get("/products").await.expect_any_problem(500);
    assert!(
        problem["request_id"].is_string() && problem.get("errors").is_none(),
        "{problem}"
    );
    assert_eq!(problem.get("cause"), None::<&Value>);
}

async fn while_the_database_is_away_pages_say_so(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    place.refuse_connections(true).await;
    place.end_connections().await;
    for path in ["/profile", "/products", "/login", "/admin/users"] {
        let page = refused_alike(&ann, &Method::GET, path, 503).await;
        assert!(page.header("retry-after").is_some());
        assert!(page.cookies().is_empty(), "the session lives: {:?}", page.cookies());
        page.says("Not available for a moment");
    }
    let nobody = server.browser();
    let fields = [("username", "ann@example.com"), ("password", PASSWORD)];
    let page = nobody.submit("/form/log_in", &fields).await.expect_page(503);
    assert!(page.header("retry-after").is_some() && page.cookies().is_empty());
    let reply = nobody
        .post("/form/log_in")
        .header("accept", "application/json")
        .form(&fields)
        .await;
    reply.expect_problem(503, "unavailable");
    // What needs no database is there.
    nobody.open("/login").await.expect_page(200);
    place.refuse_connections(false).await;
    ann.open("/profile").await.expect_page(200).says("ann@example.com");
}
