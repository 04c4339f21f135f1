//! Admins look for accounts.

use super::{Actor, Auth, Client, Error, FieldError, FieldErrors, Page, PageRequest, User, audit::EventKind, fields};
use crate::{
    id::UserId,
    store::{UserFilter, UserRow, UserStatus},
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
    /// Only those that are `active`, `pending` or `disabled`.
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
        let status = errors.take(parse_status(query.status.as_deref()));
        let (Some((size, after)), Some(q), Some(role), Some(status)) = (page, q, role, status) else {
            return Err(errors.into_error());
        };
        let rows = self
            .store()
            .list_users(&UserFilter {
                q,
                role,
                status,
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

fn parse_status(name: Option<&str>) -> Result<Option<UserStatus>, FieldError> {
    let Some(name) = name else { return Ok(None) };
    let known = UserStatus::ALL.into_iter().find(|status| status.as_str() == name);
    known.map(Some).ok_or_else(|| {
        let rule = "A status is active, pending or disabled.";
        FieldError::new("status", "invalid_status", rule)
    })
}
