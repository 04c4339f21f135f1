//! What everybody else notices while somebody tries passwords as fast as the machine allows.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use anyhow::Context;

use crate::{
    client::{Connection, Visitor, get},
    measure::{self, Round, Window, Work},
    site::{self, READY, Site, log_in_as},
};

/// How many try at a time.
const ATTACKERS: usize = 64;

/// What may be said to one that tries: right, wrong, too often, too many at once.
const ALLOWED: [u16; 4] = [200, 401, 429, 503];

/// The most that anything that hashes nothing may take for all but one in a hundred, meanwhile.
pub(crate) const MAX_P99: Duration = Duration::from_millis(100);

/// The most memory that the server may ever have had.
pub(crate) const MAX_PEAK: u64 = 64 << 20;

/// What was seen.
pub(crate) struct Flood {
    /// How often each status was answered to a try.
    pub(crate) statuses: BTreeMap<u16, usize>,
    pub(crate) ready: Round,
    pub(crate) me: Round,
    /// In bytes.
    pub(crate) peak: Option<u64>,
}

impl Flood {
    /// Floods the site for the length of the window.
    pub(crate) async fn measure(site: &Site, window: Window) -> anyhow::Result<Self> {
        let address = site.process.address();
        let mut attackers: Vec<_> = (0..ATTACKERS).map(|number| Attacker::new(address, number)).collect();
        let session = site.sessions.first().context("the site has no session")?;
        let mut probes = vec![Visitor::sending(address, vec![get(READY, None)])];
        let mut readers = vec![Visitor::sending(
            address,
            vec![get("/users/me", Some(&session.access_token))],
        )];
        let (tries, ready, me) = tokio::join!(
            measure::run(&mut attackers, window),
            measure::run(&mut probes, window),
            measure::run(&mut readers, window),
        );
        tries?;
        let mut statuses = BTreeMap::new();
        for (status, count) in attackers.iter().flat_map(|attacker| &attacker.statuses) {
            *statuses.entry(*status).or_default() += count;
        }
        Ok(Self {
            statuses,
            ready: ready?,
            me: me?,
            peak: site.process.peak_memory(),
        })
    }

    /// Whether every try was answered as it may be.
    pub(crate) fn is_answered(&self) -> bool {
        self.statuses.keys().all(|status| ALLOWED.contains(status))
    }
}

/// Tries wrong passwords, of accounts that there are and of some that there are not, and now and then a right one.
struct Attacker {
    address: SocketAddr,
    connection: Option<Connection>,
    requests: Vec<Vec<u8>>,
    next: usize,
    statuses: BTreeMap<u16, usize>,
}

impl Attacker {
    fn new(address: SocketAddr, number: usize) -> Self {
        let known = format!("client-{}@example.com", number % crate::CLIENTS);
        let requests = vec![
            log_in_as(&known, "not the password of anybody"),
            log_in_as(&format!("nobody-{number}@example.com"), "not the password of anybody"),
            log_in_as(&known, "neither is this one"),
            log_in_as(&known, site::PASSWORD),
        ];
        Self {
            address,
            connection: None,
            requests,
            next: number,
            statuses: BTreeMap::new(),
        }
    }
}

impl Work for Attacker {
    async fn begin(&mut self) -> anyhow::Result<()> {
        self.connection = Some(Connection::open(self.address).await?);
        Ok(())
    }

    async fn once(&mut self) -> anyhow::Result<()> {
        let connection = self.connection.as_mut().context("not connected")?;
        let request = &self.requests[self.next % self.requests.len()];
        self.next += 1;
        let status = connection.exchange(request).await?.status;
        *self.statuses.entry(status).or_default() += 1;
        Ok(())
    }
}
