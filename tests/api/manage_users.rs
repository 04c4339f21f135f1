use serde_json::{Value, json};
use tokio::task::JoinSet;
use vestibule::{auth, id::UserId};

use crate::support::{Actor, NEW_PASSWORD, PASSWORD, Place, both_engines, jwt_claims};

both_engines![
    a_user_has_no_more_roles_than_a_token_can_name,
    admins_and_the_user_read_a_user,
    a_role_holds_at_once_and_is_gone_at_once,
    disabling_holds_at_once,
    an_admin_changes_names_but_never_passwords,
    roles_must_be_names,
    null_clears_neither_roles_nor_activity,
    roles_granted_at_once_are_all_kept,
    the_owner_is_told_what_an_admin_changes,
    an_admin_deletes_a_user,
    an_admin_logs_a_user_out_everywhere,
    an_admin_has_a_reset_link_mailed,
    what_is_not_there_is_not_found,
    ids_that_cannot_be_are_refused,
    nobody_else_manages_users,
];

fn path(id: &str) -> String {
    format!("/api/users/{id}")
}

async fn admins_and_the_user_read_a_user(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let eve = server.user("eve@example.com").await;
    for path in [path(&ann.user_id), format!("/users/{}", ann.user_id)] {
        for reader in [&*admin, &ann] {
            let reply = reader.get(&path).await.expect(200);
            assert_eq!(reply.json()["email"], "ann@example.com");
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
        // Whether there is such a user is nobody else's business.
        let reply = eve.get(&path).await;
        assert!([403, 404].contains(&reply.status), "{}", reply.text());
        server
            .anonymous()
            .get(&path)
            .await
            .expect_problem(401, "not_authenticated");
    }
    let unknown = eve.get(&path("01890a5d-ac96-774b-bcce-b302099a8057")).await;
    let known = eve.get(&path(&ann.user_id)).await;
    assert_eq!(unknown.status, known.status);
    assert_eq!(unknown.json()["code"], known.json()["code"]);
}

async fn a_role_holds_at_once_and_is_gone_at_once(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    ann.get("/api/users").await.expect_problem(403, "forbidden");
    let user = admin
        .patch(&path(&ann.user_id))
        .json(json!({"roles": ["admin"]}))
        .await
        .expect(200)
        .json();
    assert_eq!(user["roles"], json!(["admin"]));
    ann.get("/api/users").await.expect(200);
    let mut ann_later = ann.clone();
    ann_later.refresh().await;
    assert_eq!(jwt_claims(&ann_later.access_token)["roles"], json!(["admin"]));
    admin
        .patch(&path(&ann.user_id))
        .json(json!({"roles": []}))
        .await
        .expect(200);
    // The token still says admin; the house knows better.
    ann_later.get("/api/users").await.expect_problem(403, "forbidden");
    assert_eq!(ann_later.get("/api/auth/me").await.json()["roles"], json!([]));
}

async fn disabling_holds_at_once(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let user = admin
        .patch(&path(&ann.user_id))
        .json(json!({"is_active": false}))
        .await
        .expect(200)
        .json();
    assert_eq!(user["is_active"], false);
    for path in ["/users/me", "/api/auth/me", "/api/auth/sessions", "/product/"] {
        let problem = ann.get(path).await.expect_problem(400, "inactive_user");
        assert_eq!(problem["detail"], "Inactive user");
    }
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    server
        .anonymous()
        .post("/api/auth/login")
        .json(&body)
        .await
        .expect_problem(400, "inactive_user");
    admin
        .patch(&path(&ann.user_id))
        .json(json!({"is_active": true}))
        .await
        .expect(200);
    server.anonymous().post("/api/auth/login").json(&body).await.expect(200);
}

async fn an_admin_changes_names_but_never_passwords(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let body = json!({
        "name": "Ann", "username": "ann", "password": NEW_PASSWORD, "password_hash": "x", "email": "eve@example.com",
        "email_verified": true, "id": "x",
    });
    let user = admin.patch(&path(&ann.user_id)).json(body).await.expect(200).json();
    assert_eq!((&user["name"], &user["username"]), (&json!("Ann"), &json!("ann")));
    assert_eq!(user["email"], "ann@example.com");
    assert_eq!(user["id"], ann.user_id);
    assert_eq!(user["email_verified"], false);
    server.log_in("ann@example.com").await;
    let user = admin
        .patch(&path(&ann.user_id))
        .json(json!({"name": null}))
        .await
        .expect(200)
        .json();
    assert_eq!((&user["name"], &user["username"]), (&Value::Null, &json!("ann")));
    let taken = admin
        .patch(&path(&admin.user_id))
        .json(json!({"username": "ANN"}))
        .await;
    taken.expect_problem(409, "username_taken");
}

async fn null_clears_neither_roles_nor_activity(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let before = server.snapshot().await;
    for (field, message) in [("roles", "Must be a list."), ("is_active", "Must be a boolean.")] {
        let reply = admin.patch(&path(&admin.user_id)).json(json!({field: null})).await;
        assert_eq!(reply.expect_invalid_field(field), "wrong_type");
        assert_eq!(reply.json()["errors"][0]["message"], message);
    }
    assert_eq!(server.snapshot().await, before);
}

async fn roles_must_be_names(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let before = server.snapshot().await;
    let long = "r".repeat(200);
    for bad in ["", "a b", "a\u{0}", "ü", "a,b", long.as_str()] {
        let reply = admin
            .patch(&path(&ann.user_id))
            .json(json!({"roles": ["editor", bad]}))
            .await;
        reply.expect_invalid_field("roles");
    }
    let many: Vec<String> = (0..10_000).map(|number| format!("role{number}")).collect();
    admin
        .patch(&path(&ann.user_id))
        .json(json!({"roles": many}))
        .await
        .expect_refusal();
    assert_eq!(server.snapshot().await, before);
    let twice = admin
        .patch(&path(&ann.user_id))
        .json(json!({"roles": ["editor", "editor"]}))
        .await
        .expect(200);
    assert_eq!(twice.json()["roles"], json!(["editor"]));
}

/// Lets two dozen operators act at the same moment, each on a role of their own.
async fn at_once<F>(change: impl Fn(String) -> F)
where
    F: Future<Output = Result<auth::User, auth::Error>> + Send + 'static,
{
    let mut running: JoinSet<_> = (0..24).map(|number| change(format!("role{number}"))).collect();
    while let Some(done) = running.join_next().await {
        done.unwrap().expect("changed");
    }
}

async fn roles_granted_at_once_are_all_kept(place: Place) {
    const ROLES: &str = "SELECT COUNT(*) FROM user_roles";
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let id: UserId = ann.user_id.parse().unwrap();
    let auth = server.app().auth();
    let (operator, client) = (auth::Actor::Operator, auth::Client::default());
    at_once(|role| {
        let (auth, operator, client) = (auth.clone(), operator.clone(), client.clone());
        async move { auth.grant_role(&operator, id, &role, &client).await }
    })
    .await;
    assert_eq!(server.count(ROLES).await, 24);
    at_once(|role| {
        let (auth, operator, client) = (auth.clone(), operator.clone(), client.clone());
        async move { auth.revoke_role(&operator, id, &role, &client).await }
    })
    .await;
    assert_eq!(server.count(ROLES).await, 0);
}

async fn the_owner_is_told_what_an_admin_changes(place: Place) {
    const LETTERS: &str = "SELECT COUNT(*) FROM outbox WHERE kind IN \
                           ('username_changed', 'roles_changed', 'account_disabled', 'account_enabled')";
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let mut told = 0;
    for (change, subject) in [
        (json!({"username": "ann"}), Some("username")),
        (json!({"roles": ["editor"]}), Some("What you may do")),
        (
            json!({"roles": ["editor"], "name": "Ann", "username": "Ann", "is_active": true}),
            None,
        ),
        (json!({"is_active": false}), Some("disabled")),
        (json!({"is_active": true}), Some("enabled")),
    ] {
        admin.patch(&path(&ann.user_id)).json(&change).await.expect(200);
        told += i64::from(subject.is_some());
        assert_eq!(server.count(LETTERS).await, told, "{change}");
        let Some(subject) = subject else { continue };
        let count = usize::try_from(told).unwrap() + 1;
        let mail = server.mails("ann@example.com", count).await.remove(0);
        assert!(mail.subject.contains(subject), "{}", mail.subject);
        assert!(!mail.text.contains("127.0.0.1"), "where the admin is: {}", mail.text);
    }
    let all = json!({"username": null, "roles": [], "is_active": false});
    admin.patch(&path(&ann.user_id)).json(all).await.expect(200);
    assert_eq!(server.count(LETTERS).await, told + 3);
}

async fn an_admin_deletes_a_user(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    admin.delete(&path(&ann.user_id)).await.expect_success();
    ann.get("/api/auth/me").await.expect_any_problem(401);
    admin.get(&path(&ann.user_id)).await.expect_problem(404, "not_found");
    admin.delete(&path(&ann.user_id)).await.expect_problem(404, "not_found");
    assert_eq!(server.count("SELECT COUNT(*) FROM sessions").await, 1, "the admin's");
}

async fn an_admin_logs_a_user_out_everywhere(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = [
        server.user("ann@example.com").await,
        server.log_in("ann@example.com").await,
    ];
    admin
        .post(&format!("{}/logout", path(&ann[0].user_id)))
        .await
        .expect_success();
    for client in &ann {
        client.get("/api/auth/me").await.expect_problem(401, "session_ended");
    }
    assert!(admin.is_signed_in().await);
    assert!(server.log_in("ann@example.com").await.is_signed_in().await);
}

async fn an_admin_has_a_reset_link_mailed(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let reply = admin
        .post(&format!("{}/reset-password", path(&ann.user_id)))
        .await
        .expect_success();
    assert!(!reply.text().contains("vst_"), "not even the admin sees it");
    let token = server.links("ann@example.com", "/reset-password", 1).await.remove(0);
    let body = json!({"token": token, "new_password": NEW_PASSWORD});
    server
        .anonymous()
        .post("/api/auth/reset-password")
        .json(body)
        .await
        .expect(200);
    server.log_in_with("ann@example.com", NEW_PASSWORD).await;
}

async fn what_is_not_there_is_not_found(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let nobody = path("01890a5d-ac96-774b-bcce-b302099a8057");
    admin.get(&nobody).await.expect_problem(404, "not_found");
    admin
        .patch(&nobody)
        .json(json!({"name": "x"}))
        .await
        .expect_problem(404, "not_found");
    admin.delete(&nobody).await.expect_problem(404, "not_found");
    admin
        .post(&format!("{nobody}/logout"))
        .await
        .expect_problem(404, "not_found");
    admin
        .post(&format!("{nobody}/reset-password"))
        .await
        .expect_problem(404, "not_found");
}

async fn ids_that_cannot_be_are_refused(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    for bad in [
        "1",
        "x",
        "%00",
        "%FF",
        "..%2F..%2Fetc",
        "🌷",
        "'%20OR%201=1",
        &"9".repeat(500),
    ] {
        admin.get(&path(bad)).await.expect_refusal();
        admin.delete(&path(bad)).await.expect_refusal();
        admin
            .patch(&path(bad))
            .json(json!({"name": "x"}))
            .await
            .expect_refusal();
        admin.get(&format!("/users/{bad}")).await.expect_refusal();
    }
}

async fn nobody_else_manages_users(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let eve = server.user("eve@example.com").await;
    let before = server.snapshot().await;
    for target in [&ann.user_id, &eve.user_id] {
        let target = path(target);
        eve.patch(&target)
            .json(json!({"roles": ["admin"]}))
            .await
            .expect_problem(403, "forbidden");
        eve.delete(&target).await.expect_problem(403, "forbidden");
        eve.post(&format!("{target}/logout"))
            .await
            .expect_problem(403, "forbidden");
        eve.post(&format!("{target}/reset-password"))
            .await
            .expect_problem(403, "forbidden");
        server
            .anonymous()
            .delete(&target)
            .await
            .expect_problem(401, "not_authenticated");
    }
    assert_eq!(server.snapshot().await, before);
}

async fn a_user_has_no_more_roles_than_a_token_can_name(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let ann = server.user("ann@example.com").await;
    let roles = |count: usize| -> Vec<String> { (0..count).map(|number| format!("{number:0>32}")).collect() };
    let path = format!("/api/users/{}", ann.user_id);
    admin
        .patch(&path)
        .json(json!({"roles": roles(32)}))
        .await
        .expect_success();
    server.log_in("ann@example.com").await;
    let refused = admin.patch(&path).json(json!({"roles": roles(33)})).await;
    assert_eq!(refused.expect_invalid_field("roles"), "too_many_roles");
}
