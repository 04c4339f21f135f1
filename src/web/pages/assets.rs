//! What the pages load besides themselves, served from the binary.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    body::Bytes,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::brand;
use crate::{
    config::{Config, Logo},
    web::AppState,
};

/// One sheet: browsers ask for each file by itself.
pub(super) const STYLE: &str = concat!(
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/style/base.css")),
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/style/document.css")),
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/style/forms.css")),
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/style/content.css")),
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/style/media.css")),
);
const SCRIPT: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/public/vestibule.js"));
const LOGO: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/public/logo.svg"));

/// A text, as the style sheet and the script are: which characters its bytes mean is not for a browser to guess.
const SVG: &str = "image/svg+xml; charset=utf-8";

/// The style sheet, the script and the logo, as the configuration makes them.
#[derive(Clone, Debug)]
pub struct Assets {
    style: Asset,
    script: Asset,
    logo: Asset,
}

impl Assets {
    /// Those of the site that `config` describes.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let accent = config.site_accent.map(brand::rule).unwrap_or_default();
        let logo = match &config.site_logo {
            Some(Logo { media_type, bytes }) => {
                let media_type = if *media_type == "image/svg+xml" {
                    SVG
                } else {
                    media_type
                };
                Asset::new("logo", media_type, Bytes::from_owner(Arc::clone(bytes)))
            }
            None => Asset::new("logo.svg", SVG, LOGO.into()),
        };
        Self {
            style: Asset::new(
                "vestibule.css",
                "text/css; charset=utf-8",
                format!("{STYLE}{accent}").into(),
            ),
            script: Asset::new("vestibule.js", "text/javascript; charset=utf-8", SCRIPT.into()),
            logo,
        }
    }

    pub(super) fn style_path(&self) -> String {
        self.style.path.clone()
    }

    pub(super) fn script_path(&self) -> String {
        self.script.path.clone()
    }

    /// Also the icon.
    pub(super) fn logo_path(&self) -> String {
        self.logo.path.clone()
    }
}

/// A file. Its path has the content's fingerprint in it: browsers keep it for good, and a new one has a new path.
#[derive(Clone, Debug)]
struct Asset {
    path: String,
    media_type: &'static str,
    content: Bytes,
}

impl Asset {
    fn new(name: &str, media_type: &'static str, content: Bytes) -> Self {
        let fingerprint = URL_SAFE_NO_PAD.encode(&digest(&SHA256, &content).as_ref()[..9]);
        let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
        let dot = if extension.is_empty() { "" } else { "." };
        Self {
            path: format!("/assets/{stem}-{fingerprint}{dot}{extension}"),
            media_type,
            content,
        }
    }

    fn answer(&self) -> Response {
        const CACHE: (HeaderName, HeaderValue) = (
            header::CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        );
        // An SVG that is opened by itself is a document, and an operator's own may hold a script.
        const POLICY: (HeaderName, HeaderValue) = (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; sandbox; frame-ancestors 'none'",
            ),
        );
        let kind = (header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        ([CACHE, POLICY, kind], self.content.clone()).into_response()
    }
}

pub(super) fn router(assets: &Assets) -> Router<AppState> {
    let all = [&assets.style, &assets.script, &assets.logo];
    all.into_iter().fold(Router::new(), |router, asset| {
        let served = asset.clone();
        router.route(&asset.path, get(move || std::future::ready(served.answer())))
    })
}
