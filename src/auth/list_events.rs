//! Admins read the audit log.

use super::{Actor, Auth, Error, Event, FieldError, FieldErrors, Page, PageRequest, audit::EventKind};
use crate::{
    id::{EventId, UserId},
    store::{EventFilter, EventRow},
};

/// Which events to list.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// How many at most: 1 to 200, 50 when not said.
    pub limit: Option<u32>,
    /// Where the last page ended.
    pub cursor: Option<String>,
    /// Only those about this user's id.
    pub user: Option<String>,
    /// Only those of this name.
    pub event: Option<String>,
}

impl Auth {
    /// The audit log, newest first, for admins.
    #[tracing::instrument(skip_all)]
    pub async fn list_events(&self, actor: &Actor, query: EventQuery) -> Result<Page<Event>, Error> {
        actor.require_admin()?;
        let mut errors = FieldErrors::default();
        let (limit, cursor) = (query.limit, query.cursor.as_deref());
        let page = PageRequest { limit, cursor }.parse::<EventId>(&mut errors);
        let user = errors.take(parse_user(query.user.as_deref()));
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
        Ok(size.cut(rows, |row: &EventRow| row.id.to_string()))
    }
}

fn parse_user(user: Option<&str>) -> Result<Option<UserId>, FieldError> {
    let refuse = |_| FieldError::new("user", "invalid_id", "This is not the id of a user");
    user.map(|text| text.parse().map_err(refuse)).transpose()
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
