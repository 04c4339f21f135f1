//! Sessions and their refresh tokens.

use std::{fmt, time::Duration};

use sqlx::{FromRow, Row, any::AnyRow};
use uuid::Uuid;

use super::{Error, Store, Tx, UserRow, UserStatus, users::user_columns};
use crate::{
    clock::Timestamp,
    id::{SessionId, UserId},
};

/// A session: one signed-in device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends if it is not used; never after `dies_at`. Zero once it was ended.
    pub expires_at: Timestamp,
    /// When it ends in any case.
    pub dies_at: Timestamp,
    /// For how many seconds each use keeps it alive.
    pub idle_seconds: i64,
    /// Whether it is to outlive the browser being closed.
    pub remembered: bool,
    /// From where it was last used.
    pub client_address: Option<String>,
    /// With what it was last used.
    pub user_agent: Option<String>,
}

impl FromRow<'_, AnyRow> for SessionRow {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            id: row.try_get("session_id")?,
            user_id: row.try_get("session_user_id")?,
            created_at: row.try_get("session_created_at")?,
            last_used_at: row.try_get("last_used_at")?,
            expires_at: row.try_get("expires_at")?,
            dies_at: row.try_get("dies_at")?,
            idle_seconds: row.try_get("idle_seconds")?,
            remembered: row.try_get::<i64, _>("remembered")? != 0,
            client_address: row.try_get("client_address")?,
            user_agent: row.try_get("user_agent")?,
        })
    }
}

/// Which of a user's sessions to list.
#[derive(Clone, Copy, Debug)]
pub struct SessionFilter {
    /// Whose.
    pub user: UserId,
    /// Those that were last used before this, or at the same time and have a smaller id: the last of the page before.
    pub before: Option<(Timestamp, SessionId)>,
    /// At most so many.
    pub limit: i64,
}

/// A refresh token, used or not.
#[derive(Clone, PartialEq, Eq, FromRow)]
pub struct RefreshTokenRow {
    /// The hash of the token.
    pub hash: String,
    /// The session that it renews.
    #[sqlx(rename = "token_session_id")]
    pub session_id: SessionId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// When it was exchanged, or `None`.
    pub used_at: Option<Timestamp>,
    /// What it was exchanged for, readable by the token's holder only, and only for the length of the replay window.
    pub sealed_successor: Option<String>,
}

impl fmt::Debug for RefreshTokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshTokenRow")
            .field("session_id", &self.session_id)
            .field("issued_at", &self.issued_at)
            .field("used_at", &self.used_at)
            .finish_non_exhaustive()
    }
}

/// A refresh token that someone showed, with its live session and that session's user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedRefreshToken {
    /// The token.
    pub token: RefreshTokenRow,
    /// Its session.
    pub session: SessionRow,
    /// The session's user, perhaps disabled.
    pub user: UserRow,
}

/// The user of a live session, as every signed-in request reads it: without the password's hash, which has no business
/// there, and without what only other operations ask.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionUserRow {
    /// Its id.
    pub id: UserId,
    /// The address as typed.
    pub email: String,
    /// The username as typed.
    pub username: Option<String>,
    /// What the user is called.
    pub name: Option<String>,
    /// The roles, in alphabetical order.
    pub roles: Vec<String>,
    /// When the address was confirmed, or `None`.
    pub email_verified_at: Option<Timestamp>,
    /// When the user was disabled, or `None`.
    pub disabled_at: Option<Timestamp>,
    /// Its id in the application that it was imported from.
    pub external_id: Option<String>,
    /// When it signed up.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
}

impl SessionUserRow {
    /// Whether it may be used, and if not, why. Whoever has signed in has a password.
    #[must_use]
    pub const fn status(&self) -> UserStatus {
        match self.disabled_at {
            Some(_) => UserStatus::Disabled,
            None => UserStatus::Active,
        }
    }
}

/// Without what would put a person into a log.
impl fmt::Debug for SessionUserRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionUserRow")
            .field("id", &self.id)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

/// The row of [`FIND_USER_OF_LIVE`]. Columns are known by their place: names would be looked up for each request.
impl FromRow<'_, AnyRow> for SessionUserRow {
    fn from_row(row: &AnyRow) -> Result<Self, sqlx::Error> {
        let roles: Option<&str> = row.try_get(9)?;
        let mut roles: Vec<String> = roles
            .unwrap_or_default()
            .split_terminator(' ')
            .map(str::to_owned)
            .collect();
        // Here, because the engines and their locales do not agree on an order.
        roles.sort_unstable();
        Ok(Self {
            id: row.try_get(0)?,
            email: row.try_get(1)?,
            username: row.try_get(2)?,
            name: row.try_get(3)?,
            roles,
            email_verified_at: row.try_get(4)?,
            disabled_at: row.try_get(5)?,
            external_id: row.try_get(6)?,
            created_at: row.try_get(7)?,
            updated_at: row.try_get(8)?,
        })
    }
}

macro_rules! session_columns {
    () => {
        "s.id AS session_id, s.user_id AS session_user_id, s.created_at AS session_created_at, s.last_used_at, \
         s.expires_at, s.dies_at, s.idle_seconds, s.remembered, s.client_address, s.user_agent"
    };
}

/// One row, so that a request asks for the first alone: the roles are one text, and none has a space.
pub(super) const FIND_USER_OF_LIVE: &str = "SELECT u.id, u.email, u.username, u.name, u.email_verified_at, \
     u.disabled_at, u.external_id, u.created_at, u.updated_at, \
     (SELECT string_agg(r.role, ' ') FROM user_roles r WHERE r.user_id = u.id) \
     FROM sessions s INNER JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND s.expires_at > $2";

pub(super) const FIND_REFRESH_TOKEN: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", t.hash, t.session_id AS token_session_id, t.issued_at, t.used_at, t.sealed_successor, ",
    session_columns!(),
    " FROM refresh_tokens t INNER JOIN sessions s ON s.id = t.session_id INNER JOIN users u ON u.id = s.user_id \
     LEFT JOIN user_roles r ON r.user_id = u.id WHERE t.hash = $1 AND s.expires_at > $2"
);

pub(super) const LIST: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM sessions s WHERE s.user_id = $1 AND s.expires_at > $2 AND (s.last_used_at, s.id) < ($3, $4) \
     ORDER BY s.last_used_at DESC, s.id DESC LIMIT $5"
);

pub(super) const LIST_NEWEST: &str = concat!(
    "SELECT ",
    session_columns!(),
    " FROM sessions s WHERE s.user_id = $1 AND s.expires_at > $2 \
     ORDER BY CASE WHEN s.id = $3 THEN 0 ELSE 1 END, s.last_used_at DESC, s.id DESC LIMIT $4"
);

pub(super) const COUNT_LIVE_OF_USER: &str = "SELECT COUNT(*) FROM sessions WHERE user_id = $1 AND expires_at > $2";

/// Notes a use of a session that was not ended, and holds its row.
macro_rules! extend_session {
    () => {
        "UPDATE sessions SET last_used_at = $3, expires_at = $6, dies_at = $9, client_address = $7, user_agent = $8 \
         WHERE id = $2 AND expires_at > 0"
    };
}
pub(super) use extend_session;

/// Two rows in one statement: the token, which is there and so is marked as used, unless it was; and its successor. Neither
/// when the session has ended or is gone.
macro_rules! exchange_refresh_token {
    ($session:literal) => {
        concat!(
            "INSERT INTO refresh_tokens (hash, session_id, issued_at, used_at, sealed_successor) \
             SELECT $1, id, $3, $3, $4 FROM ",
            $session,
            " UNION ALL SELECT $5, id, $3, NULL, NULL FROM ",
            $session,
            " ON CONFLICT (hash) DO UPDATE SET used_at = excluded.used_at, \
             sealed_successor = excluded.sealed_successor WHERE refresh_tokens.used_at IS NULL"
        )
    };
}
pub(super) use exchange_refresh_token;

pub(super) const ERASE_SUCCESSORS: &str =
    "UPDATE refresh_tokens SET sealed_successor = NULL WHERE sealed_successor IS NOT NULL AND used_at < $1";

pub(super) const ERASE_SUCCESSORS_AHEAD: &str =
    "UPDATE refresh_tokens SET sealed_successor = NULL WHERE sealed_successor IS NOT NULL AND used_at > $1";

/// Has sessions that were last used at a time that is to come be last used now. The outer condition spares one that was
/// ended while this waited for it.
macro_rules! bring_back {
    ($which:literal) => {
        concat!(
            "UPDATE sessions SET last_used_at = $1, expires_at = CASE WHEN dies_at < $1 + idle_seconds THEN dies_at \
             WHEN $3 < $1 + idle_seconds THEN $3 ELSE $1 + idle_seconds END, \
             dies_at = CASE WHEN dies_at > $3 THEN $3 ELSE dies_at END WHERE expires_at <> 0 AND id IN \
             (SELECT id FROM sessions WHERE last_used_at > $2 AND ",
            $which,
            ")"
        )
    };
}

/// Those that live on unused for longer than any may, which there is an index for.
pub(super) const BRING_BACK: &str = bring_back!("expires_at > $5 ORDER BY expires_at LIMIT $4");

/// Those that end sooner than others, and so have an index of their own.
pub(super) const BRING_UNREMEMBERED_BACK: &str =
    bring_back!("remembered = 0 AND expires_at <> 0 ORDER BY last_used_at LIMIT $4");

pub(super) const COUNT_LIVE: &str = "SELECT COUNT(*) FROM sessions WHERE expires_at > $1";

/// To end sessions is to set a time at which none lives, and to erase what is personal in them. Their rows are left to the
/// sweep: with each go all the tokens that it ever had, and nobody else would write for as long as that takes.
macro_rules! end_sessions {
    ($which:literal) => {
        concat!(
            "UPDATE sessions SET expires_at = 0, client_address = NULL, user_agent = NULL WHERE expires_at > 0 AND ",
            $which
        )
    };
}

pub(super) const END: &str = end_sessions!("id = $1");
pub(super) const END_OF_USER: &str = end_sessions!("id = $1 AND user_id = $2");
pub(super) const END_ALL_OF_USER: &str = end_sessions!("user_id = $1 AND id <> $2");
const END_ALL: &str = end_sessions!("TRUE");

/// The outer condition spares a session that was extended while this waited for it, the inner one those whose tokens have
/// still to go.
pub(super) const DELETE_EXPIRED: &str = "DELETE FROM sessions WHERE expires_at <= $1 AND id IN \
     (SELECT s.id FROM sessions s WHERE s.expires_at <= $1 AND NOT EXISTS \
     (SELECT 1 FROM refresh_tokens t WHERE t.session_id = s.id) ORDER BY s.expires_at LIMIT $2)";

pub(super) const DELETE_EXPIRED_OF_USER: &str = "DELETE FROM sessions WHERE expires_at <= $2 AND id IN \
     (SELECT s.id FROM sessions s WHERE s.user_id = $1 AND s.expires_at <= $2 AND NOT EXISTS \
     (SELECT 1 FROM refresh_tokens t WHERE t.session_id = s.id) LIMIT $3)";

/// A session has a token for each quarter of an hour that it was used: with a batch of sessions, half a million might go.
pub(super) const DELETE_TOKENS_OF_EXPIRED: &str = "DELETE FROM refresh_tokens WHERE hash IN \
     (SELECT t.hash FROM sessions s INNER JOIN refresh_tokens t ON t.session_id = s.id WHERE s.expires_at <= $1 LIMIT $2)";

pub(super) const DELETE_TOKENS_OF_EXPIRED_OF_USER: &str = "DELETE FROM refresh_tokens WHERE hash IN \
     (SELECT t.hash FROM sessions s INNER JOIN refresh_tokens t ON t.session_id = s.id \
     WHERE s.user_id = $1 AND s.expires_at <= $2 LIMIT $3)";

impl PresentedRefreshToken {
    /// The token of rows that each join it and its session with one of their user's roles.
    fn fold(rows: &[AnyRow]) -> Result<Option<Self>, Error> {
        let (Some(first), Some(user)) = (rows.first(), UserRow::fold(rows)?) else {
            return Ok(None);
        };
        Ok(Some(Self {
            token: RefreshTokenRow::from_row(first)?,
            session: SessionRow::from_row(first)?,
            user,
        }))
    }
}

impl Store {
    /// The user, who may be disabled, of a session that has not ended: the check behind every signed-in request.
    pub async fn find_user_of_live_session(
        &self,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<SessionUserRow>, Error> {
        self.read_one(sqlx::query(FIND_USER_OF_LIVE).bind(session).bind(now))
            .await
    }

    /// A refresh token by its hash, used or not, of a session that has not ended.
    pub async fn find_refresh_token(&self, hash: &str, now: Timestamp) -> Result<Option<PresentedRefreshToken>, Error> {
        let query = sqlx::query(FIND_REFRESH_TOKEN).bind(hash).bind(now);
        PresentedRefreshToken::fold(&self.rows(query).await?)
    }

    /// How many sessions have not ended.
    pub async fn count_live_sessions(&self, now: Timestamp) -> Result<i64, Error> {
        let count = self.read_one(sqlx::query(COUNT_LIVE).bind(now)).await?;
        Ok(count.map_or(0, |(count,)| count))
    }

    /// A page of the sessions of a user that have not ended, last used first.
    pub async fn list_sessions(&self, filter: SessionFilter, now: Timestamp) -> Result<Vec<SessionRow>, Error> {
        let SessionFilter { user, before, limit } = filter;
        let end_of_time = Timestamp::from_unix_seconds(i64::MAX);
        let (last_used_at, id) = before.unwrap_or((end_of_time, SessionId::from(Uuid::max())));
        let query = sqlx::query(LIST).bind(user).bind(now);
        self.read_all(query.bind(last_used_at).bind(id).bind(limit)).await
    }

    /// The sessions of a user that have not ended, at most `limit`: `first`, and then the last used.
    pub async fn list_newest_sessions(
        &self,
        user: UserId,
        first: SessionId,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<SessionRow>, Error> {
        let query = sqlx::query(LIST_NEWEST).bind(user).bind(now);
        self.read_all(query.bind(first).bind(limit)).await
    }

    /// How many sessions of a user have not ended.
    pub async fn count_live_sessions_of(&self, user: UserId, now: Timestamp) -> Result<i64, Error> {
        let count = self
            .read_one(sqlx::query(COUNT_LIVE_OF_USER).bind(user).bind(now))
            .await?;
        Ok(count.map_or(0, |(count,)| count))
    }
}

impl Tx {
    /// Adds a session.
    pub async fn insert_session(&mut self, session: &SessionRow) -> Result<(), Error> {
        self.execute(
            sqlx::query(
                "INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, dies_at, idle_seconds, \
                 remembered, client_address, user_agent) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            )
            .bind(session.id)
            .bind(session.user_id)
            .bind(session.created_at)
            .bind(session.last_used_at)
            .bind(session.expires_at)
            .bind(session.dies_at)
            .bind(session.idle_seconds)
            .bind(i64::from(session.remembered))
            .bind(session.client_address.as_deref())
            .bind(session.user_agent.as_deref()),
        )
        .await
        .map(drop)
    }

    /// Adds a refresh token, by its hash.
    pub async fn insert_refresh_token(&mut self, hash: &str, session: SessionId, now: Timestamp) -> Result<(), Error> {
        self.execute(
            sqlx::query("INSERT INTO refresh_tokens (hash, session_id, issued_at) VALUES ($1, $2, $3)")
                .bind(hash)
                .bind(session)
                .bind(now),
        )
        .await
        .map(drop)
    }

    /// Marks a refresh token as used, adds its successor, and notes the use in its session, which is given as it is from now
    /// on. Of all who try, one gets true; the transactions of the others, and of those whose session has ended, can no
    /// longer commit.
    pub async fn exchange_refresh_token(
        &mut self,
        hash: &str,
        sealed_successor: &str,
        successor: &str,
        session: &SessionRow,
    ) -> Result<bool, Error> {
        let query = sqlx::query(self.engine.exchange_refresh_token())
            .bind(hash)
            .bind(session.id)
            .bind(session.last_used_at)
            .bind(sealed_successor)
            .bind(successor)
            .bind(session.expires_at)
            .bind(session.client_address.as_deref())
            .bind(session.user_agent.as_deref())
            .bind(session.dies_at);
        let exchanged = self.execute(query).await? == 2;
        if !exchanged {
            self.break_off();
        }
        Ok(exchanged)
    }

    /// Whether the session is still there, and nobody has ended it.
    pub async fn has_session(&mut self, session: SessionId) -> Result<bool, Error> {
        let found = self
            .row(sqlx::query("SELECT id FROM sessions WHERE id = $1 AND expires_at > 0").bind(session))
            .await?;
        Ok(found.is_some())
    }

    /// Ends a session; false when it has ended or is gone.
    pub async fn end_session(&mut self, session: SessionId) -> Result<bool, Error> {
        self.changes(sqlx::query(END).bind(session)).await
    }

    /// Ends a session of this user; false when it has ended, is gone, or is another user's.
    pub async fn end_session_of(&mut self, user: UserId, session: SessionId) -> Result<bool, Error> {
        self.changes(sqlx::query(END_OF_USER).bind(session).bind(user)).await
    }

    /// Ends the sessions of a user, all but `except`, and says how many.
    pub async fn end_sessions(&mut self, user: UserId, except: Option<SessionId>) -> Result<u64, Error> {
        let except = except.unwrap_or(SessionId::from(Uuid::nil()));
        self.execute(sqlx::query(END_ALL_OF_USER).bind(user).bind(except)).await
    }

    /// Ends every session of everybody, and says how many.
    pub async fn end_all_sessions(&mut self) -> Result<u64, Error> {
        self.execute(sqlx::query(END_ALL)).await
    }

    /// Erases the successors of the refresh tokens used before this time, and says how many.
    pub async fn erase_successors(&mut self, used_before: Timestamp) -> Result<u64, Error> {
        self.execute(sqlx::query(ERASE_SUCCESSORS).bind(used_before)).await
    }

    /// Erases the successors of the refresh tokens used after this time, which is to come, and says how many.
    pub async fn erase_successors_ahead(&mut self, used_after: Timestamp) -> Result<u64, Error> {
        self.execute(sqlx::query(ERASE_SUCCESSORS_AHEAD).bind(used_after)).await
    }

    /// Has sessions that were last used after `ahead` be last used `now`, at most `limit` of those that are remembered and of
    /// the others, and says how many. Unused they live for `idle` at the longest, and in all for `max`.
    pub async fn bring_sessions_back(
        &mut self,
        now: Timestamp,
        ahead: Timestamp,
        idle: Duration,
        max: Duration,
        limit: i64,
    ) -> Result<u64, Error> {
        let dies_by = now.plus(max);
        let query = sqlx::query(BRING_BACK).bind(now).bind(ahead).bind(dies_by).bind(limit);
        let brought = self.execute(query.bind(ahead.plus(idle))).await?;
        let query = sqlx::query(BRING_UNREMEMBERED_BACK).bind(now).bind(ahead);
        Ok(brought + self.execute(query.bind(dies_by).bind(limit)).await?)
    }

    /// Deletes refresh tokens of sessions that have ended, at most `limit`, and says how many.
    pub async fn delete_tokens_of_expired_sessions(&mut self, now: Timestamp, limit: i64) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_TOKENS_OF_EXPIRED).bind(now).bind(limit))
            .await
    }

    /// Deletes sessions that have ended and of which no token is left, those that ended first before others and at most
    /// `limit`, and says how many.
    pub async fn delete_expired_sessions(&mut self, now: Timestamp, limit: i64) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_EXPIRED).bind(now).bind(limit)).await
    }

    /// Deletes refresh tokens of a user's sessions that have ended, at most `limit`, and says how many.
    pub async fn delete_tokens_of_expired_sessions_of(
        &mut self,
        user: UserId,
        now: Timestamp,
        limit: i64,
    ) -> Result<u64, Error> {
        let query = sqlx::query(DELETE_TOKENS_OF_EXPIRED_OF_USER).bind(user);
        self.execute(query.bind(now).bind(limit)).await
    }

    /// Deletes sessions of a user that have ended and of which no token is left, at most `limit`, and says how many.
    pub async fn delete_expired_sessions_of(&mut self, user: UserId, now: Timestamp, limit: i64) -> Result<u64, Error> {
        let query = sqlx::query(DELETE_EXPIRED_OF_USER).bind(user);
        self.execute(query.bind(now).bind(limit)).await
    }
}
