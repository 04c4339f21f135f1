//! Products, the worked example.

use sqlx::FromRow;
use uuid::Uuid;

use super::{Error, Store, Tx};
use crate::{
    clock::Timestamp,
    id::{ProductId, UserId},
};

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ProductRow {
    /// Its id.
    pub id: ProductId,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub description: Option<String>,
    /// Whose it is.
    pub owner_id: UserId,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which products to list.
#[derive(Clone, Debug, Default)]
pub struct ProductFilter {
    /// Those of this user.
    pub owner: Option<UserId>,
    /// Those after this one: the last of the page before.
    pub after: Option<ProductId>,
    /// At most so many.
    pub limit: i64,
}

macro_rules! select_products {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, description, owner_id, created_at, updated_at FROM products WHERE ",
            $rest
        )
    };
}

const FIND: &str = select_products!("id = $1");
pub(super) const LIST: &str = select_products!("id > $1 ORDER BY id LIMIT $2");
pub(super) const LIST_BY_OWNER: &str = select_products!("id > $1 AND owner_id = $3 ORDER BY id LIMIT $2");

pub(super) const DELETE_BY_OWNER: &str =
    "DELETE FROM products WHERE id IN (SELECT id FROM products WHERE owner_id = $1 ORDER BY id LIMIT $2)";

impl Store {
    /// The product with this id.
    pub async fn find_product(&self, product: ProductId) -> Result<Option<ProductRow>, Error> {
        self.read_one(sqlx::query(FIND).bind(product)).await
    }

    /// A page of products, oldest first.
    pub async fn list_products(&self, filter: &ProductFilter) -> Result<Vec<ProductRow>, Error> {
        let after = filter.after.unwrap_or(ProductId::from(Uuid::nil()));
        let query = match filter.owner {
            Some(owner) => sqlx::query(LIST_BY_OWNER).bind(after).bind(filter.limit).bind(owner),
            None => sqlx::query(LIST).bind(after).bind(filter.limit),
        };
        self.read_all(query).await
    }
}

impl Tx {
    /// Adds a product.
    pub async fn insert_product(&mut self, product: &ProductRow) -> Result<(), Error> {
        self.execute(
            sqlx::query(
                "INSERT INTO products (id, name, description, owner_id, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(product.id)
            .bind(product.name.as_str())
            .bind(product.description.as_deref())
            .bind(product.owner_id)
            .bind(product.created_at)
            .bind(product.updated_at),
        )
        .await
        .map(drop)
    }

    /// Sets name and description to what is given; false when there is no such product.
    pub async fn update_product(
        &mut self,
        product: ProductId,
        name: &str,
        description: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.changes(
            sqlx::query("UPDATE products SET name = $2, description = $3, updated_at = $4 WHERE id = $1")
                .bind(product)
                .bind(name)
                .bind(description)
                .bind(now),
        )
        .await
    }

    /// Deletes a product; false when there is no such product.
    pub async fn delete_product(&mut self, product: ProductId) -> Result<bool, Error> {
        self.changes(sqlx::query("DELETE FROM products WHERE id = $1").bind(product))
            .await
    }

    /// Deletes products of a user, at most `limit`, and says how many.
    pub async fn delete_products_of(&mut self, owner: UserId, limit: i64) -> Result<u64, Error> {
        self.execute(sqlx::query(DELETE_BY_OWNER).bind(owner).bind(limit)).await
    }
}
