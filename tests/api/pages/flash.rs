//! What a page says of the form that was just sent crosses the redirect in a sealed cookie, and nowhere else.

use crate::support::{
    Actor, Browser, HTML, MINUTE, PASSWORD, Place, Reply, Server, both_engines, field_value, one_engine,
};

both_engines![a_refused_form_comes_back_with_what_was_typed_and_why];

one_engine![
    sqlite: Sqlite,
    a_redirect_holds_nothing_of_the_failure,
    the_flash_is_for_this_host_and_for_no_script,
    a_page_takes_its_flash_back,
    a_copy_of_a_flash_shows_nothing_once_it_was_shown,
    a_flash_waits_for_its_own_page,
    a_flash_is_about_one_form,
    a_flash_is_dead_after_a_minute,
    nobody_else_can_write_a_flash,
    a_password_is_never_shown_again,
    what_is_too_long_to_keep_is_left_out,
];

const WRONG: &str = "Wrong username, address or password.";
const FLASH: &str = "flash";

/// A form that is refused, sent by `browser`.
async fn fail(browser: &Browser) -> Reply {
    let fields = [
        ("username", "mira"),
        ("password", "not-the-password"),
        ("next", "/products"),
    ];
    browser.submit("/form/log_in", &fields).await.expect(303)
}

async fn shown(browser: &Browser, path: &str) -> String {
    browser.open(path).await.expect_page(200).text()
}

async fn a_refused_form_comes_back_with_what_was_typed_and_why(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let fields = [
        ("email", "mira@"),
        ("username", "mira mira"),
        ("name", "Mira"),
        ("password", "short"),
    ];
    let page = browser.send("/form/sign_up", &fields).await.expect_page(200).text();
    for (field, typed) in &fields[..3] {
        assert_eq!(field_value(&page, field).as_deref(), Some(*typed));
    }
    assert!(
        page.contains("<title>Error: Create an account · Vestibule</title>"),
        "{page}"
    );
    assert_eq!(page.matches("role=\"alert\"").count(), 1, "{page}");
    // Each bad field says so, to eyes and to screen readers, and the first one has the focus.
    for field in ["email", "username", "password"] {
        let tag = page
            .split("<input")
            .find(|tag| tag.contains(&format!("name=\"{field}\"")))
            .expect(field);
        let tag = tag.split('>').next().unwrap();
        assert!(tag.contains("aria-invalid=\"true\""), "{tag}");
        let error = format!("sign_up-{field}-error");
        assert!(tag.contains("aria-describedby=\"") && tag.contains(&error), "{tag}");
        assert!(page.contains(&format!("id=\"{error}\"")), "{page}");
        assert_eq!(tag.contains("autofocus"), field == "email", "{tag}");
    }
    assert_eq!(page.matches("autofocus").count(), 1, "{page}");
    let name = page.split("<input").find(|tag| tag.contains("name=\"name\"")).unwrap();
    assert!(!name.split('>').next().unwrap().contains("aria-invalid"), "{name}");
}

/// Who sends which form with which fields, and the page that it comes back to.
type Refusal<'a> = (&'a Browser, &'a str, &'a [(&'a str, &'a str)], &'a str);

async fn a_redirect_holds_nothing_of_the_failure(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    let nobody = server.browser();
    let products = "/products/01890a5d-ac96-774b-bcce-b302099a8057";
    let refused: [Refusal<'_>; 7] = [
        (
            &nobody,
            "/form/log_in",
            &[("username", "mira"), ("password", "x"), ("next", "/products?a=b")],
            "/login?next=%2Fproducts%3Fa%3Db",
        ),
        (
            &nobody,
            "/form/log_in",
            &[("username", "mira"), ("password", "x")],
            "/login",
        ),
        (
            &nobody,
            "/form/sign_up",
            &[("email", "x"), ("password", "x"), ("next", "/products")],
            "/signup?next=%2Fproducts",
        ),
        (
            &nobody,
            "/form/finish_reset",
            &[("token", "a b&c"), ("new_password", "x")],
            "/reset-password?token=a+b%26c",
        ),
        (
            &nobody,
            "/form/verify_email",
            &[("token", "made-up")],
            "/verify-email?token=made-up",
        ),
        (
            &ann,
            "/form/change_email",
            &[("new_email", "x"), ("password", "x")],
            "/profile",
        ),
        (
            &ann,
            "/form/update_product",
            &[("id", &products[10..]), ("name", ""), ("description", "")],
            products,
        ),
    ];
    for (browser, form, fields, page) in refused {
        assert_eq!(browser.submit(form, fields).await.expect_see_other(), page, "{form}");
    }
}

async fn the_flash_is_for_this_host_and_for_no_script(place: Place) {
    let server = place.start().await;
    let cookie = fail(&server.browser()).await.cookie(FLASH);
    assert_eq!(cookie.attribute("Secure"), None, "{cookie:?}");
    server.stop().await;

    let server = place.start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    // As a program sends it: this browser is on a page of another origin.
    let request = server.anonymous().post("/form/log_in").header("accept", HTML);
    let reply = request.form(&[("username", "mira"), ("password", "x")]).await;
    let secure = reply.cookie("__Host-flash");
    assert_eq!(secure.attribute("Secure"), Some(""), "{secure:?}");
    for cookie in [cookie, secure] {
        assert_eq!(cookie.attribute("HttpOnly"), Some(""), "{cookie:?}");
        assert_eq!(cookie.attribute("SameSite"), Some("Lax"), "{cookie:?}");
        assert_eq!(cookie.attribute("Path"), Some("/"), "{cookie:?}");
        assert_eq!(cookie.attribute("Max-Age"), Some("60"), "{cookie:?}");
        assert_eq!(cookie.attribute("Domain"), None, "{cookie:?}");
        for secret in ["mira", "invalid", "credentials"] {
            assert!(!cookie.value.contains(secret), "{cookie:?}");
        }
    }
}

async fn a_page_takes_its_flash_back(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let location = fail(&browser).await.expect_see_other();
    let reply = browser.open(&location).await.says(WRONG);
    let removal = reply.cookie(FLASH);
    assert!(removal.is_removal(), "{removal:?}");
    assert_eq!(
        removal.attribute("Path"),
        Some("/"),
        "a browser keeps it under any other path"
    );
    assert!(browser.jar.is_empty());
    assert!(!shown(&browser, &location).await.contains(WRONG), "once is enough");
}

async fn a_copy_of_a_flash_shows_nothing_once_it_was_shown(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let copy = fail(&browser).await.cookie(FLASH).value;
    browser.open("/login").await.says(WRONG);
    let thief = server.browser();
    for browser in [&browser, &thief] {
        browser.jar.set(FLASH, &copy);
        let html = shown(browser, "/login").await;
        assert!(!html.contains(WRONG) && !html.contains("mira"), "{html}");
        assert!(browser.jar.is_empty(), "what is spent is taken away");
    }
    // Good news as well.
    let ann = server.user_with_browser("ann@example.com").await;
    let done = ann.submit("/form/update_profile", &[("name", "Ann"), ("username", "")]);
    let copy = done.await.expect(303).cookie(FLASH).value;
    ann.open("/profile").await.says("Your profile is saved.");
    ann.jar.set(FLASH, &copy);
    let page = ann.open("/profile").await.expect_page(200);
    assert!(!page.page_text().contains("Your profile is saved."));
}

async fn a_flash_waits_for_its_own_page(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    fail(&browser).await;
    for elsewhere in ["/signup", "/forgot-password", "/verify-email", "/nowhere", "/"] {
        let reply = browser.open(elsewhere).await;
        assert!(reply.cookies().is_empty(), "{elsewhere}: {:?}", reply.cookies());
        assert!(
            !reply.text().contains("alert") && !reply.text().contains("mira"),
            "{elsewhere}: {}",
            reply.text()
        );
    }
    browser.open("/login").await.says(WRONG);
}

async fn a_flash_is_about_one_form(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    // Both forms of this page have a password; only one was sent.
    let fields = [("new_email", "new@example.com"), ("password", "wrong")];
    let page = ann
        .send("/form/change_email", &fields)
        .await
        .says("This is not your password");
    let html = page.text();
    assert_eq!(html.matches("This is not your password").count(), 1, "{html}");
    assert!(html.contains("id=\"change_email-password-error\""), "{html}");
    assert!(!html.contains("id=\"delete_account-password-error\""), "{html}");
    assert_eq!(field_value(&html, "new_email").as_deref(), Some("new@example.com"));
}

async fn a_flash_is_dead_after_a_minute(place: Place) {
    let server = place.start().await;
    let (browser, late) = (server.browser(), server.browser());
    let cookie = fail(&late).await.cookie(FLASH).value;
    fail(&browser).await;
    server.advance(MINUTE);
    browser.open("/login").await.says(WRONG);
    // Whoever keeps the cookie, whatever its browser was told.
    browser.jar.set(FLASH, &cookie);
    server.advance(1);
    let html = shown(&browser, "/login").await;
    assert!(!html.contains(WRONG) && !html.contains("mira"), "{html}");
    assert!(browser.jar.is_empty(), "what is dead is taken away");
}

async fn nobody_else_can_write_a_flash(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let good = fail(&browser).await.cookie(FLASH).value;
    // The same flash with one letter changed, one that another key sealed, and what is none at all.
    let middle = good.len() / 2;
    let other = if &good[middle..=middle] == "A" { "B" } else { "A" };
    let forged = format!("{}{other}{}", &good[..middle], &good[middle + 1..]);
    let database = format!("sqlite:{}", place.directory().join("foreign.db").display());
    let key = "another sealing key that is long enough to be one";
    let other = place
        .start_with(&[("SEALING_KEY", key), ("DATABASE_URL", &database)])
        .await;
    let foreign = fail(&other.browser()).await.cookie(FLASH).value;
    let long = "A".repeat(4000);
    for cookie in [
        forged.as_str(),
        &foreign,
        "",
        "v1.",
        "v1.AAAA",
        "{\"Refused\":{}}",
        &long,
    ] {
        browser.jar.set(FLASH, cookie);
        let html = shown(&browser, "/login").await;
        assert!(!html.contains("alert") && !html.contains("mira"), "{cookie}: {html}");
    }
    browser.jar.set(FLASH, &good);
    browser.open("/login").await.says(WRONG);
}

/// Every form that takes a password, refused for another reason than that it is blank.
async fn refused_with_passwords(server: &Server) -> Vec<(Browser, &'static str, Vec<(&'static str, &'static str)>)> {
    let nobody = || server.browser();
    let ann = server.user_with_browser("ann@example.com").await;
    let ann = || ann.moved_to(server.anonymous());
    vec![
        (
            nobody(),
            "/form/log_in",
            vec![("username", "ann"), ("password", "Sesame-91")],
        ),
        (
            nobody(),
            "/form/sign_up",
            vec![("email", "bad"), ("password", "Sesame-91-plum-tractor")],
        ),
        (
            nobody(),
            "/form/finish_reset",
            vec![("token", "bad"), ("new_password", "Sesame-91-plum-tractor")],
        ),
        (
            ann(),
            "/form/change_email",
            vec![("new_email", "b@example.com"), ("password", "Sesame-91")],
        ),
        (
            ann(),
            "/form/change_password",
            vec![("current_password", "Sesame-91"), ("new_password", PASSWORD)],
        ),
        (ann(), "/form/delete_account", vec![("password", "Sesame-91")]),
    ]
}

async fn a_password_is_never_shown_again(place: Place) {
    let server = place.start().await;
    for (browser, form, fields) in refused_with_passwords(&server).await {
        let reply = browser.submit(form, &fields).await.expect(303);
        let everything = format!("{:?}{}", reply.headers, reply.text());
        let page = browser.follow(reply).await;
        let html = page.text();
        assert!(html.contains("role=\"alert\""), "{form}: {html}");
        for text in [everything, html, format!("{:?}", page.headers)] {
            assert!(!text.contains("Sesame") && !text.contains(PASSWORD), "{form}: {text}");
        }
        let html = page.text();
        for tag in html.split("<input").skip(1).filter_map(|tag| tag.split('>').next()) {
            assert!(
                !tag.contains("type=\"password\"") || !tag.contains("value="),
                "{form}: {tag}"
            );
        }
    }
}

async fn what_is_too_long_to_keep_is_left_out(place: Place) {
    let server = place.start().await;
    let ann = server.user_with_browser("ann@example.com").await;
    let long = "ö".repeat(3000);
    let reply = ann.submit("/form/create_product", &[("name", "Lamp"), ("description", &long)]);
    let reply = reply.await.expect(303);
    let header = reply.headers.get("set-cookie").expect("a flash");
    assert!(header.len() <= 4096, "a browser keeps no more: {}", header.len());
    let page = ann.follow(reply).await.says("A description is at most 2000 characters");
    assert_eq!(field_value(&page.text(), "name").as_deref(), Some("Lamp"));
}
