use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule::auth;

use crate::support::{Actor, Admin, MINUTE, NEW_PASSWORD, PASSWORD, Place, Server, both_engines, jwt_claims};

both_engines![
    each_kind_of_event_is_on_record_with_whose_it_was_and_who_did_it,
    what_happened_is_on_record_with_who_and_where,
    refusals_are_on_record_too,
    what_somebody_may_not_do_is_on_record_with_who_tried_it,
    what_is_refused_again_and_again_does_not_fill_the_log,
    each_change_of_a_product_is_on_record,
    the_log_is_for_admins,
    events_are_listed_newest_first_in_pages,
    events_are_filtered_by_user_and_name,
    the_log_holds_no_secrets,
    the_log_outlives_the_account,
    queries_that_cannot_be_are_refused,
];

/// The kinds whose entries are looked at where weeks pass, where the database is replaced, and where there is something to
/// import: `sweep::who_signed_up_and_never_came_is_removed`,
/// `backup::restoring::a_restore_ends_sessions_and_links_and_drops_messages`, and
/// `import::an_import_is_one_event_of_the_audit_log`.
const ELSEWHERE: [&str; 3] = ["remove_unverified", "restore_backup", "import_users"];

async fn each_kind_of_event_is_on_record_with_whose_it_was_and_who_did_it(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let mut log = Log::open(&server, &admin).await;
    coming_and_going(&mut log).await;
    an_account_and_its_devices(&mut log).await;
    mailed_links(&mut log).await;
    what_an_admin_does(&mut log).await;
    what_the_operator_does(&mut log).await;
    products(&mut log).await;
    reading_without_permission(&mut log).await;

    let unknown = admin.get("/api/audit?event=dance").await.expect_any_problem(422);
    let names = unknown["errors"][0]["message"].as_str().unwrap_or_default();
    let names = names.trim_start_matches("An event is one of ").trim_end_matches('.');
    let all: BTreeSet<&str> = names.split(", ").collect();
    let made = log.told.iter().map(String::as_str);
    let shown: BTreeSet<&str> = made.chain(ELSEWHERE).collect();
    assert_eq!(shown, all, "what is new is to be done here too");
}

/// The audit log, which an admin reads after each thing that is done.
struct Log<'a> {
    server: &'a Server,
    admin: &'a Admin,
    /// The ids of the entries that were read.
    read: BTreeSet<String>,
    /// The events that were told as they should be.
    told: BTreeSet<String>,
}

impl<'a> Log<'a> {
    async fn open(server: &'a Server, admin: &'a Admin) -> Self {
        let mut log = Self {
            server,
            admin,
            read: BTreeSet::new(),
            told: BTreeSet::new(),
        };
        log.news().await;
        log
    }

    /// The entries that were not read before.
    async fn news(&mut self) -> Vec<Value> {
        let mut entries = self.admin.get("/api/audit?limit=200").await.items();
        entries.retain(|entry| self.read.insert(entry["id"].to_string()));
        entries
    }

    /// What was just done made one entry: that it succeeded, whose account it was about, and who did it.
    async fn tells(&mut self, event: &str, user: Option<&str>, actor: Option<&str>) {
        self.tells_outcome(event, "success", user, actor).await;
    }

    async fn tells_outcome(&mut self, event: &str, outcome: &str, user: Option<&str>, actor: Option<&str>) {
        let news = self.news().await;
        let said: Vec<_> = news
            .iter()
            .map(|entry| ["event", "outcome", "user_id", "actor_id"].map(|field| entry[field].as_str()))
            .collect();
        assert_eq!(said, [[Some(event), Some(outcome), user, actor]]);
        self.told.insert(event.to_owned());
    }

    /// Signs somebody up of whom the log is to say nothing yet; gives their id.
    async fn newcomer(&mut self, email: &str) -> String {
        let user = self.server.sign_up(email).await;
        self.news().await;
        user["id"].as_str().expect("an id").to_owned()
    }
}

async fn coming_and_going(log: &mut Log<'_>) {
    let server = log.server;
    let ann = server.sign_up("ann@example.com").await;
    let her = ann["id"].as_str();
    log.tells("sign_up", her, None).await;
    let mut ann = server.log_in("ann@example.com").await;
    log.tells("log_in", her, None).await;
    ann.refresh().await;
    assert!(log.news().await.is_empty(), "who stays signed in does nothing");
    ann.post("/api/auth/logout").await.expect(200);
    log.tells("log_out", her, None).await;

    let mut ann = server.log_in("ann@example.com").await;
    log.tells("log_in", her, None).await;
    let stolen = ann.refresh_token.clone();
    ann.refresh().await;
    server.mail_is_done().await;
    server.advance(11);
    let thief = server.anonymous().post("/api/auth/refresh").bearer(&stolen);
    thief.await.expect_problem(401, "refresh_token_reused");
    log.tells_outcome("refresh", "refresh_token_reused", her, None).await;
}

async fn an_account_and_its_devices(log: &mut Log<'_>) {
    let server = log.server;
    let id = log.newcomer("bob@example.com").await;
    let him = Some(id.as_str());
    let bob = server.log_in("bob@example.com").await;
    let lost = server.log_in("bob@example.com").await;
    log.news().await;
    bob.patch("/api/auth/me").json(json!({"name": "Bob"})).await.expect(200);
    log.tells("update_profile", him, him).await;
    bob.get("/api/auth/me/export").await.expect(200);
    log.tells("export_account", him, him).await;
    let lost = jwt_claims(&lost.access_token)["sid"].clone();
    let lost = format!("/api/auth/sessions/{}", lost.as_str().unwrap());
    bob.delete(&lost).await.expect_success();
    log.tells("end_session", him, him).await;
    bob.delete("/api/auth/sessions").await.expect_success();
    log.tells("end_other_sessions", him, him).await;
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    bob.post("/api/auth/me/password").json(change).await.expect_success();
    log.tells("change_password", him, him).await;
    let leave = json!({"password": NEW_PASSWORD});
    bob.delete("/api/auth/me").json(leave).await.expect_success();
    log.tells("delete_account", him, him).await;
}

async fn mailed_links(log: &mut Log<'_>) {
    let server = log.server;
    let anonymous = server.anonymous();
    let verify = async |token: &str| {
        let verify = anonymous.post("/api/auth/verify-email").json(json!({"token": token}));
        verify.await.expect(200);
    };
    let id = log.newcomer("cleo@example.com").await;
    let her = Some(id.as_str());
    server.verification_link("cleo@example.com").await;
    let again = json!({"email": "cleo@example.com"});
    anonymous
        .post("/api/auth/resend-verification")
        .json(again)
        .await
        .expect(200);
    log.tells("resend_verification", her, None).await;
    verify(&server.links("cleo@example.com", "/verify-email", 2).await[0]).await;
    log.tells("verify_email", her, None).await;

    let token = server.reset_link("cleo@example.com").await;
    log.tells("request_reset", her, None).await;
    let choice = json!({"token": token, "new_password": NEW_PASSWORD});
    anonymous
        .post("/api/auth/reset-password")
        .json(choice)
        .await
        .expect(200);
    log.tells("finish_reset", her, None).await;
    let nobody = json!({"email": "nobody@example.com"});
    anonymous
        .post("/api/auth/forgot-password")
        .json(nobody)
        .await
        .expect(200);
    log.tells("request_reset", None, None).await;

    let cleo = server.log_in_with("cleo@example.com", NEW_PASSWORD).await;
    log.tells("log_in", her, None).await;
    let change = json!({"new_email": "cleopatra@example.com", "password": NEW_PASSWORD});
    cleo.post("/api/auth/me/email").json(change).await.expect_success();
    log.tells("change_email", her, her).await;
    verify(&server.verification_link("cleopatra@example.com").await).await;
    log.tells("verify_email", her, None).await;
}

async fn what_an_admin_does(log: &mut Log<'_>) {
    let (server, admin) = (log.server, log.admin);
    let id = log.newcomer("dan@example.com").await;
    let (him, by) = (Some(id.as_str()), Some(admin.user_id.as_str()));
    server.mail_is_done().await;
    let messages = admin.get("/api/mail").await.items();
    let to_dan = messages.iter().find(|message| message["address"] == "dan@example.com");
    let message = to_dan.expect("a message")["id"].as_str().unwrap().to_owned();
    admin
        .post(&format!("/api/mail/{message}/resend"))
        .await
        .expect_success();
    log.tells("resend_message", None, by).await;
    let dan = format!("/api/users/{id}");
    admin.patch(&dan).json(json!({"name": "Dan"})).await.expect(200);
    log.tells("update_user", him, by).await;
    admin.post(&format!("{dan}/reset-password")).await.expect_success();
    log.tells("mail_reset", him, by).await;
    admin.post(&format!("{dan}/logout")).await.expect_success();
    log.tells("end_user_sessions", him, by).await;
    admin.delete(&dan).await.expect_success();
    log.tells("delete_user", him, by).await;
}

/// As the commands have it done.
async fn what_the_operator_does(log: &mut Log<'_>) {
    let (by, nowhere) = (auth::Actor::Operator, auth::Client::default());
    let auth = log.server.app().auth();
    let by_hand = auth::CreateUser {
        email: "made@example.com".to_owned(),
        username: None,
        name: None,
        password: PASSWORD.to_owned().into(),
        admin: false,
    };
    let made = auth.create_user(&by, by_hand, &nowhere).await.expect("an account");
    log.tells("create_user", Some(&made.id.to_string()), None).await;
    let guest = auth::InviteUser {
        email: "invited@example.com".to_owned(),
        username: None,
        name: None,
        admin: false,
    };
    let invited = auth.invite_user(&by, guest, &nowhere).await.expect("an account");
    log.tells("invite_user", Some(&invited.id.to_string()), None).await;
    auth.rotate_signing_keys(&by, false).await.expect("a new key");
    log.tells("rotate_keys", None, None).await;
}

async fn products(log: &mut Log<'_>) {
    let id = log.newcomer("eve@example.com").await;
    let (hers, by_admin) = (Some(id.as_str()), Some(log.admin.user_id.as_str()));
    let eve = log.server.log_in("eve@example.com").await;
    log.news().await;
    let lamp = json!({"name": "Lamp"});
    let lamp = eve.post("/api/products").json(lamp).await.expect(201).json();
    log.tells("create_product", hers, hers).await;
    let lamp = format!("/api/products/{}", lamp["id"].as_str().unwrap());
    let renamed = json!({"name": "Desk"});
    log.admin.patch(&lamp).json(renamed).await.expect(200);
    log.tells("update_product", hers, by_admin).await;
    eve.delete(&lamp).await.expect_success();
    log.tells("delete_product", hers, hers).await;
}

/// Who may read makes no entry, as each look at the log here shows.
async fn reading_without_permission(log: &mut Log<'_>) {
    let id = log.newcomer("fay@example.com").await;
    let her = Some(id.as_str());
    let fay = log.server.log_in("fay@example.com").await;
    log.news().await;
    let another = format!("/api/users/{}", log.admin.user_id);
    for (path, event) in [
        ("/api/users", "list_users"),
        (&another, "show_user"),
        ("/api/audit", "list_events"),
        ("/api/mail", "list_messages"),
    ] {
        log.admin.get(path).await.expect(200);
        assert!(log.news().await.is_empty(), "{event}");
        fay.get(path).await.expect_problem(403, "forbidden");
        log.tells_outcome(event, "forbidden", her, her).await;
    }
}

async fn what_happened_is_on_record_with_who_and_where(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    server.sign_up("ann@example.com").await;
    let log_in = server
        .anonymous()
        .post("/api/auth/login")
        .header("user-agent", "Lamp/7");
    log_in
        .json(json!({"email": "ann@example.com", "password": PASSWORD}))
        .await
        .expect(200);
    let reply = admin.get("/api/audit").await;
    let event = &reply.items()[0];
    assert_eq!(event["event"], "log_in");
    assert_eq!(event["outcome"], "success");
    assert_eq!(event["at"], "2026-03-01T12:00:00Z");
    assert_eq!(event["user_agent"], "Lamp/7");
    assert_eq!(event["client_address"], "127.0.0.1");
    assert!(
        event["user_id"].is_string() && event["session_id"].is_string(),
        "{event}"
    );
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}

async fn refusals_are_on_record_too(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.sign_up("ann@example.com").await;
    let body = json!({"email": "ann@example.com", "password": "not-the-password"});
    server.anonymous().post("/api/auth/login").json(body).await.expect(401);
    let body = json!({"email": "nobody@example.com", "password": "hunter2-hunter2"});
    server.anonymous().post("/api/auth/login").json(body).await.expect(401);
    let events = server.events(&admin).await;
    assert_eq!(
        (&events[0]["event"], &events[0]["user_id"]),
        (&json!("log_in"), &Value::Null)
    );
    assert_eq!(
        (&events[1]["event"], &events[1]["user_id"]),
        (&json!("log_in"), &ann["id"])
    );
    for event in &events[..2] {
        assert_eq!(event["outcome"], "invalid_credentials");
    }
}

async fn what_somebody_may_not_do_is_on_record_with_who_tried_it(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let bob = server.user_with_browser("bob@example.com").await;
    let account = format!("/api/users/{}", ann.user_id);
    let lamp = json!({"name": "Lamp"});
    let made = ann.post("/api/products").json(&lamp).await.expect(201).json();
    let (id, product) = (&made["id"], format!("/api/products/{}", made["id"].as_str().unwrap()));
    let message = admin.get("/api/mail").await.items()[0]["id"].clone();
    let resend = format!("/api/mail/{}/resend", message.as_str().unwrap());
    let of_ann = json!(ann.user_id);
    for (request, event, target) in [
        (bob.get("/api/users"), "list_users", &Value::Null),
        (bob.get(&account), "show_user", &of_ann),
        (
            bob.patch(&account).json(json!({"roles": ["admin"]})),
            "update_user",
            &of_ann,
        ),
        (bob.delete(&account), "delete_user", &of_ann),
        (bob.post(&format!("{account}/logout")), "end_user_sessions", &of_ann),
        (bob.post(&format!("{account}/reset-password")), "mail_reset", &of_ann),
        (bob.get("/api/audit"), "list_events", &Value::Null),
        (bob.get("/api/mail"), "list_messages", &Value::Null),
        (bob.post(&resend), "resend_message", &message),
        (bob.patch(&product).json(&lamp), "update_product", id),
        (bob.delete(&product), "delete_product", id),
        (bob.get("/admin/users"), "list_users", &Value::Null),
        (bob.get(&format!("/admin/users/{}", ann.user_id)), "show_user", &of_ann),
        (bob.get("/admin/audit"), "list_events", &Value::Null),
        (bob.get("/admin/mail"), "list_messages", &Value::Null),
    ] {
        request.await.expect(403);
        let events = admin.get("/api/audit?user=bob@example.com&limit=1").await.items();
        let told = &events[0];
        assert_eq!((&told["event"], &told["outcome"]), (&json!(event), &json!("forbidden")));
        assert_eq!(&told["detail"], target, "{told}");
        assert_eq!(told["actor_id"], told["user_id"], "{told}");
        assert_eq!(told["client_address"], "127.0.0.1");
        assert!(told["session_id"].is_string(), "{told}");
    }
    let of_ann = ann.get("/api/auth/me/export").await.expect(200).text();
    assert!(
        !of_ann.contains("forbidden"),
        "what others tried is not hers to read: {of_ann}"
    );
}

async fn what_is_refused_again_and_again_does_not_fill_the_log(place: Place) {
    const REFUSALS: &str = "SELECT COUNT(*) FROM audit_events WHERE outcome = 'forbidden'";
    let server = place.start_with(&[("RATE_LIMITS", "on")]).await;
    let bob = server.user("bob@example.com").await;
    let ann = server.user("ann@example.com").await;
    for _ in 0..30 {
        bob.get("/api/users").await.expect_problem(403, "forbidden");
        bob.get("/api/audit").await.expect_problem(403, "forbidden");
    }
    assert_eq!(server.count(REFUSALS).await, 20);
    ann.get("/api/users").await.expect_problem(403, "forbidden");
    assert_eq!(server.count(REFUSALS).await, 21, "nobody else is kept from the record");
    server.mail_is_done().await;
    server.advance(5 * MINUTE);
    for _ in 0..30 {
        bob.get("/api/users").await.expect_problem(403, "forbidden");
    }
    assert_eq!(server.count(REFUSALS).await, 31);
}

async fn each_change_of_a_product_is_on_record(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let lamp = json!({"name": "Lamp"});
    let made = ann.post("/api/products").json(&lamp).await.expect(201).json();
    let path = format!("/api/products/{}", made["id"].as_str().unwrap());
    admin.patch(&path).json(json!({"name": "Desk"})).await.expect(200);
    ann.delete(&path).await.expect_success();
    // What comes to nothing changes nothing.
    ann.post("/api/products").json(json!({"name": ""})).await.expect(422);
    ann.delete(&path).await.expect(404);
    let told = admin.get("/api/audit?user=ann@example.com&limit=3").await.items();
    for (event, (kind, actor)) in told.iter().zip([
        ("delete_product", &ann.user_id),
        ("update_product", &admin.user_id),
        ("create_product", &ann.user_id),
    ]) {
        assert_eq!((&event["event"], &event["outcome"]), (&json!(kind), &json!("success")));
        assert_eq!(event["user_id"], ann.user_id);
        assert_eq!(&event["actor_id"], actor);
        assert_eq!(event["detail"], made["id"]);
    }
}

async fn the_log_is_for_admins(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    ann.get("/api/audit").await.expect_problem(403, "forbidden");
    server
        .anonymous()
        .get("/api/audit")
        .await
        .expect_problem(401, "not_authenticated");
}

async fn events_are_listed_newest_first_in_pages(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    for number in 0..3 {
        server.advance(1);
        server.user(&format!("user{number}@example.com")).await;
    }
    let all = server.events(&admin).await;
    assert!(
        all.windows(2)
            .all(|pair| pair[0]["at"].as_str() >= pair[1]["at"].as_str())
    );
    let mut seen = Vec::new();
    let mut path = "/api/audit?limit=2".to_owned();
    loop {
        let reply = admin.get(&path).await;
        seen.extend(reply.items());
        let Some(cursor) = reply.json()["next_cursor"].as_str().map(ToOwned::to_owned) else {
            break;
        };
        path = format!("/api/audit?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, all);
    assert_eq!(
        seen.iter()
            .map(|event| event["id"].to_string())
            .collect::<BTreeSet<_>>()
            .len(),
        seen.len()
    );
}

async fn events_are_filtered_by_user_and_name(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    server.user("bob@example.com").await;
    let of_ann = admin.get(&format!("/api/audit?user={}", ann.user_id)).await.items();
    assert!(of_ann.len() >= 2);
    assert!(
        of_ann.iter().all(|event| event["user_id"] == ann.user_id.as_str()),
        "{of_ann:?}"
    );
    let log_ins = admin.get("/api/audit?event=log_in").await.items();
    assert_eq!(log_ins.len(), 3);
    assert!(log_ins.iter().all(|event| event["event"] == "log_in"));
    let both = admin
        .get(&format!("/api/audit?event=log_in&user={}", ann.user_id))
        .await
        .items();
    assert_eq!(both.len(), 1);
    let by_address = admin.get("/api/audit?user=Ann@Example.com").await.items();
    assert_eq!(by_address, of_ann);
    assert!(admin.get("/api/audit?user=nobody").await.items().is_empty());
}

async fn the_log_holds_no_secrets(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let mut ann = server.user("ann@example.com").await;
    let mut secrets = vec![ann.access_token.clone(), ann.refresh_token.clone()];
    ann.refresh().await;
    // A password typed into the wrong field is a secret too.
    let body = json!({"username": NEW_PASSWORD, "password": "ann@example.com"});
    server.anonymous().post("/api/auth/login").json(body).await.expect(401);
    let token = server.reset_link("ann@example.com").await;
    let body = json!({"token": token, "new_password": NEW_PASSWORD});
    server
        .anonymous()
        .post("/api/auth/reset-password")
        .json(body)
        .await
        .expect(200);
    secrets.extend([
        token,
        ann.access_token,
        ann.refresh_token,
        PASSWORD.to_owned(),
        NEW_PASSWORD.to_owned(),
    ]);
    let log = json!(server.events(&admin).await).to_string();
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}

async fn the_log_outlives_the_account(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    admin
        .delete(&format!("/api/users/{}", ann.user_id))
        .await
        .expect_success();
    let events = admin.get(&format!("/api/audit?user={}", ann.user_id)).await.items();
    assert_eq!(events[0]["event"], "delete_user");
    assert_eq!(events[0]["actor_id"], admin.user_id);
}

async fn queries_that_cannot_be_are_refused(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    for query in [
        "limit=0",
        "limit=x",
        "cursor=x",
        "cursor=%00",
        "user=a%20b",
        "user=@",
        "user=%00",
        "event=dance",
        "event=%00",
    ] {
        let reply = admin.get(&format!("/api/audit?{query}")).await;
        assert!(
            [400, 422].contains(&reply.status),
            "{query}: {} {}",
            reply.status,
            reply.text()
        );
        reply.expect_refusal();
    }
}
