//! The session's cookies, as pages and forms set, renew and take them back.

use crate::support::{Browser, DAY, HOUR, MINUTE, PASSWORD, Place, Server, SetCookie, both_engines, one_engine};

both_engines![
    a_page_renews_the_session_on_the_way,
    a_form_renews_the_session_on_the_way,
];

one_engine![
    sqlite: Sqlite,
    remembering_is_for_who_asks_for_it,
    signing_out_takes_the_cookies_back,
    after_signing_out_nothing_private_is_shown,
    a_dead_session_leads_to_signing_in,
    signing_out_by_a_dead_session_is_signing_out,
    a_browser_that_signs_in_anew_leaves_no_session_behind,
    over_https_the_cookies_are_bound_to_the_host,
];

const NAMES: [&str; 2] = ["access_token", "refresh_token"];

async fn signed_in(server: &Server) -> Browser {
    server.sign_up("ann@example.com").await;
    let browser = server.browser();
    browser
        .send(
            "/form/log_in",
            &[("username", "ann@example.com"), ("password", PASSWORD)],
        )
        .await
        .says("Profile");
    browser
}

async fn a_page_renews_the_session_on_the_way(place: Place) {
    let server = place.start().await;
    let ann = signed_in(&server).await;
    for path in [
        "/profile",
        "/products",
        "/login",
        "/",
        "/verify-email",
        "/forgot-password",
    ] {
        server.advance(16 * MINUTE);
        let before = ann.jar.get("refresh_token");
        let reply = ann.open(path).await;
        assert!([200, 303].contains(&reply.status), "{path}: {}", reply.text());
        for name in NAMES {
            assert!(!reply.cookie(name).is_removal(), "{path}");
        }
        assert_ne!(ann.jar.get("refresh_token"), before, "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
    }
    ann.jar.remove("access_token");
    ann.open("/profile").await.expect_page(200).says("ann@example.com");
    let again = ann.open("/profile").await.expect_page(200);
    assert!(again.cookies().is_empty(), "once is enough: {:?}", again.cookies());
    // Two tabs at once, and then one more.
    server.advance(16 * MINUTE);
    let other = ann.moved_to(server.anonymous());
    let (one, two) = tokio::join!(async { ann.open("/profile").await }, async {
        other.open("/products").await
    });
    assert_eq!(one.cookie("refresh_token").value, two.cookie("refresh_token").value);
    ann.open("/profile").await.expect_page(200);
}

async fn a_form_renews_the_session_on_the_way(place: Place) {
    let server = place.start().await;
    let ann = signed_in(&server).await;
    server.advance(16 * MINUTE);
    let reply = ann
        .submit("/form/update_profile", &[("name", "Ann"), ("username", "")])
        .await;
    for name in NAMES {
        assert!(!reply.cookie(name).is_removal());
    }
    ann.follow(reply).await.says("Your profile is saved.");
    // Also when it comes back, and when it signs out.
    server.advance(16 * MINUTE);
    let reply = ann
        .submit("/form/update_profile", &[("name", "Ann"), ("username", "a b")])
        .await;
    assert!(!reply.cookie("refresh_token").is_removal());
    ann.follow(reply).await.expect_page(200);
    server.advance(16 * MINUTE);
    let reply = ann.submit("/form/log_out", &[]).await.expect(303);
    assert!(
        NAMES.iter().all(|name| reply.cookie(name).is_removal()),
        "{:?}",
        reply.cookies()
    );
    assert_eq!(
        server.count("SELECT COUNT(*) FROM sessions WHERE expires_at > 0").await,
        0
    );
    // An operation that ends the session that it was renewed for leaves no cookie of it.
    ann.send(
        "/form/log_in",
        &[("username", "ann@example.com"), ("password", PASSWORD)],
    )
    .await;
    server.advance(16 * MINUTE);
    let reply = ann
        .submit("/form/delete_account", &[("password", PASSWORD)])
        .await
        .expect(303);
    assert!(
        NAMES.iter().all(|name| reply.cookie(name).is_removal()),
        "{:?}",
        reply.cookies()
    );
    assert!(NAMES.iter().all(|name| ann.jar.get(name).is_none()));
}

async fn remembering_is_for_who_asks_for_it(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let fields = [
        ("username", "ann@example.com"),
        ("password", PASSWORD),
        ("remember", "true"),
    ];
    let reply = server.browser().submit("/form/log_in", &fields).await;
    assert_eq!(
        reply.cookie("refresh_token").attribute("Max-Age"),
        Some((7 * DAY).to_string().as_str())
    );
    assert_eq!(reply.cookie("access_token").attribute("Max-Age"), Some("900"));
    let brief = server.browser();
    let reply = brief.submit("/form/log_in", &fields[..2]).await;
    for name in NAMES {
        let cookie = reply.cookie(name);
        assert_eq!(
            (cookie.attribute("Max-Age"), cookie.attribute("Expires")),
            (None, None),
            "{cookie:?}"
        );
        assert_eq!(cookie.attribute("HttpOnly"), Some(""), "{cookie:?}");
        assert_eq!(cookie.attribute("SameSite"), Some("Lax"), "{cookie:?}");
    }
    server.advance(12 * HOUR);
    assert_eq!(
        brief.open("/profile").await.expect_see_other(),
        "/login?next=%2Fprofile"
    );
}

async fn signing_out_takes_the_cookies_back(place: Place) {
    let server = place.start().await;
    let ann = signed_in(&server).await;
    let kept = ann.moved_to(server.anonymous());
    let reply = ann.submit("/form/log_out", &[]).await;
    for name in NAMES {
        let cookie = reply.cookie(name);
        assert!(cookie.is_removal(), "{cookie:?}");
        assert_eq!(
            cookie.attribute("Path"),
            Some("/"),
            "a browser keeps it under any other path"
        );
    }
    ann.follow(reply).await.says("You are signed out.");
    // Whoever kept the cookies has nothing of them.
    assert_eq!(kept.open("/profile").await.expect_see_other(), "/login?next=%2Fprofile");
    assert!(kept.jar.is_empty());
}

async fn after_signing_out_nothing_private_is_shown(place: Place) {
    let server = place.start().await;
    let ann = signed_in(&server).await;
    for path in ["/profile", "/products"] {
        let page = ann.open(path).await.expect_page(200);
        assert_eq!(
            page.header("cache-control"),
            Some("no-store"),
            "the back button asks again"
        );
        assert!(page.text().contains("data-private"), "{}", page.text());
    }
    ann.send("/form/log_out", &[]).await;
    for path in ["/profile", "/products"] {
        let reply = ann.open(path).await;
        assert!(!reply.text().contains("ann@example.com"));
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(
            reply.expect_see_other(),
            format!("/login?next={}", path.replace('/', "%2F"))
        );
    }
    assert!(!ann.open("/login").await.text().contains("data-private"));
}

async fn a_dead_session_leads_to_signing_in(place: Place) {
    let server = place.start().await;
    let ann = signed_in(&server).await;
    server.advance(31 * DAY);
    for path in ["/signup", "/forgot-password"] {
        let stale = ann.moved_to(server.anonymous());
        let page = stale.open(path).await.expect_page(200);
        assert!(!page.text().contains("/form/log_out"), "{path}: nobody is signed in");
        assert!(stale.jar.is_empty(), "{path}: dead cookies are taken away");
    }
    let stale = ann.moved_to(server.anonymous());
    let reply = stale
        .submit("/form/update_profile", &[("name", "x"), ("username", "")])
        .await;
    assert!(
        reply.cookies().iter().all(SetCookie::is_removal),
        "{:?}",
        reply.cookies()
    );
    assert_eq!(reply.expect_see_other(), "/login?next=%2Fprofile");
}

async fn signing_out_by_a_dead_session_is_signing_out(place: Place) {
    let server = place.start().await;
    let ann = signed_in(&server).await;
    server.advance(31 * DAY);
    for browser in [&ann, &server.browser()] {
        let location = browser.submit("/form/log_out", &[]).await.expect_see_other();
        assert_eq!(location, "/login");
        browser.open(&location).await.says("You are signed out.");
        assert!(browser.jar.is_empty());
    }
    // A dead refresh cookie beside a good access cookie does not keep the session alive.
    let ann = server.browser();
    ann.send(
        "/form/log_in",
        &[("username", "ann@example.com"), ("password", PASSWORD)],
    )
    .await;
    ann.jar.set("refresh_token", "dead");
    ann.send("/form/log_out", &[]).await.says("You are signed out.");
    assert_eq!(
        server
            .count("SELECT COUNT(*) FROM audit_events WHERE event = 'log_out'")
            .await,
        1
    );
}

async fn a_browser_that_signs_in_anew_leaves_no_session_behind(place: Place) {
    let server = place.start().await;
    let ann = signed_in(&server).await;
    let kept = ann.moved_to(server.anonymous());
    ann.send(
        "/form/log_in",
        &[("username", "ann@example.com"), ("password", PASSWORD)],
    )
    .await;
    let page = ann.open("/profile").await.expect_page(200).text();
    assert_eq!(page.matches("This device").count(), 1, "{page}");
    assert!(
        !page.contains("action=\"/form/end_session\""),
        "no other device: {page}"
    );
    assert_eq!(kept.open("/profile").await.expect_see_other(), "/login?next=%2Fprofile");
}

async fn over_https_the_cookies_are_bound_to_the_host(place: Place) {
    let server = place.start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    server.sign_up("ann@example.com").await;
    let browser = server.browser().on_page_of("same-origin", "https://auth.example.com");
    let reply = browser
        .submit(
            "/form/log_in",
            &[("username", "ann@example.com"), ("password", PASSWORD)],
        )
        .await;
    for name in NAMES {
        let cookie = reply.cookie(&format!("__Host-{name}"));
        assert_eq!(cookie.attribute("Secure"), Some(""), "{cookie:?}");
        assert_eq!(cookie.attribute("Path"), Some("/"), "{cookie:?}");
        assert_eq!(cookie.attribute("Domain"), None, "{cookie:?}");
    }
    let page = browser.follow(reply).await;
    assert!(page.header("strict-transport-security").is_some());
    browser.send("/form/log_out", &[]).await;
    assert!(browser.jar.is_empty());
}
