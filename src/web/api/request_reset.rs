//! `POST /api/auth/forgot-password`

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
    post_with(request_reset, |docs| {
        docs.with(named("forgotPassword", ACCOUNTS, "Ask for a reset link"))
            .description("The link is mailed, never returned, and the answer is the same whether or not there is such an account.")
            .with(for_anyone)
            .with(limited)
            .with(answers::<200, Json<DoneResponse>>("If there is an account, a link is on its way."))
    })
}

async fn request_reset(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<EmailRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    auth.request_reset(&request.email, &client).await?;
    Ok(done(
        "If there is an account with this address, a link to choose a new password was sent to it",
    ))
}
