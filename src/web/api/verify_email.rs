//! `POST /api/auth/verify-email`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State};

use super::{
    openapi::{ACCOUNTS, answers, for_anyone, limited, named, refuses},
    wire::{DoneResponse, VerifyEmailRequest, done},
};
use crate::{
    auth::{self, Auth},
    web::{AppState, caller::Caller, payload::Payload, problem::Problem},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(verify_email, |docs| {
        docs.with(named("verifyEmail", ACCOUNTS, "Verify an address by a mailed link"))
            .description("Also makes a changed address the account's own.")
            .with(for_anyone)
            .with(limited)
            .with(answers::<200, Json<DoneResponse>>("The address is verified."))
            .with(refuses([auth::Error::LinkInvalid, auth::Error::EmailTaken]))
    })
}

async fn verify_email(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<VerifyEmailRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    auth.verify_email(&request.token, &client).await?;
    Ok(done("Email address verified"))
}
