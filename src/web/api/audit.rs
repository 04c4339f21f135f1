//! `GET /api/audit`

use aide::axum::routing::{ApiMethodRouter, get_with};
use axum::{extract::State, http::Uri};

use super::{
    openapi::{AUDIT, answers, for_admins, named},
    translate,
    wire::{EventResponse, ListEventsQuery, Listing, Paged},
};
use crate::{
    auth::{Auth, EventQuery},
    web::{AppState, identity::SignedInUser, params::Query, problem::Problem},
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
    Query(query): Query<ListEventsQuery>,
) -> Result<Paged<EventResponse>, Problem> {
    let ListEventsQuery {
        limit,
        cursor,
        user,
        event,
    } = query;
    let page = auth
        .list_events(
            &identity.into(),
            EventQuery {
                limit,
                cursor,
                user,
                event,
            },
        )
        .await?;
    Ok(Paged::of(translate(page), &uri))
}
