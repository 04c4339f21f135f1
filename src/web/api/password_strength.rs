//! `POST /api/auth/password-strength`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State};

use super::{
    openapi::{ACCOUNTS, answers, for_anyone, limited, named},
    wire::{PasswordStrengthRequest, PasswordStrengthResponse},
};
use crate::{
    auth::Auth,
    web::{AppState, caller::Caller, payload::Payload, problem::Problem},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(password_strength, |docs| {
        docs.with(named("passwordStrength", ACCOUNTS, "Judge a password"))
            .description("As registration and every change of a password would judge it.")
            .with(for_anyone)
            .with(limited)
            .with(answers::<200, Json<PasswordStrengthResponse>>("The judgement."))
    })
}

async fn password_strength(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<PasswordStrengthRequest>,
) -> Result<Json<PasswordStrengthResponse>, Problem> {
    let (email, username) = (request.email.as_deref(), request.username.as_deref());
    let strength = auth
        .password_strength(&request.password.0, email, username, &client)
        .await?;
    Ok(Json(strength.into()))
}
