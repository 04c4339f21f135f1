//! `/openapi.json`, and the two tools that show it, from the binary.

use std::sync::LazyLock;

use aide::{
    axum::routing::{ApiMethodRouter, get_with},
    redoc::Redoc,
    swagger::Swagger,
};
use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    body::Bytes,
    http::{HeaderName, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::openapi::{SERVICES, answers_with, for_anyone, named};
use crate::web::AppState;

/// The pages are a megabyte each and rarely looked at: made when first asked for, and shared from then on.
static SWAGGER: LazyLock<ToolPage> =
    LazyLock::new(|| ToolPage::new(Swagger::new("/openapi.json").with_title("Vestibule API").html()));
static REDOC: LazyLock<ToolPage> =
    LazyLock::new(|| ToolPage::new(Redoc::new("/openapi.json").with_title("Vestibule API").html()));

const REVALIDATE: &str = "no-cache";

/// A page of inline scripts, and the policy under which it runs.
struct ToolPage {
    html: Bytes,
    policy: String,
}

impl ToolPage {
    /// The scripts are allowed by their hashes; for styles, which both tools write from scripts, only `unsafe-inline`
    /// does. Nothing is loaded from elsewhere: Redoc's logo stays away.
    fn new(html: String) -> Self {
        let scripts: Vec<String> = inline_scripts(&html)
            .map(|script| format!("'{}'", hash(script)))
            .collect();
        let policy = format!(
            "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src 'self' data:; font-src data:; \
             connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            scripts.join(" ")
        );
        Self {
            html: html.into(),
            policy,
        }
    }

    fn answer(&self) -> Response {
        let headers: [(HeaderName, &str); 2] = [
            (header::CONTENT_SECURITY_POLICY, &self.policy),
            (header::CACHE_CONTROL, REVALIDATE),
        ];
        (headers, Html(self.html.clone())).into_response()
    }
}

/// What stands between each `<script>` and the `</script>` that ends it.
fn inline_scripts(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let (_, after) = rest.split_once("<script>")?;
        let (script, after) = after.split_once("</script>")?;
        rest = after;
        Some(script)
    })
}

fn hash(script: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest(&SHA256, script.as_bytes())))
}

pub(super) fn swagger_route() -> ApiMethodRouter<AppState> {
    get_with(swagger, |docs| {
        docs.with(named("swaggerUi", SERVICES, "This document in Swagger UI"))
            .with(for_anyone)
            .with(answers_with(200, Some("text/html"), "A page with everything in it."))
    })
}

async fn swagger() -> Response {
    SWAGGER.answer()
}

pub(super) fn redoc_route() -> ApiMethodRouter<AppState> {
    get_with(redoc, |docs| {
        docs.with(named("redoc", SERVICES, "This document in ReDoc"))
            .with(for_anyone)
            .with(answers_with(200, Some("text/html"), "A page with everything in it."))
    })
}

async fn redoc() -> Response {
    REDOC.answer()
}

/// The description of the route that serves the description.
pub(super) fn openapi_route() -> ApiMethodRouter<AppState> {
    get_with(openapi, |docs| {
        docs.with(named("openapi", SERVICES, "This document"))
            .with(for_anyone)
            .with(answers_with(200, Some("application/json"), "OpenAPI 3.1."))
    })
}

async fn openapi(document: axum::Extension<super::Document>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, REVALIDATE),
    ];
    (headers, document.0.0).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_inline_script_is_found() {
        let html = "<script>a<b</script><p><script>c</script><script src=x></script>";
        assert_eq!(inline_scripts(html).collect::<Vec<_>>(), ["a<b", "c"]);
    }

    #[test]
    fn the_tools_load_nothing_from_elsewhere() {
        for page in [&*SWAGGER, &*REDOC] {
            assert!(page.policy.contains("script-src 'sha256-"), "{}", page.policy);
            let html = std::str::from_utf8(&page.html).unwrap();
            assert!(!html.contains("<script src") && !html.contains("<link "));
        }
    }
}
