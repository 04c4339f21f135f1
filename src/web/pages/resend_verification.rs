//! Another link to verify an address with, asked for where the first one is missed.

use axum::Router;
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    fields::{Field, FormView},
    flash::Echo,
    form::{Desk, Done, Form, PageForm, form_route},
    notice::Notice,
};
use crate::web::{AppState, problem::Problem};

pub(super) fn router() -> Router<AppState> {
    Router::new().route(ResendVerification::PATH, form_route())
}

/// Mails another link, if the address waits for verification; the answer is the same.
#[server(prefix = "/form", endpoint = "resend_verification", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn resend_verification(email: String) -> Result<Done, Problem> {
    let desk = Desk::open()?;
    desk.auth().resend_verification(&email, &desk.client()).await?;
    Ok(Done::to("/").saying(Notice::VerificationResent))
}

impl PageForm for ResendVerification {
    const PAGE: &'static str = super::verify_email::PAGE;

    fn echo(&self) -> Echo {
        vec![("email".to_owned(), self.email.clone())]
    }
}

/// Asks for the address.
#[component]
pub(super) fn ResendVerificationForm(
    /// What it may be.
    #[prop(optional_no_strip)]
    email: Option<String>,
    /// Whether the page is there for nothing else.
    #[prop(optional)]
    is_main: bool,
) -> impl IntoView {
    let class = if is_main { "primary" } else { "quiet" };
    view! {
        <FormView action=ResendVerification::PATH>
            <Field name="email" label="Email address" kind="email" autocomplete="email" inputmode="email" required=true value=email/>
            <button class=class>"Send the link again"</button>
        </FormView>
    }
}

/// For an address that is known.
#[component]
pub(super) fn ResendVerificationButton(email: String) -> impl IntoView {
    view! {
        <form method="post" action=ResendVerification::PATH>
            <input type="hidden" name="email" value=email/>
            <button class="quiet">"Send the link again"</button>
        </form>
    }
}
