//! `/dev/mail`: the built-in mailbox in a browser, for whoever runs Vestibule on their own machine.
//!
//! A letter holds a link that is as good as a password, so these routes exist only when mail goes to the mailbox, and
//! answer only the machine itself (see [`is_local`]). To everybody else they are a path that does not exist.

use std::net::SocketAddr;

use axum::{
    Json, Router,
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderName, Uri, Version, header, request::Parts},
    response::{Html, IntoResponse, Response},
    routing::{MethodRouter, get},
};
use leptos::prelude::*;
use uuid::Uuid;

use super::{
    components::{Time, address},
    shell::Head,
    visit::Visit,
};
use crate::{
    mail::{Delivered, Mailbox},
    web::{
        AppState,
        origin::{is_read_elsewhere, is_to_this_machine},
        params::PathId,
        problem::Problem,
    },
};

pub(super) fn router() -> Router<AppState> {
    let refusing = |route: MethodRouter<AppState>| route.fallback(refuse_method);
    Router::new()
        .route("/dev/mail", refusing(get(list_page)))
        .route("/dev/mail.json", refusing(get(list_json)))
        .route("/dev/mail/{id}", refusing(get(letter_page)))
        .route("/dev/mail/{id}/html", refusing(get(letter_html)))
}

/// The mailbox, for a request that may see it. A handler that takes this cannot be reached by any other.
struct LocalMailbox(Mailbox);

impl FromRequestParts<AppState> for LocalMailbox {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let mailbox = state.mailbox.clone().ok_or_else(Problem::not_found)?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        // The API lets pages of allowed origins read its answers; these would give them anybody's links.
        let is_read_elsewhere = is_read_elsewhere(&state.site, &parts.headers);
        // Browsers speak HTTP/1.1, and older proxies HTTP/1.0, also where they add no header of their own.
        let is_old = parts.version < Version::HTTP_11;
        let is_behind_a_proxy = is_old || state.site.other_name.is_known();
        if !is_behind_a_proxy && !is_read_elsewhere && is_local(peer, &parts.uri, &parts.headers) {
            Ok(Self(mailbox))
        } else {
            Err(Problem::not_found())
        }
    }
}

/// Whether a request comes from this machine, and was meant for it.
///
/// The peer alone does not say so: a proxy on this machine passes on requests from anywhere, but adds forwarding headers or
/// keeps the public Host; and the user's own browser may have been [sent](is_to_this_machine) by a page on the internet.
fn is_local(peer: Option<SocketAddr>, uri: &Uri, headers: &HeaderMap) -> bool {
    let from_here = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
    from_here && is_to_this_machine(uri, headers) && !headers.keys().any(is_from_a_proxy)
}

/// Headers by which proxies say for whom they ask.
fn is_from_a_proxy(name: &HeaderName) -> bool {
    const MARKS: [&str; 6] = [
        "forwarded",
        "client-ip",
        "connecting-ip",
        "real-ip",
        "original-host",
        "envoy",
    ];
    let name = name.as_str();
    name == "via" || MARKS.iter().any(|mark| name.contains(mark))
}

async fn refuse_method(_: LocalMailbox) -> Problem {
    Problem::method_not_allowed()
}

async fn list_json(LocalMailbox(mailbox): LocalMailbox) -> Result<Json<Vec<Delivered>>, Problem> {
    let letters = mailbox.list().await.map_err(Problem::internal)?;
    Ok(Json(letters))
}

async fn list_page(LocalMailbox(mailbox): LocalMailbox, visit: Visit) -> Result<Response, Problem> {
    let letters = mailbox.list().await.map_err(Problem::internal)?;
    let title = format!("Mail of {}", visit.site.name);
    let head = Head::new(title.clone()).wide();
    Ok(visit.show(head, || view! { <MailboxPage title letters/> }))
}

async fn letter_page(
    LocalMailbox(mailbox): LocalMailbox,
    visit: Visit,
    PathId(id): PathId<Uuid>,
) -> Result<Response, Problem> {
    let letter = find(&mailbox, id).await?;
    let head = Head::new(letter.subject.clone()).wide().framing();
    Ok(visit.show(head, || view! { <LetterPage letter/> }))
}

/// The HTML part alone, for the frame in its page.
async fn letter_html(LocalMailbox(mailbox): LocalMailbox, PathId(id): PathId<Uuid>) -> Result<Response, Problem> {
    let letter = find(&mailbox, id).await?;
    // A link in a frame opens in the frame, where the site's own pages refuse to be shown.
    let html = letter.html.replacen("<head>", "<head><base target=\"_top\">", 1);
    // For browsers that do not know `frame-ancestors`; the others do not look at it.
    let framed = (header::X_FRAME_OPTIONS, "SAMEORIGIN");
    Ok(([LETTER_POLICY, framed], Html(html)).into_response())
}

async fn find(mailbox: &Mailbox, id: Uuid) -> Result<Delivered, Problem> {
    mailbox
        .find(id)
        .await
        .map_err(Problem::internal)?
        .ok_or_else(Problem::not_found)
}

/// A letter loads nothing, runs nothing, and is of no origin; a pressed link may leave for its page.
const LETTER_POLICY: (HeaderName, &str) = (
    header::CONTENT_SECURITY_POLICY,
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; frame-ancestors 'self'; \
     sandbox allow-top-navigation-by-user-activation",
);

/// All letters, newest first.
#[component]
fn MailboxPage(title: String, letters: Vec<Delivered>) -> impl IntoView {
    let is_empty = letters.is_empty();
    let rows = letters
        .into_iter()
        .map(|letter| view! { <LetterRow letter/> })
        .collect_view();
    let list = if is_empty {
        view! { <p class="empty">"There is no mail yet."</p> }.into_any()
    } else {
        view! { <ul class="rows">{rows}</ul> }.into_any()
    };
    view! {
        <h1 id="title">{title}</h1>
        <p class="dim">
            "No mail server is set, so mail stays on this machine, and only this machine sees it. Also as "
            <a href="/dev/mail.json">"JSON"</a>"."
        </p>
        <div class="card">{list}</div>
    }
}

#[component]
fn LetterRow(letter: Delivered) -> impl IntoView {
    let path = format!("/dev/mail/{}", letter.id);
    view! {
        <li class="row">
            <div>
                <a href=path><bdi>{letter.subject}</bdi></a>
                <span class="dim">"To "{address(&letter.to)}", "<Time at=letter.created_at/></span>
            </div>
        </li>
    }
}

/// One letter: its HTML part as a mail program would show it, and its text part.
#[component]
fn LetterPage(letter: Delivered) -> impl IntoView {
    let frame = format!("/dev/mail/{}/html", letter.id);
    let lines = letter
        .text
        .lines()
        .map(|line| view! { <Line text=line.to_owned()/> })
        .collect_view();
    view! {
        <p class="back"><a href="/dev/mail">"All mail"</a></p>
        <h1>{letter.subject}</h1>
        <section class="card" aria-label="Envelope">
            <dl class="facts">
                <dt>"To"</dt><dd>{address(&letter.to)}</dd>
                <dt>"Delivered"</dt><dd><Time at=letter.created_at/></dd>
            </dl>
        </section>
        <section class="card" aria-labelledby="html-title">
            <h2 id="html-title">"As HTML"</h2>
            <iframe src=frame title="The letter as HTML" sandbox="allow-top-navigation-by-user-activation"></iframe>
        </section>
        <section class="card" aria-labelledby="text-title">
            <h2 id="text-title">"As text"</h2>
            <pre>{lines}</pre>
        </section>
    }
}

/// A line of the text part. A link stands on a line of its own.
#[component]
fn Line(text: String) -> impl IntoView {
    let is_link = text.starts_with("https://") || text.starts_with("http://");
    if is_link {
        let href = text.clone();
        view! { <a href=href>{text}</a>"\n" }.into_any()
    } else {
        format!("{text}\n").into_any()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, Request};

    use super::*;
    use crate::web::pages::shell::render;

    /// What [`is_local`] says to a request from `peer`.
    fn judge(peer: &str, uri: &str, headers: &[(&'static str, &'static str)]) -> bool {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, HeaderValue::from_static(value));
        }
        let request = request.body(()).unwrap();
        is_local(peer.parse().ok(), request.uri(), request.headers())
    }

    #[test]
    fn the_machine_itself_may_look() {
        let hosts = [
            "localhost:8000",
            "LOCALHOST",
            "auth.localhost:8000",
            "127.0.0.1:8000",
            "127.1.2.3",
            "[::1]:8000",
            "[::1]",
        ];
        for peer in ["127.0.0.1:5000", "[::1]:5000", "[::ffff:127.0.0.1]:5000"] {
            for host in hosts {
                assert!(judge(peer, "/dev/mail", &[("host", host)]), "{peer} {host}");
            }
        }
        assert!(judge(
            "127.0.0.1:5000",
            "http://localhost:8000/dev/mail",
            &[("host", "localhost:8000")]
        ));
    }

    #[test]
    fn another_machine_may_not() {
        for peer in [
            "192.0.2.7:5000",
            "[2001:db8::7]:5000",
            "10.0.0.1:5000",
            "[::ffff:192.0.2.7]:5000",
            "unknown",
        ] {
            assert!(!judge(peer, "/dev/mail", &[("host", "localhost")]), "{peer}");
        }
    }

    #[test]
    fn another_name_for_this_machine_will_not_do() {
        let hosts = [
            "auth.example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "192.0.2.7",
            "0.0.0.0:8000",
            "[::]:8000",
            "",
            "localhost, localhost",
            "localhost@example.com",
            "example.com@localhost",
        ];
        for host in hosts {
            assert!(!judge("127.0.0.1:5000", "/dev/mail", &[("host", host)]), "{host}");
        }
        assert!(!judge("127.0.0.1:5000", "/dev/mail", &[]));
        assert!(!judge(
            "127.0.0.1:5000",
            "/dev/mail",
            &[("host", "localhost"), ("host", "localhost")]
        ));
        assert!(!judge(
            "127.0.0.1:5000",
            "http://auth.example.com/dev/mail",
            &[("host", "localhost")]
        ));
    }

    #[test]
    fn what_came_through_a_proxy_is_not_from_here() {
        let headers = [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-anything",
            "x-real-ip",
            "x-original-forwarded-for",
            "x-envoy-external-address",
            "fastly-client-ip",
            "true-client-ip",
            "x-original-host",
            "via",
            "cf-connecting-ip",
        ];
        for name in headers {
            assert!(
                !judge(
                    "127.0.0.1:5000",
                    "/dev/mail",
                    &[("host", "localhost"), (name, "127.0.0.1")]
                ),
                "{name}"
            );
        }
    }

    fn letter() -> Delivered {
        Delivered {
            id: Uuid::nil(),
            to: String::from("<zoë>@example.com"),
            subject: String::from("<script>alert(1)</script>"),
            text: String::from("Open:\nhttps://example.com/?token=x&y=\"z\"\n\n<b>bold</b>\n"),
            html: String::from("<p>unused</p>"),
            created_at: String::from("2023-11-14T22:13:20Z"),
        }
    }

    #[test]
    fn the_list_shows_letters_as_text() {
        let html = render(|| view! { <MailboxPage title=String::from("Mail of Acme") letters=vec![letter()]/> });
        assert!(
            html.contains("href=\"/dev/mail/00000000-0000-0000-0000-000000000000\""),
            "{html}"
        );
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
        assert!(
            html.contains(
                "To &lt;zoë&gt;@<wbr>example.<wbr>com, <time datetime=\"2023-11-14T22:13:20Z\">2023-11-14 22:13 UTC</time>"
            ),
            "{html}"
        );
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("There is no mail yet"), "{html}");
    }

    #[test]
    fn an_empty_mailbox_says_so() {
        let html = render(|| view! { <MailboxPage title=String::from("Mail of Acme") letters=Vec::new()/> });
        assert!(html.contains("There is no mail yet"), "{html}");
    }

    #[test]
    fn a_letters_page_has_its_link_and_frames_its_html() {
        let html = render(|| view! { <LetterPage letter=letter()/> });
        assert!(
            html.contains("<a href=\"https://example.com/?token=x&amp;y=&quot;z&quot;\">"),
            "{html}"
        );
        assert!(
            html.contains("src=\"/dev/mail/00000000-0000-0000-0000-000000000000/html\""),
            "{html}"
        );
        assert!(
            html.contains("sandbox=\"allow-top-navigation-by-user-activation\""),
            "{html}"
        );
        assert!(html.contains("&lt;b&gt;bold&lt;/b&gt;"), "{html}");
        assert!(!html.contains("<script") && !html.contains("<b>"), "{html}");
    }
}
