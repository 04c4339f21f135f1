//! `/login`: a password becomes a session.

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    AFTER_LOG_IN,
    components::Said,
    fields::{Check, Field, FormView, PasswordField},
    flash::Echo,
    form::{Desk, Done, Form, PageForm, form_route},
    next,
    resend_verification::ResendVerificationForm,
    shell::Head,
    visit::Visit,
};
use crate::{
    auth,
    web::{
        AppState,
        params::Query,
        paths::{login_path, with_next},
        problem::Problem,
        secret::Secret,
    },
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/login", get(page))
        .route(LogIn::PATH, form_route())
}

/// `?next=`.
#[derive(Deserialize)]
pub(super) struct NextQuery {
    #[serde(default)]
    pub(super) next: String,
}

async fn page(visit: Visit, State(state): State<AppState>, Query(query): Query<NextQuery>) -> Response {
    let next = next::parse(&state.site, &query.next);
    if visit.identity.is_some() {
        return Redirect::to(next.as_deref().unwrap_or(AFTER_LOG_IN)).into_response();
    }
    let refusal = visit.refusal_of(LogIn::PATH).map(str::to_owned);
    let typed = visit
        .typed("username")
        .filter(|name| !name.is_empty())
        .map(str::to_owned);
    let is_open = state.site.allow_signup;
    let head = Head::new("Sign in").described("Sign in to your account.");
    visit.show(head, || view! { <LogInPage next refusal typed is_open/> })
}

/// Signs in, and goes where the visitor was going.
#[server(prefix = "/form", endpoint = "log_in", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn log_in(
    username: String,
    password: Secret,
    #[server(default)] remember: bool,
    #[server(default)] next: String,
) -> Result<Done, Problem> {
    let desk = Desk::open()?;
    let cookies = desk.cookies()?;
    let attempt = auth::LogIn {
        identifier: username,
        password: password.0,
        remember,
        replaces: cookies.refresh_token(),
    };
    let signed_in = desk.auth().log_in(attempt, &desk.client()).await?;
    cookies.set(&signed_in);
    Ok(Done::to(desk.next(&next)))
}

impl PageForm for LogIn {
    const PAGE: &'static str = "/login";

    fn page(&self) -> String {
        login_path(Some(&self.next))
    }

    fn echo(&self) -> Echo {
        let mut echo = vec![("username".to_owned(), self.username.clone())];
        echo.extend(self.remember.then(|| ("remember".to_owned(), "true".to_owned())));
        echo
    }
}

#[component]
fn LogInPage(
    next: Option<String>,
    refusal: Option<String>,
    /// What the first field is filled with.
    typed: Option<String>,
    is_open: bool,
) -> impl IntoView {
    let sign_up = with_next("/signup", next.as_deref());
    let unverified = refusal.as_deref() == Some(auth::Error::EmailNotVerified.code());
    let is_known = typed.is_some();
    let email = typed.filter(|name| name.contains('@'));
    view! {
        <div class="card">
            <h1>"Sign in"</h1>
            <Said/>
            <FormView action=LogIn::PATH>
                <Field name="username" label="Username or email address" autocomplete="username" required=true focus=!is_known/>
                <PasswordField name="password" label="Password" focus=is_known/>
                <Check name="remember" label="Remember me on this device"/>
                <input type="hidden" name="next" value=next/>
                <button class="primary">"Sign in"</button>
            </FormView>
            {unverified.then(|| view! { <ResendVerificationForm email/> })}
            <p class="aside"><a href="/forgot-password">"Forgot your password?"</a></p>
            {is_open.then(|| view! { <p class="aside last">"New here? " <a href=sign_up>"Create an account"</a></p> })}
        </div>
    }
}
