//! Refusals as pages: what JSON says in a problem document, for people.

use axum::{http::StatusCode, response::Response};
use leptos::prelude::*;

use super::{
    shell::{Head, respond_to_anyone},
    words,
};
use crate::web::{Site, problem::Problem};

/// Writes the page onto `response`, keeping headers that it already has, such as cookies.
pub(in crate::web) fn render(site: &Site, problem: &Problem, response: &mut Response, request_id: &str) {
    let words = Words::of(problem);
    // Who met a fault of the server will ask its operator about it.
    let request_id = problem.status().is_server_error().then(|| request_id.to_owned());
    let page = respond_to_anyone(site, Head::new(words.title), || view! { <ErrorPage words request_id/> });
    let (parts, body) = page.into_parts();
    *response.body_mut() = body;
    *response.status_mut() = problem.status();
    let headers = response.headers_mut();
    headers.extend(parts.headers);
    problem.write_headers(headers);
}

/// What happened, and what to do.
struct Words {
    title: &'static str,
    text: String,
}

impl Words {
    fn of(problem: &Problem) -> Self {
        let (title, text) = match (problem.status(), problem.code()) {
            (StatusCode::FORBIDDEN, "cross_origin") => (
                "This form came from another site",
                "Your browser says that a page of another site sent it. Go to the start page and begin there.",
            ),
            (StatusCode::FORBIDDEN, "sign_up_closed") => ("Sign-up is closed", ""),
            (StatusCode::FORBIDDEN, _) => (
                "This is not for you",
                "Your account does not have the role that this takes, or it belongs to somebody else.",
            ),
            (StatusCode::NOT_FOUND, _) => (
                "Page not found",
                "There is nothing at this address, or nothing any more. Look for a mistake in it, or go to the start page.",
            ),
            // The detail says for how long to wait.
            (StatusCode::TOO_MANY_REQUESTS, _) => ("Too many tries", ""),
            (StatusCode::SERVICE_UNAVAILABLE, _) => (
                "Not available for a moment",
                "The server is busy, or its database is away. Nothing of what you did is lost but the last step: wait a \
                 little, and try again.",
            ),
            (status, _) if status.is_server_error() => (
                "Something went wrong",
                "It is our fault and not yours, and it is in our log. Try again; if it happens again, tell whoever runs \
                 this site the number below.",
            ),
            _ => ("This did not work", ""),
        };
        let text = match text {
            "" => words::refusal(problem.code(), problem.detail()),
            text => text,
        };
        Self {
            title,
            text: text.to_owned(),
        }
    }
}

#[component]
fn ErrorPage(words: Words, request_id: Option<String>) -> impl IntoView {
    let request_id = request_id.map(|id| view! { <p class="dim">"Request " <code>{id}</code></p> });
    view! {
        <div class="card">
            <h1>{words.title}</h1>
            <p>{words.text}</p>
            {request_id}
            <p><a class="button primary" href="/">"Go to the start page"</a></p>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::to_bytes;

    use super::*;
    use crate::{
        auth::{self, Exceeded},
        quota::Quota,
    };

    #[tokio::test]
    async fn who_tried_too_often_is_told_for_how_long_to_wait() {
        let exceeded = Exceeded {
            policy: "address",
            quota: Quota::new(5, Duration::from_hours(1)),
            wait: Duration::from_mins(12),
        };
        let problem = auth::Error::TooManyRequests(exceeded).into();
        let mut response = Response::default();
        render(&Site::for_tests(&[]), &problem, &mut response, "request-1");
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        for (name, value) in [
            ("content-type", "text/html; charset=utf-8"),
            ("retry-after", "720"),
            ("ratelimit", "\"address\";r=0;t=720"),
            ("ratelimit-policy", "\"address\";q=5;w=3600"),
        ] {
            assert_eq!(response.headers()[name], value, "{name}");
        }
        let html = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let html = String::from_utf8(html.to_vec()).unwrap();
        assert!(html.contains("<title>Too many tries · Vestibule</title>"), "{html}");
        let words = "<h1>Too many tries</h1><p>This was tried too often. Wait 12 minutes, and try again.</p>";
        assert!(html.contains(words), "{html}");
        assert!(!html.contains("request-1"), "{html}");
    }
}
