//! Forms that a browser sends on somebody else's behalf, and where forms lead.

use serde_json::json;

use crate::support::{Actor, Browser, HTML, PASSWORD, PUBLIC_URL, Place, both_engines, field_value, one_engine};

both_engines![a_form_from_another_site_does_nothing];

one_engine![
    sqlite: Sqlite,
    a_browser_without_fetch_metadata_is_judged_by_its_origin,
    what_a_form_did_is_not_sent_again_by_a_reload,
    a_password_that_was_left_blank_is_asked_for,
    an_account_is_deleted_by_an_admin_who_types_its_address,
    signing_in_leads_on_to_where_somebody_was_going,
    signing_in_leads_to_no_stranger,
    the_way_back_survives_every_page_on_it,
    an_allowed_origin_may_be_led_back_to,
    what_has_no_bounds_comes_back_in_no_header,
    who_is_signed_in_is_not_asked_again,
    sign_up_is_as_open_as_the_operator_has_it,
    without_products_there_are_none,
    well_known_paths_lead_to_their_pages,
];

/// The fields of a form, as they are sent.
type Fields<'a> = &'a [(&'a str, &'a str)];

async fn a_form_from_another_site_does_nothing(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    server.mail_is_done().await;
    let before = server.snapshot().await;
    let forms: Vec<_> = leptos::server_fn::axum::server_fn_paths().collect();
    assert!(forms.len() > 20);
    for (form, _) in forms {
        for (site, origin) in [
            ("cross-site", "https://evil.example"),
            ("same-site", "https://shop.localhost:8000"),
            ("cross-site", "null"),
        ] {
            let evil = ann.on_page_of(site, origin);
            let fields = [
                ("email", "eve@example.com"),
                ("username", "eve"),
                ("password", PASSWORD),
                ("name", "Eve"),
            ];
            let page = evil.submit(form, &fields).await.expect_page(403);
            assert!(page.cookies().is_empty(), "{form}: {:?}", page.cookies());
            page.says("This form came from another site");
            let program = evil.post(form).header("accept", "*/*").form(&fields).await;
            program.expect_problem(403, "cross_origin");
            // A simple request, which needs no preflight.
            let text = evil
                .post(form)
                .header("accept", HTML)
                .body("text/plain", "{\"username\": \"eve\"}");
            text.await.expect_page(403);
        }
    }
    assert_eq!(server.snapshot().await, before);
}

async fn a_browser_without_fetch_metadata_is_judged_by_its_origin(place: Place) {
    let server = place.start().await;
    let fields = [("email", "ann@example.com")];
    let send = |origin: &str| {
        let request = server.anonymous().post("/form/request_reset").header("accept", HTML);
        request.header("origin", origin).form(&fields)
    };
    send(PUBLIC_URL).await.expect(303);
    for origin in [
        "https://evil.example",
        "null",
        "http://localhost",
        "http://localhost:8000.evil.example",
    ] {
        send(origin).await.expect_page(403);
    }
}

async fn what_a_form_did_is_not_sent_again_by_a_reload(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    let fields = [("name", "Lamp"), ("description", "")];
    let location = ann.submit("/form/create_product", &fields).await.expect_see_other();
    ann.open(&location).await.says("The product is added.");
    let again = ann.open(&location).await.expect_page(200);
    assert!(!again.page_text().contains("The product is added."));
    assert_eq!(server.count("SELECT COUNT(*) FROM products").await, 1);
    // Failing, too, is answered by a redirect.
    let location = ann
        .submit("/form/create_product", &[("name", "")])
        .await
        .expect_see_other();
    assert_eq!(location, "/products");
}

async fn a_password_that_was_left_blank_is_asked_for(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    let reset = server.reset_link("ann@example.com").await;
    let nobody = server.browser();
    let new = [("new_email", "new@example.com"), ("password", "")];
    let both = [("current_password", ""), ("new_password", "")];
    let link = [("token", reset.as_str()), ("new_password", "")];
    let newcomer = [("email", "new@example.com"), ("password", "")];
    let forms: [(&Browser, &str, Fields<'_>, usize); 5] = [
        (&ann, "/form/change_email", &new, 1),
        (&ann, "/form/change_password", &both, 2),
        (&ann, "/form/delete_account", &[("password", "")], 1),
        (&nobody, "/form/finish_reset", &link, 1),
        (&nobody, "/form/sign_up", &newcomer, 1),
    ];
    for (browser, form, fields, blank) in forms {
        let html = browser.send(form, fields).await.text();
        assert_eq!(html.matches("class=\"error\"").count(), blank, "{form}: {html}");
        assert_eq!(html.matches("This field is required").count(), blank, "{form}: {html}");
    }
}

async fn an_account_is_deleted_by_an_admin_who_types_its_address(place: Place) {
    let server = place.start().await;
    server.admin("admin@example.com").await;
    let admin = server.browser();
    let fields = [("username", "admin@example.com"), ("password", PASSWORD)];
    admin.send("/form/log_in", &fields).await;
    let ann = server.sign_up("Ann@Example.com").await;
    let id = ann["id"].as_str().unwrap();
    let before = server.snapshot().await;
    let missing = admin.submit("/form/delete_user", &[("id", id)]).await;
    assert_eq!(missing.expect_see_other(), "/admin/users");
    for (typed, said) in [
        ("", "This field is required"),
        (" ", "This field is required"),
        ("admin@example.com", "This is not the address of the account"),
        ("ann@example.org", "This is not the address of the account"),
        ("delete", "This is not the address of the account"),
    ] {
        let fields = [("id", id), ("email", typed)];
        let page = admin.send("/form/delete_user", &fields).await.says(said);
        let html = page.text();
        assert!(html.contains("id=\"delete_user-email-error\""), "{typed:?}: {html}");
        assert_eq!(field_value(&html, "email").as_deref(), Some(typed), "{html}");
        let reply = admin.post("/form/delete_user").header("accept", "application/json");
        reply.form(&fields).await.expect_invalid_field("email");
        assert_eq!(server.snapshot().await, before, "{typed:?}");
    }
    let fields = [("id", id), ("email", "ann@example.COM ")];
    admin
        .send("/form/delete_user", &fields)
        .await
        .says("The account is deleted.");
    admin.open(&format!("/admin/users/{id}")).await.expect_page(404);
}

async fn signing_in_leads_on_to_where_somebody_was_going(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let browser = server.browser();
    let location = browser.open("/products?cursor=").await.expect_see_other();
    assert_eq!(location, "/login?next=%2Fproducts%3Fcursor%3D");
    let page = browser.open(&location).await.expect_page(200).text();
    let next = field_value(&page, "next").expect("where it leads");
    assert_eq!(next, "/products?cursor=");
    let fields = [("username", "ann@example.com"), ("password", PASSWORD), ("next", &next)];
    let location = browser.submit("/form/log_in", &fields).await.expect_see_other();
    assert_eq!(location, "/products?cursor=");
    browser.open(&location).await.expect_page(200).says("Add a product");
}

async fn signing_in_leads_to_no_stranger(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    for target in [
        "https://evil.example",
        "https://evil.example/profile",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\u{1}//evil.example",
        "/.//evil.example",
        "/a/..//evil.example",
        "/%2e//evil.example",
        "https:evil.example",
        "http:/\\evil.example",
        "javascript:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "blob:http://localhost:8000/x",
        "http://localhost:8000@evil.example/",
        "http://ann@localhost:8000/",
        "http://localhost:8000.evil.example/",
        "http://localhost:8001/",
        "https://localhost:8000/",
        "profile",
        "",
        "/x\r\nset-cookie: a=b",
    ] {
        for (remember, client) in [(None, server.browser()), (Some(("remember", "true")), server.browser())] {
            let mut fields = vec![
                ("username", "ann@example.com"),
                ("password", PASSWORD),
                ("next", target),
            ];
            fields.extend(remember);
            let reply = client.submit("/form/log_in", &fields).await;
            assert_eq!(
                reply.header("set-cookie").map(|cookie| cookie.contains("a=b")),
                Some(false)
            );
            assert_eq!(reply.expect_see_other(), "/profile", "{target:?}");
        }
        // Nor does the page carry it on, nor send somebody there who is signed in already.
        let query = url::form_urlencoded::byte_serialize(target.as_bytes()).collect::<String>();
        let page = server
            .browser()
            .open(&format!("/login?next={query}"))
            .await
            .expect_page(200);
        assert_eq!(field_value(&page.text(), "next").unwrap_or_default(), "", "{target:?}");
        assert!(!page.text().contains("evil.example"), "{target:?}: {}", page.text());
    }
    let ann = server.browser();
    ann.post("/api/auth/login")
        .json(json!({"username": "ann@example.com", "password": PASSWORD}))
        .await
        .expect(200);
    for path in ["/login", "/signup"] {
        let location = ann
            .open(&format!("{path}?next=https://evil.example"))
            .await
            .expect_see_other();
        assert_eq!(location, "/profile");
    }
}

async fn the_way_back_survives_every_page_on_it(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let page = browser.open("/login?next=%2Fproducts").await.expect_page(200).text();
    assert!(page.contains("href=\"/signup?next=%2Fproducts\""), "{page}");
    let page = browser.open("/signup?next=%2Fproducts").await.expect_page(200).text();
    assert!(page.contains("href=\"/login?next=%2Fproducts\""), "{page}");
    assert_eq!(field_value(&page, "next").as_deref(), Some("/products"));

    // Refused, and then not.
    let fields = [
        ("email", "ann@example.com"),
        ("password", "short"),
        ("next", "/products"),
    ];
    let page = browser.send("/form/sign_up", &fields).await.text();
    assert_eq!(field_value(&page, "next").as_deref(), Some("/products"));
    let fields = [
        ("email", "ann@example.com"),
        ("password", PASSWORD),
        ("next", "/products"),
    ];
    let page = browser
        .send("/form/sign_up", &fields)
        .await
        .says("Your account is made.")
        .text();
    assert_eq!(field_value(&page, "next").as_deref(), Some("/products"));
    assert_eq!(
        field_value(&page, "username").as_deref(),
        Some("ann@example.com"),
        "filled in"
    );
    let fields = [
        ("username", "ann@example.com"),
        ("password", "wrong"),
        ("next", "/products"),
    ];
    let page = browser
        .send("/form/log_in", &fields)
        .await
        .says("Wrong username, address or password.")
        .text();
    assert_eq!(field_value(&page, "next").as_deref(), Some("/products"));
    assert_eq!(
        field_value(&page, "username").as_deref(),
        Some("ann@example.com"),
        "still there"
    );
    let fields = [
        ("username", "ann@example.com"),
        ("password", PASSWORD),
        ("next", "/products"),
    ];
    assert_eq!(
        browser.submit("/form/log_in", &fields).await.expect_see_other(),
        "/products"
    );
}

async fn an_allowed_origin_may_be_led_back_to(place: Place) {
    let server = place.start_with(&[("ALLOWED_ORIGINS", "https://app.example")]).await;
    server.sign_up("ann@example.com").await;
    let next = "https://app.example/inbox?folder=1";
    let fields = [("username", "ann@example.com"), ("password", PASSWORD), ("next", next)];
    let browser = server.browser();
    assert_eq!(browser.submit("/form/log_in", &fields).await.expect_see_other(), next);
    let page = server.browser().open("/login").await;
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https://app.example;"), "{policy}");
    let fields = [
        ("username", "ann@example.com"),
        ("password", PASSWORD),
        ("next", "https://app.example.evil.example/"),
    ];
    assert_eq!(
        server
            .browser()
            .submit("/form/log_in", &fields)
            .await
            .expect_see_other(),
        "/profile"
    );
}

async fn what_has_no_bounds_comes_back_in_no_header(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let browser = server.browser();
    let long = format!("/{}", "é".repeat(5_000));
    let (wrong, right) = (("password", "wrong"), ("password", PASSWORD));
    let (name, email) = (("username", "ann@example.com"), ("email", "new"));
    let (next, token) = (("next", long.as_str()), ("token", long.as_str()));
    let forms: [(&str, Fields<'_>, &str); 5] = [
        ("/form/log_in", &[name, wrong, next], "/login"),
        ("/form/sign_up", &[email, wrong, next], "/signup"),
        (
            "/form/finish_reset",
            &[token, ("new_password", PASSWORD)],
            "/reset-password",
        ),
        ("/form/verify_email", &[token], "/verify-email"),
        ("/form/log_in", &[name, right, next], "/profile"),
    ];
    for (form, fields, page) in forms {
        assert_eq!(browser.submit(form, fields).await.expect_see_other(), page, "{form}");
    }
    let query = "a".repeat(5_000);
    let location = browser.open(&format!("/login?next=/{query}")).await.expect_see_other();
    assert_eq!(location, "/profile");
    let nobody = server.browser();
    let location = nobody.open(&format!("/profile?{query}")).await.expect_see_other();
    assert_eq!(location, "/login");
}

async fn who_is_signed_in_is_not_asked_again(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    assert_eq!(ann.open("/").await.expect_see_other(), "/profile");
    assert_eq!(ann.open("/login").await.expect_see_other(), "/profile");
    assert_eq!(ann.open("/login?next=/products").await.expect_see_other(), "/products");
    assert_eq!(ann.open("/signup?next=/products").await.expect_see_other(), "/products");
    let nobody = server.browser();
    assert_eq!(nobody.open("/").await.expect_see_other(), "/login");
    for path in ["/profile", "/products", "/admin/users", "/admin/audit", "/admin/mail"] {
        let asked = format!("/login?next={}", path.replace('/', "%2F"));
        assert_eq!(nobody.open(path).await.expect_see_other(), asked);
    }
}

async fn sign_up_is_as_open_as_the_operator_has_it(place: Place) {
    let server = place.start_with(&[("ALLOW_SIGNUP", "false")]).await;
    server
        .browser()
        .open("/signup")
        .await
        .expect_page(403)
        .says("Sign-up is closed");
    let page = server.browser().open("/login").await.expect_page(200);
    assert!(!page.text().contains("/signup"), "{}", page.text());
    server.stop().await;
    let server = place.start_with(&[("PRIVATE_SIGNUP", "true")]).await;
    let page = server.browser().open("/signup").await.expect_page(200).text();
    assert!(
        !page.contains("name=\"username\""),
        "it would tell who has an account: {page}"
    );
}

async fn without_products_there_are_none(place: Place) {
    let server = place.start_with(&[("PRODUCTS", "off")]).await;
    let ann = server.user_with_browser("ann@example.com").await;
    ann.open("/products").await.expect_page(404);
    ann.submit("/form/create_product", &[("name", "Lamp")])
        .await
        .expect_page(404);
    let page = ann.open("/profile").await.expect_page(200);
    assert!(!page.text().contains("/products"), "{}", page.text());
}

async fn well_known_paths_lead_to_their_pages(place: Place) {
    let server = place.start().await;
    let reply = server.browser().open("/.well-known/change-password").await;
    assert_eq!(reply.expect_see_other(), "/login?next=%2Fprofile%23password");
    let ann = server.user_with_browser("ann@example.com").await;
    let reply = ann.open("/.well-known/change-password").await;
    assert_eq!(reply.expect_see_other(), "/profile#password");
    let page = ann.open("/profile").await.expect_page(200).text();
    assert!(page.contains("id=\"password\""), "{page}");
}
