//! `GET /.well-known/jwks.json`

use aide::axum::{
    IntoApiResponse,
    routing::{ApiMethodRouter, get_with},
};
use axum::{Json, extract::State, http::header};

use super::{
    openapi::{SERVICES, answers, for_anyone, named},
    wire::JwksResponse,
};
use crate::{auth::Auth, web::AppState};

/// A new key is published long before it signs, so that a copy this old always holds the key of a token just issued.
const CACHE: &str = "public, max-age=300";

pub(super) fn route() -> ApiMethodRouter<AppState> {
    get_with(jwks, |docs| {
        docs.with(named("jwks", SERVICES, "The keys that access tokens are signed with"))
            .description(
                "For services that verify access tokens themselves. They may keep the answer for five minutes.",
            )
            .with(for_anyone)
            .with(answers::<200, Json<JwksResponse>>("The public keys; none with HS256."))
    })
}

async fn jwks(State(auth): State<Auth>) -> impl IntoApiResponse {
    ([(header::CACHE_CONTROL, CACHE)], Json(JwksResponse::from(auth.jwks())))
}
