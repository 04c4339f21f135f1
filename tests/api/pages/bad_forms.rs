//! Whatever is sent to a form, the answer is a refusal: a page or a redirect for a browser, a problem for a program, and
//! never a fault of the server. Nothing changes.

use std::collections::BTreeSet;

use crate::support::{Actor, Browser, HTML, PASSWORD, Place, Reply, Server, both_engines, one_engine};

both_engines![whatever_is_sent_nothing_breaks_and_nothing_changes];

one_engine![
    sqlite: Sqlite,
    forms_are_for_posts,
    every_form_has_its_good_body_here,
    unknown_fields_are_ignored,
    a_form_that_is_no_form_is_told_so,
];

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// Every form with a body that it can read.
const FORMS: [(&str, &str); 23] = [
    (
        "/form/sign_up",
        "email=new@example.com&password=plum-Tractor-94-orbit&username=new&name=New&next=/",
    ),
    (
        "/form/log_in",
        "username=ann@example.com&password=wrong&remember=true&next=/",
    ),
    ("/form/log_out", ""),
    ("/form/request_reset", "email=ann@example.com"),
    ("/form/finish_reset", "token=x&new_password=plum-Tractor-94-orbit"),
    ("/form/verify_email", "token=x"),
    ("/form/resend_verification", "email=ann@example.com"),
    ("/form/update_profile", "name=Ann&username=ann"),
    ("/form/change_email", "new_email=new@example.com&password=x"),
    ("/form/change_password", "current_password=x&new_password=x"),
    ("/form/end_session", "id=01890a5d-ac96-774b-bcce-b302099a8057"),
    ("/form/end_other_sessions", ""),
    ("/form/delete_account", "password=x"),
    ("/form/create_product", "name=Lamp&description=Brass"),
    (
        "/form/update_product",
        "id=01890a5d-ac96-774b-bcce-b302099a8057&name=Lamp&description=Brass",
    ),
    ("/form/delete_product", "id=01890a5d-ac96-774b-bcce-b302099a8057"),
    (
        "/form/grant_role",
        "id=01890a5d-ac96-774b-bcce-b302099a8057&role=editor",
    ),
    (
        "/form/revoke_role",
        "id=01890a5d-ac96-774b-bcce-b302099a8057&role=editor",
    ),
    (
        "/form/update_user",
        "id=01890a5d-ac96-774b-bcce-b302099a8057&is_active=false",
    ),
    ("/form/end_user_sessions", "id=01890a5d-ac96-774b-bcce-b302099a8057"),
    ("/form/mail_reset", "id=01890a5d-ac96-774b-bcce-b302099a8057"),
    (
        "/form/delete_user",
        "id=01890a5d-ac96-774b-bcce-b302099a8057&email=ann@example.com",
    ),
    ("/form/resend_message", "id=01890a5d-ac96-774b-bcce-b302099a8057"),
];

const URLENCODED: &str = "application/x-www-form-urlencoded";

async fn every_form_has_its_good_body_here(place: Place) {
    let server = place.start().await;
    let registered: BTreeSet<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .collect();
    assert_eq!(FORMS.iter().map(|(form, _)| *form).collect::<BTreeSet<_>>(), registered);
    // Else the bodies below would be refused for another reason than the one they are bad for.
    for (form, body) in FORMS {
        let reply = server
            .browser()
            .post(form)
            .header("accept", HTML)
            .body(URLENCODED, body)
            .await;
        assert_eq!(reply.status, 303, "{form}: {}", reply.text());
    }
}

/// What is wrong with `fields`, in every way there is.
fn spoiled(fields: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut bodies: Vec<(&str, Vec<u8>)> = vec![
        (URLENCODED, b"%".to_vec()),
        (URLENCODED, b"=&=&&&".to_vec()),
        (URLENCODED, b"%ff=%fe&\xff=\xfe".to_vec()),
        (URLENCODED, format!("{fields}&x=%ff").into_bytes()),
        (URLENCODED, vec![b'a'; 1024 * 1024]),
        (
            URLENCODED,
            format!("{fields}&x={}", "a".repeat(1024 * 1024)).into_bytes(),
        ),
        (
            "application/x-www-form-urlencoded; charset=iso-8859-1",
            fields.as_bytes().to_vec(),
        ),
        ("application/json", b"{".to_vec()),
        ("application/json", b"[]".to_vec()),
        ("application/json", b"null".to_vec()),
        ("text/plain", fields.as_bytes().to_vec()),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n--x--".to_vec()),
        ("", fields.as_bytes().to_vec()),
        ("nonsense", fields.as_bytes().to_vec()),
    ];
    let pairs: Vec<(&str, &str)> = fields.split('&').filter_map(|field| field.split_once('=')).collect();
    for (index, (name, value)) in pairs.iter().enumerate() {
        let with = |pair: &str| {
            let mut all: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            pair.clone_into(&mut all[index]);
            all.retain(|pair| !pair.is_empty());
            (URLENCODED, all.join("&").into_bytes())
        };
        bodies.push(with(""));
        bodies.push(with(&format!("{name}={value}&{name}={value}")));
        for bad in ["%00", "a%00b", "a%0ab%1b%5b31m", "%7f%c2%9f", "%f0%9f%8c%b7"] {
            bodies.push(with(&format!("{name}={bad}")));
        }
        bodies.push(with(&format!("{name}={}", "a".repeat(60_000))));
        bodies.push(with(&format!("{name}[]={value}")));
    }
    bodies
}

/// What a browser may be answered: its form comes back, or a page says that it cannot be read.
#[track_caller]
fn check_page(form: &str, sent: &str, reply: &Reply) {
    match reply.status {
        303 => {
            let location = reply.header("location").expect("where it leads");
            assert!(
                location.starts_with('/') && location.len() < 8_000,
                "{form} {sent}: {location}"
            );
        }
        400..=499 => {
            reply.clone().expect_page(reply.status);
        }
        status => panic!("{form} {sent}: {status} {}", reply.text()),
    }
}

async fn whatever_is_sent_nothing_breaks_and_nothing_changes(place: Place) {
    // What can be left out or be anything is not bad: a name, a description, and the fields of a form that has none.
    const CAN_BE_GOOD: [&str; 5] = [
        "/form/sign_up",
        "/form/update_profile",
        "/form/create_product",
        "/form/log_out",
        "/form/end_other_sessions",
    ];
    let server = place.start().await;
    let admin = admin_with_browser(&server).await;
    for (form, good) in FORMS {
        // Signing out would make the rest a test of who is not signed in.
        let admin = if form == "/form/log_out" {
            server.browser()
        } else {
            admin.clone()
        };
        let before = server.snapshot().await;
        for (kind, body) in spoiled(good) {
            let sent = format!("{kind}: {}", String::from_utf8_lossy(&body[..body.len().min(120)]));
            let browser = admin.moved_to(server.anonymous());
            let request = browser.post(form).header("accept", HTML);
            check_page(form, &sent, &request.body(kind, body.clone()).await);
            let request = browser.post(form).header("accept", "application/json");
            let reply = request.body(kind, body).await;
            if reply.status == 200 {
                assert!(CAN_BE_GOOD.contains(&form), "{form} took {sent}");
            } else {
                reply.expect_refusal();
            }
        }
        if !CAN_BE_GOOD.contains(&form) {
            assert_eq!(server.snapshot().await, before, "{form}");
        }
    }
}

async fn admin_with_browser(server: &Server) -> Browser {
    server.admin("admin@example.com").await;
    server.user("ann@example.com").await;
    let browser = server.browser();
    let fields = [("username", "admin@example.com"), ("password", PASSWORD)];
    browser.send("/form/log_in", &fields).await.says("Profile");
    browser
}

async fn forms_are_for_posts(place: Place) {
    let server = place.start().await;
    let admin = admin_with_browser(&server).await;
    let before = server.snapshot().await;
    for (form, body) in FORMS {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
            let path = format!("{form}?{body}");
            let request = admin.request(method.parse().unwrap(), &path).header("accept", HTML);
            let reply = request.await.expect(405);
            assert_eq!(reply.header("allow"), Some("POST"), "{method} {form}");
        }
        // What stands in the address is no body.
        let reply = admin
            .post(&format!("{form}?{body}"))
            .header("accept", "application/json")
            .await;
        reply.expect_problem(415, "unsupported_media_type");
    }
    assert_eq!(server.snapshot().await, before);
    let reply = admin.post("/form/nothing").header("accept", "application/json").await;
    reply.expect_problem(404, "not_found");
}

async fn unknown_fields_are_ignored(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let fields = [
        ("email", "ann@example.com"),
        ("password", PASSWORD),
        ("roles", "admin"),
        ("email_verified", "true"),
        ("id", ID),
        ("__err", "<b>planted</b>"),
        ("__path", "/form/log_in"),
    ];
    let page = browser
        .send("/form/sign_up", &fields)
        .await
        .says("Your account is made.");
    assert!(!page.text().contains("planted"), "{}", page.text());
    let ann = server.log_in("ann@example.com").await;
    let user = ann.get("/api/auth/me").await.json();
    assert_eq!(
        (&user["roles"], &user["email_verified"]),
        (&serde_json::json!([]), &serde_json::json!(false))
    );
    assert_ne!(user["id"], ID);
}

async fn a_form_that_is_no_form_is_told_so(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let send = |kind, body: Vec<u8>| browser.post("/form/log_in").header("accept", HTML).body(kind, body);
    let page = send("text/plain", b"username=a&password=b".to_vec())
        .await
        .expect_page(415);
    page.says("Send the body as application/json or application/x-www-form-urlencoded");
    let page = send(URLENCODED, vec![b'a'; 1024 * 1024]).await.expect_page(413);
    page.says("The body is larger than 64 KiB");
    let page = send(URLENCODED, b"username=%ff&password=b".to_vec())
        .await
        .expect_page(400);
    page.says("The request is not valid UTF-8");
    let request = send(URLENCODED, b"username=a&password=b".to_vec());
    request.header("content-encoding", "gzip").await.expect_page(415);
}
