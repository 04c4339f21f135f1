//! `POST /api/auth/reset-password`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State};

use super::{
    openapi::{ACCOUNTS, answers, for_anyone, limited, named, refuses},
    wire::{DoneResponse, ResetPasswordRequest, done},
};
use crate::{
    auth::{self, Auth},
    web::{AppState, caller::Caller, cookies::SessionCookies, payload::Payload, problem::Problem},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(finish_reset, |docs| {
        docs.with(named(
            "resetPassword",
            ACCOUNTS,
            "Choose a new password by a mailed link",
        ))
        .description("Uses the link up, and ends all sessions of the account.")
        .with(for_anyone)
        .with(limited)
        .with(answers::<200, Json<DoneResponse>>("The password is changed."))
        .with(refuses([auth::Error::LinkInvalid]))
    })
}

async fn finish_reset(
    State(auth): State<Auth>,
    Caller(client): Caller,
    cookies: SessionCookies,
    Payload(request): Payload<ResetPasswordRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    let device = auth
        .finish_reset(&request.token, request.new_password.0, &client)
        .await?;
    cookies.keep_device(device.as_ref());
    Ok(done("Password changed successfully"))
}
