use serde_json::json;

use crate::support::{Actor, MailServer, PASSWORD, Place, Process, Security, Step, Trick, both_engines};

both_engines![
    admins_see_what_was_mailed_but_no_link,
    messages_are_filtered_and_paged,
    a_message_is_sent_again_on_request,
    the_outbox_is_for_admins,
    mail_for_a_public_site_waits_in_the_outbox,
    messages_outlive_a_deleted_account_without_saying_whose_they_were,
    the_mailbox_answers_only_a_loopback_peer_with_a_loopback_host,
    the_mailbox_answers_nobody_once_a_browser_has_come_by_another_name,
];

async fn admins_see_what_was_mailed_but_no_link(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    server.sign_up("ann@example.com").await;
    server.reset_link("ann@example.com").await;
    let reply = admin.get("/api/mail").await;
    let messages = reply.items();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!(messages[0]["address"], "ann@example.com");
    assert_eq!(messages[0]["created_at"], "2026-03-01T12:00:00Z");
    assert!(!reply.text().contains("vst_"), "{}", reply.text());
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

async fn messages_are_filtered_and_paged(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    for number in 0..3 {
        let email = format!("user{number}@example.com");
        server.sign_up(&email).await;
        server.verification_link(&email).await;
    }
    // Delivered is written after the delivery.
    for _ in 0..200 {
        if admin.get("/api/mail?state=sent").await.items().len() == 4 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(admin.get("/api/mail?state=sent").await.items().len(), 4);
    assert!(admin.get("/api/mail?state=failed").await.items().is_empty());
    let first = admin.get("/api/mail?limit=3").await;
    assert_eq!(first.items().len(), 3);
    let cursor = first.json()["next_cursor"].as_str().unwrap().to_owned();
    assert_eq!(
        admin
            .get(&format!("/api/mail?limit=3&cursor={cursor}"))
            .await
            .items()
            .len(),
        1
    );
    for query in ["state=lost", "limit=0", "cursor=x", "cursor=%00"] {
        admin.get(&format!("/api/mail?{query}")).await.expect_refusal();
    }
}

async fn a_message_is_sent_again_on_request(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    server.verification_link("ann@example.com").await;
    let messages = admin.get("/api/mail").await.items();
    let message = messages
        .iter()
        .find(|message| message["address"] == "ann@example.com")
        .unwrap();
    let path = format!("/api/mail/{}/resend", message["id"].as_str().unwrap());
    ann.post(&path).await.expect_problem(403, "forbidden");
    // As soon as the first delivery is on record.
    for _ in 0..200 {
        if admin.get("/api/mail?state=sent").await.items().len() == 2 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    admin.post(&path).await.expect_success();
    let links = server.links("ann@example.com", "/verify-email", 2).await;
    assert_ne!(links[0], links[1], "a new link, since no row holds the old one");
    let body = json!({"token": links[0]});
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(body)
        .await
        .expect(200);
    let nothing = "/api/mail/01890a5d-ac96-774b-bcce-b302099a8057/resend";
    admin.post(nothing).await.expect_problem(404, "not_found");
    admin.post("/api/mail/x/resend").await.expect_refusal();
}

/// A proxy may add no header, and pass on a Host of its own.
async fn the_mailbox_answers_nobody_once_a_browser_has_come_by_another_name(place: Place) {
    let server = place.start().await;
    let ask = async |fetch_site: &str, name: &str, page: &str| {
        let request = server
            .anonymous()
            .get("/assets/none.css")
            .header("sec-fetch-site", fetch_site);
        request.header(name, page).await.expect(404);
    };
    // What another site can make a browser send, and what a page of this site at this machine's own names sends.
    ask("cross-site", "origin", "https://evil.example").await;
    ask("cross-site", "referer", "https://evil.example/").await;
    ask("same-origin", "origin", "null").await;
    ask("same-origin", "referer", "http://localhost:8000/login").await;
    server.anonymous().get("/dev/mail.json").await.expect(200);
    ask("same-origin", "referer", "https://login.example.com/login").await;
    for path in ["/dev/mail", "/dev/mail.json"] {
        let reply = server.anonymous().get(path).await;
        reply.expect_problem(404, "not_found");
    }
}

async fn the_outbox_is_for_admins(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.get("/api/mail").await.expect_problem(403, "forbidden");
    server
        .anonymous()
        .get("/api/mail")
        .await
        .expect_problem(401, "not_authenticated");
    let path = "/api/mail/01890a5d-ac96-774b-bcce-b302099a8057/resend";
    server
        .anonymous()
        .post(path)
        .await
        .expect_problem(401, "not_authenticated");
    ann.post(path).await.expect_problem(403, "forbidden");
}

async fn mail_for_a_public_site_waits_in_the_outbox(place: Place) {
    let server = place.start_with(&[("PUBLIC_URL", "https://auth.example.com")]).await;
    let admin = server.admin("admin@example.com").await;
    let waiting = admin.get("/api/mail?state=waiting").await.items();
    assert_eq!(waiting.len(), 1);
    for path in ["/dev/mail", "/dev/mail.json"] {
        server.anonymous().get(path).await.expect_problem(404, "not_found");
    }
    server.stop().await;

    let process = Process::start(&place, &[("PUBLIC_URL", "https://auth.example.com")]).await;
    let output = process.output();
    assert!(
        output.contains("WARN") && output.contains("no mail server is set up with SMTP_URL: mail waits in the outbox"),
        "{output}"
    );
}

async fn messages_outlive_a_deleted_account_without_saying_whose_they_were(place: Place) {
    const PERSONAL: &str = "SELECT COUNT(*) FROM outbox WHERE user_id IS NULL AND (address <> '' OR parameters <> '{}' \
                            OR last_error LIKE '%@%')";
    let mail = MailServer::start(&place, Security::Plain).await;
    let variables = [("SMTP_URL", &*mail.url("")), ("MAIL_FROM", "no-reply@acme.example")];
    let server = place.start_with(&variables).await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let bob = server.user("bob@example.com").await;
    for email in ["admin@example.com", "ann@example.com", "bob@example.com"] {
        server.message_is(email, "sent", 1).await;
    }
    // One that was put off, with the address in what the server said, and one that is on its way.
    mail.play(Step::Rcpt, Trick::Say("451 <ann@example.com> is busy"));
    mail.play(Step::Content, Trick::Hold);
    for email in ["ann@example.com", "bob@example.com"] {
        let body = json!({"email": email});
        server
            .anonymous()
            .post("/api/auth/forgot-password")
            .json(body)
            .await
            .expect(200);
    }
    server.message_is("ann@example.com", "waiting", 1).await;
    mail.holds(1).await;
    ann.delete("/api/auth/me")
        .json(json!({"password": PASSWORD}))
        .await
        .expect_success();
    let path = format!("/api/users/{}", bob.user_id);
    admin.delete(&path).await.expect_success();
    mail.release();
    mail.letters("bob@example.com", 2).await;

    let messages = admin.get("/api/mail").await;
    for (message, state) in messages
        .items()
        .iter()
        .zip(["dropped", "dropped", "sent", "sent", "sent"])
    {
        assert_eq!(message["state"], state, "{message}");
        if state == "dropped" {
            assert_eq!(message["last_error"], "the account was deleted", "{message}");
        }
    }
    assert_eq!(messages.items().len(), 5);
    for name in ["ann@", "bob@", ann.user_id.as_str(), bob.user_id.as_str()] {
        assert!(!messages.text().contains(name), "{}", messages.text());
    }
    assert_eq!(server.count(PERSONAL).await, 0);
    // There is nowhere to send them again.
    for message in messages.items().iter().filter(|message| message["address"] == "") {
        let id = message["id"].as_str().unwrap();
        let refused = admin.post(&format!("/api/mail/{id}/resend")).await;
        refused.expect_problem(409, "message_without_address");
        let told = place.vestibule(&["mail", "resend", id]).await.expect_failure().stderr;
        assert!(told.contains("cannot be sent again: the account was deleted"), "{told}");
    }
    assert_eq!(admin.get("/api/mail").await.text(), messages.text());
}

async fn the_mailbox_answers_only_a_loopback_peer_with_a_loopback_host(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    server.verification_link("ann@example.com").await;
    for path in ["/dev/mail", "/dev/mail.json"] {
        let reply = server.anonymous().get(path).await.expect(200);
        assert!(reply.text().replace("<wbr>", "").contains("ann@example.com"));
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        for (name, value) in [
            // A page of another site whose name was made to resolve to this machine.
            ("host", "evil.example"),
            ("host", "localhost.evil.example:8000"),
            ("host", "127.0.0.1.evil.example"),
            // A proxy on this machine, for somebody who is not.
            ("x-forwarded-for", "203.0.113.7"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=203.0.113.7"),
            ("x-real-ip", "203.0.113.7"),
            ("via", "1.1 proxy"),
        ] {
            let reply = server.anonymous().get(path).header(name, value).await;
            reply.expect_problem(404, "not_found");
        }
        for host in ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000"] {
            server.anonymous().get(path).header("host", host).await.expect(200);
        }
    }
}
