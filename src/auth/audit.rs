//! The audit log: what happened, to whom, by whom, from where, and how it ended. Never a secret, and never what a
//! stranger typed as an identifier, which may well be a password in the wrong field.

use super::{Actor, Auth, Client, Error, Identity};
use crate::{
    clock::Timestamp,
    id::{EventId, SessionId, UserId},
    store::{EventRow, Tx},
};

/// What is recorded: the closed set of events, each named by its operation. Those that only read are there for their
/// refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventKind {
    SignUp,
    LogIn,
    LogOut,
    Refresh,
    UpdateProfile,
    ChangePassword,
    RequestReset,
    FinishReset,
    ChangeEmail,
    VerifyEmail,
    ResendVerification,
    DeleteAccount,
    ExportAccount,
    EndSession,
    EndOtherSessions,
    CreateUser,
    InviteUser,
    UpdateUser,
    DeleteUser,
    EndUserSessions,
    MailReset,
    ResendMessage,
    RotateKeys,
    ImportUsers,
    RestoreBackup,
    RemoveUnverified,
    ListUsers,
    ShowUser,
    ListEvents,
    ListMessages,
    CreateProduct,
    UpdateProduct,
    DeleteProduct,
}

impl EventKind {
    pub(crate) const ALL: [Self; 33] = [
        Self::SignUp,
        Self::LogIn,
        Self::LogOut,
        Self::Refresh,
        Self::UpdateProfile,
        Self::ChangePassword,
        Self::RequestReset,
        Self::FinishReset,
        Self::ChangeEmail,
        Self::VerifyEmail,
        Self::ResendVerification,
        Self::DeleteAccount,
        Self::ExportAccount,
        Self::EndSession,
        Self::EndOtherSessions,
        Self::CreateUser,
        Self::InviteUser,
        Self::UpdateUser,
        Self::DeleteUser,
        Self::EndUserSessions,
        Self::MailReset,
        Self::ResendMessage,
        Self::RotateKeys,
        Self::ImportUsers,
        Self::RestoreBackup,
        Self::RemoveUnverified,
        Self::ListUsers,
        Self::ShowUser,
        Self::ListEvents,
        Self::ListMessages,
        Self::CreateProduct,
        Self::UpdateProduct,
        Self::DeleteProduct,
    ];

    /// The kind that the log calls `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Its name in the log, by which it can be searched.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::LogIn => "log_in",
            Self::LogOut => "log_out",
            Self::Refresh => "refresh",
            Self::UpdateProfile => "update_profile",
            Self::ChangePassword => "change_password",
            Self::RequestReset => "request_reset",
            Self::FinishReset => "finish_reset",
            Self::ChangeEmail => "change_email",
            Self::VerifyEmail => "verify_email",
            Self::ResendVerification => "resend_verification",
            Self::DeleteAccount => "delete_account",
            Self::ExportAccount => "export_account",
            Self::EndSession => "end_session",
            Self::EndOtherSessions => "end_other_sessions",
            Self::CreateUser => "create_user",
            Self::InviteUser => "invite_user",
            Self::UpdateUser => "update_user",
            Self::DeleteUser => "delete_user",
            Self::EndUserSessions => "end_user_sessions",
            Self::MailReset => "mail_reset",
            Self::ResendMessage => "resend_message",
            Self::RotateKeys => "rotate_keys",
            Self::ImportUsers => "import_users",
            Self::RestoreBackup => "restore_backup",
            Self::RemoveUnverified => "remove_unverified",
            Self::ListUsers => "list_users",
            Self::ShowUser => "show_user",
            Self::ListEvents => "list_events",
            Self::ListMessages => "list_messages",
            Self::CreateProduct => "create_product",
            Self::UpdateProduct => "update_product",
            Self::DeleteProduct => "delete_product",
        }
    }
}

/// One entry in the making.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    kind: EventKind,
    client: &'a Client,
    outcome: &'static str,
    user: Option<UserId>,
    actor: Option<UserId>,
    session: Option<SessionId>,
    detail: Option<String>,
}

impl<'a> Record<'a> {
    /// `kind` was done by `client`.
    pub(crate) fn success(kind: EventKind, client: &'a Client) -> Self {
        Self {
            kind,
            client,
            outcome: "success",
            user: None,
            actor: None,
            session: None,
            detail: None,
        }
    }

    /// `kind` was refused to `client` for the reason of `error`.
    pub(crate) fn failure(kind: EventKind, client: &'a Client, error: &Error) -> Self {
        Self {
            outcome: error.code(),
            ..Self::success(kind, client)
        }
    }

    /// It was about the account `user`, if there is one.
    pub(crate) fn about(self, user: impl Into<Option<UserId>>) -> Self {
        Self {
            user: user.into(),
            ..self
        }
    }

    /// It was on the device `session`.
    pub(crate) fn on(self, session: SessionId) -> Self {
        Self {
            session: Some(session),
            ..self
        }
    }

    /// It was done by the account's owner, signed in.
    pub(crate) fn by_owner(self, identity: &Identity) -> Self {
        self.about(identity.user.id).by_user(identity)
    }

    /// It was done by somebody signed in.
    pub(crate) fn by_user(self, identity: &Identity) -> Self {
        Self {
            actor: Some(identity.user.id),
            session: Some(identity.session),
            ..self
        }
    }

    /// It was done by `actor`.
    pub(crate) fn by(self, actor: &Actor) -> Self {
        Self {
            actor: actor.user_id(),
            session: actor.session_id(),
            ..self
        }
    }

    /// With this to know besides.
    pub(crate) fn detail(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }

    /// Writes it with the change that it records, and says it in the log once that holds.
    pub(crate) async fn write(self, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        let row = self.row(EventId::new(now), now);
        tx.insert_event(&row).await?;
        tx.after_commit(move || say(&row));
        Ok(())
    }

    /// Writes it under this id, or, where it was written before, what there is to know by now: for what takes more than
    /// one transaction. No line says it, which would have to be said again: commands do such things, and write no log.
    pub(crate) async fn write_progress(self, id: EventId, tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
        Ok(tx.insert_or_update_event(&self.row(id, now)).await?)
    }

    fn row(self, id: EventId, now: Timestamp) -> EventRow {
        EventRow {
            id,
            at: now,
            event: self.kind.as_str().to_owned(),
            outcome: self.outcome.to_owned(),
            user_id: self.user,
            actor_id: self.actor,
            session_id: self.session,
            client_address: self.client.address_text(),
            user_agent: self.client.user_agent.clone(),
            detail: self.detail,
        }
    }
}

/// The entry as a line of the log, for those who watch logs, or keep them where the server cannot reach them.
fn say(row: &EventRow) {
    tracing::info!(
        id = %row.id,
        event = row.event,
        outcome = row.outcome,
        user_id = row.user_id.map(display),
        actor_id = row.actor_id.map(display),
        session_id = row.session_id.map(display),
        client_address = row.client_address,
        user_agent = row.user_agent,
        detail = row.detail,
        "audit"
    );
}

impl Auth {
    /// Records a refusal that changes nothing else.
    pub(crate) async fn record(&self, record: Record<'_>) -> Result<(), Error> {
        let mut tx = self.store().begin().await?;
        record.write(&mut tx, self.now()).await?;
        Ok(tx.commit().await?)
    }
}
