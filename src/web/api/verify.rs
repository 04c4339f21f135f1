//! `POST /api/auth/verify-email` and `/api/auth/resend-verification`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State};

use super::{
    openapi::{ACCOUNTS, answers, for_anyone, named, refuses},
    wire::{EmailRequest, MessageResponse, VerifyEmailRequest, said},
};
use crate::{
    auth::{self, Auth},
    web::{AppState, caller::Caller, payload::Payload, problem::Problem},
};

pub(super) fn verify_route() -> ApiMethodRouter<AppState> {
    post_with(verify_email, |docs| {
        docs.with(named("verifyEmail", ACCOUNTS, "Verify an address by a mailed link"))
            .description("Also makes a changed address the account's own.")
            .with(for_anyone)
            .with(answers::<200, Json<MessageResponse>>("The address is verified."))
            .with(refuses([auth::Error::LinkInvalid, auth::Error::EmailTaken]))
    })
}

async fn verify_email(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<VerifyEmailRequest>,
) -> Result<Json<MessageResponse>, Problem> {
    auth.verify_email(&request.token, &client).await?;
    Ok(said("Email address verified"))
}

pub(super) fn resend_route() -> ApiMethodRouter<AppState> {
    post_with(resend_verification, |docs| {
        docs.with(named(
            "resendVerification",
            ACCOUNTS,
            "Ask for another verification link",
        ))
        .description("The answer is the same whether or not there is such an account.")
        .with(for_anyone)
        .with(answers::<200, Json<MessageResponse>>(
            "If it is wanted, a link is on its way.",
        ))
    })
}

async fn resend_verification(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<EmailRequest>,
) -> Result<Json<MessageResponse>, Problem> {
    auth.resend_verification(&request.email, &client).await?;
    Ok(said(
        "If there is an account with this address that is not verified yet, a link was sent to it",
    ))
}
