//! What is done by mail: links that are asked for, and links that are followed.

use reqwest::Method;

use super::{
    operation::{Done, INVALID, Operation, Refused, Who},
    scene::Scene,
};
use crate::support::{NEW_PASSWORD, PASSWORD};

/// As long as a link's token is.
const MADE_UP: &str = "vst_lt_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

pub(super) fn operations(scene: &Scene) -> Vec<Operation> {
    vec![
        request_reset(),
        finish_reset(scene),
        verify_email(scene),
        resend_verification(),
    ]
}

fn request_reset() -> Operation {
    const SENT: &str = "If there is an account with this address, a link is on its way.";
    Operation::new(
        "/form/request_reset",
        "/forgot-password",
        Method::POST,
        "/api/auth/forgot-password",
    )
    .case(
        "of an account",
        Who::Nobody,
        &[("email", "Bob@Example.com")],
        Done(SENT),
    )
    .case(
        "of no account",
        Who::Nobody,
        &[("email", "nobody@example.com")],
        Done(SENT),
    )
    .case(
        "of a disabled account",
        Who::Nobody,
        &[("email", "dan@example.com")],
        Done(SENT),
    )
    .case("once more", Who::Ann, &[("email", "ann@example.com")], Done(SENT))
    .case("of no address", Who::Nobody, &[("email", "bob")], INVALID)
    .case("of nothing", Who::Nobody, &[("email", "")], INVALID)
}

fn finish_reset(scene: &Scene) -> Operation {
    const CHANGED: &str = "Your password is changed. Sign in with the new one.";
    let of = |token, password| [("token", token), ("new_password", password)];
    let link = scene.ann_reset_link.as_str();
    let bad = Refused(400, "link_invalid");
    let page = "/reset-password?token={token}";
    Operation::new("/form/finish_reset", page, Method::POST, "/api/auth/reset-password")
        .case("with a good link", Who::Nobody, &of(link, NEW_PASSWORD), Done(CHANGED))
        .case("while signed in", Who::Ann, &of(link, NEW_PASSWORD), Done(CHANGED))
        .case("to a weak password", Who::Nobody, &of(link, "password1"), INVALID)
        .case(
            "to the account's own name",
            Who::Nobody,
            &of(link, "ann@example.com"),
            INVALID,
        )
        .case("to nothing", Who::Nobody, &of(link, ""), INVALID)
        .case(
            "with a used link",
            Who::Nobody,
            &of(&scene.used_reset_link, PASSWORD),
            bad,
        )
        .case(
            "with a link for something else",
            Who::Nobody,
            &of(&scene.ann_verify_link, NEW_PASSWORD),
            bad,
        )
        .case("with a made-up link", Who::Nobody, &of(MADE_UP, NEW_PASSWORD), bad)
        .case("without a link", Who::Nobody, &of("", NEW_PASSWORD), bad)
}

fn verify_email(scene: &Scene) -> Operation {
    const VERIFIED: &str = "Your address is verified.";
    let bad = Refused(400, "link_invalid");
    let page = "/verify-email?token={token}";
    let taken = scene.bob_new_address_link.as_str();
    Operation::new("/form/verify_email", page, Method::POST, "/api/auth/verify-email")
        .case(
            "of a new account",
            Who::Nobody,
            &[("token", &scene.ann_verify_link)],
            Done(VERIFIED),
        )
        .case(
            "of a new account, signed in",
            Who::Ann,
            &[("token", &scene.ann_verify_link)],
            Done(VERIFIED),
        )
        .case(
            "of a new address",
            Who::Ann,
            &[("token", &scene.ann_new_address_link)],
            Done(VERIFIED),
        )
        .case(
            "of an address that is taken now",
            Who::Bob,
            &[("token", taken)],
            Refused(409, "email_taken"),
        )
        .case(
            "with a used link",
            Who::Nobody,
            &[("token", &scene.used_verify_link)],
            bad,
        )
        .case(
            "with a link for something else",
            Who::Nobody,
            &[("token", &scene.ann_reset_link)],
            bad,
        )
        .case("with a made-up link", Who::Nobody, &[("token", MADE_UP)], bad)
        .case("without a link", Who::Nobody, &[("token", "")], bad)
}

fn resend_verification() -> Operation {
    const SENT: &str = "If this address waits for verification, a link is on its way.";
    let api = "/api/auth/resend-verification";
    Operation::new("/form/resend_verification", "/verify-email", Method::POST, api)
        .case(
            "to who waits for it",
            Who::Nobody,
            &[("email", "ann@example.com")],
            Done(SENT),
        )
        .case(
            "from the profile",
            Who::Ann,
            &[("email", "ann@example.com")],
            Done(SENT),
        )
        .case(
            "to who is verified",
            Who::Nobody,
            &[("email", "bob@example.com")],
            Done(SENT),
        )
        .case("to nobody", Who::Nobody, &[("email", "nobody@example.com")], Done(SENT))
        .case("to no address", Who::Nobody, &[("email", "ann")], INVALID)
        .case("to nothing", Who::Nobody, &[("email", "")], INVALID)
}
