//! `GET /api/audit`

use aide::axum::routing::{ApiMethodRouter, get_with};
use axum::{extract::State, http::Uri};

use super::{
    listing::{Listing, Paged, translate},
    openapi::{AUDIT, answers, for_admins, named},
    wire::{EventResponse, ListEventsQuery},
};
use crate::{
    auth::Auth,
    web::{AppState, caller::Caller, identity::SignedInUser, params::Query, problem::Problem},
};

pub(super) fn route() -> ApiMethodRouter<AppState> {
    get_with(list, |docs| {
        docs.with(named("listEvents", AUDIT, "The audit log"))
            .description("Newest first.")
            .with(for_admins)
            .with(answers::<200, Paged<EventResponse>>("A page of events."))
    })
}

async fn list(
    State(auth): State<Auth>,
    SignedInUser(identity): SignedInUser,
    uri: Uri,
    Caller(client): Caller,
    Query(query): Query<ListEventsQuery>,
) -> Result<Paged<EventResponse>, Problem> {
    let page = auth.list_events(&identity.into(), query.into(), &client).await?;
    Ok(Paged::of(translate(page), &uri))
}
