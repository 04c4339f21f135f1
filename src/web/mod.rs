//! HTTP: what the JSON API and the pages share, and the router made of both.

/// The JSON API: wire types, handlers, OpenAPI, and the table of the templates' paths.
pub mod api;
mod boundary;
pub(crate) mod caller;
pub(crate) mod cookies;
mod headers;
/// Extractors of who is signed in.
pub mod identity;
mod origin;
/// The pages.
pub mod pages;
pub(crate) mod params;
pub(crate) mod payload;
/// Refusals as RFC 9457 problem details.
pub mod problem;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router, ServiceExt,
    extract::{FromRef, Request, connect_info::IntoMakeServiceWithConnectInfo},
    http::{Method, StatusCode},
    middleware,
    response::{IntoResponse, Response},
};
use tower::Layer;
use tower_cookies::CookieManagerLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};

use self::{cookies::CookiePolicy, problem::Problem};
use crate::{
    auth::Auth,
    config::{Config, PublicUrl},
    mail::Mailbox,
    products::Products,
};

/// What the handlers work with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The operations.
    pub auth: Auth,
    /// The worked example; none with `PRODUCTS` off.
    pub products: Option<Products>,
    /// The built-in mailbox; none where mail is really sent.
    pub mailbox: Option<Mailbox>,
    /// What the configuration says about this site.
    pub site: Arc<Site>,
}

/// What the configuration says about the site as browsers see it.
#[derive(Clone, Debug)]
pub struct Site {
    pub(crate) public_url: PublicUrl,
    pub(crate) name: String,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) cookies: Arc<CookiePolicy>,
}

impl Site {
    /// The site that `config` describes.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            public_url: config.public_url.clone(),
            name: config.site_name.clone(),
            allowed_origins: config.allowed_origins.clone(),
            cookies: Arc::new(CookiePolicy::new(config)),
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests(allowed_origins: &[&str]) -> Self {
        let allowed_origins = allowed_origins.join(",");
        let config = Config::from_variables([("ALLOWED_ORIGINS", allowed_origins.as_str())]).unwrap();
        Self::new(&config)
    }

    /// Whether `origin` is this site's own or one of `ALLOWED_ORIGINS`.
    pub(crate) fn trusts(&self, origin: &str) -> bool {
        self.public_url.origin() == origin || self.allowed_origins.iter().any(|allowed| allowed == origin)
    }
}

impl FromRef<AppState> for Auth {
    fn from_ref(state: &AppState) -> Self {
        state.auth.clone()
    }
}

impl FromRef<AppState> for Arc<Site> {
    fn from_ref(state: &AppState) -> Self {
        Self::clone(&state.site)
    }
}

/// Gives each connection its service, which knows the peer's address.
pub type MakeService = IntoMakeServiceWithConnectInfo<NormalizePath<Router>, SocketAddr>;

/// Everything that is served, ready for [`axum::serve`](fn@axum::serve).
///
/// A trailing slash is cut before a route is chosen, so that no POST has to be redirected and sent again.
#[must_use]
pub fn service(state: AppState) -> MakeService {
    let service = NormalizePathLayer::trim_trailing_slash().layer(router(state));
    ServiceExt::<Request>::into_make_service_with_connect_info(service)
}

/// The OpenAPI document of the server that `config` describes.
#[must_use]
pub fn openapi(config: &Config) -> serde_json::Value {
    api::document(config.products, CookiePolicy::new(config).access_name())
}

fn router(state: AppState) -> Router {
    let cors = origin::cors(&state.site);
    let mut router = api::router(&state).merge(pages::router());
    router = router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    router = router.layer(CookieManagerLayer::new());
    if let Some(cors) = cors {
        router = router.layer(cors);
    }
    router
        .layer(middleware::from_fn_with_state(state.clone(), boundary::pass))
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::not_found()
}

/// The router adds `Allow`, which is also all that there is to say to a plain OPTIONS.
async fn method_not_allowed(method: Method) -> Response {
    if method == Method::OPTIONS {
        StatusCode::NO_CONTENT.into_response()
    } else {
        Problem::method_not_allowed().into_response()
    }
}
