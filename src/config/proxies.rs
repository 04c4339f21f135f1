//! Which proxies are believed about who their clients are.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// The networks of the proxies before this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Reads addresses and networks that are separated by commas.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let networks: Result<Vec<_>, _> = items.map(parse_network).collect();
        networks.map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `address` is one of theirs.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

fn parse_network(text: &str) -> Result<IpNet, String> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().map(as_seen).map_err(|_| {
            format!("must be addresses or networks such as 10.0.0.2 or 10.0.0.0/8, separated by commas, not {text:?}")
        })?,
    };
    if network.prefix_len() == 0 {
        return Err(format!(
            "must not be {text}: everybody could then choose the address that they are known by; name the network of the \
             proxies alone"
        ));
    }
    // More likely a slip than somebody who writes a host for its network, and too wide to guess.
    if network.addr() != network.network() {
        return Err(format!(
            "must name a network by its first address, {}, not {text}",
            network.trunc()
        ));
    }
    Ok(network)
}

/// The network as its addresses are compared: what is mapped into IPv6 is IPv4.
fn as_seen(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else { return network };
    let address = mapped.addr().to_ipv4_mapped();
    let prefix = mapped.prefix_len().checked_sub(96);
    let ipv4 = |(address, prefix): (Ipv4Addr, u8)| Ipv4Net::new(address, prefix).ok();
    address.zip(prefix).and_then(ipv4).map_or(network, IpNet::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(text: &str, address: &str) -> bool {
        let proxies = TrustedProxies::parse(text).unwrap();
        proxies.contains(address.parse().unwrap())
    }

    #[test]
    fn addresses_and_networks_are_those_that_are_named() {
        let text = "127.0.0.1, 10.0.0.0/8,,fd00::/8 ,::ffff:192.0.2.0/120, ::ffff:198.51.100.1";
        for address in [
            "127.0.0.1",
            "10.255.0.1",
            "fd12::1",
            "192.0.2.77",
            "198.51.100.1",
            "::ffff:10.0.0.1",
        ] {
            assert!(contains(text, address), "{address}");
        }
        for address in ["127.0.0.2", "11.0.0.1", "fe80::1", "192.0.3.1", "::1", "::10.0.0.1"] {
            assert!(!contains(text, address), "{address}");
        }
        assert_eq!(TrustedProxies::parse(" , "), Ok(TrustedProxies::default()));
    }

    #[test]
    fn what_would_trust_anybody_or_name_nobody_is_refused() {
        for (text, reason) in [
            ("0.0.0.0/0", "everybody"),
            ("10.0.0.1, ::/0", "everybody"),
            ("::ffff:0:0/96", "everybody"),
            ("10.0.0.1/8", "10.0.0.0/8"),
            ("localhost", "such as"),
            ("10.0.0.0/33", "such as"),
            ("10.0.0.0/255.0.0.0", "such as"),
            ("*", "such as"),
            ("10.0.0.1:80", "such as"),
        ] {
            let message = TrustedProxies::parse(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
