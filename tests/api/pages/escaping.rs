//! What people type is text on every page that shows it.

use serde_json::json;

use crate::support::{Actor, Browser, PASSWORD, Place, Server, both_engines, field_value};

both_engines![what_people_type_is_text_wherever_it_is_shown];

/// What would be markup, an attribute, or the end of the element it stands in, and what is written the other way.
const TYPED: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"onload=\"alert(1)",
    "' autofocus onfocus='alert(1)",
    "</title></textarea></h1><img src=x onerror=alert(1)>",
    "<!--",
    "&lt;b&gt; &amp;amp; &#x3c;",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd} (admin)",
    "<!> {{7*7}} ${7*7}",
];

async fn what_people_type_is_text_wherever_it_is_shown(place: Place) {
    let server = place.start().await;
    let admin = admin(&server).await;
    for (index, typed) in TYPED.iter().enumerate() {
        let email = format!("user{index}@example.com");
        let body = json!({"email": email, "name": typed, "password": PASSWORD});
        let user = server
            .anonymous()
            .post("/api/auth/register")
            .json(body)
            .await
            .expect(201)
            .json();
        let browser = server.browser();
        let agent = typed.replace(|character: char| !character.is_ascii(), "");
        let log_in = browser.post("/api/auth/login").header("user-agent", agent);
        log_in
            .json(json!({"username": email, "password": PASSWORD}))
            .await
            .expect(200);
        let body = json!({"name": typed, "description": typed});
        let product = browser.post("/api/products").json(body).await.expect(201).json();
        let id = user["id"].as_str().unwrap();
        let product = format!("/products/{}", product["id"].as_str().unwrap());

        let page = check(&browser, "/profile", typed).await;
        assert_eq!(field_value(&page, "name").as_deref(), Some(*typed), "{page}");
        check(&browser, "/products", typed).await;
        // Its owner sees fields, and somebody else sees text.
        let page = check(&browser, &product, typed).await;
        assert_eq!(field_value(&page, "name").as_deref(), Some(*typed), "{page}");
        let other = server.user_with_browser(&format!("other{index}@example.com")).await;
        check(&other, &product, typed).await;
        check(&admin, &format!("/admin/users/{id}"), typed).await;
        check(&admin, &format!("/admin/users?q={email}"), typed).await;
        check_clean(&admin, &format!("/admin/audit?user={id}")).await;

        // What came back, and what was searched for.
        let page = browser
            .send("/form/update_profile", &[("name", "x"), ("username", typed)])
            .await
            .text();
        check_tags("/form/update_profile", &page);
        assert_eq!(field_value(&page, "username").as_deref(), Some(*typed), "{page}");
        let nobody = server.browser();
        let page = nobody
            .send("/form/log_in", &[("username", typed), ("password", "x")])
            .await
            .text();
        check_tags("/form/log_in", &page);
        assert_eq!(field_value(&page, "username").as_deref(), Some(*typed), "{page}");
        let query: String = url::form_urlencoded::byte_serialize(typed.as_bytes()).collect();
        let page = check_clean(&admin, &format!("/admin/users?q={query}")).await;
        assert_eq!(field_value(&page, "q").as_deref(), Some(*typed), "{page}");
        check_clean(&admin, &format!("/admin/audit?user={query}")).await;
        check_clean(&nobody, &format!("/reset-password?token={query}")).await;
        check_clean(&nobody, &format!("/login?next={query}")).await;
        check_clean(&nobody, &format!("/nothing/{query}")).await;
    }
    check_letters(&server).await;
}

/// The mailbox, and each letter as text and as HTML.
async fn check_letters(server: &Server) {
    server.mail_is_done().await;
    let browser = server.browser();
    check_clean(&browser, "/dev/mail").await;
    let letters = browser.get("/dev/mail.json").await.json();
    for letter in letters.as_array().unwrap() {
        let id = letter["id"].as_str().unwrap();
        check_clean(&browser, &format!("/dev/mail/{id}")).await;
        let html = browser.open(&format!("/dev/mail/{id}/html")).await.expect(200).text();
        for dangerous in ["<script", "<img src=x", " onload=", " onfocus=", " onerror="] {
            assert!(!html.contains(dangerous), "{dangerous} in {html}");
        }
    }
}

async fn admin(server: &Server) -> Browser {
    server.admin("admin@example.com").await;
    let browser = server.browser();
    browser
        .send(
            "/form/log_in",
            &[("username", "admin@example.com"), ("password", PASSWORD)],
        )
        .await;
    browser
}

/// The page, on which somebody reads what was typed.
async fn check(browser: &Browser, path: &str, typed: &str) -> String {
    let page = browser.open(path).await.expect_page(200);
    let html = page.text();
    check_tags(path, &html);
    let in_fields = ["name", "description"]
        .map(|name| field_value(&html, name))
        .into_iter()
        .flatten();
    let is_there = page.page_text().contains(typed) || in_fields.into_iter().any(|value| value == typed);
    assert!(is_there, "{path}: no {typed} in {html}");
    html
}

/// The page, whatever its status.
async fn check_clean(browser: &Browser, path: &str) -> String {
    let html = browser.open(path).await.text();
    check_tags(path, &html);
    html
}

/// Each tag is one of ours: nothing that was typed became one, or got into one.
fn check_tags(path: &str, html: &str) {
    assert_eq!(html.matches("<script").count(), 1, "{path}: {html}");
    assert_eq!(html.matches("</title>").count(), 1, "{path}: {html}");
    assert!(!html.contains("<!--"), "{path}: {html}");
    for tag in tags(html) {
        let names = attribute_names(tag);
        assert!(!names.iter().any(|name| name.starts_with("on")), "{path}: <{tag}>");
        assert!(
            !tag.starts_with("img ") || tag.contains("src=\"/assets/"),
            "{path}: <{tag}>"
        );
    }
}

/// What stands between `<` and `>`, where a browser takes it for a tag.
fn tags(html: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let mut in_quotes = false;
        let end = rest.find(|character| {
            in_quotes ^= character == '"';
            character == '>' && !in_quotes
        });
        let Some(end) = end else { break };
        tags.push(&rest[..end]);
        rest = &rest[end..];
    }
    tags
}

/// The names of a tag's attributes.
fn attribute_names(tag: &str) -> Vec<&str> {
    // Every second piece is a quoted value.
    let outside = tag.split('"').step_by(2);
    outside.flat_map(str::split_whitespace).collect()
}
