//! The pages: Leptos components, rendered on the server. Nothing here needs a script.

mod assets;
mod mailbox;
#[expect(
    unreachable_pub,
    reason = "the component macro makes the builder of a shared component's properties `pub`"
)]
mod shell;

use axum::Router;

use super::AppState;

/// Everything under this module, to be merged into the site's router.
pub(super) fn router() -> Router<AppState> {
    Router::new().merge(assets::router()).merge(mailbox::router())
}
