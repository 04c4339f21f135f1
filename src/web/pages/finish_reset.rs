//! `/reset-password`: the holder of a mailed link chooses a new password.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    components::Said,
    fields::{BadLink, ButtonAlert, FormView, NewPasswordField},
    form::{Desk, Done, Form, PageForm, form_route},
    notice::Notice,
    shell::Head,
    visit::Visit,
};
use crate::{
    auth::{self, Auth, PasswordLink},
    web::{
        AppState,
        params::Query,
        paths::{login_path, with_query},
        problem::Problem,
        secret::Secret,
    },
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/reset-password", get(page))
        .route(FinishReset::PATH, form_route())
}

/// `?token=`, of a mailed link. Looking at the page uses nothing up: mail scanners follow links too.
#[derive(Deserialize)]
pub(super) struct TokenQuery {
    #[serde(default)]
    pub(super) token: String,
}

async fn page(
    visit: Visit,
    State(state): State<AppState>,
    State(auth): State<Auth>,
    Query(TokenQuery { token }): Query<TokenQuery>,
) -> Result<Response, Problem> {
    let min_length = state.site.password_min_length;
    let refusal = visit.refusal_of(FinishReset::PATH);
    let checked = auth.check_reset_link(&token).await;
    let words = Words::of(checked.as_ref().ok());
    let link = LinkState::of(&token, refusal, checked.map(drop))?;
    let head = Head::new(words.title).holding_token();
    Ok(visit.show(head, || view! { <FinishResetPage token min_length link words/> }))
}

/// How the page calls what is done on it.
#[derive(Clone, Copy)]
struct Words {
    title: &'static str,
    label: &'static str,
    button: &'static str,
    /// What else comes of it.
    aside: Option<&'static str>,
}

impl Words {
    const fn of(link: Option<&PasswordLink>) -> Self {
        match link {
            Some(PasswordLink::Invitation) => Self {
                title: "Choose a password",
                label: "Password",
                button: "Set password",
                aside: None,
            },
            Some(PasswordLink::Reset) | None => Self {
                title: "Choose a new password",
                label: "New password",
                button: "Change password",
                aside: Some("All devices that are signed in to the account will be signed out."),
            },
        }
    }
}

/// Whether the link that leads to a page can be used there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LinkState {
    Good,
    Bad,
    /// Whoever came followed no link.
    None,
}

impl LinkState {
    /// What becomes of a page with this token, whose form was refused for `refusal` if it was sent, and whose link was found
    /// good or not.
    pub(super) fn of(token: &str, refusal: Option<&str>, checked: Result<(), auth::Error>) -> Result<Self, Problem> {
        match checked {
            _ if refusal == Some(auth::Error::LinkInvalid.code()) => Ok(Self::Bad),
            Ok(()) => Ok(Self::Good),
            Err(auth::Error::LinkInvalid) if token.is_empty() => Ok(Self::None),
            Err(auth::Error::LinkInvalid) => Ok(Self::Bad),
            Err(error) => Err(error.into()),
        }
    }
}

/// Sets the new password, and goes to sign in with it.
#[server(prefix = "/form", endpoint = "finish_reset", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn finish_reset(token: String, new_password: Secret) -> Result<Done, Problem> {
    let desk = Desk::open()?;
    let device = desk.auth().finish_reset(&token, new_password.0, &desk.client()).await?;
    desk.cookies()?.keep_device(device.as_ref());
    Ok(Done::to(login_path(None)).saying(Notice::PasswordReset))
}

impl PageForm for FinishReset {
    const PAGE: &'static str = "/reset-password";

    fn page(&self) -> String {
        token_page(Self::PAGE, &self.token)
    }
}

/// The page at `path` for the holder of `token`. What is far too long to be one does not come back in a header.
pub(super) fn token_page(path: &str, token: &str) -> String {
    const MAX_BYTES: usize = 256;
    let token = Some(token).filter(|token| token.len() <= MAX_BYTES);
    with_query(path, token.map(|token| ("token", token)))
}

#[component]
fn FinishResetPage(token: String, min_length: usize, link: LinkState, words: Words) -> impl IntoView {
    let Words {
        title,
        label,
        button,
        aside,
    } = words;
    let content = match link {
        LinkState::Good => view! {
            <FormView action=FinishReset::PATH>
                <input type="hidden" name="token" value=token/>
                <NewPasswordField name="new_password" label min_length focus=true/>
                <button class="primary">{button}</button>
            </FormView>
            {aside.map(|aside| view! { <p class="aside">{aside}</p> })}
        }
        .into_any(),
        LinkState::Bad => view! {
            <BadLink actions=&[FinishReset::PATH]/>
            <p><a class="button primary" href="/forgot-password">"Ask for a new link"</a></p>
        }
        .into_any(),
        LinkState::None => view! {
            <ButtonAlert actions=&[FinishReset::PATH]/>
            <p>"Open the link in your mail, or " <a href="/forgot-password">"ask for a new one"</a> "."</p>
        }
        .into_any(),
    };
    view! { <div class="card"><h1>{title}</h1><Said/>{content}</div> }
}
