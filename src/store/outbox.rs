//! The outbox: what is to be said by mail, to whom, and how far that got.

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use sqlx::FromRow;
use uuid::Uuid;

use super::{EXPORT_LIMIT, Error, Store, Tx};
use crate::{
    clock::Timestamp,
    id::{MessageId, UserId},
};

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageState {
    /// To be sent when due.
    Waiting,
    /// Claimed by a worker.
    Sending,
    /// Handed to the mail server.
    Sent,
    /// Given up.
    Failed,
    /// No longer of use when it was due.
    Dropped,
}

impl MessageState {
    /// Every state, in the order in which a message may pass through them.
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Sending, Self::Sent, Self::Failed, Self::Dropped];

    /// Whether there is nothing more to be done with a message in this state.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Dropped)
    }

    /// The name by which the database and the API know it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for MessageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for MessageState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Not the name of a [`MessageState`].
#[derive(Debug, thiserror::Error)]
#[error("unknown state of a message")]
pub struct UnknownState;

impl FromStr for MessageState {
    type Err = UnknownState;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == name)
            .ok_or(UnknownState)
    }
}

/// A message in the outbox.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// What it says.
    pub kind: String,
    /// The user it is about; none when there is no such account, or no longer.
    pub user_id: Option<UserId>,
    /// Where it goes; empty when it goes nowhere, or was [erased](Tx::erase_messages_of).
    pub address: String,
    /// What it takes to write it, as JSON. Never a secret.
    pub parameters: String,
    /// How far it got.
    pub state: MessageState,
    /// When it may next be taken; while it is being sent, when the claim on it runs out.
    pub due_at: Timestamp,
    /// How often it was taken, this time included.
    pub attempts: i64,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was sent, given up or dropped.
    pub finished_at: Option<Timestamp>,
}

/// Without the address, and without what is said.
impl fmt::Debug for MessageRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageRow")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("state", &self.state)
            .field("due_at", &self.due_at)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}

/// Which messages to list.
#[derive(Clone, Debug, Default)]
pub struct MessageFilter {
    /// Those in this state.
    pub state: Option<MessageState>,
    /// Those before this one: the last of the page before.
    pub before: Option<MessageId>,
    /// At most so many.
    pub limit: i64,
}

macro_rules! message_columns {
    () => {
        "id, kind, user_id, address, parameters, state, due_at, attempts, last_error, created_at, finished_at"
    };
}
macro_rules! select_messages {
    ($rest:literal) => {
        concat!("SELECT ", message_columns!(), " FROM outbox WHERE ", $rest)
    };
}

const FIND: &str = select_messages!("id = $1");
pub(super) const LIST: &str = select_messages!("id < $1 ORDER BY id DESC LIMIT $2");
pub(super) const LIST_BY_STATE: &str = select_messages!("id < $1 AND state = $3 ORDER BY id DESC LIMIT $2");
pub(super) const LIST_BY_USER: &str = select_messages!("user_id = $1 ORDER BY id DESC LIMIT $2");

pub(super) const COUNT_BY_STATE: &str = "SELECT state, COUNT(*) FROM outbox GROUP BY state";

pub(super) const DROP: &str = "UPDATE outbox SET state = 'dropped', last_error = $3, finished_at = $4 \
                               WHERE user_id = $1 AND kind = $2 AND finished_at IS NULL";

/// What a mail server said may quote the address too, and the parameters name a network and a device. What is being sent
/// is dropped as well: the worker that has it in hand writes nothing more into a row that is finished.
pub(super) const ERASE_ALL: &str = "UPDATE outbox SET address = '', parameters = '{}', \
                                    last_error = CASE WHEN finished_at IS NULL THEN $2 ELSE NULL END, \
                                    state = CASE WHEN finished_at IS NULL THEN 'dropped' ELSE state END, \
                                    finished_at = COALESCE(finished_at, $3) WHERE user_id = $1";

/// The outer condition spares a message that is sent again while this waited for it.
pub(super) const DELETE_FINISHED: &str = "DELETE FROM outbox WHERE finished_at < $1 AND id IN \
                                          (SELECT id FROM outbox WHERE finished_at < $1 ORDER BY finished_at LIMIT $2)";

pub(super) const BRING_FORWARD: &str = "UPDATE outbox SET due_at = $1 WHERE finished_at IS NULL AND due_at > $2";

/// Claims the message that has been due for longest. A claim that ran out is a message that is due again: whoever held
/// it is dead or late.
macro_rules! claim_message {
    ($lock:literal) => {
        concat!(
            "UPDATE outbox SET state = 'sending', due_at = $2, attempts = attempts + 1 WHERE id = (SELECT id FROM outbox \
             WHERE finished_at IS NULL AND due_at <= $1 ORDER BY due_at LIMIT 1",
            $lock,
            ") RETURNING ",
            message_columns!()
        )
    };
}
pub(super) use {claim_message, message_columns};

impl Store {
    /// The message with this id.
    pub async fn find_message(&self, message: MessageId) -> Result<Option<MessageRow>, Error> {
        self.read_one(sqlx::query(FIND).bind(message)).await
    }

    /// A page of messages, newest first.
    pub async fn list_messages(&self, filter: &MessageFilter) -> Result<Vec<MessageRow>, Error> {
        let before = filter.before.unwrap_or(MessageId::from(Uuid::max()));
        let query = match filter.state {
            Some(state) => sqlx::query(LIST_BY_STATE).bind(before).bind(filter.limit).bind(state),
            None => sqlx::query(LIST).bind(before).bind(filter.limit),
        };
        self.read_all(query).await
    }

    /// How many messages there are in each state; not those in which there are none.
    pub async fn count_messages(&self) -> Result<Vec<(MessageState, i64)>, Error> {
        self.read_all(sqlx::query(COUNT_BY_STATE)).await
    }

    /// The messages to a user, newest first, at most [`EXPORT_LIMIT`].
    pub async fn list_messages_of(&self, user: UserId) -> Result<Vec<MessageRow>, Error> {
        self.read_all(sqlx::query(LIST_BY_USER).bind(user).bind(EXPORT_LIMIT))
            .await
    }
}

impl Tx {
    /// Adds a message.
    pub async fn insert_message(&mut self, message: &MessageRow) -> Result<(), Error> {
        self.execute(
            sqlx::query(
                "INSERT INTO outbox (id, kind, user_id, address, parameters, state, due_at, attempts, last_error, \
                 created_at, finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(message.id)
            .bind(message.kind.as_str())
            .bind(message.user_id)
            .bind(message.address.as_str())
            .bind(message.parameters.as_str())
            .bind(message.state)
            .bind(message.due_at)
            .bind(message.attempts)
            .bind(message.last_error.as_deref())
            .bind(message.created_at)
            .bind(message.finished_at),
        )
        .await
        .map(drop)
    }

    /// Takes the message that has been due for longest, for this worker alone until the time `until`.
    pub async fn claim_message(&mut self, now: Timestamp, until: Timestamp) -> Result<Option<MessageRow>, Error> {
        let statement = self.engine.claim_message();
        self.read_one(sqlx::query(statement).bind(now).bind(until)).await
    }

    /// Ends a claimed message as sent, failed or dropped; false when it is claimed no longer.
    pub async fn finish_message(
        &mut self,
        message: MessageId,
        state: MessageState,
        error: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.changes(
            sqlx::query(
                "UPDATE outbox SET state = $2, last_error = $3, finished_at = $4 WHERE id = $1 AND state = 'sending'",
            )
            .bind(message)
            .bind(state)
            .bind(error)
            .bind(now),
        )
        .await
    }

    /// Writes a message as it is, which takes as long as any other change of it.
    pub async fn rewrite_message(&mut self, message: MessageId) -> Result<(), Error> {
        self.execute(sqlx::query("UPDATE outbox SET attempts = attempts WHERE id = $1").bind(message))
            .await
            .map(drop)
    }

    /// Whether the message is still being sent, rather than dropped since it was claimed.
    pub async fn is_claimed(&mut self, message: MessageId) -> Result<bool, Error> {
        let query = sqlx::query("SELECT id FROM outbox WHERE id = $1 AND state = 'sending'");
        Ok(self.row(query.bind(message)).await?.is_some())
    }

    /// Drops what is still to be sent of one kind to a user, even if a worker has it in hand, and says how many.
    pub async fn drop_messages(
        &mut self,
        user: UserId,
        kind: &str,
        reason: &str,
        now: Timestamp,
    ) -> Result<u64, Error> {
        self.execute(sqlx::query(DROP).bind(user).bind(kind).bind(reason).bind(now))
            .await
    }

    /// Takes all that is personal out of the messages to a user, drops those that are still to be sent, even if a worker
    /// has them in hand, and says how many there were. That they were, when, and what became of them stays.
    pub async fn erase_messages_of(&mut self, user: UserId, reason: &str, now: Timestamp) -> Result<u64, Error> {
        self.execute(sqlx::query(ERASE_ALL).bind(user).bind(reason).bind(now))
            .await
    }

    /// Takes all that is personal out of a message, in whatever state it is.
    pub async fn erase_message(&mut self, message: MessageId) -> Result<bool, Error> {
        let erase = "UPDATE outbox SET address = '', parameters = '{}' WHERE id = $1";
        self.changes(sqlx::query(erase).bind(message)).await
    }

    /// Puts a claimed message back, to be taken again at `due_at`; false when it is claimed no longer.
    pub async fn postpone_message(
        &mut self,
        message: MessageId,
        due_at: Timestamp,
        error: Option<&str>,
    ) -> Result<bool, Error> {
        self.changes(
            sqlx::query(
                "UPDATE outbox SET state = 'waiting', due_at = $2, last_error = $3 WHERE id = $1 AND state = 'sending'",
            )
            .bind(message)
            .bind(due_at)
            .bind(error),
        )
        .await
    }

    /// Has a message sent again, or at once, its attempts counted anew; false when it is gone, being sent, or addressed to
    /// nobody.
    pub async fn requeue_message(&mut self, message: MessageId, now: Timestamp) -> Result<bool, Error> {
        self.changes(
            sqlx::query(
                "UPDATE outbox SET state = 'waiting', due_at = $2, attempts = 0, finished_at = NULL \
                 WHERE id = $1 AND state <> 'sending' AND address <> ''",
            )
            .bind(message)
            .bind(now),
        )
        .await
    }

    /// Has the messages that are due after `latest` be due now, and says how many.
    pub async fn bring_messages_forward(&mut self, now: Timestamp, latest: Timestamp) -> Result<u64, Error> {
        self.execute(sqlx::query(BRING_FORWARD).bind(now).bind(latest)).await
    }

    /// Deletes messages that were sent, given up or dropped before this time, the oldest first and at most `limit`, and
    /// says how many.
    pub async fn delete_finished_messages(&mut self, finished_before: Timestamp, limit: i64) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_FINISHED).bind(finished_before).bind(limit))
            .await
    }
}
