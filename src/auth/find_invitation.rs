//! The operator looks for an invitation, to send it again.

use super::{Actor, Auth, Client, Error, audit::EventKind};
use crate::{
    id::{MessageId, UserId},
    mail::LinkKind,
};

impl Auth {
    /// The newest invitation to the owner of an account, while the outbox has it.
    #[tracing::instrument(skip_all)]
    pub async fn find_invitation(
        &self,
        actor: &Actor,
        user: UserId,
        client: &Client,
    ) -> Result<Option<MessageId>, Error> {
        self.require_admin(actor, EventKind::ListMessages, Some(user.uuid()), client)
            .await?;
        let kinds = LinkKind::Invitation.message_kinds();
        let messages = self.store().list_messages_of(user).await?;
        let mut invitations = messages.iter().filter(|message| kinds.contains(&message.kind.as_str()));
        Ok(invitations.next().map(|message| message.id))
    }
}
