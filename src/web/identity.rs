//! Who is signed in, by Bearer token or by cookies.

use std::convert::Infallible;

use aide::OperationInput;
use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{
    AppState,
    caller::Caller,
    cookies::{SessionCookies, is_over},
    problem::Problem,
};
use crate::auth::{self, Auth, Identity, Renewed};

/// Somebody must be signed in. A browser whose access cookie has run out is renewed on the way.
#[derive(Clone, Debug)]
pub(crate) struct SignedInUser(pub(crate) Identity);

/// Who is signed in, or why nobody is. Renews nothing and clears nothing: for answers whose `Set-Cookie` may not reach
/// the browser, which would lose the successor in it.
#[derive(Debug)]
pub(crate) struct UnrenewedIdentity(pub(crate) Result<Identity, auth::Error>);

impl SignedInUser {
    /// Who is signed in, for callers that have an answer of their own when nobody is.
    pub(crate) async fn identify(parts: &mut Parts, state: &AppState) -> Result<Identity, auth::Error> {
        identify(parts, state, Renewal::OnTheWay).await
    }
}

impl FromRequestParts<AppState> for SignedInUser {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(Self::identify(parts, state).await?))
    }
}

/// Who is signed in, for pages that everybody may see; an error only where that cannot be told.
pub(crate) async fn optional_identity(parts: &mut Parts, state: &AppState) -> Result<Option<Identity>, auth::Error> {
    match SignedInUser::identify(parts, state).await {
        Ok(identity) => Ok(Some(identity)),
        Err(error) if is_over(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

impl FromRequestParts<AppState> for UnrenewedIdentity {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self(identify(parts, state, Renewal::Never).await))
    }
}

impl OperationInput for SignedInUser {}
impl OperationInput for UnrenewedIdentity {}

/// What becomes of a refresh cookie whose access cookie is missing or refused.
#[derive(Clone, Copy)]
enum Renewal {
    /// It is exchanged. Parallel tabs that do so with the same refresh cookie all get the same successor.
    OnTheWay,
    /// It is looked at only.
    Never,
}

async fn identify(parts: &mut Parts, state: &AppState, renewal: Renewal) -> Result<Identity, auth::Error> {
    if let Some(token) = bearer(&parts.headers)? {
        return state.auth.authenticate(token).await;
    }
    let cookies = SessionCookies::of(parts, state)?;
    let refused = match cookies.access() {
        None => None,
        Some(access) => match state.auth.authenticate(&access).await {
            Err(error) if is_over(&error) => Some(error),
            decided => return decided,
        },
    };
    let renewed = match renewal {
        Renewal::OnTheWay => renew(&cookies, parts, state).await,
        Renewal::Never => peek(&cookies, &state.auth).await,
    };
    // The signed token knows more of why: that it expired, or that its account was disabled.
    renewed.map_err(|error| refused.filter(|_| is_over(&error)).unwrap_or(error))
}

async fn renew(cookies: &SessionCookies, parts: &Parts, state: &AppState) -> Result<Identity, auth::Error> {
    let Caller(client) = Caller::of(parts, &state.site);
    let renewed = match cookies.refresh() {
        None => Err(auth::Error::NotAuthenticated),
        Some(refresh) => state.auth.renew(&refresh, &client).await,
    };
    match renewed.inspect_err(|error| cookies.clear_if_over(error))? {
        Renewed::Exchanged(signed_in) => {
            cookies.set(&signed_in);
            Ok(Identity {
                user: signed_in.user,
                session: signed_in.session,
            })
        }
        Renewed::NotYet(identity) => Ok(identity),
    }
}

async fn peek(cookies: &SessionCookies, auth: &Auth) -> Result<Identity, auth::Error> {
    let refresh = cookies.refresh().ok_or(auth::Error::NotAuthenticated)?;
    auth.peek(&refresh).await
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

/// Refuses a request that says twice, and differently, who sends it: a proxy in front may have believed the other one.
pub(super) fn one_authorization(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.all(|value| Some(value) == first) {
        return Ok(());
    }
    Err(ambiguous_authorization())
}

/// The request has several `Authorization` headers that differ.
pub(super) fn ambiguous_authorization() -> Problem {
    Problem::malformed("ambiguous_authorization", "Send one Authorization header")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

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
    fn two_different_authorizations_are_refused() {
        let mut headers = HeaderMap::new();
        assert!(one_authorization(&headers).is_ok());
        for _ in 0..2 {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer a"));
            assert!(one_authorization(&headers).is_ok());
        }
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Basic Og=="));
        assert!(one_authorization(&headers).is_err());
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

    proptest! {
        #[test]
        fn whatever_stands_in_the_header_only_a_bearers_token_is_taken_and_whole(
            value in prop_oneof![
                prop::collection::vec(32_u8..127, 0..40),
                prop::collection::vec(any::<u8>().prop_filter("no control", |byte| *byte >= 32 && *byte != 127), 0..20),
                "([bB][eE]arer|Basic|Bearer\t)[ ]{0,3}[!-~]{0,20}[ ]{0,2}".prop_map(String::into_bytes),
            ],
        ) {
            let mut headers = HeaderMap::new();
            let Ok(header) = HeaderValue::from_bytes(&value) else { return Ok(()) };
            headers.insert(header::AUTHORIZATION, header);
            let is_bearer = value.split(|byte| *byte == b' ').next().unwrap().eq_ignore_ascii_case(b"bearer");
            match bearer(&headers) {
                Ok(Some(token)) => prop_assert!(is_bearer && value[6..].trim_ascii() == token.as_bytes() && !token.is_empty()),
                Ok(None) => prop_assert!(!is_bearer),
                Err(_) => prop_assert!(is_bearer),
            }
        }
    }
}
