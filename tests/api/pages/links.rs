//! Pages that hold the secret of a mailed link.

use crate::support::{Actor, HTML, NEW_PASSWORD, PASSWORD, Place, both_engines, field_value, one_engine};

both_engines![looking_at_a_link_uses_nothing_up];

one_engine![
    sqlite: Sqlite,
    the_secret_leaves_with_no_request,
    a_dead_link_is_told_when_it_is_opened,
    a_link_that_is_not_valid_any_more_says_what_to_do,
    who_comes_without_a_link_is_told_where_it_is,
];

async fn looking_at_a_link_uses_nothing_up(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let verify = server.verification_link("ann@example.com").await;
    let reset = server.reset_link("ann@example.com").await;
    let before = server.snapshot().await;
    for (page, token) in [("/verify-email", &verify), ("/reset-password", &reset)] {
        let path = format!("{page}?token={token}");
        for _ in 0..3 {
            let shown = server.browser().open(&path).await.expect_page(200);
            assert_eq!(field_value(&shown.text(), "token").as_ref(), Some(token));
            let head = server
                .browser()
                .request(reqwest::Method::HEAD, &path)
                .header("accept", HTML);
            head.await.expect(200);
            // A mail scanner.
            server.anonymous().get(&path).await.expect(200);
        }
    }
    assert_eq!(server.snapshot().await, before);
    let browser = server.browser();
    browser
        .send("/form/verify_email", &[("token", &verify)])
        .await
        .says("Your address is verified.");
    let fields = [("token", reset.as_str()), ("new_password", "weak")];
    let page = browser.send("/form/finish_reset", &fields).await;
    assert_eq!(
        field_value(&page.text(), "token").as_ref(),
        Some(&reset),
        "a weak choice does not burn the link"
    );
    let fields = [("token", reset.as_str()), ("new_password", NEW_PASSWORD)];
    browser
        .send("/form/finish_reset", &fields)
        .await
        .says("Your password is changed.");
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
}

async fn the_secret_leaves_with_no_request(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    let verify = server.verification_link("ann@example.com").await;
    let reset = server.reset_link("ann@example.com").await;
    for (page, secret) in [
        ("/reset-password?token=", reset.as_str()),
        ("/verify-email?token=", &verify),
        ("/reset-password?token=", "SECRET"),
        ("/verify-email?token=", "SECRET"),
        ("/verify-email?token=", ""),
    ] {
        let (page, secret) = (
            format!("{page}{secret}"),
            if secret.is_empty() { "SECRET" } else { secret },
        );
        for browser in [&server.browser(), &ann] {
            let reply = browser.open(&page).await.expect_page(200);
            assert_eq!(reply.header("referrer-policy"), Some("strict-origin"), "{page}");
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{page}");
            let html = reply.text();
            assert!(html.contains("<meta name=\"robots\" content=\"noindex\">"), "{html}");
            // In the hidden field and nowhere else: not in a link, an image or a form's target.
            assert!(html.matches(secret).count() <= 1, "{html}");
            for address in ["href=\"", "src=\"", "action=\""] {
                let targets = html.split(address).skip(1).filter_map(|rest| rest.split('"').next());
                assert!(targets.into_iter().all(|target| !target.contains(secret)), "{html}");
            }
            assert!(!format!("{:?}", reply.headers).contains(secret), "{:?}", reply.headers);
        }
    }
    for page in ["/login", "/signup", "/forgot-password"] {
        let reply = server.browser().open(page).await;
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"), "{page}");
    }
}

async fn a_dead_link_is_told_when_it_is_opened(place: Place) {
    const TOLD: &str = "This link is not valid any more.";
    let server = place.start().await;
    let browser = server.browser();
    server.sign_up("ann@example.com").await;
    let verify = server.verification_link("ann@example.com").await;
    let reset = server.reset_link("ann@example.com").await;
    let unchanged = server.snapshot().await;
    let open = async |page: &str, token: &str| {
        let page = browser.open(&format!("{page}?token={token}")).await;
        page.expect_page(200).text()
    };
    // As often as scanners and their reader like; and each at its own page alone.
    for _ in 0..3 {
        for (page, token, form) in [
            ("/reset-password", &reset, Some("/form/finish_reset")),
            ("/verify-email", &verify, Some("/form/verify_email")),
            ("/reset-password", &verify, None),
            ("/verify-email", &reset, None),
        ] {
            let html = open(page, token).await;
            let is_there = |form: &&str| html.contains(&format!("action=\"{form}\""));
            assert!(form.as_ref().is_none_or(is_there), "{html}");
            assert_eq!(html.contains(TOLD), form.is_none(), "{html}");
        }
    }
    // Nor is one good any more that was mailed to an address which the account has left.
    place
        .execute("UPDATE users SET email = 'eve@example.com', email_key = 'eve@example.com'")
        .await;
    for (page, token) in [("/reset-password", &reset), ("/verify-email", &verify)] {
        assert!(open(page, token).await.contains(TOLD), "{page}");
    }
    place
        .execute("UPDATE users SET email = 'ann@example.com', email_key = 'ann@example.com'")
        .await;
    let unknown = format!("vst_lt_{}", "A".repeat(43));
    for dead in ["made-up", unknown.as_str(), "a%20b"] {
        let html = open("/reset-password", dead).await;
        assert!(html.contains(TOLD) && !html.contains("new_password"), "{html}");
        assert!(html.contains("href=\"/forgot-password\""), "{html}");
        let html = open("/verify-email", dead).await;
        assert!(html.contains(TOLD) && !html.contains("/form/verify_email"), "{html}");
        assert!(html.contains("action=\"/form/resend_verification\""), "{html}");
    }
    assert_eq!(server.snapshot().await, unchanged);
    // One that is looked at lives no longer, and one that was used is dead.
    server.advance(10 * 60 - 1);
    assert!(!open("/reset-password", &reset).await.contains(TOLD));
    server.advance(1);
    assert!(open("/reset-password", &reset).await.contains(TOLD));
    let fields = [("token", verify.as_str())];
    browser
        .send("/form/verify_email", &fields)
        .await
        .says("Your address is verified.");
    assert!(open("/verify-email", &verify).await.contains(TOLD));
}

async fn a_link_that_is_not_valid_any_more_says_what_to_do(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let page = browser
        .send("/form/finish_reset", &[("token", "old"), ("new_password", PASSWORD)])
        .await;
    let page = page.says("This link is not valid any more.");
    assert!(page.text().contains("href=\"/forgot-password\""), "{}", page.text());
    assert!(!page.text().contains("new_password"), "{}", page.text());
    let page = browser.send("/form/verify_email", &[("token", "old")]).await;
    let page = page.says("This link is not valid any more.");
    assert!(
        page.text().contains("action=\"/form/resend_verification\""),
        "{}",
        page.text()
    );
    browser
        .open("/verify-email")
        .await
        .expect_page(200)
        .says("Tell us the address");
}

async fn who_comes_without_a_link_is_told_where_it_is(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    for path in ["/reset-password", "/reset-password?token="] {
        let page = browser.open(path).await.expect_page(200);
        let html = page.text();
        assert!(html.contains("href=\"/forgot-password\""), "{html}");
        assert!(!html.contains("<form") && !html.contains("role=\"alert\""), "{html}");
        page.says("Open the link in your mail, or");
    }
    // Whoever sends the form without one anyway.
    let fields = [("token", ""), ("new_password", NEW_PASSWORD)];
    let page = browser.send("/form/finish_reset", &fields).await;
    let page = page.says("This link is not valid any more.");
    page.says("Ask for a new link");
}
