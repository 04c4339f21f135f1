//! What somebody changes of their own account.

use reqwest::Method;

use super::{
    operation::{Done, INVALID, Operation, Refused, Who},
    scene::Scene,
};
use crate::support::{NEW_PASSWORD, PASSWORD};

pub(super) fn operations(scene: &Scene) -> Vec<Operation> {
    vec![
        update_profile(),
        change_email(),
        change_password(),
        end_session(scene),
        end_other_sessions(),
        delete_account(),
    ]
}

fn update_profile() -> Operation {
    const SAVED: &str = "Your profile is saved.";
    let of = |name: &'static str, username: &'static str| [("name", name), ("username", username)];
    Operation::new("/form/update_profile", "/profile", Method::PATCH, "/api/auth/me")
        .case("to other names", Who::Ann, &of("Ann Other", "ann.other"), Done(SAVED))
        .case("to no names", Who::Ann, &of("", ""), Done(SAVED))
        .case("to another spelling", Who::Ann, &of(" Ann ", "ANN"), Done(SAVED))
        .case(
            "to a taken username",
            Who::Ann,
            &of("Ann", "BOB"),
            Refused(409, "username_taken"),
        )
        .case("to a bad username", Who::Ann, &of("Ann", "a@b"), INVALID)
        .case("to bad names", Who::Ann, &of("a\u{7}b", "a b"), INVALID)
        .for_users()
}

fn change_email() -> Operation {
    const SENT: &str = "We have sent a link to the new address. It holds once you follow it.";
    const PRIVATE: &[(&str, &str)] = &[("PRIVATE_SIGNUP", "true")];
    let of = |email: &'static str, password: &'static str| [("new_email", email), ("password", password)];
    Operation::new("/form/change_email", "/profile", Method::POST, "/api/auth/me/email")
        .case(
            "to a free address",
            Who::Ann,
            &of("other@example.com", PASSWORD),
            Done(SENT),
        )
        .case(
            "to a taken address",
            Who::Ann,
            &of("Bob@example.com", PASSWORD),
            Refused(409, "email_taken"),
        )
        .case(
            "to a taken address, in private",
            Who::Ann,
            &of("bob@example.com", PASSWORD),
            Done(SENT),
        )
        .with(PRIVATE)
        .case(
            "to the same address",
            Who::Ann,
            &of("ANN@example.com", PASSWORD),
            INVALID,
        )
        .case("to no address", Who::Ann, &of("other", PASSWORD), INVALID)
        .case(
            "with a wrong password",
            Who::Ann,
            &of("other@example.com", "wrong"),
            INVALID,
        )
        .case("without a password", Who::Ann, &of("other@example.com", ""), INVALID)
        .case("without anything", Who::Ann, &of("", ""), INVALID)
        .for_users()
}

fn change_password() -> Operation {
    const CHANGED: &str = "Your password is changed. All other devices are signed out.";
    let of = |current: &'static str, new: &'static str| [("current_password", current), ("new_password", new)];
    Operation::new(
        "/form/change_password",
        "/profile",
        Method::POST,
        "/api/auth/me/password",
    )
    .case("to a good one", Who::Ann, &of(PASSWORD, NEW_PASSWORD), Done(CHANGED))
    .case("to a short one", Who::Ann, &of(PASSWORD, "short"), INVALID)
    .case(
        "to the account's own address",
        Who::Ann,
        &of(PASSWORD, "ann@example.com"),
        INVALID,
    )
    .case("with a wrong one", Who::Ann, &of("wrong", NEW_PASSWORD), INVALID)
    .case(
        "with a wrong one, to a weak one",
        Who::Ann,
        &of("wrong", "weak"),
        INVALID,
    )
    .case("with nothing", Who::Ann, &of("", NEW_PASSWORD), INVALID)
    .case("to nothing", Who::Ann, &of(PASSWORD, ""), INVALID)
    .case("without anything", Who::Ann, &of("", ""), INVALID)
    .for_users()
}

fn end_session(scene: &Scene) -> Operation {
    Operation::new(
        "/form/end_session",
        "/profile",
        Method::DELETE,
        "/api/auth/sessions/{id}",
    )
    .case(
        "of another device",
        Who::Ann,
        &[("id", &scene.ann_phone)],
        Done("The device is signed out."),
    )
    .case(
        "of somebody else",
        Who::Ann,
        &[("id", &scene.bob_session)],
        Refused(404, "not_found"),
    )
    .for_users()
    .by_id()
}

fn end_other_sessions() -> Operation {
    let done = Done("All other devices are signed out.");
    Operation::new(
        "/form/end_other_sessions",
        "/profile",
        Method::DELETE,
        "/api/auth/sessions",
    )
    .case("", Who::Ann, &[], done)
    .for_users()
}

fn delete_account() -> Operation {
    let with = |password: &'static str| [("password", password)];
    Operation::new("/form/delete_account", "/profile", Method::DELETE, "/api/auth/me")
        .case(
            "with the password",
            Who::Ann,
            &with(PASSWORD),
            Done("Your account is deleted."),
        )
        .case("with a wrong password", Who::Ann, &with("wrong"), INVALID)
        .case("without a password", Who::Ann, &with(""), INVALID)
        .case(
            "of the last admin",
            Who::Admin,
            &with(PASSWORD),
            Refused(409, "last_admin"),
        )
        .for_users()
}
