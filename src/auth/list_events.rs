//! Admins read the audit log.

use super::{
    Actor, Auth, Error, FieldError, FieldErrors, ListedEvent, Page, PageRequest, audit::EventKind, fields::Identifier,
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
    pub async fn list_events(&self, actor: &Actor, query: EventQuery) -> Result<Page<ListedEvent>, Error> {
        actor.require_admin()?;
        let mut errors = FieldErrors::default();
        let (limit, cursor) = (query.limit, query.cursor.as_deref());
        let page = PageRequest { limit, cursor }.parse::<EventId>(&mut errors);
        let user = errors.take(self.user_meant(query.user.as_deref()).await?);
        let event = errors.take(parse_event(query.event));
        let (Some((size, before)), Some(user), Some(event)) = (page, user, event) else {
            return Err(errors.into_error());
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

    /// The id of whom `user` names. An id may be that of an account which is gone, whose events stay.
    async fn user_meant(&self, user: Option<&str>) -> Result<Result<Option<UserId>, FieldError>, Error> {
        let Some(text) = user else { return Ok(Ok(None)) };
        if let Ok(id) = text.parse() {
            return Ok(Ok(Some(id)));
        }
        let found = self.find_by_identifier(&Identifier::parse(text)).await?;
        let unknown = || FieldError::new("user", "unknown_user", "No account has this id, address or username");
        Ok(found.map(|account| Some(account.id)).ok_or_else(unknown))
    }
}

fn parse_event(event: Option<String>) -> Result<Option<String>, FieldError> {
    match event {
        Some(name) if !EventKind::ALL.iter().any(|kind| kind.as_str() == name) => {
            let names = EventKind::ALL.map(EventKind::as_str).join(", ");
            Err(FieldError::new(
                "event",
                "unknown_event",
                format!("An event is one of {names}"),
            ))
        }
        known => Ok(known),
    }
}
