//! An admin changes an account: its names, its roles, whether it may sign in.

use super::{
    Actor, Auth, Client, Error, FieldErrors, RoleChange, UpdateProfile, User,
    audit::{EventKind, Record},
    last_admin::AdminGuard,
    links::{ALL_LINKS, revoke_links},
    roles::RoleDifference,
    update_profile::Profile,
};
use crate::{
    clock::Timestamp,
    id::UserId,
    store::{Tx, UserRow},
};

/// What to change; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UpdateUser {
    /// The names.
    pub profile: UpdateProfile,
    /// The roles.
    pub roles: Option<RoleChange>,
    /// Whether it may sign in.
    pub is_active: Option<bool>,
}

/// An [`UpdateUser`] whose words were found good.
struct Wish {
    profile: Profile,
    roles: Option<RoleChange>,
    is_active: Option<bool>,
}

impl UpdateUser {
    fn parse(self) -> Result<Wish, Error> {
        let mut errors = FieldErrors::default();
        let profile = self.profile.parse(&mut errors);
        let checked = self.roles.as_ref().map_or(Ok(()), RoleChange::check);
        match (profile, errors.take(checked)) {
            (Some(profile), Some(())) => Ok(Wish {
                profile,
                roles: self.roles,
                is_active: self.is_active,
            }),
            _ => Err(errors.into_error()),
        }
    }
}

/// What a [`Wish`] comes to for an account as it is, beside its names.
struct Change {
    roles: RoleDifference,
    /// Whether it may sign in from now on, if that is new.
    is_active: Option<bool>,
}

impl Change {
    fn of(account: &UserRow, roles: Option<&RoleChange>, is_active: Option<bool>) -> Self {
        Self {
            roles: roles.map(|roles| roles.of(&account.roles)).unwrap_or_default(),
            is_active: is_active.filter(|active| *active != account.disabled_at.is_none()),
        }
    }

    async fn write(&self, tx: &mut Tx, user: UserId, now: Timestamp) -> Result<(), Error> {
        self.roles.write(tx, user).await?;
        match self.is_active {
            Some(true) => {
                tx.update_disabled(user, None, now).await?;
            }
            Some(false) => {
                tx.update_disabled(user, Some(now), now).await?;
                tx.delete_sessions(user, None).await?;
                revoke_links(tx, user, &ALL_LINKS, now).await?;
            }
            None => {}
        }
        Ok(())
    }

    /// What the audit log says of it, in names of roles and states only.
    fn describe(&self) -> String {
        let granted = self.roles.granted.iter().map(|role| format!("granted {role}"));
        let revoked = self.roles.revoked.iter().map(|role| format!("revoked {role}"));
        let state = self
            .is_active
            .map(|active| if active { "enabled" } else { "disabled" }.to_owned());
        let said: Vec<String> = granted.chain(revoked).chain(state).collect();
        if said.is_empty() {
            "details".to_owned()
        } else {
            said.join(", ")
        }
    }
}

impl Auth {
    /// Changes an account. Disabling it ends its sessions; a role that is taken away is gone with the next request.
    #[tracing::instrument(skip_all)]
    pub async fn update_user(
        &self,
        actor: &Actor,
        id: UserId,
        wish: UpdateUser,
        client: &Client,
    ) -> Result<User, Error> {
        actor.require_admin()?;
        let wish = wish.parse()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let (guard, account) = AdminGuard::enter(&mut tx, id).await?;
        if let Some(roles) = &wish.roles {
            roles.check_number(&account.roles)?;
        }
        let change = Change::of(&account, wish.roles.as_ref(), wish.is_active);
        wish.profile.write(&mut tx, &account, now).await?;
        change.write(&mut tx, id, now).await?;
        guard.leave(&mut tx).await?;
        let record = Record::success(EventKind::UpdateUser, client).by(actor).about(id);
        record.detail(change.describe()).write(&mut tx, now).await?;
        let updated = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        Ok(updated.into())
    }
}
