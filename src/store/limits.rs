//! What was used of the limits that hold across processes and restarts.

use sqlx::FromRow;

use super::{Error, Store, Tx};
use crate::{
    clock::Timestamp,
    quota::{Quota, in_milliseconds},
};

/// A limit of which something was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct LimitRow {
    /// When all of it will be back, in milliseconds since 1970.
    pub whole_at_ms: i64,
    /// When it was recorded that it refused; none since all of it was back.
    pub noted_at: Option<Timestamp>,
}

pub(super) const FIND: &str = "SELECT whole_at_ms, noted_at FROM limits WHERE name = $1";

/// [`Quota::spend`] in SQL: of all who use the last one at once, one statement decides, whichever process they ask. `$2` is
/// now, `$3` when one will be back, `$4` and `$5` the latest times at which one is left and at which none is, `$6` in how
/// long one comes back. Who is refused changes no row.
pub(super) const SPEND: &str = "INSERT INTO limits (name, whole_at_ms) VALUES ($1, $3) \
     ON CONFLICT (name) DO UPDATE SET \
     whole_at_ms = CASE WHEN limits.whole_at_ms BETWEEN $2 AND $5 THEN limits.whole_at_ms + $6 ELSE $3 END, \
     noted_at = CASE WHEN limits.whole_at_ms BETWEEN $2 AND $5 THEN limits.noted_at END \
     WHERE limits.whole_at_ms <= $4 OR limits.whole_at_ms > $5";

pub(super) const NOTE: &str = "UPDATE limits SET noted_at = $2 WHERE name = $1 AND noted_at IS NULL";

pub(super) const GIVE_BACK: &str = "UPDATE limits SET whole_at_ms = whole_at_ms - $2 WHERE name = $1";

pub(super) const DELETE_WHOLE: &str =
    "DELETE FROM limits WHERE name IN (SELECT name FROM limits WHERE whole_at_ms <= $1 LIMIT $2)";

impl Store {
    /// The limit of this name, if anything of it was used.
    pub async fn find_limit(&self, name: &str) -> Result<Option<LimitRow>, Error> {
        self.read_one(sqlx::query(FIND).bind(name)).await
    }
}

impl Tx {
    /// Uses one of the limit of this name, if there is one left.
    pub async fn spend_limit(&mut self, name: &str, quota: Quota, now: Timestamp) -> Result<bool, Error> {
        let (now, interval) = (in_milliseconds(now), quota.interval());
        let latest = quota.latest(now);
        self.changes(
            sqlx::query(SPEND)
                .bind(name)
                .bind(now)
                .bind(now.saturating_add(interval))
                .bind(latest.saturating_sub(interval))
                .bind(latest)
                .bind(interval),
        )
        .await
    }

    /// Gives one back.
    pub async fn give_back_limit(&mut self, name: &str, quota: Quota) -> Result<(), Error> {
        let give_back = sqlx::query(GIVE_BACK).bind(name).bind(quota.interval());
        self.execute(give_back).await.map(drop)
    }

    /// Notes that the limit of this name has refused. Of all who do, the first is told so, until all of it was back.
    pub async fn note_limit(&mut self, name: &str, now: Timestamp) -> Result<bool, Error> {
        self.changes(sqlx::query(NOTE).bind(name).bind(now)).await
    }

    /// Deletes limits that are whole again, at most `limit`, and says how many.
    pub async fn delete_whole_limits(&mut self, now: Timestamp, limit: i64) -> Result<u64, Error> {
        let delete = sqlx::query(DELETE_WHOLE).bind(in_milliseconds(now)).bind(limit);
        self.execute(delete).await
    }
}
