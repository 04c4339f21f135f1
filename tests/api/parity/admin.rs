//! What admins do.

use reqwest::Method;
use serde_json::json;

use super::{
    operation::{Done, INVALID, Operation, Refused, Who},
    scene::Scene,
};

/// One user's page, and where it is in the API.
const PAGE: &str = "/admin/users/{id}";
const API: &str = "/api/users/{id}";

const LAST: super::operation::Outcome = Refused(409, "last_admin");

pub(super) fn operations(scene: &Scene) -> Vec<Operation> {
    vec![
        grant_role(scene),
        revoke_role(scene),
        update_user(scene),
        end_user_sessions(scene),
        mail_reset(scene),
        delete_user(scene),
        resend_message(scene),
    ]
}

fn grant_role(scene: &Scene) -> Operation {
    const GRANTED: &str = "The role is granted.";
    let of = |id, role| [("id", id), ("role", role)];
    let ann = scene.ann_id.as_str();
    Operation::new("/form/grant_role", PAGE, Method::PATCH, API)
        // Ann has no role yet, and the API replaces them all.
        .body(|case| json!({"roles": [case.field("role")]}))
        .called("roles", "role")
        .case("of an editor", Who::Admin, &of(ann, "editor"), Done(GRANTED))
        .case("of an admin", Who::Admin, &of(ann, "admin"), Done(GRANTED))
        .case(
            "that is there already",
            Who::Admin,
            &of(&scene.admin_id, "admin"),
            Done(GRANTED),
        )
        .case("that is no name", Who::Admin, &of(ann, "a b"), INVALID)
        .case("of nothing", Who::Admin, &of(ann, ""), INVALID)
        .for_admins()
        .by_id()
}

fn revoke_role(scene: &Scene) -> Operation {
    const REVOKED: &str = "The role is taken away.";
    let of = |id, role| [("id", id), ("role", role)];
    let (ann, bob, admin) = (scene.ann_id.as_str(), scene.bob_id.as_str(), scene.admin_id.as_str());
    Operation::new("/form/revoke_role", PAGE, Method::PATCH, API)
        .body(|_| json!({"roles": []}))
        .case("that is there", Who::Admin, &of(bob, "editor"), Done(REVOKED))
        .case("that is not there", Who::Admin, &of(ann, "editor"), Done(REVOKED))
        .case("of the last admin", Who::Admin, &of(admin, "admin"), LAST)
        .for_admins()
        .by_id()
}

fn update_user(scene: &Scene) -> Operation {
    const DISABLED: &str = "The account is disabled.";
    const ENABLED: &str = "The account is enabled.";
    let of = |id, is_active| [("id", id), ("is_active", is_active)];
    let (ann, dan, admin) = (scene.ann_id.as_str(), scene.dan_id.as_str(), scene.admin_id.as_str());
    Operation::new("/form/update_user", PAGE, Method::PATCH, API)
        .case("to be disabled", Who::Admin, &of(ann, "false"), Done(DISABLED))
        .case("to stay disabled", Who::Admin, &of(dan, "false"), Done(DISABLED))
        .case("to be enabled", Who::Admin, &of(dan, "true"), Done(ENABLED))
        .case("to be disabled, the last admin", Who::Admin, &of(admin, "false"), LAST)
        .for_admins()
        .by_id()
}

fn end_user_sessions(scene: &Scene) -> Operation {
    const ENDED: &str = "All devices are signed out.";
    Operation::new("/form/end_user_sessions", PAGE, Method::POST, "/api/users/{id}/logout")
        .case("of somebody", Who::Admin, &[("id", &scene.ann_id)], Done(ENDED))
        .case(
            "of nobody who is signed in",
            Who::Admin,
            &[("id", &scene.dan_id)],
            Done(ENDED),
        )
        .for_admins()
        .by_id()
}

fn mail_reset(scene: &Scene) -> Operation {
    const MAILED: &str = "A reset link is on its way.";
    Operation::new("/form/mail_reset", PAGE, Method::POST, "/api/users/{id}/reset-password")
        .case("to somebody", Who::Admin, &[("id", &scene.bob_id)], Done(MAILED))
        .case(
            "to a disabled account",
            Who::Admin,
            &[("id", &scene.dan_id)],
            Done(MAILED),
        )
        .for_admins()
        .by_id()
}

fn delete_user(scene: &Scene) -> Operation {
    const DELETED: &str = "The account is deleted.";
    let of = |id, email| [("id", id), ("email", email)];
    let (ann, admin) = (scene.ann_id.as_str(), scene.admin_id.as_str());
    Operation::new("/form/delete_user", PAGE, Method::DELETE, API)
        // A program means what it sends; a person confirms by typing the address.
        .body(|_| json!({}))
        .case("that is there", Who::Admin, &of(ann, "ann@example.com"), Done(DELETED))
        .case(
            "in another spelling",
            Who::Admin,
            &of(ann, " ANN@Example.com "),
            Done(DELETED),
        )
        .case(
            "that is the last admin",
            Who::Admin,
            &of(admin, "admin@example.com"),
            LAST,
        )
        .for_admins()
        .by_id()
}

fn resend_message(scene: &Scene) -> Operation {
    let done = Done("The message is sent again.");
    Operation::new(
        "/form/resend_message",
        "/admin/mail",
        Method::POST,
        "/api/mail/{id}/resend",
    )
    .case("that was sent", Who::Admin, &[("id", &scene.message)], done)
    .for_admins()
    .by_id()
}
