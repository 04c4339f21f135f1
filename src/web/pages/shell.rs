//! The document around every page.

use leptos::prelude::*;

use super::assets;

/// The document around every page: its head, and one `main` that holds the page.
#[component]
pub(super) fn Shell(
    /// What the tab, the history and a screen reader call the page.
    title: String,
    /// The page.
    children: Children,
) -> impl IntoView {
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <title>{title}</title>
                <link rel="stylesheet" href=assets::style_path()/>
            </head>
            <body>
                <main>{children()}</main>
            </body>
        </html>
    }
}

/// Renders a page that waits for nothing.
pub(super) fn render<V: IntoView>(page: impl FnOnce() -> V) -> String {
    // Leptos keeps what a view makes in an owner, and drops it with that.
    let owner = Owner::new();
    let html = owner.with(|| page().into_view().to_html());
    owner.cleanup();
    html
}
