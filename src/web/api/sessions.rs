//! `/api/auth/sessions`: the caller's signed-in devices.

use aide::axum::routing::{ApiMethodRouter, delete_with, get_with};
use axum::{Json, extract::State, http::Uri, response::NoContent};

use super::{
    listing::{Listing, PageQuery, Paged},
    openapi::{SESSIONS, answers, for_users, named, refuses},
    wire::{EndedResponse, SessionResponse},
};
use crate::{
    auth::{self, Auth, Page, SessionQuery},
    id::SessionId,
    web::{
        AppState,
        caller::Caller,
        identity::SignedInUser,
        params::{PathId, Query},
        problem::Problem,
    },
};

pub(super) fn list_route() -> ApiMethodRouter<AppState> {
    get_with(list, |docs| {
        docs.with(named("listSessions", SESSIONS, "My signed-in devices"))
            .description("The last used first.")
            .with(for_users)
            .with(answers::<200, Paged<SessionResponse>>("A page of the devices."))
    })
}

async fn list(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    uri: Uri,
    Query(PageQuery { limit, cursor }): Query<PageQuery>,
) -> Result<Paged<SessionResponse>, Problem> {
    let page = auth.list_sessions(&identity, SessionQuery { limit, cursor }).await?;
    let seen = |session| SessionResponse::seen_from(identity.session, session);
    let page = Page {
        items: page.items.into_iter().map(seen).collect(),
        next_cursor: page.next_cursor,
    };
    Ok(Paged::of(page, &uri))
}

pub(super) fn end_route() -> ApiMethodRouter<AppState> {
    delete_with(end, |docs| {
        docs.with(named("endSession", SESSIONS, "Sign one device out"))
            .with(for_users)
            .with(answers::<204, NoContent>("The session has ended."))
            .with(refuses([auth::Error::NotFound]))
    })
}

async fn end(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<SessionId>,
    Caller(client): Caller,
) -> Result<NoContent, Problem> {
    auth.end_session(&identity, id, &client).await?;
    Ok(NoContent)
}

pub(super) fn end_others_route() -> ApiMethodRouter<AppState> {
    delete_with(end_others, |docs| {
        docs.with(named("endOtherSessions", SESSIONS, "Sign every other device out"))
            .with(for_users)
            .with(answers::<200, Json<EndedResponse>>(
                "Only the session that asked is left.",
            ))
    })
}

async fn end_others(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    Caller(client): Caller,
) -> Result<Json<EndedResponse>, Problem> {
    let ended = auth.end_other_sessions(&identity, &client).await?;
    Ok(Json(EndedResponse {
        msg: "logged out elsewhere",
        ended,
    }))
}
