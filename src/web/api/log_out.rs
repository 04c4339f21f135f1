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
    let by_cookie = (cookies.refresh(), cookies.access());
    let credentials = credentials(request.refresh_token.as_deref(), bearer(&headers)?, &by_cookie);
    let ended = auth.log_out(&credentials, &client).await;
    ended.inspect_err(|error| cookies.clear_if_over(error))?;
    cookies.clear();
    Ok(done("logged out"))
}

/// What may name the session to end, in order: what a program presents on purpose, alone, or else a browser's cookies.
fn credentials<'a>(
    field: Option<&'a str>,
    bearer: Option<&'a str>,
    (refresh, access): &'a (Option<String>, Option<String>),
) -> Vec<Credential<'a>> {
    let presented = field.map(Credential::Refresh).or(bearer.map(Credential::of_bearer));
    if let Some(presented) = presented {
        return vec![presented];
    }
    let refresh = refresh.as_deref().map(Credential::Refresh);
    let access = access.as_deref().map(Credential::Access);
    refresh.into_iter().chain(access).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(field: Option<&str>, bearer: Option<&str>, cookies: [Option<&str>; 2]) -> Vec<String> {
        let cookies = cookies.map(|cookie| cookie.map(str::to_owned)).into();
        let name = |credential| match credential {
            Credential::Refresh(token) => format!("refresh {token}"),
            Credential::Access(token) => format!("access {token}"),
        };
        credentials(field, bearer, &cookies).into_iter().map(name).collect()
    }

    #[test]
    fn what_is_presented_on_purpose_names_the_session_alone_and_cookies_do_in_turn() {
        let both = [Some("r"), Some("a")];
        assert_eq!(names(Some("f"), Some("b"), both), ["refresh f"]);
        assert_eq!(names(None, Some("b"), both), ["access b"]);
        assert_eq!(names(None, None, both), ["refresh r", "access a"]);
        assert_eq!(names(None, None, [None, Some("a")]), ["access a"]);
        assert!(names(None, None, [None, None]).is_empty());
    }
}
