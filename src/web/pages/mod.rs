//! The pages: Leptos components, rendered on the server. Nothing here needs a script.
//!
//! Each page has a file of its verb, which holds its handler, its server functions and its view. A handler and a server
//! function each parse, call one operation, and translate what came of it. What they share: `visit`, what a page knows
//! of its request; `shell`, the document around it; `components` and `fields`; `form`, how forms are sent and answered;
//! `flash`, what crosses the redirect after a form; `list`, pages that show a part of many; `words`, what things with codes
//! are called; `next`, where a sign-in leads.

mod admin;
mod assets;
mod brand;
mod components;
mod errors;
mod fields;
mod finish_reset;
mod flash;
mod form;
mod list;
mod log_in;
mod log_out;
mod mailbox;
mod next;
mod notice;
mod products;
mod profile;
mod request_reset;
mod resend_verification;
mod shell;
mod sign_up;
mod verify_email;
mod visit;
mod words;

use axum::{Router, response::Redirect, routing::get};
use tower_http::compression::CompressionLayer;

pub use self::flash::FlashPolicy;
#[cfg(any(test, fuzzing))]
pub(super) use self::next::parse as next_page;
pub(super) use self::{assets::Assets, errors::render as render_problem};
use super::{AppState, Site, paths::login_path};

/// Where a sign-in leads when it was not on the way to anywhere.
const AFTER_LOG_IN: &str = "/profile";

/// Everything under this module, to be merged into the site's router.
pub(super) fn router(site: &Site) -> Router<AppState> {
    let mut router = Router::new()
        .route("/", get(home))
        .route("/.well-known/change-password", get(change_password))
        .merge(sign_up::router())
        .merge(log_in::router())
        .merge(log_out::router())
        .merge(request_reset::router())
        .merge(finish_reset::router())
        .merge(verify_email::router())
        .merge(resend_verification::router())
        .merge(profile::router())
        .merge(admin::router())
        .merge(mailbox::router());
    if site.products {
        router = router.merge(products::router());
    }
    router
        .merge(assets::router(&site.assets))
        .layer(CompressionLayer::new())
}

/// Leaves what there is to say for the page that it leads to.
async fn home(identity: visit::Identified) -> Redirect {
    let is_signed_in = identity.0.is_some();
    Redirect::to(if is_signed_in { AFTER_LOG_IN } else { "/login" })
}

/// Where password managers send people (W3C "A Well-Known URL for Changing Passwords"). By way of the log-in page the
/// fragment has to travel in `next`: a redirect to a page that redirects loses it.
async fn change_password(identity: visit::Identified) -> Redirect {
    const PASSWORD: &str = "/profile#password";
    if identity.0.is_some() {
        Redirect::to(PASSWORD)
    } else {
        Redirect::to(&login_path(Some(PASSWORD)))
    }
}
