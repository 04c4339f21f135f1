//! Admins look for accounts.

use super::{Actor, Auth, Error, FieldError, FieldErrors, Page, User, fields, fields::Identifier, types};
use crate::{
    id::UserId,
    store::{UserFilter, UserRow},
};

/// A search is for a name or an address, not for a book.
const SEARCH_MAX_CHARS: usize = 254;

/// Which accounts to list.
#[derive(Clone, Debug, Default)]
pub struct UserQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Part of an address, a username or a name.
    pub q: Option<String>,
    /// Only those with this role.
    pub role: Option<String>,
    /// Only those that are `active` or `disabled`.
    pub status: Option<String>,
}

impl Auth {
    /// The accounts, oldest first, for admins.
    pub async fn list_users(&self, actor: &Actor, query: UserQuery) -> Result<Page<User>, Error> {
        actor.require_admin()?;
        let mut errors = FieldErrors::default();
        let size = errors.take(types::PageSize::parse(query.limit));
        let after = errors.take(types::parse_cursor::<UserId>(query.cursor.as_deref()));
        let q = errors.take(parse_search(query.q.as_deref()));
        let role = errors.take(
            query
                .role
                .as_deref()
                .map(|role| fields::parse_role("role", role))
                .transpose(),
        );
        let active = errors.take(parse_status(query.status.as_deref()));
        let (Some(size), Some(after), Some(q), Some(role), Some(active)) = (size, after, q, role, active) else {
            return Err(errors.into_error());
        };
        let rows = self
            .store()
            .list_users(&UserFilter {
                q,
                role,
                active,
                after,
                limit: size.rows(),
            })
            .await?;
        Ok(size.cut(rows, |row: &UserRow| row.id.to_string()))
    }

    /// One account, for admins and for its owner.
    pub async fn show_user(&self, actor: &Actor, id: UserId) -> Result<User, Error> {
        if actor.user_id() != Some(id) {
            actor.require_admin()?;
        }
        Ok(self.store().find_user(id).await?.ok_or(Error::NotFound)?.into())
    }

    /// The account that an id, an email address or a username names, for the command line.
    pub async fn find_user(&self, actor: &Actor, name: &str) -> Result<User, Error> {
        actor.require_admin()?;
        if let Ok(id) = name.parse::<UserId>() {
            return self.show_user(actor, id).await;
        }
        let found = self.find_by_identifier(&Identifier::parse(name)).await?;
        Ok(found.ok_or(Error::NotFound)?.into())
    }
}

fn parse_search(q: Option<&str>) -> Result<Option<String>, FieldError> {
    match q.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > SEARCH_MAX_CHARS || text.chars().any(char::is_control) => {
            let rule = format!("A search is at most {SEARCH_MAX_CHARS} characters, without control characters");
            Err(FieldError::new("q", "invalid_search", rule))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

fn parse_status(status: Option<&str>) -> Result<Option<bool>, FieldError> {
    match status {
        None => Ok(None),
        Some("active") => Ok(Some(true)),
        Some("disabled") => Ok(Some(false)),
        Some(_) => Err(FieldError::new(
            "status",
            "invalid_status",
            "A status is active or disabled",
        )),
    }
}
