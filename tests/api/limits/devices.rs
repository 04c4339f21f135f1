//! Who has signed in to an account before, on the same device, is no stranger to it.

use serde_json::json;

use super::{FORGOT, REGISTER, assert_refused, attack, limited, log_in, try_with};
use crate::support::{Actor, Browser, MINUTE, NEW_PASSWORD, PASSWORD, Place, Server, both_engines, one_engine};

both_engines![
    a_known_device_goes_on_while_strangers_are_refused,
    a_known_device_has_a_budget_of_its_own_and_no_more,
    a_known_device_is_a_stranger_at_other_accounts,
    a_new_password_makes_strangers_of_all_but_the_device_that_chose_it,
];

one_engine![
    sqlite: Sqlite,
    the_devices_cookie_is_guarded,
];

/// A browser that signed in to the account, and out again.
async fn known_browser(server: &Server, identifier: &str) -> Browser {
    let browser = server.browser();
    try_with(&browser, identifier, PASSWORD).await.expect(200);
    browser.post("/api/auth/logout").await.expect(200);
    assert!(browser.jar.get("device").is_some());
    browser
}

const THREE_TRIES: [(&str, &str); 1] = [("LIMIT_TRIES_PER_ACCOUNT", "3/3m")];

async fn sign_up_with_username(server: &Server, username: &str) {
    let email = format!("{username}@example.com");
    let body = json!({"email": email, "username": username, "password": PASSWORD});
    server.anonymous().post(REGISTER).json(body).await.expect(201);
}

async fn a_known_device_goes_on_while_strangers_are_refused(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    sign_up_with_username(&server, "ann").await;
    let known = known_browser(&server, "ann").await;
    for identifier in ["ann", "ann@example.com"] {
        attack(&server, identifier).await;
        let stranger = try_with(&server.browser(), identifier, PASSWORD).await;
        assert_refused(&stranger, "a stranger", "account", (3, 180), 60);
        // By either name, as often as they like.
        for _ in 0..5 {
            try_with(&known, identifier, PASSWORD).await.expect(200);
        }
    }
    // By the page, too.
    known.post("/api/auth/logout").await.expect(200);
    let page = known
        .send("/form/log_in", &[("username", "ann"), ("password", PASSWORD)])
        .await;
    page.says("Profile");
    // And for as long as half a year.
    server.advance(179 * 24 * 60 * MINUTE);
    attack(&server, "ann").await;
    try_with(&known, "ann", PASSWORD).await.expect(200);
    server.advance(181 * 24 * 60 * MINUTE);
    attack(&server, "ann").await;
    try_with(&known, "ann", PASSWORD)
        .await
        .expect_problem(429, "too_many_requests");
}

async fn a_known_device_has_a_budget_of_its_own_and_no_more(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    sign_up_with_username(&server, "ann").await;
    let (laptop, phone) = (known_browser(&server, "ann").await, known_browser(&server, "ann").await);
    // By one name or the other is the same.
    for identifier in ["ann", "ann@example.com", "ann"] {
        try_with(&laptop, identifier, "wrong").await.expect(401);
    }
    for identifier in ["ann", "ann@example.com"] {
        let refused = try_with(&laptop, identifier, PASSWORD).await;
        assert_refused(&refused, "the laptop", "device", (3, 180), 60);
    }
    try_with(&phone, "ann", PASSWORD).await.expect(200);
    log_in(&server, "ann", PASSWORD).await.expect(200);
    server.advance(MINUTE);
    try_with(&laptop, "ann", PASSWORD).await.expect(200);
    // A log-in is no way to a second budget.
    for _ in 0..3 {
        try_with(&phone, "ann", "wrong").await.expect(401);
        server.advance(1);
    }
    try_with(&phone, "ann", PASSWORD)
        .await
        .expect_problem(429, "too_many_requests");
}

async fn a_known_device_is_a_stranger_at_other_accounts(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    for name in ["ann", "bob"] {
        sign_up_with_username(&server, name).await;
        attack(&server, name).await;
        server.advance(3 * MINUTE);
    }
    let known = known_browser(&server, "ann").await;
    attack(&server, "bob").await;
    let refused = try_with(&known, "bob", PASSWORD).await;
    assert_refused(&refused, "Ann's device at Bob's account", "account", (3, 180), 60);

    // What nobody here made is nothing.
    attack(&server, "ann").await;
    let proof = known.jar.get("device").unwrap();
    for forged in [
        String::new(),
        "v1.AAAA".to_owned(),
        "x".repeat(4000),
        proof[..proof.len() - 1].to_owned(),
        proof.replacen("v1.", "v2.", 1),
    ] {
        let browser = server.browser();
        browser.jar.set("device", &forged);
        let refused = try_with(&browser, "ann", PASSWORD).await;
        refused.expect_problem(429, "too_many_requests");
    }

    // A living room's browser is known at both.
    server.advance(3 * MINUTE);
    try_with(&known, "bob", PASSWORD).await.expect(200);
    for name in ["ann", "bob"] {
        attack(&server, name).await;
        try_with(&known, name, PASSWORD).await.expect(200);
    }
}

async fn a_new_password_makes_strangers_of_all_but_the_device_that_chose_it(place: Place) {
    let server = limited(&place, &THREE_TRIES).await;
    sign_up_with_username(&server, "ann").await;
    let (old, laptop) = (known_browser(&server, "ann").await, server.browser());
    try_with(&laptop, "ann", PASSWORD).await.expect(200);
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    laptop.post("/api/auth/me/password").json(change).await.expect(200);
    attack(&server, "ann").await;
    let refused = try_with(&old, "ann", NEW_PASSWORD).await;
    assert_refused(&refused, "a device of the old password", "account", (3, 180), 60);
    try_with(&laptop, "ann", NEW_PASSWORD).await.expect(200);

    // Under attack, with no device that is known: a mailed link is a way in, by the page or by the API.
    for (count, by_page) in [(1, true), (2, false)] {
        attack(&server, "ann").await;
        let new = server.browser();
        new.post(FORGOT)
            .json(json!({"email": "ann@example.com"}))
            .await
            .expect(200);
        let link = server
            .links("ann@example.com", "/reset-password", count)
            .await
            .remove(0);
        let password = format!("{NEW_PASSWORD}-{count}");
        if by_page {
            let fields = [("token", link.as_str()), ("new_password", &password)];
            new.send("/form/finish_reset", &fields)
                .await
                .says("Your password is changed.");
        } else {
            let body = json!({"token": link, "new_password": password});
            new.post("/api/auth/reset-password").json(body).await.expect(200);
        }
        let stranger = try_with(&server.browser(), "ann", &password).await;
        stranger.expect_problem(429, "too_many_requests");
        try_with(&new, "ann", &password).await.expect(200);
        try_with(&laptop, "ann", &password)
            .await
            .expect_problem(429, "too_many_requests");
        server.advance(3 * MINUTE);
    }
}

async fn the_devices_cookie_is_guarded(place: Place) {
    let variables = [
        ("PUBLIC_URL", "https://auth.example.com"),
        ("COOKIE_DOMAIN", "example.com"),
    ];
    let server = limited(&place, &variables).await;
    server.sign_up("ann@example.com").await;
    let cookie = log_in(&server, "ann@example.com", PASSWORD)
        .await
        .expect(200)
        .cookie("__Host-device");
    for name in ["HttpOnly", "Secure"] {
        assert!(cookie.attribute(name).is_some(), "{cookie:?}");
    }
    assert_eq!(cookie.attribute("SameSite"), Some("Lax"));
    assert_eq!(cookie.attribute("Path"), Some("/"));
    assert_eq!(cookie.attribute("Domain"), None);
    assert_eq!(cookie.attribute("Max-Age"), Some("15552000"));
    assert!(
        cookie.value.starts_with("v1.") && cookie.value.len() < 400,
        "{}",
        cookie.value.len()
    );
}
