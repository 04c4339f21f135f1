//! `POST /api/auth/resend-verification`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State};

use super::{
    openapi::{ACCOUNTS, answers, for_anyone, limited, named},
    wire::{DoneResponse, EmailRequest, done},
};
use crate::{
    auth::Auth,
    web::{AppState, caller::Caller, payload::Payload, problem::Problem},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(resend_verification, |docs| {
        docs.with(named(
            "resendVerification",
            ACCOUNTS,
            "Ask for another verification link",
        ))
        .description("The answer is the same whether or not there is such an account.")
        .with(for_anyone)
        .with(limited)
        .with(answers::<200, Json<DoneResponse>>(
            "If it is wanted, a link is on its way.",
        ))
    })
}

async fn resend_verification(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<EmailRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    auth.resend_verification(&request.email, &client).await?;
    Ok(done(
        "If there is an account with this address that is not verified yet, a link was sent to it",
    ))
}
