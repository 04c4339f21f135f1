//! HTTP: what the JSON API and the pages share, and the router made of both.

mod api;
mod boundary;
mod caller;
mod cookies;
mod forwarded;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod headers;
mod identity;
mod metrics;
mod origin;
#[expect(
    unreachable_pub,
    reason = "the component macro makes the builder of a shared component's properties `pub`"
)]
mod pages;
mod params;
mod paths;
mod payload;
pub mod problem;
mod secret;

use std::{
    net::SocketAddr,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use axum::{
    Router, ServiceExt,
    body::Bytes,
    extract::{FromRef, Request, connect_info::IntoMakeServiceWithConnectInfo},
    http::{HeaderMap, Method, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
};
use tower::{Layer, util::MapRequestLayer};
use tower_cookies::CookieManagerLayer;
use tower_http::normalize_path::{NormalizePath, NormalizePathLayer};

pub(crate) use self::cookies::session_cookie;
use self::{
    api::csp_report::ToldViolations,
    boundary::Boundary,
    caller::Proxies,
    cookies::CookiePolicy,
    origin::{OtherName, Strangers},
    pages::Assets,
    problem::Problem,
};
pub use self::{metrics::metrics_service, pages::FlashPolicy};
use crate::{
    auth::Auth,
    config::{Config, PublicUrl},
    mail::Mailbox,
    metrics::Requests,
    products::Products,
};

/// What the handlers work with. The router clones it several times per request, so that it is one counter to raise.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rooms: Rooms,
    document: OnceLock<Bytes>,
}

impl AppState {
    /// The state of a server of these rooms.
    #[must_use]
    pub fn new(rooms: Rooms) -> Self {
        let document = OnceLock::new();
        Self(Arc::new(Shared { rooms, document }))
    }

    /// The OpenAPI document as it is served: made when first asked for.
    fn document(&self) -> Bytes {
        let make = || api::document(self.site.products, self.site.cookies.access_name());
        let document = self.0.document.get_or_init(|| make().to_string().into());
        document.clone()
    }
}

impl Deref for AppState {
    type Target = Rooms;

    fn deref(&self) -> &Rooms {
        &self.0.rooms
    }
}

/// What there is to work with.
#[derive(Debug)]
pub struct Rooms {
    /// The operations.
    pub auth: Auth,
    /// The worked example. With `PRODUCTS` off no route leads to it.
    pub products: Products,
    /// The built-in mailbox; none where mail is really sent.
    pub mailbox: Option<Mailbox>,
    /// What the configuration says about this site.
    pub site: Arc<Site>,
    /// How a page says what came of a form.
    pub flash: FlashPolicy,
}

/// What the configuration says about the site as browsers see it.
#[derive(Clone, Debug)]
pub struct Site {
    pub(crate) public_url: PublicUrl,
    pub(crate) name: String,
    pub(crate) allowed_origins: Vec<String>,
    pub(crate) strangers: Arc<Strangers>,
    pub(crate) other_name: Arc<OtherName>,
    pub(crate) violations: Arc<ToldViolations>,
    pub(crate) cookies: Arc<CookiePolicy>,
    pub(crate) proxies: Arc<Proxies>,
    pub(crate) assets: Assets,
    pub(crate) products: bool,
    pub(crate) allow_signup: bool,
    pub(crate) private_signup: bool,
    pub(crate) password_min_length: usize,
}

impl Site {
    /// The site that `config` describes.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            public_url: config.public_url.clone(),
            name: config.site_name.clone(),
            allowed_origins: config.allowed_origins.clone(),
            strangers: Arc::default(),
            other_name: Arc::default(),
            violations: Arc::default(),
            cookies: Arc::new(CookiePolicy::new(config)),
            proxies: Arc::new(Proxies::new(config.trusted_proxies.clone())),
            assets: Assets::new(config),
            products: config.products,
            allow_signup: config.allow_signup,
            private_signup: config.private_signup,
            password_min_length: config.password_min_length,
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

impl FromRef<AppState> for Products {
    fn from_ref(state: &AppState) -> Self {
        state.products.clone()
    }
}

/// Gives each connection its service, which knows the peer's address.
pub type MakeService = IntoMakeServiceWithConnectInfo<NormalizePath<Router>, SocketAddr>;

/// Everything that is served, ready for each connection's peer.
///
/// A trailing slash is cut before a route is chosen, so that no POST has to be redirected and sent again.
#[must_use]
pub fn service(routes: Routes, state: AppState) -> MakeService {
    let service = NormalizePathLayer::trim_trailing_slash().layer(routes.0.with_state(state));
    ServiceExt::<Request>::into_make_service_with_connect_info(service)
}

/// Every route, before there is anything to serve.
#[derive(Debug)]
pub struct Routes(Router<AppState>);

impl Routes {
    /// The routes of `site`, whose answers are counted in `requests` if anybody watches. Takes tens of milliseconds, since
    /// each says all of itself that the OpenAPI document tells.
    #[must_use]
    pub fn new(site: &Arc<Site>, requests: Option<Arc<Requests>>) -> Self {
        let cors = origin::cors(site);
        let boundary = Boundary {
            site: Arc::clone(site),
            requests,
        };
        let boundary = middleware::from_fn_with_state(boundary, boundary::pass);
        let mut router = api::router(site.products).merge(pages::router(site));
        router = router
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed);
        router = router.layer(CookieManagerLayer::new());
        // Outside of it, and so before it.
        router = router.layer(MapRequestLayer::new(cookies::without_disguises));
        if let Some(cors) = cors {
            router = router.layer(cors);
        }
        Self(router.layer(boundary))
    }
}

/// The OpenAPI document of the server that `config` describes.
#[must_use]
pub fn openapi(config: &Config) -> serde_json::Value {
    api::document(config.products, CookiePolicy::new(config).access_name())
}

/// Whether whoever asks wants a page: a browser on its way to one, or sending a form. Programs ask for anything, or for
/// JSON.
fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    values.filter_map(|value| value.to_str().ok()).any(|value| {
        let kinds = value.split(',').map(|kind| kind.split(';').next().unwrap_or_default());
        kinds
            .into_iter()
            .any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
    })
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
