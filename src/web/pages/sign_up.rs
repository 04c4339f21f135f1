//! `/signup`: a stranger makes an account.

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
    fields::{Field, FormView, NewPasswordField},
    flash::Echo,
    form::{Desk, Done, Form, PageForm, form_route},
    log_in::NextQuery,
    next,
    notice::Notice,
    shell::Head,
    visit::Visit,
};
use crate::{
    auth::{self, SignedUp},
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
        .route("/signup", get(page))
        .route(SignUp::PATH, form_route())
}

async fn page(visit: Visit, State(state): State<AppState>, Query(query): Query<NextQuery>) -> Response {
    let next = next::parse(&state.site, &query.next);
    if visit.identity.is_some() {
        return Redirect::to(next.as_deref().unwrap_or(AFTER_LOG_IN)).into_response();
    }
    if !state.site.allow_signup {
        return Problem::from(auth::Error::SignUpClosed).into_response();
    }
    let min_length = state.site.password_min_length;
    // Under PRIVATE_SIGNUP a username is chosen later, signed in: at sign-up it would tell who has an account.
    let with_username = !state.site.private_signup;
    let head = Head::new("Create an account").described("Create an account.");
    visit.show(head, || view! { <SignUpPage next min_length with_username/> })
}

/// Makes an account, and goes to sign in.
#[server(prefix = "/form", endpoint = "sign_up", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn sign_up(
    email: String,
    password: Secret,
    #[server(default)] username: Option<String>,
    #[server(default)] name: Option<String>,
    #[server(default)] next: String,
) -> Result<Done, Problem> {
    let desk = Desk::open()?;
    let typed = email.clone();
    let wish = auth::SignUp {
        email,
        username,
        name,
        password: password.0,
    };
    let notice = match desk.auth().sign_up(wish, &desk.client()).await? {
        SignedUp::Created(_) => Notice::SignedUp,
        SignedUp::Private => Notice::SignedUpPrivately,
    };
    Ok(Done::to(login_path(Some(&next)))
        .saying(notice)
        .filling("username", typed))
}

impl PageForm for SignUp {
    const PAGE: &'static str = "/signup";
    const BLAMED: &'static [(&'static str, &'static str)] = &[("email_taken", "email"), ("username_taken", "username")];

    fn page(&self) -> String {
        with_next(Self::PAGE, Some(&self.next))
    }

    fn echo(&self) -> Echo {
        let texts = [
            ("email", Some(&self.email)),
            ("username", self.username.as_ref()),
            ("name", self.name.as_ref()),
        ];
        let typed = texts.into_iter().filter_map(|(field, text)| Some((field, text?)));
        typed.map(|(field, text)| (field.to_owned(), text.clone())).collect()
    }
}

#[component]
fn SignUpPage(next: Option<String>, min_length: usize, with_username: bool) -> impl IntoView {
    let log_in = login_path(next.as_deref());
    view! {
        <div class="card">
            <h1>"Create an account"</h1>
            <Said/>
            <FormView action=SignUp::PATH>
                <Field name="email" label="Email address" kind="email" autocomplete="email" inputmode="email" required=true focus=true/>
                {with_username.then(|| {
                    view! {
                        <Field
                            name="username"
                            label="Username (optional)"
                            autocomplete="username"
                            hint="Letters, digits, underscores, dots and hyphens."
                        />
                    }
                })}
                <Field name="name" label="Name (optional)" autocomplete="name" prose=true/>
                <NewPasswordField name="password" label="Password" min_length/>
                <input type="hidden" name="next" value=next/>
                <button class="primary">"Create account"</button>
            </FormView>
            <p class="aside last">"Already here? " <a href=log_in>"Sign in"</a></p>
        </div>
    }
}
