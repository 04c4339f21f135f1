//! A visit: what a page knows about the request that it answers.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::request::Parts,
    response::{IntoResponse, Redirect, Response},
};
use leptos::prelude::IntoView;

use super::{
    flash::{Flash, Left, Refused},
    shell::{Head, respond},
};
use crate::{
    auth::{Actor, Identity},
    web::{
        AppState, Site, accepts_html,
        cookies::is_over,
        identity::{SignedInUser, optional_identity},
        paths::login_path,
        problem::Problem,
    },
};

/// Somebody looks at a page, signed in or not.
pub(super) struct Visit {
    pub(super) site: Arc<Site>,
    pub(super) identity: Option<Identity>,
    /// Whether whoever asks wants a page, also where the answer is a refusal.
    pub(super) wants_page: bool,
    path: String,
    left: Left,
}

impl Visit {
    fn new(parts: &Parts, state: &AppState, identity: Option<Identity>) -> Self {
        Self {
            site: Arc::clone(&state.site),
            identity,
            wants_page: accepts_html(&parts.headers),
            path: parts.uri.path().to_owned(),
            left: state.flash.find(parts),
        }
    }

    /// The path of the page.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The code by which the form with this server function was just refused.
    pub(super) fn refusal_of(&self, form: &str) -> Option<&str> {
        match self.left.flash() {
            Some(Flash::Refused(refused)) if refused.form == form => Some(&refused.code),
            _ => None,
        }
    }

    /// What a field is filled with: what was typed into it before the form was refused, or into another that was not.
    pub(super) fn typed(&self, field: &str) -> Option<&str> {
        let (Flash::Refused(Refused { echo, .. }) | Flash::Done { echo, .. }) = self.left.flash()?;
        let typed = echo.iter().find(|(name, _)| name == field);
        typed.map(|(_, text)| text.as_str())
    }

    /// Answers with a page.
    pub(super) fn show<V: IntoView>(&self, head: Head, page: impl FnOnce() -> V) -> Response {
        respond(self, self.left.take(), head, page)
    }
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let identity = optional_identity(parts, state).await?;
        Ok(Self::new(parts, state, identity))
    }
}

/// Who is signed in, if anybody, where no page is shown.
pub(super) struct Identified(pub(super) Option<Identity>);

impl FromRequestParts<AppState> for Identified {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        Ok(Self(optional_identity(parts, state).await?))
    }
}

/// Somebody who is signed in looks at a page. Who is not is sent to sign in, and comes back.
pub(super) struct SignedInVisit {
    pub(super) visit: Visit,
    pub(super) identity: Identity,
}

impl SignedInVisit {
    /// On whose behalf operations of admins run, which ask themselves whether it is an admin.
    pub(super) fn actor(&self) -> Actor {
        Actor::User(self.identity.clone())
    }
}

impl FromRequestParts<AppState> for SignedInVisit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Response> {
        match SignedInUser::identify(parts, state).await {
            Ok(identity) => Ok(Self {
                visit: Visit::new(parts, state, Some(identity.clone())),
                identity,
            }),
            Err(error) if is_over(&error) => {
                let wanted = parts.uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str);
                Err(Redirect::to(&login_path(wanted)).into_response())
            }
            Err(error) => Err(Problem::from(error).into_response()),
        }
    }
}
