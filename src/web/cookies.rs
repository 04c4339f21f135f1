//! The session's two cookies and the device's: their names, their attributes, and when they go.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderValue, Request, header, request::Parts},
};
#[cfg(any(test, fuzzing))]
use axum::{http::HeaderMap, response::Response};
#[cfg(any(test, fuzzing))]
use futures_util::FutureExt;
use time::Duration as CookieDuration;
#[cfg(any(test, fuzzing))]
use tower::{Layer, ServiceExt};
#[cfg(any(test, fuzzing))]
use tower_cookies::CookieManagerLayer;
use tower_cookies::{
    Cookie, Cookies,
    cookie::{CookieBuilder, SameSite},
};

use super::{AppState, problem::Problem};
use crate::{
    auth::{self, Credential, DeviceProof, RefreshLife, SignedIn},
    config::Config,
    token::RefreshToken,
};

/// Whether `error` says that what was presented will never be good again, rather than that something is amiss here which
/// may pass.
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

/// Takes out the cookies whose names are read as another than is written: percent-encoded, or with a space in front that
/// only Unicode knows. A browser lets no sibling host plant a cookie that is called `__Host-…`, and compares the names as
/// they stand: one called `__Host%2D…` it does.
pub(super) fn without_disguises<B>(mut request: Request<B>) -> Request<B> {
    let lines: Vec<_> = request.headers().get_all(header::COOKIE).iter().collect();
    if lines.iter().all(|line| pairs(line).all(is_as_it_reads)) {
        return request;
    }
    let plain = |line: &HeaderValue| {
        pairs(line)
            .filter(|pair| is_as_it_reads(pair))
            .collect::<Vec<_>>()
            .join(&b';')
    };
    let kept: Vec<_> = lines.iter().map(|line| HeaderValue::from_bytes(&plain(line))).collect();
    let headers = request.headers_mut();
    headers.remove(header::COOKIE);
    for line in kept.into_iter().flatten() {
        headers.append(header::COOKIE, line);
    }
    request
}

fn pairs(line: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    line.as_bytes().split(|byte| *byte == b';')
}

/// A value that is no text would take the whole line with it.
fn is_as_it_reads(pair: &[u8]) -> bool {
    let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'%';
    name.trim_ascii().iter().all(is_plain) && std::str::from_utf8(pair).is_ok()
}

/// What the configuration makes of the cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CookiePolicy {
    access_name: String,
    refresh_name: String,
    device_name: &'static str,
    secure: bool,
    domain: Option<String>,
}

impl CookiePolicy {
    pub(super) fn new(config: &Config) -> Self {
        Self::with(config.public_url.is_https(), config.cookie_domain.clone())
    }

    /// The prefixes of RFC 6265bis section 4.1.3 make a browser refuse what a sibling host or a plain-text answer tries
    /// to plant under these names; both need `Secure`, and `__Host-` forbids a `Domain`.
    fn with(secure: bool, domain: Option<String>) -> Self {
        let prefix = match (secure, &domain) {
            (false, _) => "",
            (true, Some(_)) => "__Secure-",
            (true, None) => "__Host-",
        };
        Self {
            access_name: format!("{prefix}access_token"),
            refresh_name: format!("{prefix}refresh_token"),
            // Sibling hosts have no use for it: nobody signs in there.
            device_name: if secure { "__Host-device" } else { "device" },
            secure,
            domain,
        }
    }

    /// The access token's cookie, as OpenAPI names it.
    pub(crate) fn access_name(&self) -> &str {
        &self.access_name
    }

    /// The name of the cookie by which a device is known again.
    pub(super) const fn device_name(&self) -> &'static str {
        self.device_name
    }

    fn cookie(&self, name: &str, value: String, life: Option<std::time::Duration>) -> Cookie<'static> {
        let mut cookie = self.host_cookie(name, value, life);
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.clone());
        }
        cookie
    }

    fn host_cookie(&self, name: &str, value: String, life: Option<std::time::Duration>) -> Cookie<'static> {
        // Lax, since a link in a mail must find its reader signed in; the origin check guards what Lax lets through.
        let mut cookie = CookieBuilder::new(name.to_owned(), value)
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .path("/");
        if let Some(life) = life {
            cookie = cookie.max_age(CookieDuration::try_from(life).unwrap_or(CookieDuration::MAX));
        }
        cookie.build()
    }
}

/// The name of the cookie that a session lives by.
pub(crate) fn session_cookie(config: &Config) -> String {
    CookiePolicy::new(config).refresh_name
}

/// The cookies of one request and its answer.
#[derive(Clone, Debug)]
pub(crate) struct SessionCookies {
    jar: Cookies,
    policy: Arc<CookiePolicy>,
}

impl SessionCookies {
    pub(super) fn of(parts: &Parts, state: &AppState) -> Result<Self, auth::Error> {
        let jar = parts.extensions.get::<Cookies>().cloned();
        Ok(Self {
            jar: jar.ok_or_else(|| auth::Error::internal("no cookie manager around this route"))?,
            policy: Arc::clone(&state.site.cookies),
        })
    }

    pub(crate) fn access(&self) -> Option<String> {
        self.value(&self.policy.access_name)
    }

    pub(crate) fn refresh(&self) -> Option<String> {
        self.value(&self.policy.refresh_name)
    }

    /// Both tokens, as a browser that signs out presents them.
    pub(crate) fn held(&self) -> HeldTokens {
        HeldTokens {
            refresh: self.refresh(),
            access: self.access(),
        }
    }

    /// The refresh cookie, if it has the form of one.
    pub(crate) fn refresh_token(&self) -> Option<RefreshToken> {
        RefreshToken::parse(&self.refresh()?)
    }

    fn value(&self, name: &str) -> Option<String> {
        self.jar
            .get(name)
            .map(|cookie| cookie.value().to_owned())
            .filter(|value| !value.is_empty())
    }

    /// Hands a new pair of tokens to the browser.
    pub(crate) fn set(&self, signed_in: &SignedIn) {
        let (access_life, refresh_life) = match signed_in.refresh_life {
            RefreshLife::Persistent(life) => (Some(signed_in.access.expires_in), Some(life)),
            RefreshLife::BrowserSession => (None, None),
        };
        self.add(&self.policy.access_name, &signed_in.access.token, access_life);
        self.add(&self.policy.refresh_name, signed_in.refresh.expose(), refresh_life);
        self.keep_device(signed_in.device.as_ref());
    }

    /// Hands the device what it is known by from now on, if there is anything. It outlives the session, also one that is not
    /// to be remembered: it signs nobody in.
    pub(crate) fn keep_device(&self, device: Option<&DeviceProof>) {
        if let Some(device) = device {
            let (name, value) = (self.policy.device_name, device.expose().to_owned());
            self.jar
                .add(self.policy.host_cookie(name, value, Some(DeviceProof::LIFE)));
        }
    }

    fn add(&self, name: &str, value: &str, life: Option<std::time::Duration>) {
        self.jar.add(self.policy.cookie(name, value.to_owned(), life));
    }

    /// Takes back both of them, also the one that was not sent: which a browser sends and which it holds are two things
    /// while one of them expires. Who sent none is left alone.
    pub(crate) fn clear(&self) {
        let names = [&self.policy.access_name, &self.policy.refresh_name];
        if names.iter().all(|name| self.jar.get(name).is_none()) {
            return;
        }
        for name in names {
            let mut removal = self.policy.cookie(name, String::new(), None);
            removal.make_removal();
            self.jar.add(removal);
        }
    }

    /// Takes them back when `error` says that they are worth nothing any more; while the database is away, the session
    /// lives and so do they.
    pub(crate) fn clear_if_over(&self, error: &auth::Error) {
        if is_over(error) {
            self.clear();
        }
    }
}

/// What the cookies of a request held.
#[derive(Debug)]
pub(crate) struct HeldTokens {
    refresh: Option<String>,
    access: Option<String>,
}

impl HeldTokens {
    /// What names the session to end, in order: an access token expires long before its session does.
    pub(crate) fn credentials(&self) -> Vec<Credential<'_>> {
        let refresh = self.refresh.as_deref().map(Credential::Refresh);
        let access = self.access.as_deref().map(Credential::Access);
        refresh.into_iter().chain(access).collect()
    }
}

impl FromRequestParts<AppState> for SessionCookies {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self::of(parts, state)?)
    }
}

impl aide::OperationInput for SessionCookies {}

#[cfg(any(test, fuzzing))]
impl SessionCookies {
    /// Those of a request with these headers, read as they are when it is served.
    pub(super) fn read(headers: HeaderMap, policy: Arc<CookiePolicy>) -> Option<Self> {
        let give = |request: Request<()>| {
            let jar = request.extensions().get::<Cookies>().cloned();
            std::future::ready(Ok::<_, std::convert::Infallible>(Response::new(jar)))
        };
        let mut request = Request::new(());
        *request.headers_mut() = headers;
        let served = CookieManagerLayer::new().layer(tower::service_fn(give));
        let given = served.oneshot(without_disguises(request)).now_or_never()?.ok()?;
        let jar = given.into_body()?;
        Some(Self { jar, policy })
    }

    pub(super) const fn jar(&self) -> &Cookies {
        &self.jar
    }

    /// Both tokens, by the names of their cookies.
    pub(super) fn named(&self) -> Vec<(String, String)> {
        let access = self.access().map(|value| (self.policy.access_name.clone(), value));
        let refresh = self.refresh().map(|value| (self.policy.refresh_name.clone(), value));
        access.into_iter().chain(refresh).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn written(policy: &CookiePolicy, life: Option<Duration>) -> String {
        policy
            .cookie(&policy.refresh_name, "value".to_owned(), life)
            .to_string()
    }

    #[test]
    fn with_https_the_cookies_are_bound_to_the_host() {
        let text = written(&CookiePolicy::with(true, None), Some(Duration::from_mins(1)));
        assert_eq!(
            text,
            "__Host-refresh_token=value; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
    }

    #[test]
    fn a_shared_domain_takes_the_prefix_that_allows_one() {
        let text = written(&CookiePolicy::with(true, Some("example.com".to_owned())), None);
        assert!(text.starts_with("__Secure-refresh_token="), "{text}");
        assert!(text.contains("Domain=example.com"), "{text}");
    }

    #[test]
    fn the_devices_cookie_is_always_bound_to_the_host() {
        let policy = CookiePolicy::with(true, Some("example.com".to_owned()));
        let text = policy
            .host_cookie(policy.device_name(), "value".to_owned(), None)
            .to_string();
        assert_eq!(text, "__Host-device=value; HttpOnly; SameSite=Lax; Secure; Path=/");
        assert_eq!(CookiePolicy::with(false, None).device_name(), "device");
    }

    #[test]
    fn without_https_a_browser_would_refuse_prefix_and_secure() {
        let text = written(&CookiePolicy::with(false, None), None);
        assert_eq!(text, "refresh_token=value; HttpOnly; SameSite=Lax; Path=/");
    }

    #[test]
    fn a_cookie_that_ends_with_the_browser_has_no_max_age() {
        assert!(!written(&CookiePolicy::with(true, None), None).contains("Max-Age"));
    }

    #[test]
    fn clearing_takes_back_both_from_whoever_sent_one() {
        let cookies = |jar| SessionCookies {
            jar,
            policy: Arc::new(CookiePolicy::with(true, None)),
        };
        let silent = cookies(Cookies::default());
        silent.clear();
        assert!(silent.jar.list().is_empty());

        let sender = cookies(Cookies::default());
        sender.jar.add(Cookie::new("__Host-access_token", "old"));
        assert_eq!(sender.access().as_deref(), Some("old"));
        sender.clear();
        let mut left: Vec<String> = sender.jar.list().iter().map(ToString::to_string).collect();
        left.sort();
        for (removal, name) in left.iter().zip(["__Host-access_token", "__Host-refresh_token"]) {
            let expected = format!("{name}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0; Expires=");
            assert!(removal.starts_with(&expected), "{removal}");
        }
        assert_eq!((left.len(), sender.access()), (2, None));
    }

    #[test]
    fn of_what_a_browser_holds_the_refresh_token_comes_first() {
        let names = |refresh: Option<&str>, access: Option<&str>| -> Vec<String> {
            let held = HeldTokens {
                refresh: refresh.map(str::to_owned),
                access: access.map(str::to_owned),
            };
            let name = |credential: Credential<'_>| match credential {
                Credential::Refresh(token) => format!("refresh {token}"),
                Credential::Access(token) => format!("access {token}"),
            };
            held.credentials().into_iter().map(name).collect()
        };
        assert_eq!(names(Some("r"), Some("a")), ["refresh r", "access a"]);
        assert_eq!(names(None, Some("a")), ["access a"]);
        assert!(names(None, None).is_empty());
    }

    #[test]
    fn a_database_that_is_away_ends_no_session() {
        assert!(!is_over(&auth::Error::Busy));
        assert!(!is_over(&auth::Error::internal("away")));
        assert!(is_over(&auth::Error::RefreshTokenReused));
    }

    /// The access token of a request with these `Cookie` headers, read as it is when served.
    fn presented(lines: &[String]) -> Option<String> {
        let values = lines
            .iter()
            .map(|line| HeaderValue::from_bytes(line.as_bytes()).unwrap());
        let headers = values.map(|value| (header::COOKIE, value)).collect();
        let policy = Arc::new(CookiePolicy::with(true, None));
        SessionCookies::read(headers, policy).unwrap().access()
    }

    #[test]
    fn a_name_that_is_another_as_it_stands_is_not_ours() {
        for name in [
            "__Host%2Daccess_token",
            "%5F_Host-access_token",
            "__Host-access%5ftoken",
            "\u{2000}__Host-access_token",
            "\u{a0}__Host-access_token",
            "__Host-access_token\u{3000}",
            "__host-access_token",
        ] {
            let planted = format!("a=b; {name}=planted; c=d");
            assert_eq!(presented(std::slice::from_ref(&planted)), None, "{name}");
            let own = "__Host-access_token=own";
            for lines in [
                vec![format!("{own}; {planted}")],
                vec![format!("{planted}; {own}")],
                vec![own.to_owned(), planted],
            ] {
                assert_eq!(presented(&lines).as_deref(), Some("own"), "{lines:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_cookies_are_sent_only_one_of_the_exact_name_is_ours(
            lines in prop::collection::vec("([ \u{2000}\u{a0}]?(__[Hh]ost(-|%2D)|__Secure-)?access(_|%5F)token[ =\"]{0,2}[!-$&-~ ]{0,6}[;,]? ?|[!-~ ]{0,10};){0,4}", 0..3),
        ) {
            if let Some(value) = presented(&lines) {
                let pairs = lines.iter().flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
                let mut ours = pairs.filter(|(name, _)| name.trim_ascii() == "__Host-access_token");
                prop_assert!(ours.any(|(_, sent)| sent.trim() == value), "{:?} of {:?}", value, lines);
                prop_assert!(!value.is_empty());
            }
        }

        #[test]
        fn a_token_comes_back_as_it_was_set_among_whatever_else(token in "[A-Za-z0-9_.-]{1,80}", other in "[a-z]{1,8}=[!-:<-~]{0,8}") {
            let policy = CookiePolicy::with(true, None);
            let set = policy.cookie(policy.access_name(), token.clone(), None).to_string();
            let sent = set.split(';').next().unwrap().to_owned();
            prop_assert_eq!(presented(&[format!("{other}; {sent}")]), Some(token.clone()));
            prop_assert_eq!(presented(&[sent, other]), Some(token));
        }
    }
}
