//! Admins read the audit log.

use super::{
    Actor, Auth, Client, Error, FieldError, FieldErrors, ListedEvent, Page, PageRequest, audit::EventKind,
    fields::Identifier,
};
use crate::{
    id::{EventId, UserId},
    store::{EventFilter, ListedEventRow},
};

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Only those about this user, named by an id, an address or a username.
    pub user: Option<String>,
    /// Only those of this name.
    pub event: Option<String>,
}

impl Auth {
    /// The audit log, newest first, for admins.
    #[tracing::instrument(skip_all)]
    pub async fn list_events(
        &self,
        actor: &Actor,
        query: EventQuery,
        client: &Client,
    ) -> Result<Page<ListedEvent>, Error> {
        self.require_admin(actor, EventKind::ListEvents, None, client).await?;
        let mut errors = FieldErrors::default();
        let (limit, cursor) = (query.limit, query.cursor.as_deref());
        let page = PageRequest { limit, cursor }.parse::<EventId>(&mut errors);
        let user = errors.take(parse_user(query.user.as_deref()));
        let event = errors.take(parse_event(query.event));
        let (Some((size, before)), Some(user), Some(event)) = (page, user, event) else {
            return Err(errors.into_error());
        };
        let user = match user {
            None => None,
            Some(name) => match self.user_called(name).await? {
                None => return Ok(Page::empty()),
                known => known,
            },
        };
        let rows = self
            .store()
            .list_events(&EventFilter {
                user,
                event,
                before,
                limit: size.rows(),
            })
            .await?;
        Ok(size.cut(rows, |row: &ListedEventRow| row.event.id.to_string()))
    }

    /// The id of whom `user` names; none when nobody has that name.
    async fn user_called(&self, user: UserName) -> Result<Option<UserId>, Error> {
        Ok(match user {
            // Of an account that is gone, perhaps: its events stay.
            UserName::Id(id) => Some(id),
            UserName::Other(identifier) => self.find_by_identifier(&identifier).await?.map(|account| account.id),
        })
    }
}

/// A user, named in words.
enum UserName {
    Id(UserId),
    Other(Identifier),
}

fn parse_user(user: Option<&str>) -> Result<Option<UserName>, FieldError> {
    let parse = |text: &str| {
        if let Ok(id) = text.parse() {
            return Ok(UserName::Id(id));
        }
        match Identifier::parse(text) {
            Identifier::Nobody => Err(FieldError::new(
                "user",
                "invalid_user",
                "This is no id, address or username.",
            )),
            identifier => Ok(UserName::Other(identifier)),
        }
    };
    user.map(parse).transpose()
}

fn parse_event(event: Option<String>) -> Result<Option<String>, FieldError> {
    match event {
        Some(name) if EventKind::named(&name).is_none() => {
            let names = EventKind::ALL.map(EventKind::as_str).join(", ");
            Err(FieldError::new(
                "event",
                "unknown_event",
                format!("An event is one of {names}."),
            ))
        }
        known => Ok(known),
    }
}
