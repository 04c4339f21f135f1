//! Devices that are known: a browser that signed in to an account shows so when it does again, and then has a budget of its
//! own there, which no stranger can use up (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
//!
//! What it shows is worth nothing else. Whoever steals it may guess beside the owner, as slowly as any stranger; it is good
//! for the account it was given for, and until that has another password, so that nobody can gather such proofs in advance.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Budget, Limited, Limits, Spent, normalised};
use crate::{
    auth::{Auth, Client, Error},
    clock::{Timestamp, unix_seconds},
    store::{Tx, UserRow},
};

const PURPOSE: &str = "device proof";

/// A browser in a family's living room knows this many accounts; beyond that the one that was used least recently is
/// forgotten. All of it travels with every request.
const MAX_ACCOUNTS: usize = 4;

/// What remains of a pseudonym in a proof: 132 bits, which nobody without the key can compute at all.
const MARK_CHARACTERS: usize = 22;

/// What a device shows to be known again: sealed, and only this server's to read.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceProof(String);

impl DeviceProof {
    /// For how long it is good after a log-in.
    pub const LIFE: Duration = Duration::from_hours(180 * 24);

    /// What a device shows. Anything may be: what was not made here is as good as nothing.
    #[must_use]
    pub const fn from_presented(text: String) -> Self {
        Self(text)
    }

    /// For the device to keep.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceProof(..)")
    }
}

/// An account that a device signed in to.
#[derive(Clone, Serialize, Deserialize)]
struct KnownAccount {
    /// Names the device's budget there; random, so that no two devices share one.
    budget: String,
    /// What is typed to sign in to it: marks of its address and its username.
    names: Vec<String>,
    /// The mark of its password's hash.
    password: String,
    #[serde(with = "unix_seconds")]
    until: Timestamp,
}

/// What a log-in has used, and of which device.
#[derive(Default)]
pub(in crate::auth) struct Pass {
    pub(in crate::auth) spent: Spent,
    device: Option<KnownAccount>,
}

impl Pass {
    /// Whether it was a device that had signed in to this account before.
    pub(in crate::auth) const fn is_known_device(&self) -> bool {
        self.device.is_some()
    }

    /// The password was right.
    pub(in crate::auth) async fn give_back(self, tx: &mut Tx) -> Result<(), Error> {
        self.spent.give_back(tx).await
    }
}

impl Limits {
    fn mark(&self, kind: &str, subject: &str) -> String {
        let mut mark = self.names.name(kind, subject);
        mark.truncate(MARK_CHARACTERS);
        mark
    }

    fn mark_of_name(&self, name: &str) -> String {
        self.mark("device account", name)
    }

    fn mark_of_password(&self, hash: &str) -> String {
        self.mark("device password", hash)
    }

    fn budget_of_device(&self, known: &KnownAccount) -> Budget {
        self.budget(
            "device",
            "log_in by device",
            &known.budget,
            self.quotas.tries_per_account,
        )
    }
}

impl Auth {
    /// As [`Auth::limit`]: from the budget of the device, where it is known at the account that goes by this identifier, or
    /// else from the one that all strangers share.
    pub(in crate::auth) async fn limit_log_in(&self, identifier: &str, client: &Client) -> Result<Pass, Error> {
        let Some(limits) = &self.parts.limits else {
            return Ok(Pass::default());
        };
        let limited = Limited::LogIn(identifier);
        self.limit_network(limits, limited, client).await?;
        let name = limits.mark_of_name(&normalised(identifier));
        let mut known = self.known_accounts(client).into_iter();
        let device = known.find(|known| known.names.contains(&name));
        let budget = match &device {
            Some(known) => limits.budget_of_device(known),
            None => limits.budget_of(limited),
        };
        let spent = self.spend(budget, limited, client).await?;
        Ok(Pass { spent, device })
    }

    /// Asks once the account is found, and before anything is hashed, whether it still has the password with which the
    /// device signed in. Where not, the device is a stranger: whoever knew the old password may have gathered many proofs.
    pub(in crate::auth) async fn confirm_device(
        &self,
        pass: Pass,
        account: Option<&UserRow>,
        identifier: &str,
        client: &Client,
    ) -> Result<Pass, Error> {
        let (Some(limits), Some(known)) = (&self.parts.limits, &pass.device) else {
            return Ok(pass);
        };
        if account.is_some_and(|account| known.password == limits.mark_of_password(&account.password_hash)) {
            return Ok(pass);
        }
        let limited = Limited::LogIn(identifier);
        let spent = self.spend(limits.budget_of(limited), limited, client).await?;
        Ok(Pass { spent, device: None })
    }

    /// What `client`'s device is to show from now on, having proved that `account` is its user's: by its password, of which
    /// this is the hash now, or by a link that was mailed. None where there are no limits.
    pub(in crate::auth) fn prove_device(
        &self,
        account: &UserRow,
        password_hash: &str,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<DeviceProof>, Error> {
        let Some(limits) = &self.parts.limits else {
            return Ok(None);
        };
        let names = [Some(&account.email_key), account.username_key.as_ref()];
        let names: Vec<String> = names
            .into_iter()
            .flatten()
            .map(|name| limits.mark_of_name(name))
            .collect();
        let (same, mut known): (Vec<_>, Vec<_>) = self
            .known_accounts(client)
            .into_iter()
            .partition(|known| known.names.iter().any(|name| names.contains(name)));
        // Its budget goes on: a log-in is no way to a second one.
        let budget = same.into_iter().next().map(|known| known.budget);
        known.insert(
            0,
            KnownAccount {
                budget: budget.unwrap_or_else(|| URL_SAFE_NO_PAD.encode(Uuid::new_v4())),
                names,
                password: limits.mark_of_password(password_hash),
                until: now.plus(DeviceProof::LIFE),
            },
        );
        known.truncate(MAX_ACCOUNTS);
        let plain = serde_json::to_vec(&known).map_err(Error::internal)?;
        Ok(Some(DeviceProof(self.parts.sealing_key.seal(PURPOSE, &plain)?)))
    }

    /// The accounts that `client`'s device proves to have signed in to, the last one first.
    fn known_accounts(&self, client: &Client) -> Vec<KnownAccount> {
        let Some(DeviceProof(sealed)) = &client.device else {
            return Vec::new();
        };
        let plain = self.parts.sealing_key.open(PURPOSE, sealed).unwrap_or_default();
        let mut known: Vec<KnownAccount> = serde_json::from_slice(&plain).unwrap_or_default();
        known.retain(|known| known.until > self.now());
        known
    }
}
