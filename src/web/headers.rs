//! Headers that every answer carries unless its handler said otherwise.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::Site;

const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // `no-referrer` would turn the Origin of this server's own forms into `null`, which the origin check refuses.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    // Nearly every answer is about somebody, or holds a token. What is for everybody says so itself.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// How many come after these, so that the map grows once: HSTS and the request's id.
const LATER: usize = 2;

const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");

/// Adds what is missing to `headers`.
pub(super) fn complete(headers: &mut HeaderMap, site: &Site) {
    headers.reserve(ALWAYS.len() + LATER);
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    if site.public_url.is_https() {
        headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert(TWO_YEARS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_private_unless_it_says_otherwise() {
        let site = Site::for_tests(&[]);
        let mut headers = HeaderMap::new();
        complete(&mut headers, &site);
        assert_eq!(headers[header::CACHE_CONTROL], "no-store");

        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
        complete(&mut headers, &site);
        assert_eq!(headers[header::CACHE_CONTROL], "max-age=300");
    }
}
