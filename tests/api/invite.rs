//! Whoever is invited chooses the password, and shows with it that the address is theirs.

use serde_json::json;
use vestibule::auth;

use crate::support::{Actor, DAY, NEW_PASSWORD, PASSWORD, Place, Process, Server, both_engines};

both_engines![
    an_invitation_leads_to_a_password_and_a_verified_address,
    an_invitation_is_good_once_and_for_seven_days,
    whoever_lost_the_invitation_resets_the_password_that_there_is_not,
    an_account_without_a_password_is_like_one_with_another,
    an_invitation_that_was_accepted_is_not_sent_again,
    an_address_that_is_taken_is_not_invited,
    who_is_invited_administers_nothing_yet,
    who_is_invited_is_pending_until_the_password_is_chosen,
    the_operator_invites_beside_a_running_server,
];

async fn invite(server: &Server, email: &str, admin: bool) -> Result<auth::User, auth::Error> {
    let new = auth::InviteUser {
        email: email.to_owned(),
        username: None,
        name: Some("Ann".to_owned()),
        admin,
    };
    let (actor, client) = (auth::Actor::Operator, auth::Client::default());
    server.app().auth().invite_user(&actor, new, &client).await
}

async fn invitation(server: &Server, email: &str) -> String {
    invite(server, email, false).await.expect("an account");
    server.links(email, "/reset-password", 1).await.remove(0)
}

fn choice(token: &str) -> serde_json::Value {
    json!({"token": token, "new_password": NEW_PASSWORD})
}

async fn an_invitation_leads_to_a_password_and_a_verified_address(place: Place) {
    let server = place.start_with(&[("REQUIRE_VERIFIED_EMAIL", "true")]).await;
    let token = invitation(&server, "ann@example.com").await;
    let mail = server.mails("ann@example.com", 1).await.remove(0);
    assert_eq!(mail.subject, "You are invited to Vestibule");
    assert!(mail.text.contains("within 7 days"), "{}", mail.text);
    assert!(
        !mail.text.contains("From:"),
        "who invites is no stranger to be told of: {}",
        mail.text
    );

    let page = server.browser().open(&format!("/reset-password?token={token}")).await;
    let page = page.expect_page(200).page_text();
    // There is no old one, and nobody is signed in.
    assert!(
        page.contains("Choose a password") && !page.contains("All devices"),
        "{page}"
    );

    let weak = json!({"token": token, "new_password": "ann@example.com"});
    let refused = server.anonymous().post("/api/auth/reset-password").json(weak).await;
    refused.expect_problem(422, "invalid_fields");
    let reset = server.anonymous().post("/api/auth/reset-password").json(choice(&token));
    reset.await.expect(200);
    let ann = server.log_in_with("ann@example.com", NEW_PASSWORD).await;
    let me = ann.get("/api/auth/me").await.json();
    assert_eq!((&me["email_verified"], &me["name"]), (&json!(true), &json!("Ann")));
}

async fn an_invitation_is_good_once_and_for_seven_days(place: Place) {
    let server = place.start().await;
    let late = invitation(&server, "late@example.com").await;
    server.advance(7 * DAY - 10);
    let used = invitation(&server, "used@example.com").await;
    server.advance(10);
    let reset = async |token: &str| {
        let request = server.anonymous().post("/api/auth/reset-password");
        request.json(choice(token)).await
    };
    reset(&late).await.expect_problem(400, "link_invalid");
    reset(&used).await.expect(200);
    reset(&used).await.expect_problem(400, "link_invalid");
    // It is no link of another kind.
    let other = invitation(&server, "other@example.com").await;
    let verify = server.anonymous().post("/api/auth/verify-email");
    verify
        .json(json!({"token": other}))
        .await
        .expect_problem(400, "link_invalid");
    let hashes = "SELECT COUNT(*) FROM link_tokens WHERE kind = 'invitation' AND length(hash) = 43";
    assert_eq!(
        server.count(hashes).await,
        2,
        "the late one and the other, by their hashes"
    );
}

async fn whoever_lost_the_invitation_resets_the_password_that_there_is_not(place: Place) {
    let server = place.start().await;
    let invitation = invitation(&server, "ann@example.com").await;
    server.advance(8 * DAY);
    let forgot = server.anonymous().post("/api/auth/forgot-password");
    forgot.json(json!({"email": "ann@example.com"})).await.expect(200);
    let links = server.links("ann@example.com", "/reset-password", 2).await;
    assert_eq!(links[1], invitation);
    let reset = server.anonymous().post("/api/auth/reset-password");
    reset.json(choice(&links[0])).await.expect(200);
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
    assert_eq!(server.count("SELECT COUNT(*) FROM link_tokens").await, 0);
}

async fn an_account_without_a_password_is_like_one_with_another(place: Place) {
    let server = place.start().await;
    invitation(&server, "invited@example.com").await;
    server.sign_up("ann@example.com").await;
    let before = server.snapshot().await;
    for password in [PASSWORD, " ", "\0", "-", "!"] {
        let mut answers = Vec::new();
        for email in ["invited@example.com", "ann@example.com", "nobody@example.com"] {
            let body = json!({"email": email, "password": password});
            let reply = server.anonymous().post("/api/auth/login").json(body).await;
            if email != "ann@example.com" || password != PASSWORD {
                answers.push(reply.expect(401).observable());
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    }
    let sessions = "SELECT COUNT(*) FROM sessions JOIN users ON users.id = user_id WHERE email LIKE 'invited%'";
    assert_eq!(server.count(sessions).await, 0);
    assert_eq!(
        server.snapshot().await.len(),
        before.len() + 3,
        "one session and its place, Ann's"
    );
}

async fn an_invitation_that_was_accepted_is_not_sent_again(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let first = invitation(&server, "ann@example.com").await;
    server.mail_is_done().await;
    let sent = admin.get("/api/mail?limit=1").await.items().remove(0);
    assert_eq!(sent["kind"], "invitation");
    let again = format!("/api/mail/{}/resend", sent["id"].as_str().unwrap());
    admin.post(&again).await.expect_success();
    server.app().mail().wake();
    let links = server.links("ann@example.com", "/reset-password", 2).await;
    assert_ne!(links[0], links[1]);
    let reset = async |token: &str| {
        let request = server.anonymous().post("/api/auth/reset-password");
        request.json(choice(token)).await
    };
    reset(&first).await.expect(200);
    reset(&links[0]).await.expect_problem(400, "link_invalid");
    server.mail_is_done().await;

    admin.post(&again).await.expect_success();
    server.app().mail().wake();
    server.mail_is_done().await;
    let dropped = admin.get("/api/mail?state=dropped").await.items();
    assert_eq!(dropped[0]["last_error"], "the invitation is accepted already");
    let events = server.events(&admin).await;
    assert!(events.iter().any(|event| event["event"] == "invite_user"), "{events:?}");
}

async fn who_is_invited_is_pending_until_the_password_is_chosen(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let listed = async |status: &str| -> Vec<String> {
        let found = admin.get(&format!("/api/users?status={status}")).await.items();
        found
            .iter()
            .map(|user| user["email"].as_str().unwrap().to_owned())
            .collect()
    };
    invitation(&server, "ann@example.com").await;
    assert_eq!(listed("pending").await, ["ann@example.com"]);
    assert_eq!(listed("active").await, ["admin@example.com"]);
    let browser = server.browser();
    let fields = [("username", "admin@example.com"), ("password", PASSWORD)];
    browser.send("/form/log_in", &fields).await.says("Profile");
    let page = browser.open("/admin/users?status=pending").await;
    let page = page.expect_page(200).text();
    assert!(
        page.contains(">Ann</bdi>") && page.contains(">Pending</span>"),
        "{page}"
    );

    let set_active = async |is_active: bool| {
        let id = admin.get("/api/users?q=ann").await.items()[0]["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let change = json!({"is_active": is_active});
        admin.patch(&format!("/api/users/{id}")).json(change).await.expect(200);
    };
    set_active(false).await;
    assert_eq!(listed("pending").await, [""; 0]);
    assert_eq!(listed("disabled").await, ["ann@example.com"]);
    set_active(true).await;
    assert_eq!(listed("pending").await, ["ann@example.com"]);

    // Who is disabled has lost the invitation.
    let forgot = server.anonymous().post("/api/auth/forgot-password");
    forgot.json(json!({"email": "ann@example.com"})).await.expect(200);
    let token = server.links("ann@example.com", "/reset-password", 2).await.remove(0);
    let reset = server.anonymous().post("/api/auth/reset-password").json(choice(&token));
    reset.await.expect(200);
    assert_eq!(listed("pending").await, [""; 0]);
    assert_eq!(listed("active").await, ["admin@example.com", "ann@example.com"]);
}

async fn an_address_that_is_taken_is_not_invited(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let before = server.count("SELECT COUNT(*) FROM outbox").await;
    let refused = invite(&server, "Ann@Example.com", false).await;
    assert!(matches!(refused, Err(auth::Error::EmailTaken)), "{refused:?}");
    let refused = invite(&server, "nobody", false).await;
    assert!(matches!(refused, Err(auth::Error::InvalidFields(_))), "{refused:?}");
    assert_eq!(server.count("SELECT COUNT(*) FROM outbox").await, before);
}

async fn who_is_invited_administers_nothing_yet(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let invited = invite(&server, "second@example.com", true).await.expect("an account");
    let own = format!("/api/users/{}", admin.user_id);
    let demotion = json!({"roles": []});
    let refused = admin.patch(&own).json(demotion.clone()).await;
    refused.expect_problem(409, "last_admin");
    // It can be taken back all the same.
    let third = invite(&server, "third@example.com", true).await.expect("an account");
    admin.delete(&format!("/api/users/{}", third.id)).await.expect_success();

    let token = server.links("second@example.com", "/reset-password", 1).await.remove(0);
    let reset = server.anonymous().post("/api/auth/reset-password");
    reset.json(choice(&token)).await.expect(200);
    admin.patch(&own).json(demotion).await.expect(200);
    let second = server.log_in_with("second@example.com", NEW_PASSWORD).await;
    assert_eq!(second.user_id, invited.id.to_string());
    second.get("/api/users").await.expect(200);
}

async fn the_operator_invites_beside_a_running_server(place: Place) {
    let process = Process::start(&place, &[]).await;
    let arguments = ["user", "create", "--invite", "--admin", "--email", "root@example.com"];
    let finished = place.vestibule(&arguments).await.expect_success();
    assert!(
        finished.stdout.starts_with("Invited root@example.com ("),
        "{finished:?}"
    );
    assert!(finished.stderr.contains("/dev/mail"), "{finished:?}");
    let mails = crate::support::mail_to(&process.anonymous(), "root@example.com", 1).await;
    let token = mails[0].link_token("/reset-password").expect("a link");
    let reset = process.anonymous().post("/api/auth/reset-password");
    reset.json(choice(&token)).await.expect(200);
    let log_in = json!({"email": "root@example.com", "password": NEW_PASSWORD});
    let log_in = process
        .anonymous()
        .post("/api/auth/login")
        .json(log_in)
        .await
        .expect(200);
    let bearer = log_in.json()["access_token"].as_str().unwrap().to_owned();
    process.anonymous().get("/api/users").bearer(&bearer).await.expect(200);

    // Where no letter can leave, that is said.
    let arguments = ["user", "create", "--invite", "--email", "ann@example.com"];
    let public = [("PUBLIC_URL", "https://login.example.com")];
    let finished = place.vestibule_with(&arguments, &public, "").await.expect_success();
    assert!(finished.stderr.contains("SMTP_URL"), "{finished:?}");
}
