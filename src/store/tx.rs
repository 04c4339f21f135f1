//! A transaction.

use std::mem;

use sqlx::{Any, AnyConnection, Transaction, any::AnyRow};

use super::{
    Decode, Error, Query, decode_all, decode_one,
    engine::Engine,
    watch::{STATEMENT_LIMIT, Watch},
};

/// A transaction to write in; dropped without [`commit`](Tx::commit), it never happened.
///
/// PostgreSQL runs transactions side by side, at READ COMMITTED: what decides is the condition in a statement, which is
/// checked again once a row's lock is held, never a read before it. Rows are locked in one order, so that two
/// transactions do not wait for each other: the user, then the session, then the refresh token.
#[derive(Debug)]
pub struct Tx {
    pub(super) engine: Engine,
    transaction: Transaction<'static, Any>,
    watch: Watch,
    broken: bool,
}

impl Tx {
    pub(super) const fn new(engine: Engine, transaction: Transaction<'static, Any>, watch: Watch) -> Self {
        Self {
            engine,
            transaction,
            watch,
            broken: false,
        }
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
    pub async fn commit(self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Aborted);
        }
        Ok(self.watch.limit(STATEMENT_LIMIT, self.transaction.commit()).await?)
    }

    /// How many rows the statement changed.
    pub(super) async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        let result = self.run(|connection| query.execute(connection)).await?;
        Ok(result.rows_affected())
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

    pub(super) async fn row(&mut self, query: Query) -> Result<Option<AnyRow>, Error> {
        self.run(|connection| query.fetch_optional(connection)).await
    }

    pub(super) async fn rows(&mut self, query: Query) -> Result<Vec<AnyRow>, Error> {
        self.run(|connection| query.fetch_all(connection)).await
    }

    /// Runs one statement. The transaction counts as broken until that has succeeded, and so stays broken when it fails
    /// and when its future is dropped half-way.
    async fn run<'tx, T, F>(&'tx mut self, statement: impl FnOnce(&'tx mut AnyConnection) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, sqlx::Error>>,
    {
        if mem::replace(&mut self.broken, true) {
            return Err(Error::Aborted);
        }
        let outcome = statement(&mut self.transaction);
        let outcome = self.watch.limit(STATEMENT_LIMIT, outcome).await?;
        self.broken = false;
        Ok(outcome)
    }
}
