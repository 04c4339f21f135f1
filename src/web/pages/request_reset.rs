//! `/forgot-password`: a link is asked for.

use axum::{Router, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    components::Said,
    fields::{Field, FormView},
    flash::Echo,
    form::{Desk, Done, Form, PageForm, form_route},
    notice::Notice,
    shell::Head,
    visit::Visit,
};
use crate::web::{AppState, problem::Problem};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/forgot-password", get(page))
        .route(RequestReset::PATH, form_route())
}

async fn page(visit: Visit) -> Response {
    let head =
        Head::new("Forgot your password?").described("Have a link mailed to you that lets you choose a new password.");
    visit.show(head, || view! { <RequestResetPage/> })
}

/// Mails a link, if the address has an account; the answer is the same.
#[server(prefix = "/form", endpoint = "request_reset", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn request_reset(email: String) -> Result<Done, Problem> {
    let desk = Desk::open()?;
    desk.auth().request_reset(&email, &desk.client()).await?;
    let done = Done::to(RequestReset::PAGE).saying(Notice::ResetRequested);
    Ok(done.filling("email", email))
}

impl PageForm for RequestReset {
    const PAGE: &'static str = "/forgot-password";

    fn echo(&self) -> Echo {
        vec![("email".to_owned(), self.email.clone())]
    }
}

#[component]
fn RequestResetPage() -> impl IntoView {
    view! {
        <div class="card">
            <h1>"Forgot your password?"</h1>
            <Said/>
            <p>"Tell us the address of your account. We will send you a link with which you can choose a new password."</p>
            <FormView action=RequestReset::PATH>
                <Field name="email" label="Email address" kind="email" autocomplete="email" inputmode="email" required=true focus=true/>
                <button class="primary">"Send a link"</button>
            </FormView>
            <p class="aside last"><a href="/login">"Back to signing in"</a></p>
        </div>
    }
}
