//! An admin changes an account: its names, its roles, whether it may sign in.

use super::{
    Actor, Auth, Client, Error, FieldErrors, RoleChange, UpdateProfile, User,
    audit::{EventKind, Record},
    last_admin::AdminGuard,
    links::{ALL_LINKS, revoke_links},
    mailing,
    roles::RoleDifference,
    update_profile::Profile,
};
use crate::{
    clock::Timestamp,
    id::UserId,
    mail::{Circumstances, Message},
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

/// What a [`Wish`] comes to for an account as it is, beside its name.
struct Change {
    /// Whether one signs in to it by another username from now on.
    username: bool,
    roles: RoleDifference,
    /// Whether it may sign in from now on, if that is new.
    is_active: Option<bool>,
}

impl Change {
    fn of(account: &UserRow, wish: &Wish) -> Self {
        let (roles, is_active) = (wish.roles.as_ref(), wish.is_active);
        Self {
            username: wish.profile.changes_username_of(account),
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
                tx.end_sessions(user, None).await?;
                revoke_links(tx, user, &ALL_LINKS, now).await?;
            }
            None => {}
        }
        Ok(())
    }

    /// Tells the owner what has changed of how one signs in and of what one may do. The admin's device is not the owner's
    /// business.
    async fn announce(&self, tx: &mut Tx, account: &UserRow, now: Timestamp) -> Result<(), Error> {
        let told = || Circumstances::by_admin(now);
        let messages = [
            self.username.then(|| Message::UsernameChanged(told())),
            (!self.roles.is_none()).then(|| Message::RolesChanged(told())),
            (self.is_active == Some(false)).then(|| Message::AccountDisabled(told())),
            (self.is_active == Some(true)).then(|| Message::AccountEnabled(told())),
        ];
        for message in messages.into_iter().flatten() {
            mailing::announce(tx, &message, account, now).await?;
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
    /// Changes an account, and tells its owner. Disabling it ends its sessions; a role that is taken away is gone with the next
    /// request.
    #[tracing::instrument(skip_all)]
    pub async fn update_user(
        &self,
        actor: &Actor,
        id: UserId,
        wish: UpdateUser,
        client: &Client,
    ) -> Result<User, Error> {
        self.require_admin(actor, EventKind::UpdateUser, Some(id.uuid()), client)
            .await?;
        let wish = wish.parse()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let (guard, account) = AdminGuard::enter(&mut tx, id).await?;
        if let Some(roles) = &wish.roles {
            roles.check_number(&account.roles)?;
        }
        let change = Change::of(&account, &wish);
        wish.profile.write(&mut tx, &account, now).await?;
        change.write(&mut tx, id, now).await?;
        change.announce(&mut tx, &account, now).await?;
        guard.leave(&mut tx).await?;
        let record = Record::success(EventKind::UpdateUser, client).by(actor).about(id);
        record.detail(change.describe()).write(&mut tx, now).await?;
        let updated = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        self.commit_and_wake(tx).await?;
        Ok(updated.into())
    }
}
