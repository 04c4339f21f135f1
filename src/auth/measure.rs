//! What an operator watches.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::timeout;

use super::{Auth, Error};
use crate::{
    clock::Timestamp,
    password::Load,
    store::{ConnectionUse, MessageState},
};

/// For how long a count is told again, so that several monitors, or a strange one, cost no more than one does.
const FRESH: Duration = Duration::from_secs(5);

/// How long a count is waited for. A monitor takes the server for dead after a few seconds more.
const COUNT_LIMIT: Duration = Duration::from_secs(2);

/// How things stand.
#[derive(Clone, Debug)]
pub(crate) struct Measures {
    /// How log-ins ended since the start: `success`, or the code of the refusal.
    pub(crate) log_ins: BTreeMap<&'static str, u64>,
    /// What the hashing threads have to do.
    pub(crate) hashing: Load,
    /// What the connections to the database are used for.
    pub(crate) connections: Vec<ConnectionUse>,
    /// What the database holds; `None` where it does not say so in time.
    pub(crate) counts: Option<Counts>,
}

/// What the database holds.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    /// Sessions that have not ended.
    pub(crate) sessions: i64,
    /// Messages by state, every state among them.
    pub(crate) messages: Vec<(MessageState, i64)>,
}

/// The last count, and when it was made; `None` in it when it could not be.
pub(super) type Counted = tokio::sync::Mutex<Option<(Timestamp, Option<Counts>)>>;

impl Auth {
    /// How things stand; what the database has to count is a few seconds old at most.
    pub(crate) async fn measure(&self) -> Measures {
        Measures {
            log_ins: self.log_ins.so_far(),
            hashing: self.parts.hasher.load(),
            connections: self.store().connection_use(),
            counts: self.counts_in_time().await,
        }
    }

    async fn counts_in_time(&self) -> Option<Counts> {
        let auth = self.clone();
        // The count itself is not given up with the wait for it: a statement that is broken off costs a connection.
        let counting = tokio::spawn(async move { auth.counts().await });
        let counted = timeout(COUNT_LIMIT, counting).await.ok()?;
        // A panic in it was reported when it happened.
        counted.ok()?
    }

    async fn counts(&self) -> Option<Counts> {
        // Held while counting: who asks meanwhile gets the same answer.
        let mut counted = self.counted.lock().await;
        let now = self.now();
        match &*counted {
            // A clock that was set back makes a count from the future, which would stay fresh for long.
            Some((at, counts)) if *at <= now && now.since(*at) < FRESH => counts.clone(),
            _ => {
                let counts = self.count_or_say_why(now).await;
                *counted = Some((now, counts.clone()));
                counts
            }
        }
    }

    async fn count_or_say_why(&self, now: Timestamp) -> Option<Counts> {
        let counted = self.count(now).await;
        counted
            .inspect_err(|error| {
                tracing::warn!(error = error as &dyn std::error::Error, "cannot count for the metrics");
            })
            .ok()
    }

    async fn count(&self, now: Timestamp) -> Result<Counts, Error> {
        let found = self.store().count_messages().await?;
        let count_of = |state| {
            found
                .iter()
                .find(|(found, _)| *found == state)
                .map_or(0, |(_, count)| *count)
        };
        Ok(Counts {
            sessions: self.store().count_live_sessions(now).await?,
            messages: MessageState::ALL.map(|state| (state, count_of(state))).to_vec(),
        })
    }
}
