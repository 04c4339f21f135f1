//! What somebody may not do is refused, and the refusal is on record with who tried what: that somebody looks for a way to
//! what is not theirs is worth knowing before they find one.

use uuid::Uuid;

use super::{
    Actor, Auth, Client, Error, Identity,
    audit::{EventKind, Record},
};

impl Auth {
    /// Refuses everybody but admins and the operator, as a failure of `kind`, which would have been done to `target`.
    pub(super) async fn require_admin(
        &self,
        actor: &Actor,
        kind: EventKind,
        target: Option<Uuid>,
        client: &Client,
    ) -> Result<(), Error> {
        match actor {
            Actor::User(identity) if !identity.user.is_admin() => {
                Err(self.forbid(identity, kind, target, client).await)
            }
            Actor::User(_) | Actor::Operator => Ok(()),
        }
    }

    /// That `identity` may not do this. The entry is about the one who tried, and not about whom it would have been done
    /// to, who reads what was done to them and would learn from where somebody else came.
    pub(crate) async fn forbid(
        &self,
        identity: &Identity,
        kind: EventKind,
        target: Option<Uuid>,
        client: &Client,
    ) -> Error {
        let error = Error::Forbidden;
        if !self.may_note_refusal(identity, kind) {
            return error;
        }
        let record = Record::failure(kind, client, &error).by_owner(identity);
        let record = match target {
            Some(target) => record.detail(target.to_string()),
            None => record,
        };
        match self.record(record).await {
            Ok(()) => error,
            Err(failure) => failure,
        }
    }
}
