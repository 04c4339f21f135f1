//! The pages: Leptos components, rendered on the server. Nothing here needs a script.

/// What the pages load besides themselves, served from the binary.
mod assets;
/// `/dev/mail`: the built-in mailbox.
mod mailbox;
/// The document around every page.
#[expect(
    unreachable_pub,
    reason = "the component macro makes the builder of a shared component's properties `pub`"
)]
mod shell;

use axum::Router;

use super::AppState;

/// Everything under this module, to be merged into the site's router.
pub fn router() -> Router<AppState> {
    Router::new().merge(assets::router()).merge(mailbox::router())
}
