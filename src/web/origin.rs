//! Which pages may make a browser call this server: the same-origin check, and CORS for those that pass it.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::Authority};
use tower_http::cors::{AllowOrigin, CorsLayer};
use url::Url;

use super::{
    Site,
    boundary::REQUEST_ID,
    problem::{Problem, RATE_LIMIT, RATE_LIMIT_POLICY},
};
use crate::config::is_loopback;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const PREFLIGHT_LIFE: Duration = Duration::from_mins(10);

/// Refuses an unsafe request that a page of another origin made a browser send. Cookies do not matter: a forged log-in,
/// which needs none, would sign the victim in as the attacker.
pub(super) fn check(site: &Site, method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    note_other_name(site, headers);
    let is_allowed = is_allowed(site, method, headers);
    // What only reads is answered, and the browser keeps the answer from the page.
    if !is_allowed || method.is_safe() {
        tell_of_strangers(site, headers);
    }
    if is_allowed {
        Ok(())
    } else {
        Err(Problem::cross_origin())
    }
}

/// Origins that were turned away. Each is told once, since a page that is would go on asking; and only the first few are,
/// since whoever writes requests by hand has as many origins as they like.
#[derive(Debug, Default)]
pub(crate) struct Strangers(Mutex<BTreeSet<String>>);

impl Strangers {
    const MOST: usize = 16;

    /// Whether it is to be told of.
    fn is_news(&self, origin: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < Self::MOST && is_origin(origin) && told.insert(origin.to_owned())
    }
}

/// Whether the text is an origin as browsers write it, with nothing in it that a log should not hold.
fn is_origin(text: &str) -> bool {
    text.len() <= 300 && Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}

/// Somebody who is setting up an application sees no more in the browser than that it failed.
fn tell_of_strangers(site: &Site, headers: &HeaderMap) {
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    if let Some(origin) = origin.filter(|origin| !site.trusts(origin) && site.strangers.is_news(origin)) {
        tracing::warn!(
            "pages of {origin} are kept out: if they are an application of yours, name it in ALLOWED_ORIGINS; the pages \
             of this site are at {}",
            site.public_url
        );
    }
}

/// Whether a browser has reached this server by a name that is not this machine's own, though `PUBLIC_URL` says that there is
/// none: somebody has put it behind a proxy.
#[derive(Debug, Default)]
pub(crate) struct OtherName(AtomicBool);

impl OtherName {
    pub(super) fn is_known(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A proxy that adds no header is not seen by what it passes on, but by what browsers say of a page of ours: that it is the
/// same origin as what it asks for, and which. No page of another site can make them say the former.
fn note_other_name(site: &Site, headers: &HeaderMap) {
    let is_of_a_page_of_ours = headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "same-origin");
    if !is_of_a_page_of_ours || !site.public_url.is_loopback() || site.other_name.is_known() {
        return;
    }
    let pages = [header::ORIGIN, header::REFERER].map(|name| headers.get(name).and_then(|value| value.to_str().ok()));
    let pages = pages.into_iter().flatten().filter_map(|page| Url::parse(page).ok());
    let elsewhere = pages.map(|page| page.origin()).find(|origin| {
        let url = Url::parse(&origin.ascii_serialization());
        url.is_ok_and(|url| url.host_str().is_some_and(|host| !is_loopback(host)))
    });
    let Some(origin) = elsewhere else { return };
    if !site.other_name.0.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            "browsers reach this site at {}, and PUBLIC_URL says {}: set PUBLIC_URL; the built-in mailbox answers nobody \
             until the next start",
            origin.ascii_serialization(),
            site.public_url
        );
    }
}

/// Whether a request says that it was meant for this machine. A page on the internet whose name was made to resolve to
/// 127.0.0.1 (DNS rebinding) sends the user's own browser, with that name as Host.
pub(super) fn is_to_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        _ => None,
    };
    // A request line may name a host of its own, which then counts (RFC 9112 section 3.2.2).
    host.is_some_and(|host| names_this_machine(&host)) && uri.authority().is_none_or(names_this_machine)
}

/// Names this machine by the host alone: `user@host` names one to some programs and another to others.
fn names_this_machine(authority: &Authority) -> bool {
    is_loopback(authority.host()) && !authority.as_str().contains('@')
}

fn is_allowed(site: &Site, method: &Method, headers: &HeaderMap) -> bool {
    if method.is_safe() {
        return true;
    }
    let origin = headers.get(header::ORIGIN).map(HeaderValue::as_bytes);
    if origin.is_some_and(|origin| site.allowed_origins.iter().any(|allowed| allowed.as_bytes() == origin)) {
        return true;
    }
    match (headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes), origin) {
        // The browser compared the origins itself; no page can set this header. `none` is the user's own doing.
        (Some(fetch_site), _) => matches!(fetch_site, b"same-origin" | b"none"),
        // A browser that is too old for the header above. A sandboxed page's `null` is nobody's origin.
        (None, Some(origin)) => origin == site.public_url.origin().as_bytes(),
        // No browser leaves both out of an unsafe request, and what is no browser holds no one's cookies.
        (None, None) => true,
    }
}

/// Whether a script of another origin, allowed or not, reads the answer: for answers that only this site's own pages may
/// read. Browsers send `Origin` with every such request, and with no link that is followed.
pub(super) fn is_read_elsewhere(site: &Site, headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    origins.any(|origin| origin.as_bytes() != site.public_url.origin().as_bytes())
}

/// CORS for `ALLOWED_ORIGINS`; none without.
pub(super) fn cors(site: &Site) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = site
        .allowed_origins
        .iter()
        .filter_map(|origin| origin.parse().ok())
        .collect();
    let layer = CorsLayer::new()
        .allow_credentials(true)
        .allow_headers([header::AUTHORIZATION, header::CONTENT_TYPE])
        .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
        .expose_headers([
            REQUEST_ID,
            header::LINK,
            header::RETRY_AFTER,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            header::WWW_AUTHENTICATE,
        ])
        .max_age(PREFLIGHT_LIFE);
    (!origins.is_empty()).then(|| layer.allow_origin(AllowOrigin::list(origins)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(fetch_site: Option<&'static str>, origin: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(value) = fetch_site {
            headers.insert(SEC_FETCH_SITE, HeaderValue::from_static(value));
        }
        if let Some(value) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_static(value));
        }
        headers
    }

    fn post(fetch_site: Option<&'static str>, origin: Option<&'static str>) -> bool {
        let site = Site::for_tests(&["https://app.example"]);
        check(&site, &Method::POST, &headers(fetch_site, origin)).is_ok()
    }

    #[test]
    fn the_browsers_own_comparison_decides_where_there_is_one() {
        assert!(post(Some("same-origin"), Some("http://localhost:8000")));
        assert!(post(Some("none"), None));
        for foreign in ["cross-site", "same-site", "", "SAME-ORIGIN"] {
            assert!(!post(Some(foreign), Some("http://localhost:8000")), "{foreign}");
            assert!(!post(Some(foreign), None), "{foreign}");
        }
    }

    #[test]
    fn an_old_browser_is_judged_by_its_origin() {
        assert!(post(None, Some("http://localhost:8000")));
        let foreign = [
            "https://localhost:8000",
            "http://localhost",
            "http://localhost:8000.evil.example",
            "null",
            "",
        ];
        for origin in foreign {
            assert!(!post(None, Some(origin)), "{origin}");
        }
    }

    #[test]
    fn an_allowed_origin_passes_whatever_the_browser_calls_it() {
        assert!(post(Some("cross-site"), Some("https://app.example")));
        assert!(post(None, Some("https://app.example")));
        assert!(!post(Some("cross-site"), Some("https://app.example.evil.example")));
    }

    #[test]
    fn an_origin_is_told_of_once_if_it_is_one_and_only_the_first_few_are() {
        let strangers = Strangers::default();
        for news in [true, false] {
            assert_eq!(strangers.is_news("http://127.0.0.1:8000"), news);
        }
        for no_origin in ["null", "", "https://x/", "https://x\u{1b}[31m", "https://X"] {
            assert!(!strangers.is_news(no_origin), "{no_origin}");
        }
        let told = (0..1000).filter(|number| strangers.is_news(&format!("https://{number}.example")));
        assert_eq!(told.count(), Strangers::MOST - 1);
    }

    #[test]
    fn what_is_no_browser_passes() {
        assert!(post(None, None));
    }

    #[test]
    fn reading_is_never_refused() {
        let site = Site::for_tests(&[]);
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(
                check(
                    &site,
                    &method,
                    &headers(Some("cross-site"), Some("https://evil.example"))
                )
                .is_ok()
            );
        }
        for method in [Method::PUT, Method::PATCH, Method::DELETE] {
            assert!(check(&site, &method, &headers(Some("cross-site"), None)).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_other_origin_passes_however_it_is_written(
            origin in prop_oneof![
                "(https?|HTTPS?|null)?(://)?(localhost|LOCALHOST|127\\.0\\.0\\.1|app\\.example)?[.:@/]?[a-z0-9.]{0,12}",
                "[ -~]{0,30}",
            ],
            fetch_site in prop::option::of("(same|cross)-(origin|site)|none|[a-zA-Z -]{0,12}"),
        ) {
            let ours = ["http://localhost:8000", "https://app.example"];
            prop_assume!(!ours.contains(&origin.as_str()));
            let site = Site::for_tests(&["https://app.example"]);
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_str(&origin).unwrap());
            if let Some(value) = &fetch_site {
                headers.insert(SEC_FETCH_SITE, HeaderValue::from_str(value).unwrap());
            }
            let by_the_browser = fetch_site.is_some_and(|value| ["same-origin", "none"].contains(&value.as_str()));
            prop_assert_eq!(check(&site, &Method::POST, &headers).is_ok(), by_the_browser);
            prop_assert!(is_read_elsewhere(&site, &headers));
        }
    }
}
