//! The outbox.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::DateTime;
use crate::{
    auth::{self, MessageState},
    clock::Timestamp,
    id::{MessageId, UserId},
};

/// A message in the outbox, without its words.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MessageResponse {
    #[schemars(with = "Uuid")]
    id: MessageId,
    /// What it is about.
    #[schemars(example = &"verify_email")]
    kind: String,
    #[schemars(with = "Option<Uuid>")]
    user_id: Option<UserId>,
    #[schemars(example = &"mira@example.com")]
    address: String,
    /// `waiting`, `sending`, `sent`, `failed` or `dropped`.
    #[schemars(with = "String", example = &"sent")]
    state: MessageState,
    #[schemars(example = 1)]
    attempts: i64,
    /// When it is tried next, or was last.
    #[schemars(with = "DateTime")]
    due_at: Timestamp,
    last_error: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "Option<DateTime>")]
    finished_at: Option<Timestamp>,
}

impl From<auth::Message> for MessageResponse {
    fn from(message: auth::Message) -> Self {
        Self {
            id: message.id,
            kind: message.kind,
            user_id: message.user_id,
            address: message.address,
            state: message.state,
            attempts: message.attempts,
            due_at: message.due_at,
            last_error: message.last_error,
            created_at: message.created_at,
            finished_at: message.finished_at,
        }
    }
}

/// Which messages.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ListMessagesQuery {
    /// How many at most: 1 to 200, 50 when not said.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Only those that are `waiting`, `sending`, `sent`, `failed` or `dropped`.
    state: Option<String>,
}

impl From<ListMessagesQuery> for auth::MessageQuery {
    fn from(query: ListMessagesQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
            state: query.state,
        }
    }
}
