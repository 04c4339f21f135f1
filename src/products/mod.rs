//! The worked example of a protected resource, laid out as an application's own would be: what may be done with it here,
//! how that is spoken over HTTP in `web::api::products`, its pages in `web::pages::products`, its rows in
//! `store::products`. Any signed-in user reads; the owner or an admin changes.

use std::sync::Arc;

use crate::{
    auth::{Auth, Client, Error, EventKind, FieldError, FieldErrors, Identity, Page, PageRequest, Record, require},
    clock::{Clock, Timestamp},
    id::{ProductId, UserId},
    printable::is_unprintable_in_prose,
    store::{ProductFilter, ProductRow, Store, Tx},
};

const NAME_MAX_CHARS: usize = 100;
const DESCRIPTION_MAX_CHARS: usize = 2000;

/// A product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
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

impl Product {
    /// Whether `identity` may change or delete it.
    #[must_use]
    pub fn is_changeable_by(&self, identity: &Identity) -> bool {
        self.owner_id == identity.user.id || identity.user.is_admin()
    }
}

impl From<ProductRow> for Product {
    fn from(row: ProductRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            owner_id: row.owner_id,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A product to add.
#[derive(Clone, Debug)]
pub struct NewProduct {
    /// What it is called.
    pub name: String,
    /// What it is, if there is more to say.
    pub description: Option<String>,
}

/// What to change: untouched when `None`; a description is cleared by `Some(None)`.
#[derive(Clone, Debug, Default)]
pub struct ProductChange {
    /// What it is called.
    pub name: Option<String>,
    /// What it is.
    pub description: Option<Option<String>>,
}

/// Which products to list.
#[derive(Clone, Debug, Default)]
pub struct ProductQuery {
    /// Only the caller's own.
    pub own: bool,
    /// How many at most: 1 to 200, 50 when not said.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
}

/// The operations. Cheap to clone: clones share everything.
#[derive(Clone, Debug)]
pub struct Products {
    store: Store,
    clock: Arc<dyn Clock>,
    auth: Auth,
}

impl Products {
    /// The operations on the products in `store`, of users whom `auth` knows.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, auth: Auth) -> Self {
        Self { store, clock, auth }
    }

    /// The products, oldest first.
    #[tracing::instrument(name = "list_products", skip_all)]
    pub async fn list(&self, identity: &Identity, query: ProductQuery) -> Result<Page<Product>, Error> {
        let mut faults = FieldErrors::default();
        let (limit, cursor) = (query.limit, query.cursor.as_deref());
        let Some((size, after)) = PageRequest { limit, cursor }.parse::<ProductId>(&mut faults) else {
            return Err(faults.into_error());
        };
        let owner = query.own.then_some(identity.user.id);
        let rows = self
            .store
            .list_products(&ProductFilter {
                owner,
                after,
                limit: size.rows(),
            })
            .await?;
        Ok(size.cut(rows, |row: &ProductRow| row.id.to_string()))
    }

    /// One product, for any signed-in user.
    #[tracing::instrument(name = "show_product", skip_all)]
    pub async fn show(&self, _: &Identity, id: ProductId) -> Result<Product, Error> {
        self.find(id).await
    }

    /// Adds a product, which is the caller's.
    #[tracing::instrument(name = "create_product", skip_all)]
    pub async fn create(&self, identity: &Identity, new: NewProduct, client: &Client) -> Result<Product, Error> {
        let mut faults = FieldErrors::default();
        let name = faults.take(parse_name(&new.name));
        let description = faults.take(parse_description(new.description.as_deref()));
        let (Some(name), Some(description)) = (name, description) else {
            return Err(faults.into_error());
        };
        let now = self.clock.now();
        let owner_id = identity.user.id;
        let row = ProductRow {
            id: ProductId::new(now),
            name,
            description,
            owner_id,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.store.begin().await?;
        // The account may be deleted since the request came in, and its products with it.
        tx.find_user(owner_id).await?.ok_or(Error::SessionEnded)?;
        tx.insert_product(&row).await?;
        let product = row.into();
        record(&mut tx, EventKind::CreateProduct, &product, identity, client, now).await?;
        tx.commit().await?;
        Ok(product)
    }

    /// Changes a product of the caller's, or anybody's if the caller is an admin.
    #[tracing::instrument(name = "update_product", skip_all)]
    pub async fn update(
        &self,
        identity: &Identity,
        id: ProductId,
        change: ProductChange,
        client: &Client,
    ) -> Result<Product, Error> {
        let mut faults = FieldErrors::default();
        let name = faults.take(change.name.as_deref().map(parse_name).transpose());
        let description = change.description.map(|text| parse_description(text.as_deref()));
        let description = faults.take(description.transpose());
        let (Some(name), Some(description)) = (name, description) else {
            return Err(faults.into_error());
        };
        let kind = EventKind::UpdateProduct;
        let found = self.changeable(identity, id, kind, client).await?;
        let mut product = found.clone();
        product.name = name.unwrap_or(product.name);
        product.description = description.unwrap_or(product.description);
        if product == found {
            return Ok(found);
        }
        product.updated_at = self.clock.now();
        let mut tx = self.store.begin().await?;
        write(&mut tx, &product).await?;
        record(&mut tx, kind, &product, identity, client, product.updated_at).await?;
        tx.commit().await?;
        Ok(product)
    }

    /// Deletes a product of the caller's, or anybody's if the caller is an admin.
    #[tracing::instrument(name = "delete_product", skip_all)]
    pub async fn delete(&self, identity: &Identity, id: ProductId, client: &Client) -> Result<(), Error> {
        let kind = EventKind::DeleteProduct;
        let product = self.changeable(identity, id, kind, client).await?;
        let mut tx = self.store.begin().await?;
        if !tx.delete_product(id).await? {
            return Err(Error::NotFound);
        }
        record(&mut tx, kind, &product, identity, client, self.clock.now()).await?;
        Ok(tx.commit().await?)
    }

    async fn find(&self, id: ProductId) -> Result<Product, Error> {
        Ok(self.store.find_product(id).await?.ok_or(Error::NotFound)?.into())
    }

    /// A product never changes hands, so that whose it is can be asked before its row is held.
    async fn changeable(
        &self,
        identity: &Identity,
        id: ProductId,
        kind: EventKind,
        client: &Client,
    ) -> Result<Product, Error> {
        let product = self.find(id).await?;
        if product.is_changeable_by(identity) {
            Ok(product)
        } else {
            Err(self.auth.forbid(identity, kind, Some(id.uuid()), client).await)
        }
    }
}

/// Of the owner's product, whoever did it.
async fn record(
    tx: &mut Tx,
    kind: EventKind,
    product: &Product,
    identity: &Identity,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    let record = Record::success(kind, client).about(product.owner_id).by_user(identity);
    record.detail(product.id.to_string()).write(tx, now).await
}

async fn write(tx: &mut Tx, product: &Product) -> Result<(), Error> {
    let Product {
        id,
        name,
        description,
        updated_at,
        ..
    } = product;
    if tx
        .update_product(*id, name, description.as_deref(), *updated_at)
        .await?
    {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}

fn parse_name(text: &str) -> Result<String, FieldError> {
    let name = text.trim();
    require("name", name)?;
    if name.chars().count() > NAME_MAX_CHARS || name.chars().any(is_unprintable_in_prose) {
        let rule = format!("A name is at most {NAME_MAX_CHARS} characters, without control characters.");
        return Err(FieldError::new("name", "invalid_name", rule));
    }
    Ok(name.to_owned())
}

/// Lines are a description's to have; blank means none.
fn parse_description(text: Option<&str>) -> Result<Option<String>, FieldError> {
    let description = text.unwrap_or_default().trim();
    let is_refused = |char: char| is_unprintable_in_prose(char) && !matches!(char, '\n' | '\r' | '\t');
    if description.chars().count() > DESCRIPTION_MAX_CHARS || description.chars().any(is_refused) {
        let rule = format!("A description is at most {DESCRIPTION_MAX_CHARS} characters, without control characters.");
        return Err(FieldError::new("description", "invalid_description", rule));
    }
    Ok((!description.is_empty()).then(|| description.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_something_and_no_controls() {
        assert_eq!(parse_name(" Lamp 💡 ").unwrap(), "Lamp 💡");
        for text in ["", "  ", "a\0b", "a\nb", "a\u{202E}b", "a\u{AD}b", &"é".repeat(101)] {
            assert!(parse_name(text).is_err(), "{text:?}");
        }
        assert!(parse_name(&"é".repeat(100)).is_ok());
        assert_eq!(parse_name(" ").unwrap_err().code, "required");
    }

    #[test]
    fn a_description_may_have_lines_or_be_missing() {
        assert_eq!(parse_description(Some("a\nb")).unwrap().as_deref(), Some("a\nb"));
        assert_eq!(parse_description(Some("  ")).unwrap(), None);
        assert_eq!(parse_description(None).unwrap(), None);
        for text in ["a\0b", "a\u{7f}", &"a".repeat(2001)] {
            assert!(parse_description(Some(text)).is_err());
        }
    }
}
