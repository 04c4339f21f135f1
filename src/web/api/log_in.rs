//! `POST /api/auth/login`

use aide::axum::routing::{ApiMethodRouter, post_with};
use axum::{Json, extract::State, middleware::map_response};

use super::{
    at_token_endpoint,
    openapi::{SESSIONS, answers, for_anyone, limited, named, refuses},
    wire::{LoginRequest, TokenResponse},
};
use crate::{
    auth::{self, Auth, LogIn},
    password::Password,
    web::{AppState, caller::Caller, cookies::SessionCookies, payload::JsonOrForm, problem::Problem, secret::Secret},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    let route = post_with(log_in, |docs| {
        docs.with(named("login", SESSIONS, "Sign in"))
            .description("Takes JSON or a form, as OAuth2's password flow sends it. The answer also sets the cookies: both tokens', and one by which the device is known when it signs in again.")
            .with(for_anyone)
            .with(limited)
            .with(answers::<200, Json<TokenResponse>>("Signed in."))
            .with(refuses(refusals()))
    });
    route.layer(map_response(at_token_endpoint))
}

fn refusals() -> impl Iterator<Item = Problem> {
    use auth::Error as E;
    let refused = [E::InvalidCredentials, E::InactiveUser, E::EmailNotVerified];
    let problems = refused.into_iter().map(Problem::from);
    problems
        .chain([unsupported_grant_type()])
        .map(Problem::at_token_endpoint)
}

async fn log_in(
    State(auth): State<Auth>,
    Caller(client): Caller,
    cookies: SessionCookies,
    JsonOrForm(request): JsonOrForm<LoginRequest>,
) -> Result<Json<TokenResponse>, Problem> {
    let attempt = LogIn {
        replaces: cookies.refresh_token(),
        ..attempt(request)?
    };
    let signed_in = auth.log_in(attempt, &client).await?;
    cookies.set(&signed_in);
    Ok(Json(TokenResponse::whole(&signed_in)))
}

fn attempt(request: LoginRequest) -> Result<LogIn, Problem> {
    // Asked first: a request for another grant has other fields. One without a value counts as left out (RFC 6749,
    // section 3.2).
    if request
        .grant_type
        .is_some_and(|grant| !matches!(grant.as_str(), "" | "password"))
    {
        return Err(unsupported_grant_type());
    }
    // The one that says something; OAuth2's clients know only `username`. One that is missing is as good as a blank one.
    let mut identifiers = [request.username, request.email].into_iter().flatten();
    let identifier = identifiers.find(|text| !text.is_empty());
    let password = request.password.map(|Secret(password)| password);
    Ok(LogIn {
        identifier: identifier.unwrap_or_default(),
        password: password.unwrap_or_else(|| Password::from(String::new())),
        // Programs keep their tokens themselves, and mean to be remembered unless they say otherwise.
        remember: request.remember.unwrap_or(true),
        replaces: None,
    })
}

fn unsupported_grant_type() -> Problem {
    let detail = "Only the grant type password is supported here";
    Problem::malformed("unsupported_grant_type", detail)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn identifier(body: Value) -> String {
        attempt(serde_json::from_value(body).unwrap()).unwrap().identifier
    }

    fn refusal(body: Value) -> Value {
        let problem = attempt(serde_json::from_value(body).unwrap()).unwrap_err();
        json!(problem.at_token_endpoint().document(None))
    }

    #[test]
    fn username_and_email_are_two_names_of_one_field() {
        assert_eq!(identifier(json!({"password": "x", "username": "mira"})), "mira");
        let by_email = json!({"password": "x", "email": "mira@example.com", "grant_type": "password"});
        assert_eq!(identifier(by_email), "mira@example.com");
        let blank = json!({"password": "x", "username": "", "email": "mira", "grant_type": ""});
        assert_eq!(identifier(blank), "mira");
    }

    #[test]
    fn another_grant_is_refused_by_its_name_in_rfc_6749() {
        let problem = refusal(json!({"grant_type": "refresh_token", "refresh_token": "x"}));
        assert_eq!(
            (&problem["status"], &problem["error"]),
            (&json!(400), &json!("unsupported_grant_type"))
        );
    }
}
