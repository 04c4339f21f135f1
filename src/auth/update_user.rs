//! An admin changes an account: its names, its roles, whether it may sign in.

use super::{
    Actor, Auth, Client, Error, FieldErrors, UpdateProfile, User,
    audit::{EventKind, Record},
    delete_account::{self, AdminGuard},
    fields,
    update_profile::Profile,
};
use crate::{
    id::UserId,
    mail,
    store::{Tx, UserRow},
};

/// What to change; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct UpdateUser {
    /// The names.
    pub profile: UpdateProfile,
    /// All roles that the account is to have.
    pub roles: Option<Vec<String>>,
    /// Whether it may sign in.
    pub is_active: Option<bool>,
}

struct Change {
    profile: Profile,
    roles: Option<Vec<String>>,
    is_active: Option<bool>,
}

impl UpdateUser {
    fn parse(self) -> Result<Change, Error> {
        let mut errors = FieldErrors::default();
        let profile = self.profile.parse(&mut errors);
        let roles = self
            .roles
            .map(|roles| roles.iter().map(|role| fields::parse_role("roles", role)).collect());
        let roles = errors.take(roles.transpose());
        match (profile, roles) {
            (Some(profile), Some(roles)) => Ok(Change {
                profile,
                roles,
                is_active: self.is_active,
            }),
            _ => Err(errors.into_error()),
        }
    }
}

impl Auth {
    /// Changes an account. Disabling it ends its sessions; a role that is taken away is gone with the next request.
    pub async fn update_user(
        &self,
        actor: &Actor,
        id: UserId,
        change: UpdateUser,
        client: &Client,
    ) -> Result<User, Error> {
        actor.require_admin()?;
        let change = change.parse()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        let detail = describe(&change, &account);
        change.profile.write(&mut tx, &account, now).await?;
        if let Some(roles) = &change.roles {
            set_roles(&mut tx, &account, roles).await?;
        }
        match change.is_active {
            Some(false) if account.disabled_at.is_none() => delete_account::disable(&mut tx, &account, now).await?,
            Some(true) if account.disabled_at.is_some() => {
                tx.update_disabled(id, None, now).await?;
            }
            _ => {}
        }
        let record = Record::success(EventKind::UpdateUser, client).by(actor).about(id);
        record.detail(detail).write(&mut tx, now).await?;
        let updated = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        tx.commit().await?;
        Ok(updated.into())
    }

    /// Gives an account a role.
    pub async fn grant_role(&self, actor: &Actor, id: UserId, role: &str, client: &Client) -> Result<User, Error> {
        let roles = self
            .roles_of(actor, id)
            .await?
            .into_iter()
            .chain([role.to_owned()])
            .collect();
        self.update_user(
            actor,
            id,
            UpdateUser {
                roles: Some(roles),
                ..UpdateUser::default()
            },
            client,
        )
        .await
    }

    /// Takes a role from an account.
    pub async fn revoke_role(&self, actor: &Actor, id: UserId, role: &str, client: &Client) -> Result<User, Error> {
        let roles = self
            .roles_of(actor, id)
            .await?
            .into_iter()
            .filter(|had| had != role)
            .collect();
        self.update_user(
            actor,
            id,
            UpdateUser {
                roles: Some(roles),
                ..UpdateUser::default()
            },
            client,
        )
        .await
    }

    async fn roles_of(&self, actor: &Actor, id: UserId) -> Result<Vec<String>, Error> {
        actor.require_admin()?;
        Ok(self.store().find_user(id).await?.ok_or(Error::NotFound)?.roles)
    }

    /// Deletes an account with everything that hangs on it.
    pub async fn delete_user(&self, actor: &Actor, id: UserId, client: &Client) -> Result<(), Error> {
        actor.require_admin()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        delete_account::delete(&mut tx, account).await?;
        Record::success(EventKind::DeleteUser, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Ends every session of an account; returns how many.
    pub async fn end_user_sessions(&self, actor: &Actor, id: UserId, client: &Client) -> Result<u64, Error> {
        actor.require_admin()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        tx.find_user(id).await?.ok_or(Error::NotFound)?;
        let ended = tx.delete_sessions(id, None).await?;
        Record::success(EventKind::EndUserSessions, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        Ok(ended)
    }

    /// Mails a reset link to an account's owner: an admin never chooses, and never knows, a password.
    pub async fn mail_reset(&self, actor: &Actor, id: UserId, client: &Client) -> Result<(), Error> {
        actor.require_admin()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        let account = tx.find_user(id).await?.ok_or(Error::NotFound)?;
        let message = mail::Message::ResetPasswordByAdmin(mail::Circumstances::by_admin(now));
        tx.insert_message(&mail::message_row(&message, Some(id), &account.email, now))
            .await?;
        Record::success(EventKind::MailReset, client)
            .by(actor)
            .about(id)
            .write(&mut tx, now)
            .await?;
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(())
    }
}

/// Makes `roles` all that `account` has.
async fn set_roles(tx: &mut Tx, account: &UserRow, roles: &[String]) -> Result<(), Error> {
    let guard = AdminGuard::enter(tx, &account.clone().into()).await?;
    for role in roles.iter().filter(|role| !account.roles.contains(role)) {
        tx.insert_role(account.id, role).await?;
    }
    for role in account.roles.iter().filter(|role| !roles.contains(role)) {
        tx.delete_role(account.id, role).await?;
    }
    guard.leave(tx).await
}

/// What the audit log says of the change, in names of roles and states only.
fn describe(change: &Change, account: &UserRow) -> String {
    let mut said = Vec::new();
    if let Some(roles) = &change.roles {
        said.extend(
            roles
                .iter()
                .filter(|role| !account.roles.contains(role))
                .map(|role| format!("granted {role}")),
        );
        said.extend(
            account
                .roles
                .iter()
                .filter(|role| !roles.contains(role))
                .map(|role| format!("revoked {role}")),
        );
    }
    match change.is_active {
        Some(true) if account.disabled_at.is_some() => said.push("enabled".to_owned()),
        Some(false) if account.disabled_at.is_none() => said.push("disabled".to_owned()),
        _ => {}
    }
    if said.is_empty() {
        "details".to_owned()
    } else {
        said.join(", ")
    }
}
