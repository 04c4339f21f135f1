//! `/openapi.json`, and the two tools that show it, from the binary.

use std::sync::LazyLock;

use aide::{
    axum::routing::{ApiMethodRouter, get_with},
    redoc::Redoc,
    swagger::Swagger,
};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::header,
    response::{Html, IntoResponse, Response},
    routing::get,
};

use super::openapi::{SERVICES, answers_with, for_anyone, named};
use crate::web::{AppState, problem::Problem};

/// A megabyte each and rarely looked at: made when first asked for, and shared from then on.
static SWAGGER: LazyLock<ToolPage> = LazyLock::new(|| {
    let tool = Swagger::new("/openapi.json").with_title("Vestibule API");
    ToolPage::new("/docs", &tool.html())
});
static REDOC: LazyLock<ToolPage> = LazyLock::new(|| {
    let tool = Redoc::new("/openapi.json").with_title("Vestibule API");
    ToolPage::new("/redoc", &tool.html().replace(REDOC_LOGO, "data:,"))
});

/// An image that `ReDoc` would ask its makers' server for, and that the policy below keeps from it with a complaint in the
/// browser's console.
const REDOC_LOGO: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";

/// Styles are written by the tools' scripts, which only `unsafe-inline` allows. Nothing is loaded from elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; \
     font-src data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const REVALIDATE: &str = "no-cache";
const AN_HOUR: &str = "public, max-age=3600";

const WITHOUT_SCRIPTS: &str = "<noscript>This page needs JavaScript; \
     <a href=\"/openapi.json\">the document itself</a> does not.</noscript></body>";

/// A browser that is told of no icon asks for one where there is none, and complains of that in its console.
const WITHOUT_ICON: &str = "<link rel=\"icon\" href=\"data:,\"></head>";

/// A tool as a page and the scripts that it loads.
struct ToolPage {
    html: Bytes,
    scripts: Vec<Bytes>,
}

impl ToolPage {
    /// Takes the scripts out of `html`, which has them inline, so that the page runs without allowing inline ones.
    fn new(base: &str, html: &str) -> Self {
        let mut page = String::new();
        let mut scripts = Vec::new();
        let mut rest = html;
        while let Some((before, after)) = rest.split_once("<script>") {
            let (script, after) = after.split_once("</script>").unwrap_or((after, ""));
            page.push_str(before);
            page.push_str(&script_tag(base, scripts.len()));
            scripts.push(Bytes::from(script.to_owned()));
            rest = after;
        }
        page.push_str(&rest.replacen("</body>", WITHOUT_SCRIPTS, 1));
        let page = page.replacen("</head>", WITHOUT_ICON, 1);
        Self {
            html: page.into(),
            scripts,
        }
    }

    fn answer(&self) -> Response {
        let headers = [
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::CACHE_CONTROL, REVALIDATE),
        ];
        (headers, Html(self.html.clone())).into_response()
    }

    fn answer_script(&self, name: &str) -> Result<Response, Problem> {
        let number = name.strip_suffix(".js").and_then(|number| number.parse::<usize>().ok());
        let script = number.and_then(|number| self.scripts.get(number));
        let script = script.ok_or_else(Problem::not_found)?;
        let headers = [
            (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
            (header::CACHE_CONTROL, AN_HOUR),
        ];
        Ok((headers, script.clone()).into_response())
    }
}

fn script_tag(base: &str, number: usize) -> String {
    format!("<script src=\"{base}/{number}.js\"></script>")
}

/// What the pages load: parts of them, and no part of the API.
pub(super) fn scripts() -> Router<AppState> {
    let swagger = |Path(name): Path<String>| async move { SWAGGER.answer_script(&name) };
    let redoc = |Path(name): Path<String>| async move { REDOC.answer_script(&name) };
    Router::new()
        .route("/docs/{script}", get(swagger))
        .route("/redoc/{script}", get(redoc))
}

pub(super) fn swagger_route() -> ApiMethodRouter<AppState> {
    get_with(swagger, |docs| {
        docs.with(named("swaggerUi", SERVICES, "This document in Swagger UI"))
            .with(for_anyone)
            .with(answers_with(
                200,
                Some("text/html"),
                "A page that needs no other server.",
            ))
    })
}

async fn swagger() -> Response {
    SWAGGER.answer()
}

pub(super) fn redoc_route() -> ApiMethodRouter<AppState> {
    get_with(redoc, |docs| {
        docs.with(named("redoc", SERVICES, "This document in ReDoc"))
            .with(for_anyone)
            .with(answers_with(
                200,
                Some("text/html"),
                "A page that needs no other server.",
            ))
    })
}

async fn redoc() -> Response {
    REDOC.answer()
}

pub(super) fn openapi_route() -> ApiMethodRouter<AppState> {
    get_with(openapi, |docs| {
        docs.with(named("openapi", SERVICES, "This document"))
            .with(for_anyone)
            .with(answers_with(200, Some("application/json"), "OpenAPI 3.1."))
    })
}

async fn openapi(State(state): State<AppState>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, REVALIDATE),
    ];
    (headers, state.document()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_taken_out_of_the_page() {
        let page = ToolPage::new("/docs", "<p><script>a<b</script></p><script>c</script>");
        let html = "<p><script src=\"/docs/0.js\"></script></p><script src=\"/docs/1.js\"></script>";
        assert_eq!(page.html, html);
        assert_eq!(page.scripts, ["a<b", "c"]);
        assert!(page.answer_script("1.js").is_ok());
        for unknown in ["2.js", "1", "-1.js", "x.js", ""] {
            assert!(page.answer_script(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn the_tools_are_whole_and_load_nothing_from_elsewhere() {
        for page in [&*SWAGGER, &*REDOC] {
            let html = std::str::from_utf8(&page.html).unwrap();
            assert!(html.trim_end().ends_with("</html>") && html.contains(WITHOUT_SCRIPTS));
            assert!(!html.contains("src=\"http") && html.matches("<link ").count() == 1);
            assert!(html.contains(WITHOUT_ICON));
            assert!(page.scripts.iter().any(|script| script.len() > 500_000));
            let asks = |script: &Bytes| String::from_utf8_lossy(script).contains("cdn.redoc.ly");
            assert!(!page.scripts.iter().any(asks));
        }
    }
}
