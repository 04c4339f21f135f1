//! `/api/auth/me`: the caller's own account.

use aide::axum::routing::{ApiMethodRouter, delete_with, get_with, patch_with, post_with};
use axum::{Json, extract::State, response::NoContent};

use super::{
    openapi::{ME, answers, for_users, limited, named, refuses},
    wire::{
        ChangeEmailRequest, ChangePasswordRequest, DeleteAccountRequest, DoneResponse, ExportResponse,
        UpdateProfileRequest, UserResponse, done,
    },
};
use crate::{
    auth::{self, Auth},
    web::{
        AppState, caller::Caller, cookies::SessionCookies, identity::SignedInUser, payload::Payload, problem::Problem,
    },
};

pub(super) fn show_route() -> ApiMethodRouter<AppState> {
    get_with(show, |docs| {
        docs.with(named("showMe", ME, "Who am I"))
            .with(for_users)
            .with(answers::<200, Json<UserResponse>>("The caller's account."))
    })
}

async fn show(SignedInUser(identity): SignedInUser) -> Json<UserResponse> {
    Json(identity.user.into())
}

pub(super) fn update_route() -> ApiMethodRouter<AppState> {
    patch_with(update, |docs| {
        docs.with(named("updateMe", ME, "Change name or username"))
            .description("Of another username the user is told by mail.")
            .with(for_users)
            .with(answers::<200, Json<UserResponse>>("The account as it is now."))
            .with(refuses([auth::Error::UsernameTaken]))
    })
}

async fn update(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    Caller(client): Caller,
    Payload(request): Payload<UpdateProfileRequest>,
) -> Result<Json<UserResponse>, Problem> {
    let user = auth.update_profile(&identity, request.into(), &client).await?;
    Ok(Json(user.into()))
}

pub(super) fn delete_route() -> ApiMethodRouter<AppState> {
    delete_with(delete, |docs| {
        docs.with(named("deleteMe", ME, "Delete the account"))
            .description("Takes the password. Everything that is stored about the user goes, but for the audit log.")
            .with(for_users)
            .with(limited)
            .with(answers::<204, NoContent>("The account is gone."))
            .with(refuses([auth::Error::LastAdmin]))
    })
}

async fn delete(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    Caller(client): Caller,
    cookies: SessionCookies,
    Payload(request): Payload<DeleteAccountRequest>,
) -> Result<NoContent, Problem> {
    auth.delete_account(&identity, request.password.0, &client).await?;
    cookies.clear();
    Ok(NoContent)
}

pub(super) fn export_route() -> ApiMethodRouter<AppState> {
    get_with(export, |docs| {
        docs.with(named("exportMe", ME, "All that is stored about me"))
            .with(for_users)
            .with(answers::<200, Json<ExportResponse>>("Everything but hashes."))
    })
}

async fn export(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    Caller(client): Caller,
) -> Result<Json<ExportResponse>, Problem> {
    let export = auth.export_account(&identity, &client).await?;
    Ok(Json(ExportResponse::seen_from(identity.session, export)))
}

pub(super) fn password_route() -> ApiMethodRouter<AppState> {
    post_with(change_password, |docs| {
        docs.with(named("changePassword", ME, "Change the password"))
            .description("Ends every other session.")
            .with(for_users)
            .with(limited)
            .with(answers::<200, Json<DoneResponse>>("The password is changed."))
    })
}

async fn change_password(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    Caller(client): Caller,
    cookies: SessionCookies,
    Payload(request): Payload<ChangePasswordRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    let device = auth.change_password(&identity, request.into(), &client).await?;
    cookies.keep_device(device.as_ref());
    Ok(done("Password changed successfully"))
}

pub(super) fn email_route() -> ApiMethodRouter<AppState> {
    post_with(change_email, |docs| {
        docs.with(named("changeEmail", ME, "Change the email address"))
            .description("Mails a link to the new address; the old one holds until the link was confirmed.")
            .with(for_users)
            .with(limited)
            .with(answers::<200, Json<DoneResponse>>("The link is on its way."))
            .with(refuses([auth::Error::EmailTaken]))
    })
}

async fn change_email(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    Caller(client): Caller,
    Payload(request): Payload<ChangeEmailRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    auth.change_email(&identity, request.into(), &client).await?;
    Ok(done("A link was sent to the new address"))
}
