//! Admins look for accounts.

use super::{Actor, Auth, Client, Error, FieldError, FieldErrors, Page, PageRequest, User, audit::EventKind, fields};
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
    #[tracing::instrument(skip_all)]
    pub async fn list_users(&self, actor: &Actor, query: UserQuery, client: &Client) -> Result<Page<User>, Error> {
        self.require_admin(actor, EventKind::ListUsers, None, client).await?;
        let mut errors = FieldErrors::default();
        let (limit, cursor) = (query.limit, query.cursor.as_deref());
        let page = PageRequest { limit, cursor }.parse::<UserId>(&mut errors);
        let q = errors.take(parse_search(query.q.as_deref()));
        let role = errors.take(query.role.map(parse_role).transpose());
        let active = errors.take(parse_status(query.status.as_deref()));
        let (Some((size, after)), Some(q), Some(role), Some(active)) = (page, q, role, active) else {
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
}

fn parse_search(q: Option<&str>) -> Result<Option<String>, FieldError> {
    match q.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) if text.chars().count() > SEARCH_MAX_CHARS || text.chars().any(char::is_control) => {
            let rule = format!("A search is at most {SEARCH_MAX_CHARS} characters, without control characters.");
            Err(FieldError::new("q", "invalid_search", rule))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

fn parse_role(role: String) -> Result<String, FieldError> {
    fields::check_role("role", &role).map(|()| role)
}

fn parse_status(status: Option<&str>) -> Result<Option<bool>, FieldError> {
    match status {
        None => Ok(None),
        Some("active") => Ok(Some(true)),
        Some("disabled") => Ok(Some(false)),
        Some(_) => Err(FieldError::new(
            "status",
            "invalid_status",
            "A status is active or disabled.",
        )),
    }
}
