//! `POST /api/auth/logout`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State, http::HeaderMap};

use super::{
    openapi::{SESSIONS, answers, for_anyone, named, refuses},
    wire::{MessageResponse, RefreshRequest, said},
};
use crate::{
    auth::{self, Auth, Credential},
    token::RefreshToken,
    web::{
        AppState,
        caller::Caller,
        cookies::SessionCookies,
        identity::{bearer, is_over},
        payload::OptionalPayload,
        problem::Problem,
    },
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(logout, |docs| {
        docs.with(named("logout", SESSIONS, "Sign out"))
            .description("Ends the session named by the `refresh_token` field, a Bearer header with either token, or the cookies, in this order, and clears the cookies.")
            .with(for_anyone)
            .with(answers::<200, Json<MessageResponse>>("The session has ended."))
            .with(refuses([auth::Error::NotAuthenticated, auth::Error::RefreshTokenInvalid, auth::Error::TokenExpired]))
    })
}

async fn logout(
    State(auth): State<Auth>,
    Caller(client): Caller,
    cookies: SessionCookies,
    headers: HeaderMap,
    OptionalPayload(request): OptionalPayload<RefreshRequest>,
) -> Result<Json<MessageResponse>, Problem> {
    let by_cookie = (cookies.refresh(), cookies.access());
    let credential = credential(request.refresh_token.as_deref(), bearer(&headers)?, &by_cookie)?;
    let ended = auth.log_out(credential, &client).await;
    // What names no session any more is cleared as well; while the database is away, the session lives and so do they.
    if ended.as_ref().map_or_else(is_over, |()| true) {
        cookies.clear();
    }
    ended?;
    Ok(said("logged out"))
}

/// What names the session to end.
fn credential<'a>(
    field: Option<&'a str>,
    bearer: Option<&'a str>,
    (refresh, access): &'a (Option<String>, Option<String>),
) -> Result<Credential<'a>, auth::Error> {
    let by_bearer = bearer.map(|token| match RefreshToken::parse(token) {
        Some(_) => Credential::Refresh(token),
        None => Credential::Access(token),
    });
    field
        .map(Credential::Refresh)
        .or(by_bearer)
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
