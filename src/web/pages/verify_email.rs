//! `/verify-email`: the holder of a mailed link proves that an address is theirs.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    components::Said,
    fields::{BadLink, ButtonAlert, FormView},
    finish_reset::{LinkState, TokenQuery, token_page},
    form::{Desk, Done, Form, PageForm, form_route},
    notice::Notice,
    resend_verification::ResendVerificationForm,
    shell::Head,
    visit::Visit,
};
use crate::{
    auth::Auth,
    web::{AppState, params::Query, problem::Problem},
};

/// With a link's token it verifies; without, it asks where to send another link.
pub(super) const PAGE: &str = "/verify-email";

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(PAGE, get(page))
        .route(VerifyEmail::PATH, form_route())
}

async fn page(
    visit: Visit,
    State(auth): State<Auth>,
    Query(TokenQuery { token }): Query<TokenQuery>,
) -> Result<Response, Problem> {
    let refusal = visit.refusal_of(VerifyEmail::PATH);
    let link = LinkState::of(&token, refusal, auth.check_verification_link(&token).await)?;
    let head = Head::new("Verify your email address").holding_token();
    Ok(visit.show(head, || view! { <VerifyEmailPage token link/> }))
}

/// Verifies the address. It is a form that does it: mail scanners follow links, and send no forms.
#[server(prefix = "/form", endpoint = "verify_email", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn verify_email(token: String) -> Result<Done, Problem> {
    let desk = Desk::open()?;
    desk.auth().verify_email(&token, &desk.client()).await?;
    Ok(Done::to("/").saying(Notice::EmailVerified))
}

impl PageForm for VerifyEmail {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        token_page(Self::PAGE, &self.token)
    }
}

#[component]
fn VerifyEmailPage(token: String, link: LinkState) -> impl IntoView {
    let form = match link {
        LinkState::Good => view! {
            <p>"One click, and we know that the address is yours."</p>
            <FormView action=VerifyEmail::PATH>
                <input type="hidden" name="token" value=token/>
                <button class="primary">"Verify address"</button>
            </FormView>
        }
        .into_any(),
        LinkState::Bad => view! { <BadLink actions=&[VerifyEmail::PATH]/><AnotherLink/> }.into_any(),
        LinkState::None => view! { <ButtonAlert actions=&[VerifyEmail::PATH]/><AnotherLink/> }.into_any(),
    };
    view! { <div class="card"><h1>"Verify your email address"</h1><Said/>{form}</div> }
}

#[component]
fn AnotherLink() -> impl IntoView {
    view! {
        <p>"Tell us the address, and we will send you a new link."</p>
        <ResendVerificationForm is_main=true/>
        <p class="aside last"><a href="/login">"Back to signing in"</a></p>
    }
}
