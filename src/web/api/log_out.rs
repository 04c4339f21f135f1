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
            .description("Ends the session named by the `refresh_token` field, a Bearer header with either token, or the cookies, in this order, and clears the cookies.")
            .with(for_anyone)
            .with(answers::<200, Json<DoneResponse>>("The session has ended."))
            .with(refuses([auth::Error::NotAuthenticated, auth::Error::RefreshTokenInvalid, auth::Error::TokenExpired]))
    })
}

async fn log_out(
    State(auth): State<Auth>,
    Caller(client): Caller,
    cookies: SessionCookies,
    headers: HeaderMap,
    OptionalPayload(request): OptionalPayload<RefreshRequest>,
) -> Result<Json<DoneResponse>, Problem> {
    let by_cookie = (cookies.refresh(), cookies.access());
    let credential = credential(request.refresh_token.as_deref(), bearer(&headers)?, &by_cookie)?;
    let ended = auth.log_out(credential, &client).await;
    ended.inspect_err(|error| cookies.clear_if_over(error))?;
    cookies.clear();
    Ok(done("logged out"))
}

/// What names the session to end.
fn credential<'a>(
    field: Option<&'a str>,
    bearer: Option<&'a str>,
    (refresh, access): &'a (Option<String>, Option<String>),
) -> Result<Credential<'a>, auth::Error> {
    field
        .map(Credential::Refresh)
        .or(bearer.map(Credential::of_bearer))
        .or(refresh.as_deref().map(Credential::Refresh))
        .or(access.as_deref().map(Credential::Access))
        .ok_or(auth::Error::NotAuthenticated)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(credential: Result<Credential<'_>, auth::Error>) -> String {
        match credential {
            Ok(Credential::Refresh(token)) => format!("refresh {token}"),
            Ok(Credential::Access(token)) => format!("access {token}"),
            Err(error) => error.code().to_owned(),
        }
    }

    #[test]
    fn a_session_is_named_by_the_first_token_that_is_there() {
        let both = (Some("r".to_owned()), Some("a".to_owned()));
        assert_eq!(names(credential(Some("f"), Some("b"), &both)), "refresh f");
        assert_eq!(names(credential(None, Some("b"), &both)), "access b");
        assert_eq!(names(credential(None, None, &both)), "refresh r");
        assert_eq!(names(credential(None, None, &(None, both.1))), "access a");
        assert_eq!(names(credential(None, None, &(None, None))), "not_authenticated");
    }
}
