//! Who is signed in, by Bearer token or by cookies.

use aide::OperationInput;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{AppState, caller::Caller, cookies::SessionCookies, problem::Problem};
use crate::auth::{self, Client, Identity};

/// Somebody must be signed in.
#[derive(Clone, Debug)]
pub struct SignedInUser(pub Identity);

/// Somebody may be signed in. A browser whose session is over is nobody; a client that presents a bad Bearer token
/// believes that it is somebody, and is refused.
#[derive(Clone, Debug)]
pub struct MaybeSignedIn(pub Option<Identity>);

impl FromRequestParts<AppState> for SignedInUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        match identify(parts, state).await? {
            Visitor::SignedIn(identity) => Ok(Self(*identity)),
            Visitor::Nobody(because) => Err(because.into()),
        }
    }
}

impl FromRequestParts<AppState> for MaybeSignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        match identify(parts, state).await? {
            Visitor::SignedIn(identity) => Ok(Self(Some(*identity))),
            Visitor::Nobody(_) => Ok(Self(None)),
        }
    }
}

impl OperationInput for SignedInUser {}
impl OperationInput for MaybeSignedIn {}

/// Who a request comes from.
enum Visitor {
    SignedIn(Box<Identity>),
    /// Nobody, and why: no token at all, or cookies of a session that is over.
    Nobody(auth::Error),
}

async fn identify(parts: &mut Parts, state: &AppState) -> Result<Visitor, Problem> {
    if let Some(token) = bearer(&parts.headers)? {
        let identity = state.auth.authenticate(token).await?;
        return Ok(Visitor::SignedIn(Box::new(identity)));
    }
    let Caller(client) = Caller::of(parts);
    let cookies = SessionCookies::from_request_parts(parts, state).await?;
    Ok(identify_browser(&cookies, state, &client).await?)
}

/// A browser whose access cookie is missing or expired is renewed on the way. Parallel tabs that do so with the same
/// refresh cookie all get the same successor.
async fn identify_browser(cookies: &SessionCookies, state: &AppState, client: &Client) -> Result<Visitor, auth::Error> {
    let refused = match cookies.access() {
        None => None,
        Some(access) => match state.auth.authenticate(&access).await {
            Ok(identity) => return Ok(Visitor::SignedIn(Box::new(identity))),
            Err(error) => Some(keep_if_over(error)?),
        },
    };
    let exchanged = match cookies.refresh() {
        None => Err(auth::Error::NotAuthenticated),
        Some(refresh) => state.auth.refresh(&refresh, client).await,
    };
    match exchanged {
        Ok(signed_in) => {
            cookies.set(&signed_in);
            let identity = Identity {
                user: signed_in.user,
                session: signed_in.session,
            };
            Ok(Visitor::SignedIn(Box::new(identity)))
        }
        Err(error) => {
            let over = keep_if_over(error)?;
            cookies.clear();
            // The signed token knows more of why: that it expired, or that its account was disabled.
            Ok(Visitor::Nobody(refused.unwrap_or(over)))
        }
    }
}

/// Tells a session that is over, whose cookies are worth nothing any more, from a fault that may pass.
fn keep_if_over(error: auth::Error) -> Result<auth::Error, auth::Error> {
    if is_over(&error) { Ok(error) } else { Err(error) }
}

/// Whether `error` says that what was presented will never be good again.
pub(crate) fn is_over(error: &auth::Error) -> bool {
    use auth::Error as E;
    matches!(
        error,
        E::NotAuthenticated
            | E::TokenMalformed
            | E::TokenExpired
            | E::TokenInvalid
            | E::SessionEnded
            | E::RefreshTokenInvalid
            | E::RefreshTokenReused
            | E::InactiveUser
    )
}

/// The token of an `Authorization: Bearer` header. Other schemes are somebody else's: a proxy's Basic password, or the
/// empty one that Swagger UI sends to `/token`.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, auth::Error> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let scheme_end = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (scheme, token) = bytes.split_at(scheme_end);
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(None);
    }
    match std::str::from_utf8(token.trim_ascii()) {
        Ok(token) if !token.is_empty() => Ok(Some(token)),
        _ => Err(auth::Error::TokenMalformed),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn bearer_of(value: &[u8]) -> Result<Option<String>, auth::Error> {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        bearer(&headers).map(|token| token.map(str::to_owned))
    }

    #[test]
    fn the_scheme_is_read_without_regard_to_case() {
        for value in ["Bearer abc", "bearer abc", "BEARER  abc "] {
            assert_eq!(bearer_of(value.as_bytes()).unwrap().as_deref(), Some("abc"), "{value}");
        }
    }

    #[test]
    fn another_scheme_is_not_ours() {
        for value in ["Basic Og==", "abc", "Bearerabc x", ""] {
            assert_eq!(bearer_of(value.as_bytes()).unwrap(), None, "{value}");
        }
        assert_eq!(bearer(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn a_bearer_that_holds_no_token_is_not_an_anonymous_visitor() {
        for value in [&b"Bearer"[..], b"Bearer ", b"Bearer \xff\xfe"] {
            assert!(
                matches!(bearer_of(value), Err(auth::Error::TokenMalformed)),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_database_that_is_away_ends_no_session() {
        assert!(!is_over(&auth::Error::Busy));
        assert!(!is_over(&auth::Error::internal("away")));
        assert!(is_over(&auth::Error::RefreshTokenReused));
    }
}
