//! Admins look into the outbox.

use super::{Actor, Auth, Client, Error, FieldError, FieldErrors, Message, Page, PageRequest, audit::EventKind};
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
    #[tracing::instrument(skip_all)]
    pub async fn list_messages(
        &self,
        actor: &Actor,
        query: MessageQuery,
        client: &Client,
    ) -> Result<Page<Message>, Error> {
        self.require_admin(actor, EventKind::ListMessages, None, client).await?;
        let mut errors = FieldErrors::default();
        let (limit, cursor) = (query.limit, query.cursor.as_deref());
        let page = PageRequest { limit, cursor }.parse::<MessageId>(&mut errors);
        let state = errors.take(parse_state(query.state.as_deref()));
        let (Some((size, before)), Some(state)) = (page, state) else {
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
}

fn parse_state(state: Option<&str>) -> Result<Option<MessageState>, FieldError> {
    let refuse = || {
        let names = MessageState::ALL.map(MessageState::as_str).join(", ");
        FieldError::new("state", "invalid_state", format!("A state is one of {names}."))
    };
    state.map(|text| text.parse().map_err(|_| refuse())).transpose()
}
