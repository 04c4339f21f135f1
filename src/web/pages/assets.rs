//! What the pages load besides themselves, served from the binary.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::web::AppState;

const STYLE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/style/vestibule.css"));

/// The path has the content's fingerprint in it: browsers keep the sheet for good, and a new one has a new path.
static STYLE_PATH: LazyLock<String> = LazyLock::new(|| {
    let fingerprint = URL_SAFE_NO_PAD.encode(&digest(&SHA256, STYLE).as_ref()[..9]);
    format!("/assets/vestibule-{fingerprint}.css")
});

/// Where the style sheet is.
pub(super) fn style_path() -> &'static str {
    &STYLE_PATH
}

pub(super) fn router() -> Router<AppState> {
    Router::new().route(style_path(), get(style))
}

async fn style() -> impl IntoResponse {
    const HEADERS: [(HeaderName, &str); 2] = [
        (header::CONTENT_TYPE, "text/css; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
    ];
    (HEADERS, STYLE)
}
