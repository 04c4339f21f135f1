//! Everybody's accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{DateTime, given, present};
use crate::{auth, clock::Timestamp, id::UserId};

/// An account.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UserResponse {
    #[schemars(with = "Uuid")]
    id: UserId,
    #[schemars(example = &"mira@example.com")]
    email: String,
    #[schemars(example = &"mira")]
    username: Option<String>,
    #[schemars(example = &"Mira Holm")]
    name: Option<String>,
    /// Its roles; `admin` is the built-in one.
    #[schemars(example = ["editor"])]
    roles: Vec<String>,
    email_verified: bool,
    /// Whether it is not disabled.
    is_active: bool,
    /// The id in the application that the account was imported from.
    external_id: Option<String>,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    updated_at: Timestamp,
}

impl From<auth::User> for UserResponse {
    fn from(user: auth::User) -> Self {
        let is_active = user.is_enabled();
        Self {
            id: user.id,
            email: user.email,
            username: user.username,
            name: user.name,
            roles: user.roles,
            email_verified: user.email_verified,
            is_active,
            external_id: user.external_id,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// What to change; a field that is left out stays, `null` clears a name.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"roles": ["admin"], "is_active": true}))]
pub(crate) struct UpdateUserRequest {
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    username: Option<Option<String>>,
    /// All roles that the account is to have.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<String>")]
    roles: Option<Vec<String>>,
    /// Disabling an account ends its sessions.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "bool")]
    is_active: Option<bool>,
}

impl From<UpdateUserRequest> for auth::UpdateUser {
    fn from(request: UpdateUserRequest) -> Self {
        let profile = auth::UpdateProfile {
            name: request.name,
            username: request.username,
        };
        Self {
            profile,
            roles: request.roles.map(auth::RoleChange::All),
            is_active: request.is_active,
        }
    }
}

/// Which accounts.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct ListUsersQuery {
    /// How many at most: 1 to 200. When not said, 50, or 200 where the list is a plain array.
    #[schemars(range(min = 1, max = 200))]
    pub(crate) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Part of an address, a username or a name.
    q: Option<String>,
    /// Only those with this role.
    role: Option<String>,
    /// Only those that are `active`, `pending` (nobody has chosen their password yet) or `disabled`. Of both of the former
    /// `is_active` is true.
    status: Option<String>,
}

impl From<ListUsersQuery> for auth::UserQuery {
    fn from(query: ListUsersQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
            q: query.q,
            role: query.role,
            status: query.status,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_no_way_to_leave_out_what_cannot_be_cleared() {
        for body in [r#"{"roles": null}"#, r#"{"is_active": null}"#] {
            assert!(serde_json::from_str::<UpdateUserRequest>(body).is_err(), "{body}");
        }
        let change: UpdateUserRequest = serde_json::from_str(r#"{"is_active": false}"#).unwrap();
        assert_eq!((change.roles, change.is_active), (None, Some(false)));
    }
}
