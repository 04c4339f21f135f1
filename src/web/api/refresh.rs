//! `POST /api/auth/refresh`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State, http::HeaderMap, middleware::map_response};

use super::{
    at_token_endpoint,
    openapi::{SESSIONS, answers, for_anyone, limited, named, refuses},
    wire::{RefreshRequest, TokenResponse},
};
use crate::{
    auth::{self, Auth, Credential, SignedIn},
    web::{
        AppState, caller::Caller, cookies::SessionCookies, identity::bearer, payload::OptionalPayload, problem::Problem,
    },
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    let route = post_with(refresh, |docs| {
        docs.with(named("refresh", SESSIONS, "Exchange the refresh token"))
            .description("Takes the token from the `refresh_token` field, a Bearer header or the cookie, in this order. By cookie, the new one travels in the cookie only. A token can be exchanged once; a retry within ten seconds gets the same answer, a later one ends the session.")
            .with(for_anyone)
            .with(answers::<200, Json<TokenResponse>>("Still signed in."))
            .with(limited)
            .with(refuses(refusals()))
    });
    route.layer(map_response(at_token_endpoint))
}

fn refusals() -> impl Iterator<Item = Problem> {
    use auth::Error as E;
    [
        E::NotAuthenticated,
        E::RefreshTokenInvalid,
        E::RefreshTokenReused,
        E::InactiveUser,
    ]
    .into_iter()
    .map(|error| Problem::from(error).at_token_endpoint())
}

async fn refresh(
    State(auth): State<Auth>,
    Caller(client): Caller,
    cookies: SessionCookies,
    headers: HeaderMap,
    OptionalPayload(request): OptionalPayload<RefreshRequest>,
) -> Result<Json<TokenResponse>, Problem> {
    let presented = Presented::find(request.refresh_token, bearer(&headers)?, cookies.refresh())?;
    let exchanged = auth.refresh(&presented.token, &client).await;
    if let (true, Err(error)) = (presented.by_cookie, &exchanged) {
        cookies.clear_if_over(error);
    }
    let signed_in = exchanged?;
    cookies.set(&signed_in);
    Ok(Json(presented.answer(&signed_in)))
}

/// The refresh token that a request presents, and how.
struct Presented {
    token: String,
    by_cookie: bool,
}

impl Presented {
    /// A Bearer value without the prefix is an access token that a client sends along with everything, and only when
    /// there is nothing else is it what the client meant.
    fn find(field: Option<String>, bearer: Option<&str>, cookie: Option<String>) -> Result<Self, auth::Error> {
        let prefixed = bearer
            .filter(|token| matches!(Credential::of_bearer(token), Credential::Refresh(_)))
            .map(str::to_owned);
        if let Some(token) = field.or(prefixed) {
            return Ok(Self {
                token,
                by_cookie: false,
            });
        }
        match (cookie, bearer) {
            (Some(token), _) => Ok(Self { token, by_cookie: true }),
            (None, Some(_)) => Err(auth::Error::RefreshTokenInvalid),
            (None, None) => Err(auth::Error::NotAuthenticated),
        }
    }

    /// What came by cookie goes by cookie, out of scripts' reach.
    fn answer(&self, signed_in: &SignedIn) -> TokenResponse {
        if self.by_cookie {
            TokenResponse::access_only(signed_in)
        } else {
            TokenResponse::whole(signed_in)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::RefreshToken;

    fn find(field: Option<&str>, bearer: Option<&str>, cookie: Option<&str>) -> Result<(String, bool), auth::Error> {
        let found = Presented::find(field.map(str::to_owned), bearer, cookie.map(str::to_owned))?;
        Ok((found.token, found.by_cookie))
    }

    #[test]
    fn the_field_wins_over_the_header_and_the_header_over_the_cookie() {
        let token = RefreshToken::generate();
        let bearer = token.expose();
        assert_eq!(
            find(Some("field"), Some(bearer), Some("cookie")).unwrap(),
            ("field".to_owned(), false)
        );
        assert_eq!(
            find(None, Some(bearer), Some("cookie")).unwrap(),
            (bearer.to_owned(), false)
        );
        assert_eq!(find(None, None, Some("cookie")).unwrap(), ("cookie".to_owned(), true));
    }

    #[test]
    fn an_access_token_that_is_sent_along_does_not_hide_the_cookie() {
        assert_eq!(
            find(None, Some("a.b.c"), Some("cookie")).unwrap(),
            ("cookie".to_owned(), true)
        );
        assert!(matches!(
            find(None, Some("a.b.c"), None),
            Err(auth::Error::RefreshTokenInvalid)
        ));
        assert!(matches!(find(None, None, None), Err(auth::Error::NotAuthenticated)));
    }
}
