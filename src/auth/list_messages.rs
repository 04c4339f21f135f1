//! Admins look into the outbox, and send again what did not arrive.

use super::{
    Actor, Auth, Client, Error, FieldError, FieldErrors, Message, Page,
    audit::{EventKind, Record},
    types,
};
use crate::{
    id::MessageId,
    store::{MessageFilter, MessageRow, MessageState},
};

/// Which messages to list.
#[derive(Clone, Debug, Default)]
pub struct MessageQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Only those in this state.
    pub state: Option<String>,
}

impl Auth {
    /// The outbox, newest first, for admins.
    pub async fn list_messages(&self, actor: &Actor, query: MessageQuery) -> Result<Page<Message>, Error> {
        actor.require_admin()?;
        let mut errors = FieldErrors::default();
        let size = errors.take(types::PageSize::parse(query.limit));
        let before = errors.take(types::parse_cursor::<MessageId>(query.cursor.as_deref()));
        let state = errors.take(parse_state(query.state.as_deref()));
        let (Some(size), Some(before), Some(state)) = (size, before, state) else {
            return Err(errors.into_error());
        };
        let rows = self
            .store()
            .list_messages(&MessageFilter {
                state,
                before,
                limit: size.rows(),
            })
            .await?;
        Ok(size.cut(rows, |row: &MessageRow| row.id.to_string()))
    }

    /// Puts a message back into the queue, due now.
    pub async fn resend_message(&self, actor: &Actor, id: MessageId, client: &Client) -> Result<Message, Error> {
        actor.require_admin()?;
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if !tx.requeue_message(id, now).await? {
            return Err(Error::NotFound);
        }
        let record = Record::success(EventKind::ResendMessage, client).by(actor);
        record.detail(id.to_string()).write(&mut tx, now).await?;
        tx.commit().await?;
        self.parts.waker.wake();
        Ok(self.store().find_message(id).await?.ok_or(Error::NotFound)?.into())
    }
}

fn parse_state(state: Option<&str>) -> Result<Option<MessageState>, FieldError> {
    let refuse = || {
        FieldError::new(
            "state",
            "invalid_state",
            "A state is waiting, sending, sent, failed or dropped",
        )
    };
    state.map(|text| text.parse().map_err(|_| refuse())).transpose()
}
