//! What happened.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{DateTime, USER_AGENT};
use crate::{
    auth,
    clock::Timestamp,
    id::{EventId, SessionId, UserId},
};

/// An entry of the audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct EventResponse {
    #[schemars(with = "Uuid")]
    id: EventId,
    #[schemars(with = "DateTime")]
    at: Timestamp,
    /// What happened.
    #[schemars(example = &"log_in")]
    event: String,
    /// `success`, or the code of the refusal.
    #[schemars(example = &"success")]
    outcome: String,
    /// Whose account it was about.
    #[schemars(with = "Option<Uuid>")]
    user_id: Option<UserId>,
    /// Who did it, when somebody was signed in.
    #[schemars(with = "Option<Uuid>")]
    actor_id: Option<UserId>,
    #[schemars(with = "Option<Uuid>")]
    session_id: Option<SessionId>,
    #[schemars(example = &"203.0.113.7")]
    client_address: Option<String>,
    #[schemars(example = USER_AGENT)]
    user_agent: Option<String>,
    detail: Option<String>,
}

impl From<auth::Event> for EventResponse {
    fn from(event: auth::Event) -> Self {
        Self {
            id: event.id,
            at: event.at,
            event: event.event,
            outcome: event.outcome,
            user_id: event.user_id,
            actor_id: event.actor_id,
            session_id: event.session_id,
            client_address: event.client_address,
            user_agent: event.user_agent,
            detail: event.detail,
        }
    }
}

impl From<auth::ListedEvent> for EventResponse {
    fn from(listed: auth::ListedEvent) -> Self {
        listed.event.into()
    }
}

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ListEventsQuery {
    /// How many at most: 1 to 200, 50 when not said.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those about this user, named by an id, an address or a username.
    user: Option<String>,
    /// Only those of this name.
    event: Option<String>,
}

impl From<ListEventsQuery> for auth::EventQuery {
    fn from(query: ListEventsQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
            user: query.user,
            event: query.event,
        }
    }
}
