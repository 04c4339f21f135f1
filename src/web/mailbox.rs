//! The built-in mailbox: what would have been mailed, for the developer at this machine.

use std::{fmt::Write, net::SocketAddr};

use axum::{
    Json, Router,
    extract::{ConnectInfo, FromRequestParts, State},
    http::{HeaderMap, header, request::Parts},
    response::{Html, IntoResponse, Response},
    routing::get,
};

use super::{AppState, problem::Problem};
use crate::mail::{Delivered, Mailbox};

/// What a proxy adds: behind one, every request comes from this machine.
const FORWARDING: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// The page's few rules of style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

/// The mailbox's routes, where there is a mailbox.
pub(super) fn router(state: &AppState) -> Router<AppState> {
    match state.mailbox {
        Some(_) => Router::new()
            .route("/dev/mail", get(page))
            .route("/dev/mail.json", get(json)),
        None => Router::new(),
    }
}

async fn json(mailbox: LocalMailbox) -> Result<Json<Vec<Delivered>>, Problem> {
    mailbox.list().await.map(Json)
}

async fn page(State(state): State<AppState>, mailbox: LocalMailbox) -> Result<Response, Problem> {
    let page = render(&state.site.name, &mailbox.list().await?);
    Ok(([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(page)).into_response())
}

/// The mailbox, for whoever sits at this machine. It holds links that are as good as passwords, so that for everybody
/// else there is no such page: for a peer elsewhere, for a browser that was led here under another name (DNS
/// rebinding), and for what a proxy passes on.
struct LocalMailbox(Mailbox);

impl LocalMailbox {
    async fn list(&self) -> Result<Vec<Delivered>, Problem> {
        self.0.list().await.map_err(Problem::internal)
    }
}

impl FromRequestParts<AppState> for LocalMailbox {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let is_local = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
        match &state.mailbox {
            Some(mailbox) if is_local && is_meant_for_this_machine(&parts.headers) => Ok(Self(mailbox.clone())),
            _ => Err(Problem::not_found()),
        }
    }
}

fn is_meant_for_this_machine(headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    is_loopback(host) && FORWARDING.iter().all(|name| !headers.contains_key(*name))
}

fn is_loopback(host: &str) -> bool {
    match url::Url::parse(&format!("http://{host}/"))
        .ok()
        .as_ref()
        .and_then(url::Url::host)
    {
        Some(url::Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn render(site_name: &str, letters: &[Delivered]) -> String {
    let mut page = format!(
        "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Mail of {0}</title><style>:root{{color-scheme:light dark}}body{{font:1rem/1.5 sans-serif;max-width:45rem;\
         margin:2rem auto;padding:0 1rem}}pre{{white-space:pre-wrap;overflow-wrap:anywhere}}</style>\
         <h1>Mail of {0}</h1><p>What would have been mailed, newest first. Also as <a href=\"/dev/mail.json\">JSON</a>.",
        escape(site_name)
    );
    if letters.is_empty() {
        page.push_str("<p>Nothing yet.");
    }
    for letter in letters {
        let (subject, to) = (escape(&letter.subject), escape(&letter.to));
        let (at, text) = (escape(&letter.created_at), linked(&letter.text));
        // Writing into a string cannot fail.
        let _ = write!(
            page,
            "<article><h2>{subject}</h2><p>To {to}, {at}<pre>{text}</pre></article>"
        );
    }
    page
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The text with its addresses made links, since to click them is what it is read for.
fn linked(text: &str) -> String {
    let line = |line: &str| {
        line.split(' ')
            .map(|word| {
                let is_link = word.starts_with("http://") || word.starts_with("https://");
                let word = escape(word);
                if is_link {
                    format!("<a href=\"{word}\">{word}</a>")
                } else {
                    word
                }
            })
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_loopback_name_is_meant_for_this_machine() {
        for host in [
            "localhost",
            "localhost:8000",
            "127.0.0.1:8000",
            "[::1]:8000",
            "auth.localhost:1",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "10.0.0.1",
            "evil@localhost@x",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn what_a_proxy_passes_on_is_not_meant_for_this_machine() {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost:8000"));
        assert!(is_meant_for_this_machine(&headers));
        for name in FORWARDING {
            let mut forwarded = headers.clone();
            forwarded.insert(name, HeaderValue::from_static("x"));
            assert!(!is_meant_for_this_machine(&forwarded), "{name}");
        }
    }

    #[test]
    fn a_letter_cannot_write_markup() {
        let text = "See\nhttps://example.com/?a=\"><script>\n<b>";
        let expected = "See\n<a href=\"https://example.com/?a=&quot;&gt;&lt;script&gt;\">\
                        https://example.com/?a=&quot;&gt;&lt;script&gt;</a>\n&lt;b&gt;";
        assert_eq!(linked(text), expected);
    }
}
