//! Doors for [`crate::fuzzing`], and shut but for it.

use std::{net::IpAddr, sync::Arc};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Deserialize;

use super::{
    FlashPolicy, Site,
    cookies::SessionCookies,
    forwarded::{self, Claim},
    identity, pages, payload,
    problem::Problem,
};

/// What a body is read into.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) age: Option<u32>,
}

pub(crate) fn read_json(body: &[u8]) -> Result<Sample, Problem> {
    payload::read_json(body)
}

pub(crate) fn read_form(body: &[u8]) -> Result<Sample, Problem> {
    payload::read_form(body)
}

/// Whom these lines of `Forwarded` or `X-Forwarded-For` name as the client; None where a line is no header's value.
pub(crate) fn named_client(name: &HeaderName, lines: &[&[u8]], is_trusted: fn(IpAddr) -> bool) -> Option<IpAddr> {
    let values: Result<Vec<_>, _> = lines.iter().map(|line| HeaderValue::from_bytes(line)).collect();
    let headers: HeaderMap = values.ok()?.into_iter().map(|value| (name.clone(), value)).collect();
    match forwarded::client(&headers, is_trusted) {
        Claim::Of(address) => Some(address),
        Claim::None | Claim::Contradictory => None,
    }
}

/// What a `Cookie` header holds of ours.
pub(crate) struct ReadCookies {
    /// The names and values of both tokens, where there are any.
    pub(crate) tokens: Vec<(String, String)>,
    /// Whether a page says something because of it.
    pub(crate) says_something: bool,
}

/// None where the line is no header's value.
pub(crate) fn read_cookies(site: &Site, flash: &FlashPolicy, line: &[u8]) -> Option<ReadCookies> {
    let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(line).ok()?)]);
    let cookies = SessionCookies::read(headers, Arc::clone(&site.cookies))?;
    let says_something = flash.has_something_in(cookies.jar());
    let tokens = cookies.named();
    // As at a sign-out, and as where they are refused.
    let _ = (cookies.held().credentials(), cookies.refresh_token());
    cookies.clear();
    Some(ReadCookies { tokens, says_something })
}

/// The token of an `Authorization` header.
pub(crate) fn bearer_token(value: &[u8]) -> Option<String> {
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_bytes(value).ok()?)]);
    identity::bearer(&headers).ok()?.map(str::to_owned)
}

pub(crate) fn next_page(site: &Site, text: &str) -> Option<String> {
    pages::next_page(site, text)
}
