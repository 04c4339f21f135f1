//! A transaction.

use std::{fmt, mem, time::Duration};

use futures_util::TryStreamExt;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Either, Execute, Executor, any::AnyRow, error::BoxDynError};

use super::{
    Decode, Error, Query,
    connections::Lease,
    decode_all, decode_one,
    engine::Engine,
    watch::{STATEMENT_LIMIT, Watch},
};

/// How long PostgreSQL may take to start a transaction, which waits for nothing: one that does not answer by then is not
/// there, and there is time to ask another.
const BEGIN_LIMIT: Duration = Duration::from_secs(2);

/// A transaction to write in; dropped without [`commit`](Tx::commit), it never happened.
///
/// PostgreSQL runs transactions side by side, at READ COMMITTED: what decides is the condition in a statement, which is
/// checked again once a row's lock is held, never a read before it. Rows are locked in one order, so that two
/// transactions do not wait for each other: the user, then the session, then the refresh token.
///
/// Not sqlx's transaction, which keeps its connection to itself until the pool has looked at it, and begins with a round
/// trip of its own.
#[derive(Debug)]
pub struct Tx {
    pub(super) engine: Engine,
    /// None once the transaction has ended.
    connection: Option<Lease>,
    watch: Watch,
    /// Whether the statement that starts it was sent.
    begun: bool,
    /// Whether a statement failed, or was given up.
    broken: bool,
    after_commit: AfterCommit,
}

/// What is to be done once it is written.
#[derive(Default)]
struct AfterCommit(Vec<Box<dyn FnOnce() + Send + Sync>>);

impl fmt::Debug for AfterCommit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AfterCommit({})", self.0.len())
    }
}

impl Tx {
    pub(super) async fn begin(engine: Engine, connection: Lease, watch: Watch) -> Result<Self, sqlx::Error> {
        // Whole before anything is sent: given up meanwhile, it is rolled back.
        let mut tx = Self {
            engine,
            connection: Some(connection),
            watch,
            begun: engine.begins_alone(),
            broken: false,
            after_commit: AfterCommit::default(),
        };
        if let (true, Some(connection)) = (tx.begun, &mut tx.connection) {
            let begin = sqlx::query(engine.begin()).execute(&mut **connection);
            tx.watch.limit(BEGIN_LIMIT, begin).await?;
        }
        Ok(tx)
    }

    /// Makes everything written durable and visible to others.
    ///
    /// After a failed statement this is an error: SQLite would commit the others, and PostgreSQL would answer a COMMIT
    /// with a rollback that sqlx does not report.
    ///
    /// When the database is lost or falls silent meanwhile, this too is [`Error::Unavailable`], and nobody knows whether
    /// the transaction happened: no limit and no driver can tell. The caller is asked to try again, which is safe after
    /// either: what makes something unique is refused the second time, a change is the same twice, and a refresh token
    /// that was used gives the same successor.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.begun {
            self.execute(sqlx::query("COMMIT")).await?;
        }
        if let Some(connection) = self.connection.take() {
            connection.keep();
        }
        for then in mem::take(&mut self.after_commit).0 {
            then();
        }
        Ok(())
    }

    /// Has this done when what was written is so, and not before.
    pub fn after_commit(&mut self, then: impl FnOnce() + Send + Sync + 'static) {
        self.after_commit.0.push(Box::new(then));
    }

    /// Makes this a transaction that cannot commit: a statement has done a part of what it was to do.
    pub(super) const fn break_off(&mut self) {
        self.broken = true;
    }

    /// How many rows the statement changed; of several in one text, the last.
    pub(super) async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        // Not `execute` of sqlx, which adds up what all of them changed, and what SQLite says of a BEGIN is what the statement
        // before it did.
        let count = async |connection: &mut AnyConnection, query| {
            let mut steps = connection.fetch_many(query);
            let mut changed = 0;
            while let Some(step) = steps.try_next().await? {
                if let Either::Left(result) = step {
                    changed = result.rows_affected();
                }
            }
            Ok(changed)
        };
        self.run(query, |connection, query| async move { count(connection, query).await })
            .await
    }

    /// Whether the statement found its row.
    pub(super) async fn changes(&mut self, query: Query) -> Result<bool, Error> {
        Ok(self.execute(query).await? > 0)
    }

    pub(super) async fn read_one<R: Decode>(&mut self, query: Query) -> Result<Option<R>, Error> {
        decode_one(self.row(query).await?.as_ref())
    }

    pub(super) async fn read_all<R: Decode>(&mut self, query: Query) -> Result<Vec<R>, Error> {
        decode_all(&self.rows(query).await?)
    }

    /// Not `fetch_optional` of sqlx, which looks no further than what comes of a BEGIN.
    pub(super) async fn row(&mut self, query: Query) -> Result<Option<AnyRow>, Error> {
        Ok(self.rows(query).await?.into_iter().next())
    }

    pub(super) async fn rows(&mut self, query: Query) -> Result<Vec<AnyRow>, Error> {
        self.run(query, |connection, query| query.fetch_all(connection)).await
    }

    /// Runs one statement. The transaction counts as broken until that has succeeded, and so stays broken when it fails
    /// and when its future is dropped half-way.
    async fn run<'tx, T, F>(
        &'tx mut self,
        query: Query,
        statement: impl FnOnce(&'tx mut AnyConnection, Query) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        let (Some(connection), false) = (&mut self.connection, mem::replace(&mut self.broken, true)) else {
            return Err(Error::Aborted);
        };
        let query = if mem::replace(&mut self.begun, true) {
            query
        } else {
            beginning(self.engine, query).map_err(sqlx::Error::Encode)?
        };
        let outcome = statement(connection, query);
        let outcome = self.watch.limit(STATEMENT_LIMIT, outcome).await;
        if let Err(error) = &outcome {
            self.watch.note_change(Err(error));
        }
        let outcome = outcome?;
        self.broken = false;
        Ok(outcome)
    }
}

/// The query with the statement that starts a transaction before it, as one message.
fn beginning(engine: Engine, mut query: Query) -> Result<Query, BoxDynError> {
    let arguments = Execute::<Any>::take_arguments(&mut query)?.unwrap_or_default();
    let text = format!("{}; {}", engine.begin(), Execute::<Any>::sql(query).as_str());
    // Both are statements of this module's.
    Ok(sqlx::query_with(AssertSqlSafe(text), arguments))
}

impl Drop for Tx {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if !self.begun {
            connection.keep();
            return;
        }
        // Where nobody would answer, the end of the connection has to be the end of the transaction.
        if connection.is_suspect() {
            connection.close();
            return;
        }
        let watch = self.watch.clone();
        tokio::spawn(async move {
            let roll_back = sqlx::query("ROLLBACK").execute(&mut *connection);
            if watch.limit(STATEMENT_LIMIT, roll_back).await.is_ok() {
                connection.keep();
            } else {
                connection.close();
            }
        });
    }
}
