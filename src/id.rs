//! Typed identifiers.
//!
//! Every id is a `UUIDv7`: its order is the order of creation, so that a list by id is a list by age and a cursor is an id.

use std::{fmt, str::FromStr, sync::Mutex};

use serde::{Deserialize, Serialize};
use uuid::{ContextV7, Uuid};

use crate::clock::Timestamp;

/// Counts ids made in the same second, so that they too are in order.
static ORDER: Mutex<ContextV7> = Mutex::new(ContextV7::new());

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, made at `now`.
            #[must_use]
            pub fn new(now: Timestamp) -> Self {
                let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
                Self(Uuid::new_v7(uuid::Timestamp::from_unix(&ORDER, seconds, 0)))
            }

            /// The bare UUID, for the wire.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    };
}

id! {
    /// An account.
    UserId
}
id! {
    /// One signed-in device.
    SessionId
}
id! {
    /// A product of the worked example.
    ProductId
}
id! {
    /// A message in the outbox.
    MessageId
}
id! {
    /// An entry of the audit log.
    EventId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_second_are_in_the_order_of_their_making() {
        let now = Timestamp::from_unix_seconds(1_700_000_000);
        let ids: Vec<EventId> = (0..1000).map(|_| EventId::new(now)).collect();
        assert!(ids.is_sorted());
    }
}
