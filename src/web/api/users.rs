//! `/api/users`: everybody's accounts, for admins.

use aide::axum::routing::{ApiMethodRouter, delete_with, get_with, patch_with, post_with};
use axum::{Json, extract::State, http::Uri, response::NoContent};

use super::{
    listing::{Listing, translate},
    openapi::{USERS, answers, for_admins, named, refuses},
    wire::{DoneResponse, EndedResponse, ListUsersQuery, UpdateUserRequest, UserResponse, done},
};
use crate::{
    auth::{self, Auth, UserQuery},
    id::UserId,
    web::{
        AppState,
        caller::Caller,
        identity::SignedInUser,
        params::{PathId, Query},
        payload::Payload,
        problem::Problem,
    },
};

pub(super) fn list_route<L: Listing<UserResponse> + 'static>() -> ApiMethodRouter<AppState> {
    get_with(list::<L>, |docs| {
        docs.with(named("listUsers", USERS, "All accounts"))
            .description("Oldest first.")
            .with(for_admins)
            .with(answers::<200, L>("A page of accounts."))
    })
}

async fn list<L: Listing<UserResponse>>(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    uri: Uri,
    Caller(client): Caller,
    Query(query): Query<ListUsersQuery>,
) -> Result<L, Problem> {
    let query = UserQuery {
        limit: query.limit.or(L::LIMIT),
        ..query.into()
    };
    let page = auth.list_users(&identity.into(), query, &client).await?;
    Ok(L::of(translate(page), &uri))
}

pub(super) fn show_route() -> ApiMethodRouter<AppState> {
    get_with(show, |docs| {
        docs.with(named("showUser", USERS, "One account"))
            .description("Also for its owner.")
            .with(for_admins)
            .with(answers::<200, Json<UserResponse>>("The account."))
            .with(refuses([auth::Error::NotFound]))
    })
}

async fn show(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<UserId>,
    Caller(client): Caller,
) -> Result<Json<UserResponse>, Problem> {
    let user = auth.show_user(&identity.into(), id, &client).await?;
    Ok(Json(user.into()))
}

pub(super) fn update_route() -> ApiMethodRouter<AppState> {
    patch_with(update, |docs| {
        docs.with(named("updateUser", USERS, "Change an account"))
            .description(
                "Names, roles, and whether it may sign in. The owner is told by mail. The last active admin stays one.",
            )
            .with(for_admins)
            .with(answers::<200, Json<UserResponse>>("The account as it is now."))
            .with(refuses([
                auth::Error::NotFound,
                auth::Error::UsernameTaken,
                auth::Error::LastAdmin,
            ]))
    })
}

async fn update(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<UserId>,
    Caller(client): Caller,
    Payload(request): Payload<UpdateUserRequest>,
) -> Result<Json<UserResponse>, Problem> {
    let user = auth.update_user(&identity.into(), id, request.into(), &client).await?;
    Ok(Json(user.into()))
}

pub(super) fn delete_route() -> ApiMethodRouter<AppState> {
    delete_with(delete, |docs| {
        docs.with(named("deleteUser", USERS, "Delete an account"))
            .with(for_admins)
            .with(answers::<204, NoContent>("The account is gone."))
            .with(refuses([auth::Error::NotFound, auth::Error::LastAdmin]))
    })
}

async fn delete(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<UserId>,
    Caller(client): Caller,
) -> Result<NoContent, Problem> {
    auth.delete_user(&identity.into(), id, None, &client).await?;
    Ok(NoContent)
}

pub(super) fn log_out_route() -> ApiMethodRouter<AppState> {
    post_with(log_out, |docs| {
        docs.with(named("logoutUser", USERS, "Sign an account out everywhere"))
            .with(for_admins)
            .with(answers::<200, Json<EndedResponse>>("No session is left."))
            .with(refuses([auth::Error::NotFound]))
    })
}

async fn log_out(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<UserId>,
    Caller(client): Caller,
) -> Result<Json<EndedResponse>, Problem> {
    let ended = auth.end_user_sessions(&identity.into(), id, &client).await?;
    Ok(Json(EndedResponse {
        msg: "logged out",
        ended,
    }))
}

pub(super) fn mail_reset_route() -> ApiMethodRouter<AppState> {
    post_with(mail_reset, |docs| {
        docs.with(named("mailReset", USERS, "Mail a reset link"))
            .description("To the account's owner: an admin never chooses a password.")
            .with(for_admins)
            .with(answers::<200, Json<DoneResponse>>("The link is on its way."))
            .with(refuses([auth::Error::NotFound]))
    })
}

async fn mail_reset(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<UserId>,
    Caller(client): Caller,
) -> Result<Json<DoneResponse>, Problem> {
    auth.mail_reset(&identity.into(), id, &client).await?;
    Ok(done("A link to choose a new password was sent to the user"))
}
