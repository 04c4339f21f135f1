//! Who is calling, as far as the connection, and the proxies before it, tell.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use tower_cookies::Cookies;

use super::{
    AppState, Site,
    forwarded::{self, Claim},
};
use crate::{
    auth::{Client, DeviceProof},
    config::TrustedProxies,
};

/// The caller, for limits, the audit log and the session list.
#[derive(Clone, Debug)]
pub(crate) struct Caller(pub(crate) Client);

impl Caller {
    pub(crate) fn of(parts: &Parts, site: &Site) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map(|ConnectInfo(peer)| site.proxies.client(peer.ip(), &parts.headers));
        let user_agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok());
        Self(Client::new(address, user_agent).showing(device_of(parts, site)))
    }
}

fn device_of(parts: &Parts, site: &Site) -> Option<DeviceProof> {
    let cookie = parts.extensions.get::<Cookies>()?.get(site.cookies.device_name())?;
    Some(DeviceProof::from_presented(cookie.value().to_owned()))
}

impl FromRequestParts<AppState> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        Ok(Self::of(parts, &state.site))
    }
}

impl aide::OperationInput for Caller {}

/// How many different clients one peer has to speak for before it is taken for a proxy.
const CLIENTS_OF_A_PROXY: usize = 3;

/// The proxies before this server: those that are believed, and those that seem to be there and are not.
#[derive(Debug, Default)]
pub(crate) struct Proxies {
    trusted: TrustedProxies,
    /// For whom the last peer that is not trusted said that it asks.
    claims: Mutex<Option<(IpAddr, Vec<IpAddr>)>>,
    has_warned_of_peer: AtomicBool,
    has_warned_of_headers: AtomicBool,
}

impl Proxies {
    pub(super) fn new(trusted: TrustedProxies) -> Self {
        Self {
            trusted,
            ..Self::default()
        }
    }

    /// The address of the client: the peer's, unless that is a trusted proxy and names another.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        // An IPv4 client of a socket that listens on `::` would else have another address there than on `0.0.0.0`.
        let peer = peer.to_canonical();
        if self.trusted.contains(peer) {
            self.named_by_proxies(headers).unwrap_or(peer)
        } else {
            self.watch(peer, headers);
            peer
        }
    }

    /// Most proxies write one of the two headers and pass on the other as it came, from anybody. Where both are there and
    /// differ, neither can be told from a forgery, and the client is as well known as a proxy that says nothing.
    fn named_by_proxies(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let claim = forwarded::client(headers, |address| self.trusted.contains(address));
        if matches!(claim, Claim::Contradictory) && !self.has_warned_of_headers.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "a request came with Forwarded and X-Forwarded-For that name different clients, and neither is believed: \
                 have the proxy remove the header that it does not write itself"
            );
        }
        match claim {
            Claim::Of(address) => Some(address),
            Claim::None | Claim::Contradictory => None,
        }
    }

    /// Says once that everybody who comes through a proxy counts as one client, if that seems to be so.
    fn watch(&self, peer: IpAddr, headers: &HeaderMap) {
        if self.has_warned_of_peer.load(Ordering::Relaxed) {
            return;
        }
        let Claim::Of(client) = forwarded::client(headers, |_| false) else {
            return;
        };
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, clients) = match &mut *claims {
            Some(claims) if claims.0 == peer => claims,
            others => others.insert((peer, Vec::new())),
        };
        if !clients.contains(&client) {
            clients.push(client);
        }
        if clients.len() >= CLIENTS_OF_A_PROXY && !self.has_warned_of_peer.swap(true, Ordering::Relaxed) {
            *claims = None;
            tracing::warn!(
                "{peer} passes on requests of several clients, which count as one for limits and in the audit log: if it is \
                 your proxy, name it in TRUSTED_PROXIES"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;
    use crate::config::Config;

    fn proxies(trusted: &str) -> Proxies {
        let config = Config::from_variables([("TRUSTED_PROXIES", trusted)]).unwrap();
        Proxies::new(config.trusted_proxies)
    }

    fn client(proxies: &Proxies, peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let pairs = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        proxies.client(peer.parse().unwrap(), &pairs.collect()).to_string()
    }

    #[test]
    fn who_is_not_trusted_speaks_for_nobody_else() {
        let headers = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        for trusted in ["", "10.0.0.0/8"] {
            let proxies = proxies(trusted);
            assert_eq!(client(&proxies, "127.0.0.1", &headers), "127.0.0.1");
            assert_eq!(client(&proxies, "::ffff:127.0.0.1", &headers), "127.0.0.1");
        }
    }

    #[test]
    fn a_trusted_proxy_names_its_client() {
        let proxies = proxies("127.0.0.1,10.0.0.0/8");
        for headers in [
            [("x-forwarded-for", "203.0.113.9, 192.0.2.1, 10.0.0.2")].as_slice(),
            &[(
                "forwarded",
                "for=203.0.113.9, for=192.0.2.1;proto=https, for=\"10.0.0.2:80\"",
            )],
            &[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.1")],
        ] {
            assert_eq!(client(&proxies, "127.0.0.1", headers), "192.0.2.1", "{headers:?}");
            assert_eq!(client(&proxies, "::ffff:10.0.0.9", headers), "192.0.2.1", "{headers:?}");
        }
    }

    #[test]
    fn a_proxy_that_names_nobody_is_the_client() {
        let proxies = proxies("127.0.0.1,10.0.0.0/8");
        for headers in [
            [].as_slice(),
            &[("x-forwarded-for", "")],
            &[("x-forwarded-for", "192.0.2.1, unknown")],
            &[("x-forwarded-for", "10.0.0.2, 10.0.0.1")],
            &[("forwarded", "for=_hidden")],
            &[("forwarded", "for=192.0.2.1, proto=https")],
        ] {
            assert_eq!(client(&proxies, "127.0.0.1", headers), "127.0.0.1", "{headers:?}");
        }
    }

    #[test]
    fn of_two_headers_that_differ_neither_is_believed() {
        let proxies = proxies("127.0.0.1");
        for headers in [
            [("forwarded", "for=192.0.2.66"), ("x-forwarded-for", "192.0.2.1")].as_slice(),
            &[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "192.0.2.66")],
            &[("forwarded", "for=unknown"), ("x-forwarded-for", "192.0.2.1")],
        ] {
            assert_eq!(client(&proxies, "127.0.0.1", headers), "127.0.0.1", "{headers:?}");
        }
        assert!(proxies.has_warned_of_headers.load(Ordering::Relaxed));
    }

    #[test]
    fn a_peer_that_speaks_for_several_is_warned_of() {
        let proxies = proxies("10.0.0.1");
        let warned = || proxies.has_warned_of_peer.load(Ordering::Relaxed);
        for _ in 0..3 {
            for address in ["192.0.2.1", "192.0.2.2"] {
                client(&proxies, "127.0.0.1", &[("x-forwarded-for", address)]);
            }
            client(&proxies, "10.0.0.1", &[("x-forwarded-for", "192.0.2.3")]);
            client(&proxies, "127.0.0.1", &[]);
            assert!(!warned());
        }
        client(&proxies, "127.0.0.1", &[("x-forwarded-for", "192.0.2.3")]);
        assert!(warned());
    }
}
