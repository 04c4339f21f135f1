//! Signing up, in and out.

use reqwest::Method;
use serde_json::json;

use super::{
    operation::{Done, INVALID, Operation, Refused, Who},
    scene::Scene,
};
use crate::support::PASSWORD;

const SIGNED_UP: &str = "Your account is made. We have sent you a link to verify your address.";
const LOOK_INTO_YOUR_MAIL: &str = "Look into your mail: we have sent you a link.";

pub(super) fn operations(_: &Scene) -> Vec<Operation> {
    vec![sign_up(), log_in(), log_out()]
}

fn sign_up() -> Operation {
    let new = [
        ("email", "new@example.com"),
        ("password", PASSWORD),
        ("username", "new"),
        ("name", "New"),
    ];
    let with = |name: &'static str, value: &'static str| {
        new.map(|(field, good)| (field, if field == name { value } else { good }))
    };
    Operation::new("/form/sign_up", "/signup", Method::POST, "/api/auth/register")
        .case("with everything", Who::Nobody, &new, Done(SIGNED_UP))
        .case("with what is needed", Who::Nobody, &new[..2], Done(SIGNED_UP))
        .case("with blank fields", Who::Nobody, &with("username", ""), Done(SIGNED_UP))
        .case(
            "with a taken address",
            Who::Nobody,
            &with("email", "ANN@example.com"),
            Refused(409, "email_taken"),
        )
        .case(
            "with a taken username",
            Who::Nobody,
            &with("username", "Ann"),
            Refused(409, "username_taken"),
        )
        .case("with a bad address", Who::Nobody, &with("email", "new"), INVALID)
        .case("without an address", Who::Nobody, &with("email", ""), INVALID)
        .case("without a password", Who::Nobody, &with("password", ""), INVALID)
        .case(
            "with a short password",
            Who::Nobody,
            &with("password", "short"),
            INVALID,
        )
        .case(
            "with a guessable password",
            Who::Nobody,
            &with("password", "password1"),
            INVALID,
        )
        .case(
            "with its address as password",
            Who::Nobody,
            &with("password", "new@example.com"),
            INVALID,
        )
        .case(
            "with a bad username",
            Who::Nobody,
            &with("username", "new new"),
            INVALID,
        )
        .case("with a bad name", Who::Nobody, &with("name", "a\u{1}b"), INVALID)
        .case("while it is closed", Who::Nobody, &new, Refused(403, "sign_up_closed"))
        .with(&[("ALLOW_SIGNUP", "false")])
        .case("in private", Who::Nobody, &new[..2], Done(LOOK_INTO_YOUR_MAIL))
        .with(&[("PRIVATE_SIGNUP", "true")])
        .case(
            "in private, with a username",
            Who::Nobody,
            &new,
            Done(LOOK_INTO_YOUR_MAIL),
        )
        .with(&[("PRIVATE_SIGNUP", "true")])
        .case(
            "in private, with a taken address",
            Who::Nobody,
            &with("email", "bob@example.com"),
            Done(LOOK_INTO_YOUR_MAIL),
        )
        .with(&[("PRIVATE_SIGNUP", "true")])
        .case(
            "in private, with a weak password",
            Who::Nobody,
            &with("password", "short"),
            INVALID,
        )
        .with(&[("PRIVATE_SIGNUP", "true")])
}

fn log_in() -> Operation {
    const VERIFIED: &[(&str, &str)] = &[("REQUIRE_VERIFIED_EMAIL", "true")];
    let of = |username: &'static str, password: &'static str| [("username", username), ("password", password)];
    let wrong = Refused(401, "invalid_credentials");
    let remembered = [("username", "ann"), ("password", PASSWORD), ("remember", "true")];
    Operation::new("/form/log_in", "/login", Method::POST, "/api/auth/login")
        .body(|case| {
            // A program is remembered unless it says otherwise, and a person only who asks for it.
            let mut body = case.json(&[]);
            let remember = json!(case.field("remember") == "true");
            body["remember"] = remember;
            body
        })
        .case("by username", Who::Nobody, &of("ann", PASSWORD), Done(""))
        .case("by address", Who::Nobody, &of("ANN@example.com", PASSWORD), Done(""))
        .case("and be remembered", Who::Nobody, &remembered, Done(""))
        .case("as somebody else", Who::Bob, &of("ann", PASSWORD), Done(""))
        .case(
            "with what is left of a session",
            Who::Ended,
            &of("ann", PASSWORD),
            Done(""),
        )
        .case("with a wrong password", Who::Nobody, &of("ann", "wrong"), wrong)
        .case("with no account's name", Who::Nobody, &of("nobody", PASSWORD), wrong)
        .case("without a username", Who::Nobody, &of("", PASSWORD), INVALID)
        .case("without a password", Who::Nobody, &of("ann", ""), INVALID)
        .case("without anything", Who::Nobody, &of("", ""), INVALID)
        .case(
            "to a disabled account",
            Who::Nobody,
            &of("dan", PASSWORD),
            Refused(400, "inactive_user"),
        )
        .case(
            "to a disabled account, with a wrong password",
            Who::Nobody,
            &of("dan", "wrong"),
            wrong,
        )
        .case(
            "unverified",
            Who::Nobody,
            &of("ann", PASSWORD),
            Refused(403, "email_not_verified"),
        )
        .with(VERIFIED)
        .case(
            "unverified, with a wrong password",
            Who::Nobody,
            &of("ann", "wrong"),
            wrong,
        )
        .with(VERIFIED)
        .case("verified", Who::Nobody, &of("bob", PASSWORD), Done(""))
        .with(VERIFIED)
        .case(
            "too often",
            Who::Nobody,
            &of("tried@example.com", PASSWORD),
            Refused(429, "too_many_requests"),
        )
        .with(&[("RATE_LIMITS", "on")])
        .case("unverified, in private", Who::Nobody, &of("ann", PASSWORD), wrong)
        .with(&[("REQUIRE_VERIFIED_EMAIL", "true"), ("PRIVATE_SIGNUP", "true")])
}

fn log_out() -> Operation {
    Operation::new("/form/log_out", "/login", Method::POST, "/api/auth/logout")
        .case("", Who::Ann, &[], Done("You are signed out."))
        .for_users()
        .signed_out_to("/login")
}
