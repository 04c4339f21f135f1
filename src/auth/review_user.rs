//! One account is looked at together with what happened to it.

use super::{Actor, Auth, Client, Error, EventQuery, ListedEvent, Page, User, audit::EventKind};
use crate::id::UserId;

/// An account, and the newest of what the audit log says about it.
#[derive(Debug)]
pub struct UserReview {
    /// The account.
    pub user: User,
    /// The events, newest first.
    pub events: Page<ListedEvent>,
}

impl Auth {
    /// One account and its latest events, for admins.
    #[tracing::instrument(skip_all)]
    pub async fn review_user(&self, actor: &Actor, id: UserId, client: &Client) -> Result<UserReview, Error> {
        self.require_admin(actor, EventKind::ShowUser, Some(id.uuid()), client)
            .await?;
        let user = self.show_user(actor, id, client).await?;
        let query = EventQuery {
            user: Some(id.to_string()),
            ..EventQuery::default()
        };
        let events = self.list_events(actor, query, client).await?;
        Ok(UserReview { user, events })
    }
}
