//! What goes wrong with the database while it is in use: connections that may be dead, what makes them suspect, and how long
//! one may take to answer; and a database that takes no changes.

use std::{
    io,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Any, Execute, SqlStr, any::AnyArguments, error::BoxDynError};

use super::{Query, error};

/// How long a statement may take. Longer than the databases' own limits for it, so that a database that lives gets to
/// say what was wrong, and only one that does not is given up.
pub(super) const STATEMENT_LIMIT: Duration = Duration::from_secs(12);

/// What is known of the database. Cloning it is cheap and shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// When a connection was last lost. What takes one down, a restart or a failover, takes the others with it, and none of
    /// them would say so before it is used: so all that were made before are not used again. A question to each connection
    /// before its use would find out too, at the price of a round trip for every request.
    lost: Mutex<Option<Instant>>,
    /// Whether a change was refused that anybody may make, and none was made on trial since.
    refuses_changes: AtomicBool,
}

impl Watch {
    /// Whether a connection of this age was made before one was lost.
    pub(super) fn suspects(&self, age: Duration) -> bool {
        let lost = *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.is_some_and(|lost| lost.elapsed() <= age)
    }

    /// Every connection there is may be as dead as one that was just found so.
    pub(super) fn suspect_all(&self) {
        *self.0.lost.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether the database would refuse a change, as far as anybody has found out.
    pub(super) fn refuses_changes(&self) -> bool {
        self.0.refuses_changes.load(Ordering::Relaxed)
    }

    /// A change was made, or failed for this reason.
    pub(super) fn note_change(&self, outcome: Result<(), &sqlx::Error>) {
        match outcome {
            Ok(()) => self.0.refuses_changes.store(false, Ordering::Relaxed),
            Err(error) if takes_no_changes(error) => self.0.refuses_changes.store(true, Ordering::Relaxed),
            Err(_) => {}
        }
    }

    /// What comes of `work` on a connection, which is given up after `limit`.
    pub(super) async fn limit<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, sqlx::Error> {
        let mut work = pin!(work);
        let outcome = tokio::time::timeout(limit, work.as_mut())
            .await
            .unwrap_or_else(|elapsed| Err(io::Error::from(elapsed).into()));
        // Before `work` is dropped and gives back its connection, which the pool then would ask whether it lives, and
        // wait for the answer for as long as the network keeps up hope.
        if outcome.as_ref().is_err_and(is_lost) {
            self.suspect_all();
        }
        outcome
    }
}

/// Whether the connection is of no more use, and those made at the same time hardly of any.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(error) => match error::sqlite_code(&**error) {
            // A file that could be read alone when it was opened stays so for that connection.
            Some(code) => code == error::SQLITE_READONLY,
            // Shut down, crashed, not yet up, or idle for too long; and a primary that has become a standby, whose address
            // may lead to another server by now.
            None => error.code().is_some_and(|code| {
                code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25006")
            }),
        },
        _ => false,
    }
}

/// Whether the database answers and would refuse any other change too: its disk is full or broken, or it is there to be read
/// only.
fn takes_no_changes(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    match error::sqlite_code(&**error) {
        Some(code) => matches!(code, error::SQLITE_READONLY | error::SQLITE_IOERR | error::SQLITE_FULL),
        // Disk full, system error, read-only.
        None => error
            .code()
            .is_some_and(|code| code.starts_with("58") || matches!(&*code, "53100" | "25006")),
    }
}

/// Whether the same on another connection may go better. After a time-out it may too, but the caller has waited enough.
pub(super) fn is_worth_another_try(error: &sqlx::Error) -> bool {
    let timed_out = matches!(error, sqlx::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut);
    is_lost(error) && !timed_out
}

/// A query that can be sent more than once.
pub(super) struct Repeatable {
    sql: SqlStr,
    arguments: AnyArguments,
}

impl Repeatable {
    pub(super) fn new(mut query: Query) -> Result<Self, BoxDynError> {
        let arguments = Execute::<Any>::take_arguments(&mut query)?.unwrap_or_default();
        let sql = Execute::<Any>::sql(query);
        Ok(Self { sql, arguments })
    }

    pub(super) fn query(&self) -> Query {
        let mut arguments = AnyArguments::default();
        // Arguments cannot be cloned as such.
        arguments.values.0.clone_from(&self.arguments.values.0);
        sqlx::query_with(self.sql.clone(), arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_before_a_loss_is_suspect_and_what_came_after_is_not() {
        let watch = Watch::default();
        assert!(!watch.suspects(Duration::from_hours(1)));
        watch.suspect_all();
        assert!(watch.suspects(Duration::from_hours(1)));
        std::thread::sleep(Duration::from_millis(2));
        assert!(!watch.suspects(Duration::from_millis(1)));
    }

    #[tokio::test]
    async fn what_takes_too_long_is_given_up_makes_all_suspect_and_is_not_tried_again() {
        let watch = Watch::default();
        let error = watch
            .limit::<()>(Duration::from_millis(1), std::future::pending())
            .await
            .unwrap_err();
        assert!(matches!(
            crate::store::Error::from(error),
            crate::store::Error::Unavailable(_)
        ));
        assert!(watch.suspects(Duration::from_secs(1)));
        let timed_out = sqlx::Error::Io(io::ErrorKind::TimedOut.into());
        assert!(!is_worth_another_try(&timed_out));
        assert!(is_worth_another_try(&sqlx::Error::Io(
            io::ErrorKind::ConnectionReset.into()
        )));
    }

    #[tokio::test]
    async fn an_answer_even_a_bad_one_makes_nothing_suspect() {
        let watch = Watch::default();
        let refused = watch.limit::<()>(STATEMENT_LIMIT, async { Err(sqlx::Error::RowNotFound) });
        assert!(refused.await.is_err());
        assert!(!watch.suspects(Duration::from_hours(1)));
    }
}
