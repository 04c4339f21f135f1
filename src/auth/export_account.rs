//! A user takes a copy of all that is stored about them (GDPR article 15).

use super::{
    Auth, Client, Error, Event, Identity, Message, Session, User,
    audit::{EventKind, Record},
};
use crate::{
    clock::Timestamp,
    id::ProductId,
    mail::LinkKind,
    store::{EXPORT_LIMIT, LinkTokenRow, PlaceRow, ProductFilter, ProductRow},
};

/// All that is stored about a user, but for what must stay secret even from a stolen session: hashes.
#[derive(Debug)]
pub struct Export {
    /// When the copy was made.
    pub exported_at: Timestamp,
    /// The account.
    pub user: User,
    /// When the password was last used to sign in.
    pub last_login_at: Option<Timestamp>,
    /// The signed-in devices.
    pub sessions: Vec<Session>,
    /// From where it signed in, as far as that is remembered.
    pub places: Vec<ExportedPlace>,
    /// Links that were mailed and not used, but for those to an address that the user asked for. That they asked is in
    /// [`messages`](Self::messages); whether a link went out tells, with `PRIVATE_SIGNUP`, if somebody else has it.
    pub links: Vec<ExportedLink>,
    /// What was mailed.
    pub messages: Vec<Message>,
    /// What the audit log says.
    pub events: Vec<Event>,
    /// The products that the user owns.
    pub products: Vec<ExportedProduct>,
}

/// From where an account signed in.
#[derive(Debug)]
pub struct ExportedPlace {
    /// The kind of device in words, if it was known.
    pub device: Option<String>,
    /// The network, if it was known.
    pub network: Option<String>,
    /// When it last signed in.
    pub last_at: Timestamp,
}

impl From<PlaceRow> for ExportedPlace {
    fn from(row: PlaceRow) -> Self {
        let known = |text: String| (!text.is_empty()).then_some(text);
        Self {
            device: known(row.device),
            network: known(row.network),
            last_at: row.last_at,
        }
    }
}

/// A mailed link, without its token.
#[derive(Debug)]
pub struct ExportedLink {
    /// What it is for.
    pub kind: String,
    /// Where it was mailed to.
    pub email: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

impl From<LinkTokenRow> for ExportedLink {
    fn from(row: LinkTokenRow) -> Self {
        Self {
            kind: row.kind,
            email: row.email,
            created_at: row.created_at,
            expires_at: row.expires_at,
        }
    }
}

/// A product of the worked example.
#[derive(Debug)]
pub struct ExportedProduct {
    /// Its id.
    pub id: ProductId,
    /// Its name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl From<ProductRow> for ExportedProduct {
    fn from(row: ProductRow) -> Self {
        Self {
            id: row.id,
            name: row.name,
            description: row.description,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

fn converted<Row, T: From<Row>>(rows: impl IntoIterator<Item = Row>) -> Vec<T> {
    rows.into_iter().map(T::from).collect()
}

impl Auth {
    /// All that is stored about the caller.
    #[tracing::instrument(skip_all)]
    pub async fn export_account(&self, identity: &Identity, client: &Client) -> Result<Export, Error> {
        let id = identity.user.id;
        let now = self.now();
        let account = self.store().find_user(id).await?.ok_or(Error::SessionEnded)?;
        let products = ProductFilter {
            owner: Some(id),
            after: None,
            limit: EXPORT_LIMIT,
        };
        let links = self.store().list_link_tokens_of(id).await?;
        let export = Export {
            exported_at: now,
            last_login_at: account.last_login_at,
            user: account.into(),
            sessions: self.all_sessions(identity).await?,
            places: converted(self.store().list_places(id).await?),
            links: converted(
                links
                    .into_iter()
                    .filter(|link| link.kind != LinkKind::VerifyNewEmail.as_str()),
            ),
            messages: converted(self.store().list_messages_of(id).await?),
            events: converted(self.store().list_events_of(id).await?),
            products: converted(self.store().list_products(&products).await?),
        };
        self.record(Record::success(EventKind::ExportAccount, client).by_owner(identity))
            .await?;
        Ok(export)
    }
}
