//! What client networks have used, and sessions and users, in memory.
//!
//! However many come, no more than a fixed number of them is remembered. Where one has to be forgotten it is the
//! one whose budget will be whole first, which has used least: who has used up theirs is not free again before as many
//! others have used up as much.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::quota::Quota;

/// Of each kind of try; together they take a few MiB.
const MAX_NETWORKS: usize = 10_000;

/// Ten thousand that are busy all the time are more than one process can serve.
const MAX_HOLDERS: usize = 10_000;

/// A budget is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    /// For how long.
    pub(super) wait: Duration,
    /// Whether it was not refused before, since it last had all of it.
    pub(super) is_first: bool,
}

/// The networks of every kind of try.
#[derive(Debug, Default)]
pub(super) struct Networks(Mutex<HashMap<&'static str, Table<IpAddr>>>);

impl Networks {
    /// Uses one of the budget that the network of `address` has for tries of this `kind`.
    pub(super) fn spend(&self, kind: &'static str, address: IpAddr, quota: Quota, now: i64) -> Result<(), Refused> {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let table = tables.entry(kind).or_default();
        table.spend(network_of(address), quota, now, MAX_NETWORKS)
    }
}

/// Of an IPv6 address, the /64 that every household and every rented machine has at the least: whoever has one address of it
/// has them all.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into(),
    }
}

/// The sessions, or the users, of one kind of try.
#[derive(Debug)]
pub(super) struct Holders<K>(Mutex<Table<K>>);

impl<K> Default for Holders<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Copy + Ord + Hash> Holders<K> {
    /// Uses one of the budget that `holder` has.
    pub(super) fn spend(&self, holder: K, quota: Quota, now: i64) -> Result<(), Refused> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.spend(holder, quota, now, MAX_HOLDERS)
    }
}

#[derive(Debug)]
struct Table<K> {
    used: HashMap<K, Used>,
    /// The same by when their budgets will be whole.
    order: BTreeSet<(i64, K)>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self {
            used: HashMap::new(),
            order: BTreeSet::new(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Used {
    whole_at: i64,
    was_refused: bool,
}

impl<K: Copy + Ord + Hash> Table<K> {
    fn spend(&mut self, key: K, quota: Quota, now: i64, limit: usize) -> Result<(), Refused> {
        self.forget_whole(now);
        let used = self.used.get(&key).copied();
        match quota.spend(used.map(|used| used.whole_at), now) {
            Ok(whole_at) => {
                let was_refused = used.is_some_and(|used| used.was_refused);
                self.remember(key, Used { whole_at, was_refused }, limit);
                Ok(())
            }
            Err(wait) => {
                let before = self.used.get_mut(&key);
                let before = before.map(|used| std::mem::replace(&mut used.was_refused, true));
                let is_first = before == Some(false);
                Err(Refused { wait, is_first })
            }
        }
    }

    fn remember(&mut self, key: K, used: Used, limit: usize) {
        match self.used.insert(key, used) {
            Some(before) => drop(self.order.remove(&(before.whole_at, key))),
            None if self.used.len() > limit => self.forget_first(),
            None => {}
        }
        self.order.insert((used.whole_at, key));
    }

    /// Two for each that comes, so that those of an hour ago are soon gone, and nobody waits for it.
    fn forget_whole(&mut self, now: i64) {
        for _ in 0..2 {
            if self.order.first().is_none_or(|(whole_at, _)| *whole_at > now) {
                return;
            }
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.used.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const NOW: i64 = 1_700_000_000_000;
    const THREE: Quota = Quota::new(3, Duration::from_mins(3));

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn each_network_and_each_kind_has_its_own() {
        let networks = Networks::default();
        let spend = |kind, text: &str| networks.spend(kind, text.parse().unwrap(), THREE, NOW);
        for text in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1"] {
            assert_eq!(spend("log_in", text), Ok(()));
        }
        let minute = Duration::from_mins(1);
        for is_first in [true, false, false] {
            let refused = Refused { wait: minute, is_first };
            assert_eq!(spend("log_in", "192.0.2.1"), Err(refused));
        }
        assert_eq!(spend("log_in", "192.0.2.2"), Ok(()));
        assert_eq!(spend("sign_up", "192.0.2.1"), Ok(()));

        for text in ["2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::"] {
            assert_eq!(spend("log_in", text), Ok(()));
        }
        assert!(spend("log_in", "2001:db8::3").is_err());
        assert_eq!(spend("log_in", "2001:db8:0:1::1"), Ok(()));
    }

    #[test]
    fn what_was_used_comes_back() {
        let mut table = Table::default();
        let mut spend = |seconds: i64| table.spend(address(1), THREE, NOW + seconds * 1000, 10).is_ok();
        assert_eq!(
            [0, 0, 0, 0, 59, 60, 60].map(&mut spend),
            [true, true, true, false, false, true, false]
        );
        assert_eq!([1000, 1000, 1000, 1000].map(&mut spend), [true, true, true, false]);
    }

    #[test]
    fn no_more_networks_are_remembered_than_there_is_room_for() {
        let mut table = Table::default();
        for number in 0..10_000 {
            table.spend(address(number), THREE, NOW, 100).unwrap();
            assert!(table.used.len() <= 100 && table.order.len() == table.used.len());
        }
        assert_eq!(table.used.len(), 100);
    }

    #[test]
    fn a_flood_of_networks_frees_nobody_who_has_used_up_theirs() {
        let mut table = Table::default();
        while table.spend(address(0), THREE, NOW, 100).is_ok() {}
        for number in 1..10_000 {
            table.spend(address(number), THREE, NOW, 100).unwrap();
            table.spend(address(number), THREE, NOW, 100).unwrap();
        }
        assert!(table.spend(address(0), THREE, NOW, 100).is_err());
    }

    #[test]
    fn networks_that_have_all_of_theirs_back_are_forgotten() {
        let mut table = Table::default();
        for number in 0..100 {
            table.spend(address(number), THREE, NOW, 1000).unwrap();
        }
        for number in 0..60 {
            table.spend(address(1000 + number), THREE, NOW + 60_000, 1000).unwrap();
        }
        assert_eq!(table.used.len(), 60);
        assert_eq!(table.order.len(), 60);
    }
}
