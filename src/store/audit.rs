//! The audit log.

use sqlx::FromRow;
use uuid::Uuid;

use super::{EXPORT_LIMIT, Error, Store, Tx};
use crate::{
    clock::Timestamp,
    id::{EventId, SessionId, UserId},
};

/// Something that happened. It stays when the user and the session it names are gone.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct EventRow {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: String,
    /// How it ended.
    pub outcome: String,
    /// The user it happened to, where that is known.
    pub user_id: Option<UserId>,
    /// The user who did it, where that is another one.
    pub actor_id: Option<UserId>,
    /// The session it happened in.
    pub session_id: Option<SessionId>,
    /// From where.
    pub client_address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
    /// More about it. Never a secret.
    pub detail: Option<String>,
}

/// An event, with what those that it names are called now.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ListedEventRow {
    /// The event.
    #[sqlx(flatten)]
    pub event: EventRow,
    /// The address of the user it happened to, while there is one.
    pub user_email: Option<String>,
    /// The address of the user who did it, while there is one.
    pub actor_email: Option<String>,
}

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Those that happened to this user.
    pub user: Option<UserId>,
    /// Those with this name.
    pub event: Option<String>,
    /// Those before this one: the last of the page before.
    pub before: Option<EventId>,
    /// At most so many.
    pub limit: i64,
}

macro_rules! select_events {
    ($condition:literal) => {
        concat!(
            "SELECT e.id, e.at, e.event, e.outcome, e.user_id, e.actor_id, e.session_id, e.client_address, e.user_agent, \
             e.detail, u.email AS user_email, a.email AS actor_email FROM audit_events e \
             LEFT JOIN users u ON u.id = e.user_id AND u.deleted_at IS NULL \
             LEFT JOIN users a ON a.id = e.actor_id AND a.deleted_at IS NULL WHERE e.id < $1",
            $condition,
            " ORDER BY e.id DESC LIMIT $2"
        )
    };
}

// Four statements rather than one with optional conditions: a plan is made once, and each of these has its index.
pub(super) const LIST: &str = select_events!("");
pub(super) const LIST_BY_USER: &str = select_events!(" AND e.user_id = $3");
pub(super) const LIST_BY_EVENT: &str = select_events!(" AND e.event = $3");
pub(super) const LIST_BY_USER_AND_EVENT: &str = select_events!(" AND e.user_id = $3 AND e.event = $4");

/// What happened stays as it was while this waits, so that the condition need not be asked again.
pub(super) const DELETE_OLD: &str =
    "DELETE FROM audit_events WHERE id IN (SELECT id FROM audit_events WHERE at <= $1 ORDER BY at LIMIT $2)";

impl Store {
    /// A page of events, newest first.
    pub async fn list_events(&self, filter: &EventFilter) -> Result<Vec<ListedEventRow>, Error> {
        let statement = match (&filter.user, &filter.event) {
            (None, None) => LIST,
            (Some(_), None) => LIST_BY_USER,
            (None, Some(_)) => LIST_BY_EVENT,
            (Some(_), Some(_)) => LIST_BY_USER_AND_EVENT,
        };
        let mut query = sqlx::query(statement)
            .bind(filter.before.unwrap_or(EventId::from(Uuid::max())))
            .bind(filter.limit);
        if let Some(user) = filter.user {
            query = query.bind(user);
        }
        if let Some(event) = &filter.event {
            query = query.bind(event.as_str());
        }
        self.read_all(query).await
    }

    /// What happened to a user, newest first, at most [`EXPORT_LIMIT`].
    pub async fn list_events_of(&self, user: UserId) -> Result<Vec<EventRow>, Error> {
        let filter = EventFilter {
            user: Some(user),
            limit: EXPORT_LIMIT,
            ..EventFilter::default()
        };
        let listed = self.list_events(&filter).await?;
        Ok(listed.into_iter().map(|listed| listed.event).collect())
    }
}

macro_rules! insert_event {
    ($conflict:literal) => {
        concat!(
            "INSERT INTO audit_events (id, at, event, outcome, user_id, actor_id, session_id, client_address, \
             user_agent, detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            $conflict
        )
    };
}

impl Tx {
    /// Adds an event.
    pub async fn insert_event(&mut self, event: &EventRow) -> Result<(), Error> {
        self.write_event(insert_event!(""), event).await
    }

    /// Adds an event, or where there is one with its id, replaces the detail of that.
    pub async fn insert_or_update_event(&mut self, event: &EventRow) -> Result<(), Error> {
        let statement = insert_event!(" ON CONFLICT (id) DO UPDATE SET detail = excluded.detail");
        self.write_event(statement, event).await
    }

    async fn write_event(&mut self, statement: &'static str, event: &EventRow) -> Result<(), Error> {
        self.execute(
            sqlx::query(statement)
                .bind(event.id)
                .bind(event.at)
                .bind(event.event.as_str())
                .bind(event.outcome.as_str())
                .bind(event.user_id)
                .bind(event.actor_id)
                .bind(event.session_id)
                .bind(event.client_address.as_deref())
                .bind(event.user_agent.as_deref())
                .bind(event.detail.as_deref()),
        )
        .await
        .map(drop)
    }

    /// Deletes events that happened by this time, the oldest first and at most `limit`, and says how many.
    pub async fn delete_old_events(&mut self, happened_by: Timestamp, limit: i64) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_OLD).bind(happened_by).bind(limit))
            .await
    }
}
