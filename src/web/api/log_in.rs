//! `POST /api/auth/login`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State, middleware::map_response};

use super::{
    at_token_endpoint,
    openapi::{SESSIONS, answers, for_anyone, named, refuses},
    wire::{LoginRequest, TokenResponse},
};
use crate::{
    auth::{self, Auth, LogIn},
    web::{AppState, caller::Caller, cookies::SessionCookies, payload::JsonOrForm, problem::Problem},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    let route = post_with(log_in, |docs| {
        docs.with(named("login", SESSIONS, "Sign in"))
            .description("Takes JSON or a form, as OAuth2's password flow sends it. The answer also sets both cookies.")
            .with(for_anyone)
            .with(answers::<200, Json<TokenResponse>>("Signed in."))
            .with(refuses(refusals()))
    });
    route.layer(map_response(at_token_endpoint))
}

fn refusals() -> impl Iterator<Item = Problem> {
    use auth::Error as E;
    [E::InvalidCredentials, E::InactiveUser, E::EmailNotVerified]
        .into_iter()
        .map(|error| Problem::from(error).at_token_endpoint())
}

async fn log_in(
    State(auth): State<Auth>,
    Caller(client): Caller,
    cookies: SessionCookies,
    JsonOrForm(request): JsonOrForm<LoginRequest>,
) -> Result<Json<TokenResponse>, Problem> {
    // Programs keep their tokens themselves, and mean to be remembered unless they say otherwise.
    let attempt = LogIn {
        identifier: identifier(request.username, request.email)?,
        password: request.password.0,
        remember: request.remember.unwrap_or(true),
    };
    let signed_in = auth.log_in(attempt, &client).await?;
    cookies.set(&signed_in);
    Ok(Json(TokenResponse::whole(&signed_in)))
}

/// The one that says something; OAuth2's clients know only `username`.
fn identifier(username: Option<String>, email: Option<String>) -> Result<String, auth::Error> {
    let given = [username, email].into_iter().flatten().find(|text| !text.is_empty());
    given
        .ok_or_else(|| auth::Error::invalid_field("username", "required", "A username or an email address is required"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn username_and_email_are_two_names_of_one_field() {
        let given = |text: &str| Some(text.to_owned());
        assert_eq!(identifier(given("ann"), None).unwrap(), "ann");
        assert_eq!(identifier(None, given("ann@example.com")).unwrap(), "ann@example.com");
        assert_eq!(identifier(given(""), given("ann")).unwrap(), "ann");
        assert!(identifier(None, given("")).is_err());
    }
}
