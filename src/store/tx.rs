//! A transaction.

use std::mem;

use sqlx::{Any, AnyConnection, Transaction, any::AnyRow};

use super::{Decode, Error, Query, decode_all, decode_one, engine::Engine};

/// A transaction to write in; dropped without [`commit`](Tx::commit), it never happened.
///
/// PostgreSQL runs transactions side by side, at READ COMMITTED: what decides is the condition in a statement, which is
/// checked again once a row's lock is held, never a read before it. Rows are locked in one order, so that two
/// transactions do not wait for each other: the user, then the session, then the refresh token.
#[derive(Debug)]
pub struct Tx {
    pub(super) engine: Engine,
    transaction: Transaction<'static, Any>,
    broken: bool,
}

impl Tx {
    pub(super) const fn new(engine: Engine, transaction: Transaction<'static, Any>) -> Self {
        Self {
            engine,
            transaction,
            broken: false,
        }
    }

    /// Makes everything written durable and visible to others.
    ///
    /// After a failed statement this is an error: SQLite would commit the others, and PostgreSQL would answer a COMMIT
    /// with a rollback that sqlx does not report.
    pub async fn commit(self) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Aborted);
        }
        Ok(self.transaction.commit().await?)
    }

    /// How many rows the statement changed.
    pub(super) async fn execute(&mut self, query: Query) -> Result<u64, Error> {
        let result = query.execute(self.connection()?).await?;
        self.broken = false;
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
        let row = query.fetch_optional(self.connection()?).await?;
        self.broken = false;
        Ok(row)
    }

    pub(super) async fn rows(&mut self, query: Query) -> Result<Vec<AnyRow>, Error> {
        let rows = query.fetch_all(self.connection()?).await?;
        self.broken = false;
        Ok(rows)
    }

    /// The connection, for one statement. The transaction counts as broken until that has succeeded, and so stays broken
    /// when it fails and when its future is dropped half-way.
    fn connection(&mut self) -> Result<&mut AnyConnection, Error> {
        if mem::replace(&mut self.broken, true) {
            return Err(Error::Aborted);
        }
        Ok(&mut self.transaction)
    }
}
