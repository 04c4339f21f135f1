//! What becomes of an account's roles.

use std::collections::BTreeSet;

use super::{Error, FieldError, fields};
use crate::{id::UserId, store::Tx};

/// A wish about an account's roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RoleChange {
    /// To have these and no others.
    All(Vec<String>),
    /// To have this one besides.
    Grant(String),
    /// Not to have this one.
    Revoke(String),
}

impl RoleChange {
    /// Refuses names that are no role's. To take one away is refused to nobody: an account that has it should lose it.
    pub(super) fn check(&self) -> Result<(), FieldError> {
        let check = |role: &String| fields::check_role(self.field(), role);
        match self {
            Self::All(roles) => roles.iter().try_for_each(check),
            Self::Grant(role) => check(role),
            Self::Revoke(_) => Ok(()),
        }
    }

    /// The field that it was wished in.
    const fn field(&self) -> &'static str {
        match self {
            Self::All(_) => "roles",
            Self::Grant(_) | Self::Revoke(_) => "role",
        }
    }

    /// Refuses to let an account that has the roles `had` gain more than a token can name.
    pub(super) fn check_number(&self, had: &[String]) -> Result<(), FieldError> {
        let difference = self.of(had);
        let number = (had.len() + difference.granted.len()).saturating_sub(difference.revoked.len());
        if number > MAX_ROLES && !difference.granted.is_empty() {
            let rule = format!("An account has at most {MAX_ROLES} roles.");
            return Err(FieldError::new(self.field(), "too_many_roles", rule));
        }
        Ok(())
    }

    /// What it comes to for an account that has the roles `had`.
    pub(super) fn of(&self, had: &[String]) -> RoleDifference {
        let had: BTreeSet<&str> = had.iter().map(String::as_str).collect();
        let mut wanted = had.clone();
        match self {
            Self::All(roles) => wanted = roles.iter().map(String::as_str).collect(),
            Self::Grant(role) => drop(wanted.insert(role)),
            Self::Revoke(role) => drop(wanted.remove(role.as_str())),
        }
        let names = |roles: BTreeSet<&str>| roles.into_iter().map(str::to_owned).collect();
        RoleDifference {
            granted: names(&wanted - &had),
            revoked: names(&had - &wanted),
        }
    }
}

/// Access tokens name every role, and travel in a header with each request.
pub(super) const MAX_ROLES: usize = 32;

/// The roles that an account gains and loses, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RoleDifference {
    pub(super) granted: Vec<String>,
    pub(super) revoked: Vec<String>,
}

impl RoleDifference {
    pub(super) fn is_none(&self) -> bool {
        self.granted.is_empty() && self.revoked.is_empty()
    }

    pub(super) async fn write(&self, tx: &mut Tx, user: UserId) -> Result<(), Error> {
        for role in &self.granted {
            tx.insert_role(user, role).await?;
        }
        if !self.granted.is_empty() {
            tx.end_waiting(user).await?;
        }
        for role in &self.revoked {
            tx.delete_role(user, role).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(roles: &[&str]) -> Vec<String> {
        roles.iter().map(|role| (*role).to_owned()).collect()
    }

    fn difference(change: &RoleChange, had: &[&str]) -> (Vec<String>, Vec<String>) {
        let RoleDifference { granted, revoked } = change.of(&names(had));
        (granted, revoked)
    }

    #[test]
    fn all_roles_replace_those_that_there_were_and_count_once() {
        let change = RoleChange::All(names(&["editor", "admin", "editor"]));
        let expected = (names(&["editor"]), names(&["guest"]));
        assert_eq!(difference(&change, &["admin", "guest"]), expected);
    }

    #[test]
    fn a_granted_role_leaves_the_others_alone() {
        let change = RoleChange::Grant("editor".to_owned());
        assert_eq!(difference(&change, &["admin"]), (names(&["editor"]), Vec::new()));
        assert_eq!(difference(&change, &["editor"]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_revoked_role_leaves_the_others_alone() {
        let change = RoleChange::Revoke("editor".to_owned());
        assert_eq!(
            difference(&change, &["admin", "editor"]),
            (Vec::new(), names(&["editor"]))
        );
        assert_eq!(difference(&change, &["admin"]), (Vec::new(), Vec::new()));
    }

    #[test]
    fn only_what_can_be_a_role_is_given() {
        assert!(RoleChange::All(names(&["admin", "Not a role"])).check().is_err());
        assert!(RoleChange::Grant("Not a role".to_owned()).check().is_err());
        assert!(RoleChange::Revoke("Not a role".to_owned()).check().is_ok());
    }
}
