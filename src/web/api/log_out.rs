//! `POST /api/auth/logout`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State, http::HeaderMap};

use super::{
    openapi::{SESSIONS, answers, for_anyone, named, refuses},
    wire::{DoneResponse, RefreshRequest, done},
};
use crate::{
    auth::{self, Auth, Credential},
    web::{
        AppState, caller::Caller, cookies::SessionCookies, identity::bearer, payload::OptionalPayload, problem::Problem,
    },
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(log_out, |docs| {
        docs.with(named("logout", SESSIONS, "Sign out"))
            .description("Ends the session named by the `refresh_token` field, a Bearer header with either token, or the cookies, in this order, and clears the cookies. Where the refresh cookie names no session any more, the access cookie does.")
            .with(for_anyone)
            .with(answers::<200, Json<DoneResponse>>("The session has ended."))
            .with(refuses([auth::Error::NotAuthenticated, auth::Error::RefreshTokenInvalid, auth::Error::TokenExpired, auth::Error::SessionEnded]))
    })
}

async fn log_out(
    State(auth): State<Auth>,
    Caller(client): Caller,
    cookies: SessionCookies,
    headers: HeaderMap,
    OptionalPayload(request): OptionalPayload<RefreshRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    let held = cookies.held();
    // What a program presents on purpose names the session alone; else a browser's cookies do.
    let field = request.refresh_token.as_deref().map(Credential::Refresh);
    let presented = field.or(bearer(&headers)?.map(Credential::of_bearer));
    let credentials = presented.map_or_else(|| held.credentials(), |presented| vec![presented]);
    let ended = auth.log_out(&credentials, &client).await;
    ended.inspect_err(|error| cookies.clear_if_over(error))?;
    cookies.clear();
    Ok(done("logged out"))
}
