//! From where accounts sign in.

use sqlx::FromRow;

use super::{Error, Store, Tx};
use crate::{clock::Timestamp, id::UserId};

/// What kind of device signed in, and from which network.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct PlaceRow {
    /// The kind of device in words; empty when nothing is known of it.
    pub device: String,
    /// The network; empty when it is not known.
    pub network: String,
    /// When it last signed in.
    pub last_at: Timestamp,
}

pub(super) const LIST: &str =
    "SELECT device, network, last_at FROM places WHERE user_id = $1 ORDER BY last_at DESC, device, network";

pub(super) const UPDATE: &str =
    "UPDATE places SET last_at = $4 WHERE user_id = $1 AND device = $2 AND network = $3 AND last_at > $5";

/// An OFFSET needs a LIMIT; there is no account with more than this.
pub(super) const DELETE_SURPLUS: &str = "DELETE FROM places WHERE user_id = $1 AND (device, network) IN \
     (SELECT device, network FROM places WHERE user_id = $1 ORDER BY last_at DESC, device, network LIMIT 1000 OFFSET $2)";

pub(super) const DELETE_ALL: &str = "DELETE FROM places WHERE user_id = $1";

/// The outer condition spares a place that was seen again while this waited for it.
pub(super) const DELETE_OLD: &str = "DELETE FROM places WHERE last_at <= $1 AND (user_id, device, network) IN \
     (SELECT user_id, device, network FROM places WHERE last_at <= $1 ORDER BY last_at LIMIT $2)";

impl Store {
    /// From where a user signed in, the latest first.
    pub async fn list_places(&self, user: UserId) -> Result<Vec<PlaceRow>, Error> {
        self.read_all(sqlx::query(LIST).bind(user)).await
    }
}

impl Tx {
    /// Notes that a user has signed in again from a place seen since `seen_after`; false when it was not.
    pub async fn update_place(&mut self, user: UserId, place: &PlaceRow, seen_after: Timestamp) -> Result<bool, Error> {
        self.changes(
            sqlx::query(UPDATE)
                .bind(user)
                .bind(place.device.as_str())
                .bind(place.network.as_str())
                .bind(place.last_at)
                .bind(seen_after),
        )
        .await
    }

    /// Adds a place from which a user has signed in. Beyond `kept` of them, those that were seen least recently go.
    pub async fn insert_place(&mut self, user: UserId, place: &PlaceRow, kept: i64) -> Result<(), Error> {
        self.execute(
            sqlx::query(
                "INSERT INTO places (user_id, device, network, last_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (user_id, device, network) DO UPDATE SET last_at = excluded.last_at",
            )
            .bind(user)
            .bind(place.device.as_str())
            .bind(place.network.as_str())
            .bind(place.last_at),
        )
        .await?;
        self.execute(sqlx::query(DELETE_SURPLUS).bind(user).bind(kept))
            .await
            .map(drop)
    }

    /// Forgets from where a user signed in, and says how many places there were.
    pub async fn delete_places(&mut self, user: UserId) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_ALL).bind(user)).await
    }

    /// Deletes places that were last seen by this time, the oldest first and at most `limit`, and says how many.
    pub async fn delete_old_places(&mut self, seen_by: Timestamp, limit: i64) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_OLD).bind(seen_by).bind(limit)).await
    }
}
