//! A user looks at the devices that are signed in.

use std::str::FromStr;

use super::{Auth, Error, FieldErrors, Identity, Page, PageRequest, Session};
use crate::{
    clock::Timestamp,
    id::SessionId,
    store::{SessionFilter, SessionRow},
};

/// How many are shown where they are not turned over page by page.
const SHOWN: i64 = 200;

/// How many of all are read at once: others are to come in between.
const READ_AT_ONCE: i64 = 1000;

/// Which sessions to list.
#[derive(Clone, Debug, Default)]
pub struct SessionQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
}

/// The sessions that were last used, of however many.
#[derive(Debug)]
pub struct NewestSessions {
    /// The one that asks, and then the last used first.
    pub sessions: Vec<Session>,
    /// How many there are beside these.
    pub more: u64,
}

/// The place of a session among those of its user: they are in the order of their use.
struct Cursor(Timestamp, SessionId);

impl Cursor {
    fn of(row: &SessionRow) -> String {
        format!("{}.{}", row.last_used_at.unix_seconds(), row.id)
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (seconds, id) = text.split_once('.').ok_or(())?;
        let seconds = seconds.parse().map_err(drop)?;
        Ok(Self(Timestamp::from_unix_seconds(seconds), id.parse().map_err(drop)?))
    }
}

impl Auth {
    /// The caller's live sessions, the last used first.
    #[tracing::instrument(skip_all)]
    pub async fn list_sessions(&self, identity: &Identity, query: SessionQuery) -> Result<Page<Session>, Error> {
        let mut errors = FieldErrors::default();
        let (limit, cursor) = (query.limit, query.cursor.as_deref());
        let Some((size, before)) = PageRequest { limit, cursor }.parse::<Cursor>(&mut errors) else {
            return Err(errors.into_error());
        };
        let filter = SessionFilter {
            user: identity.user.id,
            before: before.map(|Cursor(last_used_at, id)| (last_used_at, id)),
            limit: size.rows(),
        };
        let rows = self.store().list_sessions(filter, self.now()).await?;
        Ok(size.cut(rows, Cursor::of))
    }

    /// As many of the caller's live sessions as a page can show, and how many more there are.
    #[tracing::instrument(skip_all)]
    pub async fn newest_sessions(&self, identity: &Identity) -> Result<NewestSessions, Error> {
        let (user, now) = (identity.user.id, self.now());
        let newest = self.store().list_newest_sessions(user, identity.session, now, SHOWN);
        let newest = newest.await?;
        let shown = i64::try_from(newest.len()).unwrap_or(i64::MAX);
        let all = if shown < SHOWN {
            shown
        } else {
            self.store().count_live_sessions_of(user, now).await?
        };
        Ok(NewestSessions {
            sessions: newest.into_iter().map(Session::from).collect(),
            more: u64::try_from(all - shown).unwrap_or(0),
        })
    }

    /// All live sessions of the caller, for a copy of everything.
    pub(super) async fn all_sessions(&self, identity: &Identity) -> Result<Vec<Session>, Error> {
        let now = self.now();
        let mut filter = SessionFilter {
            user: identity.user.id,
            before: None,
            limit: READ_AT_ONCE,
        };
        let mut sessions = Vec::new();
        loop {
            let rows = self.store().list_sessions(filter, now).await?;
            filter.before = rows.last().map(|row| (row.last_used_at, row.id));
            sessions.extend(rows.into_iter().map(Session::from));
            if filter.before.is_none() {
                return Ok(sessions);
            }
        }
    }
}
