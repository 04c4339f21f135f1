//! What holds for every page: its headers, its markup, and what is not in it.

use std::collections::BTreeSet;

use reqwest::Method;

use crate::support::{Actor, Browser, HTML, PASSWORD, Place, Reply, Server, both_engines, one_engine};

both_engines![every_page_is_guarded_by_its_headers];

one_engine![
    sqlite: Sqlite,
    a_nonce_is_new_with_each_answer,
    search_engines_find_what_is_for_strangers,
    pages_are_named_by_what_they_are_and_whose,
    a_page_can_be_asked_for_its_headers_alone,
    a_letter_is_shown_in_a_sandbox,
];

/// Every page there is, with who looks at it.
async fn all_pages(server: &Server) -> Vec<(String, Reply)> {
    let nobody = server.browser();
    let admin = admin(server).await;
    admin
        .send("/form/create_product", &[("name", "Lamp"), ("description", "Brass")])
        .await;
    let id = server
        .text("SELECT id FROM users WHERE email = 'admin@example.com'")
        .await;
    let product = server.text("SELECT id FROM products").await;
    let letter = nobody.get("/dev/mail.json").await.json()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let open = [
        "/login",
        "/login?next=/products",
        "/signup",
        "/forgot-password",
        "/reset-password?token=x",
        "/verify-email?token=x",
        "/verify-email",
        "/dev/mail",
        "/nothing",
    ];
    let mut pages: Vec<(&Browser, String)> = open.map(|path| (&nobody, path.to_owned())).to_vec();
    pages.extend(
        ["/profile", "/products", "/admin/users", "/admin/audit", "/admin/mail"].map(|path| (&admin, path.to_owned())),
    );
    pages.push((&admin, format!("/admin/users/{id}")));
    pages.push((&admin, format!("/products/{product}")));
    pages.push((&admin, format!("/dev/mail/{letter}")));
    let mut replies = Vec::new();
    for (browser, path) in pages {
        let reply = browser.open(&path).await;
        let status = if path == "/nothing" { 404 } else { 200 };
        replies.push((path, reply.expect_page(status)));
    }
    // A form that came back, and an error.
    let refused = nobody.send("/form/sign_up", &[("email", "x"), ("password", "x")]).await;
    replies.push(("a refused form".to_owned(), refused));
    let evil = nobody.on_page_of("cross-site", "https://evil.example");
    let forged = evil.submit("/form/log_in", &[]).await.expect_page(403);
    replies.push(("a forged form".to_owned(), forged));
    replies
}

async fn admin(server: &Server) -> Browser {
    server.admin("admin@example.com").await;
    server.mail_is_done().await;
    let browser = server.browser();
    browser
        .send(
            "/form/log_in",
            &[("username", "admin@example.com"), ("password", PASSWORD)],
        )
        .await;
    browser
}

fn nonce(reply: &Reply) -> String {
    let policy = reply.header("content-security-policy").expect("a policy");
    let (_, rest) = policy.split_once("script-src 'nonce-").expect("a nonce");
    rest.split('\'').next().unwrap().to_owned()
}

async fn every_page_is_guarded_by_its_headers(place: Place) {
    let server = place.start().await;
    let pages = all_pages(&server).await;
    let mut nonces = BTreeSet::new();
    for (path, reply) in &pages {
        let policy = reply.header("content-security-policy").expect("a policy");
        for rule in [
            "default-src 'none'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "report-uri /api/csp-report",
        ] {
            assert!(
                policy.split(';').any(|found| found.trim() == rule),
                "{path}: no {rule} in {policy}"
            );
        }
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let html = reply.text();
        let nonce = nonce(reply);
        assert!(nonce.len() >= 22, "{path}: 128 bits: {nonce}");
        check_markup(path, &html, &nonce);
        assert!(nonces.insert(nonce), "{path}: it is another page's nonce");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("reporting-endpoints", "csp=\"/api/csp-report\""),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}: {name}");
        }
        let referrer = reply.header("referrer-policy").unwrap_or_default();
        assert!(
            ["same-origin", "strict-origin"].contains(&referrer),
            "{path}: {referrer}"
        );
    }
    assert_eq!(nonces.len(), pages.len());
}

/// One script, by its nonce; nothing inline; and nothing for a script that these pages do not have.
fn check_markup(path: &str, html: &str, nonce: &str) {
    let scripts: Vec<&str> = html.split("<script").skip(1).collect();
    assert_eq!(scripts.len(), 1, "{path}: {html}");
    assert!(
        scripts[0].contains(&format!("nonce=\"{nonce}\"")),
        "{path}: {}",
        scripts[0]
    );
    assert!(
        scripts[0].contains("src=\"/assets/vestibule-") && scripts[0].contains("\"></script>"),
        "{path}"
    );
    assert!(!html.contains("<style") && !html.contains(" style="), "{path}: {html}");
    assert!(!html.contains("<!>") && !html.contains("<!--"), "{path}: {html}");
    for leftover in ["__RESOLVED", "__err", "data-hk", "wasm", "javascript:", "undefined"] {
        assert!(!html.contains(leftover), "{path}: {leftover} in {html}");
    }
    for tag in html.split('<').filter_map(|rest| rest.split('>').next()) {
        assert!(!tag.contains(" on"), "{path}: a handler in <{tag}>");
    }
    // Every form is sent to a server function, or is a search.
    for tag in html.split("<form").skip(1).filter_map(|rest| rest.split('>').next()) {
        let is_search = tag.contains("method=\"get\"");
        assert!(
            is_search || (tag.contains("method=\"post\"") && tag.contains("action=\"/form/")),
            "{path}: <form{tag}>"
        );
    }
    // A label names each field by its id, and no id is there twice.
    let ids: Vec<&str> = html
        .split(" id=\"")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "{path}: {ids:?}");
    for attribute in [" for=\"", " aria-labelledby=\"", " aria-describedby=\""] {
        let references = html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next());
        for reference in references.flat_map(str::split_whitespace) {
            assert!(unique.contains(reference), "{path}:{attribute}{reference}");
        }
    }
}

async fn a_nonce_is_new_with_each_answer(place: Place) {
    let server = place.start().await;
    let mut nonces = BTreeSet::new();
    for _ in 0..20 {
        let reply = server.browser().open("/login").await;
        assert!(reply.text().contains(&format!("nonce=\"{}\"", nonce(&reply))));
        nonces.insert(nonce(&reply));
    }
    assert_eq!(nonces.len(), 20);
}

async fn search_engines_find_what_is_for_strangers(place: Place) {
    const FOUND: [&str; 4] = ["/login", "/login?next=/products", "/signup", "/forgot-password"];
    let server = place.start().await;
    for (path, reply) in all_pages(&server).await {
        let html = reply.text();
        let is_hidden = html.contains("<meta name=\"robots\" content=\"noindex\">");
        let is_for_strangers = FOUND.contains(&path.as_str()) || path == "a refused form";
        assert_eq!(is_hidden, !is_for_strangers, "{path}: {html}");
        assert_eq!(html.contains("<meta name=\"description\""), is_for_strangers, "{path}");
    }
}

async fn pages_are_named_by_what_they_are_and_whose(place: Place) {
    let server = place.start_with(&[("SITE_NAME", "Acme")]).await;
    let mut titles = BTreeSet::new();
    for (path, reply) in all_pages(&server).await {
        let html = reply.text();
        let title = html
            .split("<title>")
            .nth(1)
            .and_then(|rest| rest.split("</title>").next())
            .expect("a title");
        assert!(title.ends_with(" · Acme"), "{path}: {title}");
        assert_eq!(
            title.starts_with("Error: "),
            path == "a refused form",
            "{path}: {title}"
        );
        assert_eq!(html.matches("<h1").count(), 1, "{path}: {html}");
        assert_eq!(html.matches("<main").count(), 1, "{path}: {html}");
        assert!(html.contains("<meta name=\"viewport\""), "{path}");
        assert_eq!(html.matches("<meta name=\"theme-color\"").count(), 2, "{path}");
        titles.insert(title.to_owned());
    }
    assert!(titles.len() >= 14, "{titles:?}");
}

async fn a_page_can_be_asked_for_its_headers_alone(place: Place) {
    let server = place.start().await;
    let admin = admin(&server).await;
    for (path, status) in [
        ("/login", 303),
        ("/signup", 303),
        ("/forgot-password", 200),
        ("/verify-email?token=x", 200),
        ("/profile", 200),
        ("/products", 200),
        ("/admin/users", 200),
        ("/dev/mail", 200),
        ("/nothing", 404),
    ] {
        let reply = admin
            .request(Method::HEAD, path)
            .header("accept", HTML)
            .await
            .expect(status);
        assert!(reply.body.is_empty(), "{path}");
        let page = admin.open(path).await;
        for name in ["content-type", "cache-control", "location"] {
            assert_eq!(reply.header(name), page.header(name), "{path}: {name}");
        }
    }
}

async fn a_letter_is_shown_in_a_sandbox(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    server.verification_link("ann@example.com").await;
    let browser = server.browser();
    let id = browser.get("/dev/mail.json").await.json()[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let page = browser.open(&format!("/dev/mail/{id}")).await.expect_page(200);
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("frame-src 'self';")
    );
    assert!(
        page.text().contains("<iframe") && page.text().contains("sandbox="),
        "{}",
        page.text()
    );
    let html = browser.open(&format!("/dev/mail/{id}/html")).await.expect(200);
    let policy = html.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
        "sandbox",
    ] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(
        !policy.contains("allow-scripts") && !policy.contains("allow-same-origin"),
        "{policy}"
    );
}
