//! Lists: what they are asked stands in their addresses.

use crate::support::{Actor, Browser, PASSWORD, Place, Server, field_value, one_engine};

one_engine![
    sqlite: Sqlite,
    a_question_that_cannot_be_is_shown_with_what_is_wrong_with_it,
    what_has_a_code_is_called_by_words,
    what_was_done_from_the_machine_and_what_goes_nowhere_are_shown_so,
    what_an_event_was_about_is_said_in_words,
    addresses_break_where_they_can_be_read,
];

async fn admin(server: &Server) -> Browser {
    server.admin("admin@example.com").await;
    let browser = server.browser();
    let fields = [("username", "admin@example.com"), ("password", PASSWORD)];
    browser.send("/form/log_in", &fields).await.says("Profile");
    browser
}

async fn a_question_that_cannot_be_is_shown_with_what_is_wrong_with_it(place: Place) {
    let server = place.start().await;
    let admin = admin(&server).await;
    for (path, title, field, said) in [
        (
            "/admin/users?q=ann&status=odd",
            "Users",
            Some("users-status"),
            "There is no such status: choose one.",
        ),
        (
            "/admin/users?q=ann&role=A+B",
            "Users",
            Some("users-role"),
            "A role is 1 to 32 lower-case letters",
        ),
        (
            "/admin/users?q=ann&cursor=odd",
            "Users",
            None,
            "There is no such page of the list: begin with the first one.",
        ),
        (
            "/admin/audit?event=odd",
            "Audit log",
            Some("audit-event"),
            "There is no such event: choose one.",
        ),
        (
            "/admin/audit?user=%3F",
            "Audit log",
            Some("audit-user"),
            "This is no id, address or username",
        ),
        (
            "/admin/mail?state=odd",
            "Mail",
            Some("mail-state"),
            "There is no such state: choose one.",
        ),
        (
            "/products?cursor=odd",
            "Products",
            None,
            "There is no such page of the list: begin with the first one.",
        ),
    ] {
        let page = admin.open(path).await.expect_page(422).says(said);
        let html = page.text();
        assert!(
            html.contains(&format!("<title>Error: {title} · Vestibule</title>")),
            "{path}: {html}"
        );
        assert_eq!(html.matches("role=\"alert\"").count(), 1, "{path}: {html}");
        assert!(
            !html.contains("<table") && !html.contains("class=\"empty\""),
            "{path}: {html}"
        );
        assert_eq!(html.matches("aria-invalid").count(), usize::from(field.is_some()));
        if let Some(id) = field {
            assert!(html.contains(&format!("id=\"{id}-error\"")), "{path}: {html}");
        } else {
            let first = path.replace("cursor=odd", "");
            let first = format!("href=\"{}\">First page", first.trim_end_matches(['?', '&']));
            assert!(html.contains(&first), "{path}: no {first} in {html}");
        }
        if path.contains("q=ann") {
            assert_eq!(field_value(&html, "q").as_deref(), Some("ann"), "{path}");
        }
        // The same question by a program.
        admin.get(path).await.expect_problem(422, "invalid_fields");
    }
    let html = admin
        .open("/admin/users?role=A+B&status=odd")
        .await
        .expect_page(422)
        .text();
    assert_eq!(html.matches("aria-invalid").count(), 2, "all at once: {html}");
    assert_eq!(html.matches("autofocus").count(), 1, "{html}");
}

async fn what_was_done_from_the_machine_and_what_goes_nowhere_are_shown_so(place: Place) {
    let server = place.start().await;
    let admin = admin(&server).await;
    let invite = ["user", "create", "--invite", "--email", "bob@example.com"];
    place.vestibule(&invite).await.expect_success();
    let audit = admin.open("/admin/audit").await.expect_page(200);
    assert!(audit.page_text().contains("command line"), "{}", audit.page_text());
    let delete = ["user", "delete", "bob@example.com", "--yes"];
    place.vestibule(&delete).await.expect_success();
    let mail = admin.open("/admin/mail").await.expect_page(200);
    assert!(mail.page_text().contains("Invitation"), "{}", mail.page_text());
    assert!(!mail.text().contains("Send again: Invitation"), "{}", mail.text());
}

async fn what_has_a_code_is_called_by_words(place: Place) {
    let server = place.start().await;
    let admin = admin(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let fields = [("username", "ann@example.com"), ("password", "wrong")];
    server.browser().submit("/form/log_in", &fields).await.expect(303);
    server.verification_link("ann@example.com").await;
    server.mail_is_done().await;
    let trail = format!("/admin/users/{}", ann["id"].as_str().unwrap());
    for (path, words) in [
        (
            "/admin/audit",
            &["Sign-up", "Sign-in", "Done", "Wrong username or password"][..],
        ),
        (&trail, &["Sign-up", "Sign-in", "Done", "Wrong username or password"]),
        (
            "/admin/mail",
            &["Sent", "Address verification", "Written", "2026-03-01 12:00 UTC"],
        ),
    ] {
        let page = admin.open(path).await.expect_page(200);
        let text = page.page_text();
        for word in words {
            assert!(text.contains(word), "{path}: no {word} in {text}");
        }
        for code in ["sign_up", "log_in", "signing_key", "verify_", "success", "invalid"] {
            assert!(!text.contains(code), "{path}: {code} in {text}");
        }
    }
    // The address keeps the codes, which never change.
    let html = admin.open("/admin/audit?event=sign_up").await.expect_page(200).text();
    assert!(
        html.contains("<option value=\"sign_up\" selected>Sign-up</option>"),
        "{html}"
    );
}

async fn what_an_event_was_about_is_said_in_words(place: Place) {
    let server = place.start().await;
    let admin = admin(&server).await;
    let ann = server.sign_up("ann@example.com").await;
    let id = ann["id"].as_str().unwrap();
    let role = [("id", id), ("role", "editor")];
    admin.send("/form/grant_role", &role).await;
    server.verification_link("ann@example.com").await;
    server.mail_is_done().await;
    let html = admin.open("/admin/mail").await.expect_page(200).text();
    let message = field_value(&html, "id").expect("a message that can be sent again");
    admin.send("/form/resend_message", &[("id", &message)]).await;

    let page = admin.open("/admin/audit").await.expect_page(200).says("Granted editor");
    let (_, end) = message.split_at(message.len() - 6);
    let page = page.says("Message").says(&format!("…{end}"));
    let (text, html) = (page.page_text(), page.text());
    assert!(!text.contains(&message), "{text}");
    assert!(html.contains(&format!("title=\"{message}\"")), "{html}");
}

async fn addresses_break_where_they_can_be_read(place: Place) {
    let server = place.start().await;
    let admin = admin(&server).await;
    let html = admin.open("/admin/users").await.expect_page(200).text();
    assert!(html.contains(">admin@<wbr>example.<wbr>com</a>"), "{html}");
}
