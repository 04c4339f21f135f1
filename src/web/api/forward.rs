//! `GET /api/auth/forward`: a reverse proxy asks whether to let a request through, and who sent it.

use aide::axum::routing::{ApiMethodRouter, get_with};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use url::Url;

use super::openapi::{SERVICES, answers_with, for_anyone, named, refuses};
use crate::{
    auth::{self, User},
    web::{AppState, Site, cookies::is_over, identity::UnrenewedIdentity, paths::login_path, problem::Problem},
};

const REMOTE_USER: HeaderName = HeaderName::from_static("remote-user");
const REMOTE_USERNAME: HeaderName = HeaderName::from_static("remote-username");
const REMOTE_EMAIL: HeaderName = HeaderName::from_static("remote-email");
const REMOTE_NAME: HeaderName = HeaderName::from_static("remote-name");
const REMOTE_GROUPS: HeaderName = HeaderName::from_static("remote-groups");

/// In which nginx says what was asked for.
const ORIGINAL_URL: &str = "x-original-url";

pub(super) fn route() -> ApiMethodRouter<AppState> {
    get_with(forward, |docs| {
        docs.with(named("forward", SERVICES, "Whether to let a request through"))
            .description(
                "For the `forward_auth` of Caddy, the `ForwardAuth` of Traefik and the `auth_request` of nginx. Takes \
                 a Bearer header or the cookies, and renews nothing. The page that a browser is to come back to is taken \
                 from `X-Forwarded-Proto`, `-Host`, `-Uri` and `-Method`, as Caddy and Traefik set them. nginx, which can \
                 pass on no redirect, is to say it in `X-Original-URL` and `X-Original-Method`: the 401 then names the \
                 log-in page in `Location`. Applications are to know users by `Remote-User`: \
                 usernames and names are chosen by their owners, and may change hands.",
            )
            .with(for_anyone)
            .with(answers_with(
                200,
                None,
                "Signed in. `Remote-User` (the id), `Remote-Username`, `Remote-Email` (only a verified one), \
                 `Remote-Name` and `Remote-Groups` say who; those that the user does not have are empty.",
            ))
            .with(answers_with(
                303,
                None,
                "Not signed in, and a browser wants a page of an allowed origin: to the log-in page, and back.",
            ))
            .with(refuses([
                auth::Error::NotAuthenticated,
                auth::Error::TokenMalformed,
                auth::Error::TokenExpired,
                auth::Error::TokenInvalid,
                auth::Error::SessionEnded,
                auth::Error::RefreshTokenInvalid,
            ]))
            .with(refuses([inactive()]))
    })
}

async fn forward(
    State(state): State<AppState>,
    UnrenewedIdentity(identity): UnrenewedIdentity,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    match identity {
        Ok(identity) => Ok(user_headers(&identity.user).into_response()),
        // Proxies know 401 and 403, and take every other status for a fault.
        Err(auth::Error::InactiveUser) => Err(inactive()),
        Err(error) if is_over(&error) => Ok(ask_for_log_in(&state.site, &headers, error)),
        Err(error) => Err(error.into()),
    }
}

fn inactive() -> Problem {
    let error = auth::Error::InactiveUser;
    Problem::new(StatusCode::FORBIDDEN, error.code(), error.to_string())
}

/// All of them, always: a proxy that copies only what it gets would let a client's own header through. The user is
/// named by an id, which nobody can give up or take over as one can a username or an address. An address that was never
/// confirmed may be somebody else's, and an application that trusts it would let its claimant into that account.
fn user_headers(user: &User) -> HeaderMap {
    let email = Some(user.email.clone()).filter(|_| user.email_verified);
    [
        (REMOTE_USER, user.id.to_string()),
        (REMOTE_USERNAME, user.username.clone().unwrap_or_default()),
        (REMOTE_EMAIL, email.unwrap_or_default()),
        (REMOTE_NAME, user.name.clone().unwrap_or_default()),
        (REMOTE_GROUPS, user.roles.join(",")),
    ]
    .into_iter()
    .map(|(name, text)| {
        (
            name,
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("")),
        )
    })
    .collect()
}

/// Leads a browser to the log-in page, or tells nginx where to lead it, and refuses everybody else.
fn ask_for_log_in(site: &Site, headers: &HeaderMap, error: auth::Error) -> Response {
    let Some(page) = wanted_page(site, headers) else {
        return Problem::from(error).into_response();
    };
    let login = login_url(site, &page);
    if !headers.contains_key(ORIGINAL_URL) {
        return Redirect::to(&login).into_response();
    }
    let mut response = Problem::from(error).into_response();
    if let Ok(login) = HeaderValue::try_from(login) {
        response.headers_mut().insert(header::LOCATION, login);
    }
    response
}

fn login_url(site: &Site, page: &Url) -> String {
    site.public_url.link(&login_path(Some(page.as_str())))
}

/// The page that a browser is to come back to after the log-in, where the proxy says which: it wants HTML, by GET, from
/// an origin that is ours or allowed.
fn wanted_page(site: &Site, headers: &HeaderMap) -> Option<Url> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let (method, page) = match text(ORIGINAL_URL) {
        Some(page) => (text("x-original-method"), page.to_owned()),
        None => (text("x-forwarded-method"), forwarded_page(text)?),
    };
    let wants_html = text(header::ACCEPT.as_str())?.contains("text/html");
    if !wants_html || !matches!(method.unwrap_or("GET"), "GET" | "HEAD") {
        return None;
    }
    let page = Url::parse(&page).ok()?;
    // A `blob:` URL has the origin of what made it.
    let is_web = matches!(page.scheme(), "http" | "https");
    let plain = is_web && page.username().is_empty() && page.password().is_none();
    (plain && site.trusts(&page.origin().ascii_serialization())).then_some(page)
}

fn forwarded_page<'h>(text: impl Fn(&str) -> Option<&'h str>) -> Option<String> {
    let (scheme, host) = (text("x-forwarded-proto")?, text("x-forwarded-host")?);
    let path = text("x-forwarded-uri").filter(|path| path.starts_with('/'))?;
    Some(format!("{scheme}://{host}{path}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(scheme: &'static str, host: &'static str, path: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("accept", HeaderValue::from_static("text/html,application/xhtml+xml"));
        headers.insert("x-forwarded-proto", HeaderValue::from_static(scheme));
        headers.insert("x-forwarded-host", HeaderValue::from_static(host));
        headers.insert("x-forwarded-uri", HeaderValue::from_static(path));
        headers
    }

    fn site() -> Site {
        Site::for_tests(&["https://app.example"])
    }

    #[test]
    fn a_browser_comes_back_to_the_page_it_wanted() {
        let page = wanted_page(&site(), &headers("https", "app.example", "/a?b=c&d")).unwrap();
        assert_eq!(page.as_str(), "https://app.example/a?b=c&d");
        let login = login_url(&site(), &page);
        assert_eq!(
            login,
            "http://localhost:8000/login?next=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%26d"
        );
        assert!(wanted_page(&site(), &headers("http", "localhost:8000", "/")).is_some());
    }

    fn told_by_nginx(page: &'static str) -> HeaderMap {
        let mut headers = headers("https", "elsewhere.example", "/");
        headers.insert(ORIGINAL_URL, HeaderValue::from_static(page));
        headers.insert("x-original-method", HeaderValue::from_static("GET"));
        headers
    }

    #[test]
    fn nginx_is_told_where_to_lead_a_browser() {
        let headers = told_by_nginx("https://app.example/a?b=c&d");
        let response = ask_for_log_in(&site(), &headers, auth::Error::NotAuthenticated);
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(
            response.headers()[header::LOCATION],
            "http://localhost:8000/login?next=https%3A%2F%2Fapp.example%2Fa%3Fb%3Dc%26d"
        );
        let mut form = headers;
        form.insert("x-original-method", HeaderValue::from_static("POST"));
        let response = ask_for_log_in(&site(), &form, auth::Error::NotAuthenticated);
        assert_eq!(response.headers().get(header::LOCATION), None);
    }

    #[test]
    fn what_nginx_says_is_believed_no_more_than_what_others_say() {
        for page in [
            "https://evil.example/",
            "http://app.example/",
            "https://user@app.example/",
            "https://app.example@evil.example/",
            "javascript:alert(1)//https://app.example/",
            "/path",
            "",
        ] {
            assert!(wanted_page(&site(), &told_by_nginx(page)).is_none(), "{page}");
        }
    }

    #[test]
    fn nobody_is_sent_to_an_origin_that_is_not_allowed() {
        let elsewhere = [
            ("https", "evil.example", "/"),
            ("http", "app.example", "/"),
            ("https", "app.example:444", "/"),
            ("https", "app.example.evil.example", "/"),
            ("https", "app.example@evil.example", "/"),
            ("https", "evil.example/app.example", "/"),
            ("https", "user@app.example", "/"),
            ("https", "app.example", "@evil.example/"),
            ("https", "app.example", ".evil.example/"),
            ("javascript", "app.example", "/"),
            ("https", "", "/"),
        ];
        for (scheme, host, path) in elsewhere {
            assert!(
                wanted_page(&site(), &headers(scheme, host, path)).is_none(),
                "{scheme} {host} {path}"
            );
        }
    }

    #[test]
    fn a_program_is_not_sent_to_a_page() {
        let mut program = headers("https", "app.example", "/");
        program.insert("accept", HeaderValue::from_static("application/json"));
        assert!(wanted_page(&site(), &program).is_none());

        let mut form = headers("https", "app.example", "/");
        form.insert("x-forwarded-method", HeaderValue::from_static("POST"));
        assert!(wanted_page(&site(), &form).is_none());

        let mut silent = headers("https", "app.example", "/");
        silent.remove("x-forwarded-host");
        assert!(wanted_page(&site(), &silent).is_none());
    }

    proptest! {
        #[test]
        fn whatever_a_proxy_says_a_browser_comes_back_to_a_page_of_ours_only(
            scheme in "(https?|blob:https?|javascript|[a-z:/]{0,6})",
            host in "(localhost:8000|app\\.example|[a-z.@:/?#\\\\]{0,8}){1,3}",
            path in "/[ -~]{0,20}",
            by_nginx: bool,
        ) {
            let mut headers = headers("https", "app.example", "/");
            let parts = [("x-forwarded-proto", &scheme), ("x-forwarded-host", &host), ("x-forwarded-uri", &path)];
            for (name, value) in parts {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
            if by_nginx {
                headers.insert(ORIGINAL_URL, HeaderValue::from_str(&format!("{scheme}://{host}{path}")).unwrap());
            }
            let response = ask_for_log_in(&site(), &headers, auth::Error::NotAuthenticated);
            if let Some(location) = response.headers().get(header::LOCATION) {
                let location = Url::parse(location.to_str().unwrap()).unwrap();
                prop_assert_eq!(&location[..url::Position::AfterPath], "http://localhost:8000/login");
                let (name, next) = location.query_pairs().next().unwrap();
                prop_assert_eq!(name, "next");
                let next = Url::parse(&next).unwrap();
                prop_assert!(["http", "https"].contains(&next.scheme()) && next.username().is_empty(), "{}", next);
                let origin = next.origin().ascii_serialization();
                prop_assert!(["http://localhost:8000", "https://app.example"].contains(&origin.as_str()), "{}", next);
            }
        }
    }
}
