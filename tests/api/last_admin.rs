use serde_json::json;

use crate::support::{Actor, Admin, PASSWORD, Place, Reply, Server, both_engines};

both_engines![
    the_last_admin_stays,
    a_disabled_admin_does_not_count,
    with_another_admin_everything_may_be_done,
    two_admins_who_give_up_at_once_leave_one,
    two_admins_who_demote_each_other_at_once_leave_one,
    two_admins_who_delete_themselves_at_once_leave_one,
];

const ACTIVE_ADMINS: &str = "SELECT COUNT(*) FROM users JOIN user_roles ON user_id = users.id \
                             WHERE role = 'admin' AND disabled_at IS NULL";

fn path(admin: &Admin) -> String {
    format!("/api/users/{}", admin.user_id)
}

async fn the_last_admin_stays(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    server.sign_up("ann@example.com").await;
    let before = server.snapshot().await;
    let refused = [
        admin.patch(&path(&admin)).json(json!({"roles": []})).await,
        admin
            .patch(&path(&admin))
            .json(json!({"roles": ["editor"], "name": "x"}))
            .await,
        admin.patch(&path(&admin)).json(json!({"is_active": false})).await,
        admin.delete(&path(&admin)).await,
        admin.delete("/api/auth/me").json(json!({"password": PASSWORD})).await,
    ];
    for reply in refused {
        reply.expect_problem(409, "last_admin");
    }
    assert_eq!(server.snapshot().await, before);
    // What takes nothing from them is allowed.
    admin
        .patch(&path(&admin))
        .json(json!({"roles": ["admin", "editor"], "is_active": true}))
        .await
        .expect(200);
}

async fn a_disabled_admin_does_not_count(place: Place) {
    let server = place.start().await;
    let admin = server.admin("admin@example.com").await;
    let other = server.admin("other@example.com").await;
    admin
        .patch(&path(&other))
        .json(json!({"is_active": false}))
        .await
        .expect(200);
    admin
        .patch(&path(&admin))
        .json(json!({"is_active": false}))
        .await
        .expect_problem(409, "last_admin");
    admin.delete(&path(&admin)).await.expect_problem(409, "last_admin");
    // The disabled one may go, though an admin.
    admin.delete(&path(&other)).await.expect_success();
    assert_eq!(server.count(ACTIVE_ADMINS).await, 1);
}

async fn with_another_admin_everything_may_be_done(place: Place) {
    let server = place.start().await;
    let first = server.admin("first@example.com").await;
    let second = server.admin("second@example.com").await;
    first.patch(&path(&first)).json(json!({"roles": []})).await.expect(200);
    first.get("/api/users").await.expect_problem(403, "forbidden");
    second
        .patch(&path(&first))
        .json(json!({"roles": ["admin"]}))
        .await
        .expect(200);
    second
        .delete("/api/auth/me")
        .json(json!({"password": PASSWORD}))
        .await
        .expect_success();
    assert_eq!(server.count(ACTIVE_ADMINS).await, 1);
}

/// Lets two admins act at the same moment, several times over; one active admin must be left each time.
async fn at_once<F>(server: &Server, round: usize, act: impl Fn(Admin, Admin) -> F)
where
    F: Future<Output = Reply> + Send + 'static,
{
    let one = server.admin(&format!("one{round}@example.com")).await;
    let two = server.admin(&format!("two{round}@example.com")).await;
    if round == 0 {
        assert_eq!(server.count(ACTIVE_ADMINS).await, 2);
    }
    let tasks = [tokio::spawn(act(one.clone(), two.clone())), tokio::spawn(act(two, one))];
    let mut succeeded = 0;
    for task in tasks {
        let reply = task.await.unwrap();
        if reply.status >= 300 {
            // The loser is told about the last admin, or was no longer one when their turn came.
            assert!([401, 400, 403, 409].contains(&reply.status), "{}", reply.text());
        } else {
            succeeded += 1;
        }
    }
    assert_eq!(succeeded, 1, "round {round}");
    assert_eq!(server.count(ACTIVE_ADMINS).await, 1, "round {round}");
    // The next round begins without admins, which only the database can bring about.
    sqlx::query("DELETE FROM user_roles")
        .execute(server.database())
        .await
        .unwrap();
}

async fn two_admins_who_give_up_at_once_leave_one(place: Place) {
    let server = place.start().await;
    for round in 0..5 {
        at_once(&server, round, |me, _| async move {
            me.patch(&path(&me)).json(json!({"roles": []})).await
        })
        .await;
    }
}

async fn two_admins_who_demote_each_other_at_once_leave_one(place: Place) {
    let server = place.start().await;
    for round in 0..5 {
        let demote =
            |me: Admin, other: Admin| async move { me.patch(&path(&other)).json(json!({"is_active": false})).await };
        at_once(&server, round, demote).await;
    }
}

async fn two_admins_who_delete_themselves_at_once_leave_one(place: Place) {
    let server = place.start().await;
    for round in 0..5 {
        let leave = |me: Admin, _| async move { me.delete("/api/auth/me").json(json!({"password": PASSWORD})).await };
        at_once(&server, round, leave).await;
    }
}
