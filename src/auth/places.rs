//! From where an account signs in, and what its owner is told when that is new.
//!
//! A browser shows its [device proof](super::limits). A program mostly shows nothing, so there is a second way to be known:
//! the same kind of device in the same network. That is coarse on purpose, as a warning that comes each time is one that
//! nobody reads: programs are updated, and addresses change within the network of a provider.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use super::{Auth, Client, Error, limits::Letter, limits::Pass, mailing};
use crate::{
    clock::Timestamp,
    mail,
    store::{PlaceRow, Tx, UserRow},
};

/// How many are remembered of an account.
const KEPT: i64 = 20;

/// For how long one is remembered after the last sign-in from there: for as long as a browser is.
pub(super) const MEMORY: Duration = super::DeviceProof::LIFE;

impl Auth {
    /// Whether `client`, which has just signed in to `account`, is new to it, and a letter says so to its owner. Nothing is
    /// asked of the database where its browser is known.
    ///
    /// The first sign-in of an account is new to nobody: `account` is as it was before.
    pub(super) async fn tell_of_new_device(
        &self,
        tx: &mut Tx,
        account: &UserRow,
        pass: &Pass,
        client: &Client,
        now: Timestamp,
    ) -> Result<bool, Error> {
        if pass.is_known_device() {
            return Ok(false);
        }
        let place = place_of(client, now);
        if tx.update_place(account.id, &place, now.minus(MEMORY)).await? {
            return Ok(false);
        }
        tx.insert_place(account.id, &place, KEPT).await?;
        if account.last_login_at.is_none() || !self.may_write_to(tx, Letter::NewSignIn, account, now).await? {
            return Ok(false);
        }
        let message = mail::Message::NewSignIn(client.circumstances(now));
        mailing::announce(tx, &message, account, now).await?;
        Ok(true)
    }
}

/// Forgets all places of `account`, which has another password, but the one where it was chosen: whoever knew the old one
/// may have made theirs known.
pub(super) async fn know_this_place_only(
    tx: &mut Tx,
    account: &UserRow,
    client: &Client,
    now: Timestamp,
) -> Result<(), Error> {
    tx.delete_places(account.id).await?;
    Ok(tx.insert_place(account.id, &place_of(client, now), KEPT).await?)
}

fn place_of(client: &Client, now: Timestamp) -> PlaceRow {
    let device = client.user_agent.as_deref().and_then(mail::device_in_words);
    PlaceRow {
        device: device.unwrap_or_default(),
        network: client.address.map(network_of).unwrap_or_default(),
        last_at: now,
    }
}

/// What a provider has many customers in, and a customer mostly stays in: an address's /24 in IPv4, its /48 in IPv6.
fn network_of(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("{}/24", Ipv4Addr::from_bits(address.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(address) => format!("{}/48", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 80))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_a_customer_stays_in() {
        for (address, network) in [
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.77", "203.0.113.0/24"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ] {
            assert_eq!(network_of(address.parse().unwrap()), network);
        }
    }
}
