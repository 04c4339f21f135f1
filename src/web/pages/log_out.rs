//! Signing out: a button on every page.

use axum::Router;
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    form::{Desk, Done, Form, PageForm, form_route},
    login_path,
    notice::Notice,
};
use crate::{
    auth::Credential,
    web::{AppState, cookies::is_over, problem::Problem},
};

pub(super) fn router() -> Router<AppState> {
    Router::new().route(LogOut::PATH, form_route())
}

/// Ends the session of the browser.
#[server(prefix = "/form", endpoint = "log_out", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn log_out() -> Result<Done, Problem> {
    let desk = Desk::open()?;
    let cookies = desk.cookies()?;
    let (refresh, access) = (cookies.refresh(), cookies.access());
    let credentials: Vec<_> = [
        refresh.as_deref().map(Credential::Refresh),
        access.as_deref().map(Credential::Access),
    ]
    .into_iter()
    .flatten()
    .collect();
    match desk.auth().log_out(&credentials, &desk.client()).await {
        // The session is over already, which is what was asked for.
        Err(error) if !is_over(&error) => return Err(error.into()),
        _ => cookies.clear(),
    }
    Ok(Done::to(login_path(None)).saying(Notice::LoggedOut))
}

impl PageForm for LogOut {
    const PAGE: &'static str = "/login";
}
