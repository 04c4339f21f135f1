//! `GET /health/live` and `/health/ready`

use aide::axum::routing::{ApiMethodRouter, get_with};
use axum::{Json, extract::State};

use super::{
    openapi::{SERVICES, answers, for_anyone, named},
    wire::HealthResponse,
};
use crate::{
    auth::Auth,
    web::{AppState, problem::Problem},
};

pub(super) fn live_route() -> ApiMethodRouter<AppState> {
    get_with(live, |docs| {
        docs.with(named("live", SERVICES, "Whether the process answers"))
            .with(for_anyone)
            .with(answers::<200, Json<HealthResponse>>("It does."))
    })
}

async fn live() -> Json<HealthResponse> {
    Json(HealthResponse { status: "ok" })
}

pub(super) fn ready_route() -> ApiMethodRouter<AppState> {
    get_with(ready, |docs| {
        docs.with(named("ready", SERVICES, "Whether the server can do its work"))
            .description("Asks the database.")
            .with(for_anyone)
            .with(answers::<200, Json<HealthResponse>>("It can."))
    })
}

async fn ready(State(auth): State<Auth>) -> Result<Json<HealthResponse>, Problem> {
    auth.ping().await?;
    Ok(Json(HealthResponse { status: "ok" }))
}
