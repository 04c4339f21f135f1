//! Signing out: a button on every page.

use axum::Router;
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    form::{Desk, Done, Form, PageForm, form_route},
    notice::Notice,
};
use crate::web::{AppState, paths::login_path, problem::Problem};

pub(super) fn router() -> Router<AppState> {
    Router::new().route(LogOut::PATH, form_route())
}

/// Ends the session of the browser.
#[server(prefix = "/form", endpoint = "log_out", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn log_out() -> Result<Done, Problem> {
    let desk = Desk::open()?;
    let cookies = desk.cookies()?;
    let held = cookies.held();
    let ended = desk.auth().log_out(&held.credentials(), &desk.client()).await;
    ended.inspect_err(|error| cookies.clear_if_over(error))?;
    cookies.clear();
    Ok(signed_out())
}

fn signed_out() -> Done {
    Done::to(login_path(None)).saying(Notice::LoggedOut)
}

impl PageForm for LogOut {
    const PAGE: &'static str = "/login";

    /// The session is over already, which is what was asked for.
    fn without_session(_: &str) -> Done {
        signed_out()
    }
}
