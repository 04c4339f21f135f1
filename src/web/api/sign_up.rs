//! `POST /api/auth/register`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::extract::State;

use super::{
    listing::Created,
    openapi::{ACCOUNTS, answers, for_anyone, limited, named, refuses},
    wire::{RegisterRequest, RegisterResponse},
};
use crate::{
    auth::{self, Auth, FieldError, SignedUp},
    web::{AppState, caller::Caller, payload::Payload, problem::Problem},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(sign_up, |docs| {
        docs.with(named("register", ACCOUNTS, "Make an account"))
            .description("Mails a link that verifies the address. The new account can sign in at once, unless the server wants a verified address first.")
            .with(for_anyone)
            .with(limited)
            .with(answers::<201, Created<RegisterResponse>>("The account is made."))
            .with(refuses([auth::Error::EmailTaken, auth::Error::UsernameTaken, auth::Error::SignUpClosed]))
            .with(refuses([auth::Error::InvalidFields(vec![FieldError::new(
                "password",
                "password_guessable",
                "This password is easy to guess.",
            )])]))
    })
}

async fn sign_up(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<RegisterRequest>,
) -> Result<Created<RegisterResponse>, Problem> {
    let user = match auth.sign_up(request.into(), &client).await? {
        SignedUp::Created(user) => Some(user.into()),
        SignedUp::Private => None,
    };
    Ok(Created(RegisterResponse {
        user,
        msg: "user created",
    }))
}
