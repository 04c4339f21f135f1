//! `POST /api/auth/forgot-password` and `/api/auth/reset-password`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State};

use super::{
    openapi::{ACCOUNTS, answers, for_anyone, named, refuses},
    wire::{EmailRequest, MessageResponse, ResetPasswordRequest, said},
};
use crate::{
    auth::{self, Auth},
    web::{AppState, caller::Caller, payload::Payload, problem::Problem},
};

pub(super) fn request_route() -> ApiMethodRouter<AppState> {
    post_with(request_reset, |docs| {
        docs.with(named("forgotPassword", ACCOUNTS, "Ask for a reset link"))
            .description("The link is mailed, never returned, and the answer is the same whether or not there is such an account.")
            .with(for_anyone)
            .with(answers::<200, Json<MessageResponse>>("If there is an account, a link is on its way."))
    })
}

async fn request_reset(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<EmailRequest>,
) -> Result<Json<MessageResponse>, Problem> {
    auth.request_reset(&request.email, &client).await?;
    Ok(said(
        "If there is an account with this address, a link to choose a new password was sent to it",
    ))
}

pub(super) fn finish_route() -> ApiMethodRouter<AppState> {
    post_with(finish_reset, |docs| {
        docs.with(named(
            "resetPassword",
            ACCOUNTS,
            "Choose a new password by a mailed link",
        ))
        .description("Uses the link up, and ends all sessions of the account.")
        .with(for_anyone)
        .with(answers::<200, Json<MessageResponse>>("The password is changed."))
        .with(refuses([auth::Error::LinkInvalid]))
    })
}

async fn finish_reset(
    State(auth): State<Auth>,
    Caller(client): Caller,
    Payload(request): Payload<ResetPasswordRequest>,
) -> Result<Json<MessageResponse>, Problem> {
    auth.finish_reset(&request.token, request.new_password.0, &client)
        .await?;
    Ok(said("Password changed successfully"))
}
