//! Connections at hand.
//!
//! sqlx's pool asks every connection that comes back whether it lives, in a task of its own, and lends it again only then.
//! To a SQLite file that question costs as much as a read does, and one that writes is kept from the next writer for as
//! long. So a connection whose work went well is not given back but kept here; one whose work failed or was given up is,
//! and is looked at by the pool.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Any, AnyConnection, AnyPool, Connection, pool::PoolConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::watch::Watch;

/// How long a request waits for a connection before it is told to come back later.
pub(super) const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// For how long an idle connection is trusted without a question, which would cost each request a round trip.
const TRUSTED_IDLE: Duration = Duration::from_secs(15);

/// How long the answer to that question may take.
pub(super) const PING_LIMIT: Duration = Duration::from_secs(1);

/// After how long a connection is given back all the same: the pool knows when it is too old.
const KEPT_FOR: Duration = Duration::from_mins(30);

/// What the connections of one pool are used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionUse {
    /// `reader` and `writer` to SQLite, `shared` to PostgreSQL.
    pub pool: &'static str,
    /// How many are somebody's, or being opened for somebody.
    pub busy: usize,
    /// How many are open and nobody's.
    pub idle: usize,
    /// How many there may be.
    pub limit: usize,
}

/// The connections of one pool. Cloning it is cheap and shares them.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pool: AnyPool,
    /// As many as the pool may have connections: who has one finds a connection here, or room for it there.
    permits: Arc<Semaphore>,
    /// The last that was used is the first to be used again, so that no more are kept warm than there is work for.
    idle: Mutex<Vec<Idle>>,
    watch: Watch,
}

#[derive(Debug)]
struct Idle {
    connection: Kept,
    since: Instant,
}

#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Any>,
    taken: Instant,
}

impl Connections {
    pub(super) fn of(pool: AnyPool, watch: &Watch) -> Self {
        let permits = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        Self(Arc::new(Shared {
            pool,
            permits: Arc::new(Semaphore::new(permits)),
            idle: Mutex::default(),
            watch: watch.clone(),
        }))
    }

    /// A connection that is nobody else's until the lease ends.
    pub(super) async fn acquire(&self) -> Result<Lease, sqlx::Error> {
        let acquired = tokio::time::timeout(ACQUIRE_TIMEOUT, self.acquire_in_time());
        acquired.await.map_err(|_| sqlx::Error::PoolTimedOut)?
    }

    async fn acquire_in_time(&self) -> Result<Lease, sqlx::Error> {
        let permit = Arc::clone(&self.0.permits).acquire_owned().await;
        let permit = permit.map_err(|_| sqlx::Error::PoolClosed)?;
        let kept = match self.trusted().await {
            Some(kept) => kept,
            None => Kept {
                connection: self.0.pool.acquire().await?,
                taken: Instant::now(),
            },
        };
        Ok(Lease {
            kept,
            permit,
            owner: self.clone(),
        })
    }

    /// One of those that are kept. The dead that are met on the way go back to the pool, which buries them.
    async fn trusted(&self) -> Option<Kept> {
        loop {
            let idle = self.idle().pop();
            let Idle {
                connection: mut kept,
                since,
            } = idle?;
            if kept.taken.elapsed() > KEPT_FOR || self.0.watch.suspects(kept.taken.elapsed()) {
                continue;
            }
            if since.elapsed() <= TRUSTED_IDLE {
                return Some(kept);
            }
            if self.0.watch.limit(PING_LIMIT, kept.connection.ping()).await.is_ok() {
                return Some(kept);
            }
        }
    }

    pub(super) fn used_as(&self, pool: &'static str) -> ConnectionUse {
        let size = |size| usize::try_from(size).unwrap_or(usize::MAX);
        let limit = size(self.0.pool.options().get_max_connections());
        let busy = limit.saturating_sub(self.0.permits.available_permits());
        ConnectionUse {
            pool,
            busy,
            idle: size(self.0.pool.size()).saturating_sub(busy),
            limit,
        }
    }

    /// How many there can be.
    #[cfg(test)]
    pub(super) fn size(&self) -> u32 {
        self.0.pool.options().get_max_connections()
    }

    /// Waits for what is under way and closes every connection.
    pub(super) async fn close(&self) {
        self.0.permits.close();
        let idle = std::mem::take(&mut *self.idle());
        drop(idle);
        self.0.pool.close().await;
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that is lent. Dropped without [`keep`](Lease::keep), it goes back to the pool, which looks at it first.
#[derive(Debug)]
pub(super) struct Lease {
    // Before the permit, so that whoever gets that next does not find the pool empty.
    kept: Kept,
    permit: OwnedSemaphorePermit,
    owner: Connections,
}

impl Lease {
    /// Ends the lease of a connection whose work went well and is done.
    pub(super) fn keep(self) {
        let Self { kept, permit, owner } = self;
        let mut idle = owner.idle();
        // After `close` has emptied the shelf nothing is put there.
        if !owner.0.permits.is_closed() {
            idle.push(Idle {
                connection: kept,
                since: Instant::now(),
            });
        }
        drop(idle);
        drop(permit);
    }

    /// Ends the lease of a connection that nobody is to have again.
    pub(super) fn close(mut self) {
        self.kept.connection.close_on_drop();
    }

    /// Whether the connection was taken from the pool before one was lost.
    pub(super) fn is_suspect(&self) -> bool {
        self.owner.0.watch.suspects(self.kept.taken.elapsed())
    }
}

impl Deref for Lease {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        &self.kept.connection
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.kept.connection
    }
}
