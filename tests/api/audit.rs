use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Actor, MINUTE, NEW_PASSWORD, PASSWORD, Place, both_engines};

both_engines![
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
