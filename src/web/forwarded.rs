//! What `Forwarded` (RFC 7239) and `X-Forwarded-For` say about who sent a request.
//!
//! Each proxy adds to the right whom it was asked by. What stands to the left of the first that is not a trusted proxy was
//! written by whoever that is, and can be anything: so both are read from the right, and no further. Also what is around an
//! element is found from the right, or an open quotation mark at the left end could swallow what the proxies wrote.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whom the two headers name as the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Nobody, or nobody by an address.
    None,
    /// Whoever has this address.
    Of(IpAddr),
    /// Each another.
    Contradictory,
}

/// The right-most address that `is_trusted` does not hold for.
pub(super) fn client(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Claim {
    let named = |name: HeaderName, node: fn(&[u8]) -> Option<IpAddr>| {
        let is_there = headers.contains_key(&name);
        is_there.then(|| {
            walk(
                headers.get_all(name).iter().map(HeaderValue::as_bytes),
                node,
                &is_trusted,
            )
        })
    };
    let by_standard = named(header::FORWARDED, node_of_element);
    let by_custom = named(X_FORWARDED_FOR, address_of_node);
    match (by_standard, by_custom) {
        (Some(one), Some(other)) if one != other => Claim::Contradictory,
        (Some(address), _) | (None, Some(address)) => address.map_or(Claim::None, Claim::Of),
        (None, None) => Claim::None,
    }
}

/// Goes through the elements of all `lines`, the last one first. An element that names no address ends the way: whoever
/// wrote it is trusted, and does not say whom it speaks for.
fn walk<'a>(
    lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    node: fn(&[u8]) -> Option<IpAddr>,
    is_trusted: &impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    for line in lines.rev() {
        let mut rest = Some(line);
        while let Some(line) = rest {
            let (before, element) = split_last(line, b',');
            rest = before;
            // Lists may have empty elements (RFC 9110 section 5.6.1).
            if element.is_empty() {
                continue;
            }
            let address = node(element)?;
            if !is_trusted(address) {
                return Some(address);
            }
        }
    }
    None
}

/// What stands before the last `separator` that is not in quotation marks, if there is one, and what stands after it.
fn split_last(text: &[u8], separator: u8) -> (Option<&[u8]>, &[u8]) {
    let mut is_quoted = false;
    for (index, byte) in text.iter().enumerate().rev() {
        match *byte {
            b'"' if !is_escaped(text, index) => is_quoted = !is_quoted,
            byte if byte == separator && !is_quoted => {
                let (before, after) = (text.get(..index), text.get(index + 1..));
                return (before, after.unwrap_or_default().trim_ascii());
            }
            _ => {}
        }
    }
    (None, text.trim_ascii())
}

/// Whether an odd number of backslashes stands before the byte at `index`.
fn is_escaped(text: &[u8], index: usize) -> bool {
    let before = text.iter().take(index).rev();
    before.take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// The address in `for=…;by=…;proto=…`.
fn node_of_element(element: &[u8]) -> Option<IpAddr> {
    let mut found = None;
    let mut rest = Some(element);
    while let Some(pairs) = rest {
        let (before, pair) = split_last(pairs, b';');
        rest = before;
        let Some(value) = value_of_for(pair) else { continue };
        // One that names two names none.
        if found.replace(value).is_some() {
            return None;
        }
    }
    address_of_node(unquoted(found?))
}

fn value_of_for(pair: &[u8]) -> Option<&[u8]> {
    let (name, value) = pair.split_at_checked(4)?;
    name.eq_ignore_ascii_case(b"for=").then_some(value)
}

/// No address has anything in it that would have to be escaped.
fn unquoted(value: &[u8]) -> &[u8] {
    let inside = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
    inside.unwrap_or(value)
}

/// The address of a node, with or without a port; none of `unknown`, of an `_obfuscated` name, or of what is neither. Some
/// write an IPv6 address without brackets, and then without a port.
fn address_of_node(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?;
    let address = if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let port = port.strip_prefix(':').map_or(port.is_empty(), is_port);
        IpAddr::from(address.parse::<Ipv6Addr>().ok().filter(|_| port)?)
    } else if let Some((address, port)) = node.split_once(':').filter(|(_, port)| !port.contains(':')) {
        IpAddr::from(address.parse::<Ipv4Addr>().ok().filter(|_| is_port(port))?)
    } else {
        node.parse().ok()?
    };
    Some(address.to_canonical())
}

/// Digits, or an obfuscated one (RFC 7239 section 6.2).
fn is_port(port: &str) -> bool {
    let (obfuscated, digits) = (port.strip_prefix('_'), port.parse::<u16>());
    digits.is_ok() || obfuscated.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_obfuscated))
}

fn is_obfuscated(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Those in 10.0.0.0/8 and `fd00::/8` are trusted.
    fn is_trusted(address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => address.octets()[0] == 10,
            IpAddr::V6(address) => address.octets()[0] == 0xfd,
        }
    }

    fn named(header: &HeaderName, lines: &[impl AsRef<[u8]>]) -> Claim {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header, HeaderValue::from_bytes(line.as_ref()).unwrap());
        }
        client(&headers, is_trusted)
    }

    fn of(text: &str) -> Claim {
        Claim::Of(text.parse().unwrap())
    }

    #[test]
    fn x_forwarded_for_is_read_from_the_right() {
        for (lines, claim) in [
            (["192.0.2.1"].as_slice(), of("192.0.2.1")),
            (&["192.0.2.66, 192.0.2.1"], of("192.0.2.1")),
            (&["192.0.2.66,192.0.2.1 ,10.0.0.1, 10.0.0.2"], of("192.0.2.1")),
            (&["192.0.2.66", "192.0.2.1, 10.0.0.1", "10.0.0.2,"], of("192.0.2.1")),
            (&["192.0.2.1:4711"], of("192.0.2.1")),
            (&["2001:db8::1, fd00::2"], of("2001:db8::1")),
            (&["[2001:db8::1]:4711, [fd00::2]"], of("2001:db8::1")),
            (&["::ffff:192.0.2.1, ::ffff:10.0.0.1"], of("192.0.2.1")),
            (&["192.0.2.66, \", 192.0.2.1"], of("192.0.2.1")),
            (&[""], Claim::None),
            (&["10.0.0.2, 10.0.0.1"], Claim::None),
            (&["192.0.2.1, unknown"], Claim::None),
            (&["192.0.2.1, unknown, 10.0.0.1"], Claim::None),
            (&["192.0.2.1, 10.0.0.256"], Claim::None),
            (&["192.0.2.1:x"], Claim::None),
            (&["[192.0.2.1]"], Claim::None),
            (&["[2001:db8::1]x"], Claim::None),
            (&["2001:db8::1%eth0"], Claim::None),
            (&["localhost"], Claim::None),
        ] {
            assert_eq!(named(&X_FORWARDED_FOR, lines), claim, "{lines:?}");
        }
        assert_eq!(
            named(&X_FORWARDED_FOR, &[b"\xff, 192.0.2.1".as_slice()]),
            of("192.0.2.1")
        );
        assert_eq!(named(&X_FORWARDED_FOR, &[b"192.0.2.1, \xff".as_slice()]), Claim::None);
    }

    #[test]
    fn forwarded_is_read_from_the_right() {
        for (lines, claim) in [
            (["for=192.0.2.1"].as_slice(), of("192.0.2.1")),
            (
                &["for=192.0.2.66, For=\"192.0.2.1:4711\";proto=http;by=10.0.0.1"],
                of("192.0.2.1"),
            ),
            (
                &["for=192.0.2.66", "proto=https; for=192.0.2.1", "for=10.0.0.2"],
                of("192.0.2.1"),
            ),
            (&["for=\"[2001:db8::1]:_port\", FOR=\"[fd00::2]\""], of("2001:db8::1")),
            (&["for=192.0.2.1;host=\"a,b;for=192.0.2.66\""], of("192.0.2.1")),
            (&["for=192.0.2.1;host=\"a\\\", for=192.0.2.66\""], of("192.0.2.1")),
            (&["for=\", for=192.0.2.1"], of("192.0.2.1")),
            (&["for=192.0.2.66;by=\", for=192.0.2.1, for=10.0.0.1"], of("192.0.2.1")),
            (&["for=10.0.0.1"], Claim::None),
            (&["for=192.0.2.1, for=unknown"], Claim::None),
            (&["for=192.0.2.1, for=_hidden, for=10.0.0.1"], Claim::None),
            (&["for=192.0.2.1, for=\"_hidden:_port\""], Claim::None),
            (&["for=192.0.2.1, proto=https"], Claim::None),
            (&["for=192.0.2.1;for=192.0.2.2"], Claim::None),
            (&["for=\"192.0.2.1"], Claim::None),
            (&["for = 192.0.2.1"], Claim::None),
            (&["192.0.2.1"], Claim::None),
            (&["for=[2001:db8::1]:99999"], Claim::None),
        ] {
            assert_eq!(named(&header::FORWARDED, lines), claim, "{lines:?}");
        }
    }

    /// What anybody could send: the beginnings of elements, broken ones, and bytes.
    fn anything() -> impl Strategy<Value = Vec<u8>> {
        let words = "(for=|by=|192\\.0\\.2\\.66|10\\.0\\.0\\.9|\\[2001:db8::66\\]|[\"\\\\,;: _a-z0-9.\\[\\]-]){0,12}";
        prop_oneof![
            words.prop_map(String::into_bytes),
            prop::collection::vec(32_u8..=255, 0..40)
        ]
        .prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != 127).collect())
    }

    /// An honest proxy's element, of the address that it was asked by.
    fn element(is_standard: bool, address: IpAddr, style: u8) -> String {
        let node = match (address, style % 2) {
            (IpAddr::V6(address), 0) => format!("[{address}]"),
            (IpAddr::V6(address), _) => format!("[{address}]:443"),
            (address, 0) => address.to_string(),
            (address, _) => format!("{address}:443"),
        };
        match (is_standard, style % 3) {
            (false, _) => node,
            (true, 0) => format!("for=\"{node}\""),
            (true, 1) => format!("proto=https;for=\"{node}\";host=\"a,\\\"b\""),
            (true, _) => format!("For=\"{node}\"; by=_me"),
        }
    }

    fn an_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<Ipv4Addr>().prop_map(IpAddr::from),
            any::<Ipv6Addr>().prop_map(IpAddr::from)
        ]
        .prop_map(|address| address.to_canonical())
    }

    fn a_trusted_address() -> impl Strategy<Value = IpAddr> {
        let v4 = any::<[u8; 3]>().prop_map(|[b, c, d]| IpAddr::from([10, b, c, d]));
        let v6 = any::<[u8; 15]>().prop_map(|rest| {
            let mut octets = [0xfd; 16];
            octets[1..].copy_from_slice(&rest);
            IpAddr::from(octets)
        });
        prop_oneof![v4, v6]
    }

    proptest! {
        #[test]
        fn whatever_is_sent_nobody_trusted_is_ever_named(
            standard in prop::collection::vec(anything(), 0..3),
            custom in prop::collection::vec(anything(), 0..3),
        ) {
            let mut headers = HeaderMap::new();
            for (name, lines) in [(header::FORWARDED, standard), (X_FORWARDED_FOR, custom)] {
                for line in lines {
                    headers.append(&name, HeaderValue::from_bytes(&line).unwrap());
                }
            }
            if let Claim::Of(address) = client(&headers, is_trusted) {
                prop_assert!(!is_trusted(address) && address == address.to_canonical());
            }
        }

        #[test]
        fn nothing_left_of_the_first_untrusted_hop_matters(
            is_standard: bool,
            forged in anything(),
            on_lines_of_their_own: bool,
            address in an_address().prop_filter("untrusted", |address| !is_trusted(*address)),
            proxies in prop::collection::vec((a_trusted_address(), any::<u8>()), 0..3),
            style: u8,
        ) {
            let name = if is_standard { header::FORWARDED } else { X_FORWARDED_FOR };
            let mut line = forged;
            let mut lines = Vec::new();
            for (address, style) in [(address, style)].into_iter().chain(proxies) {
                if on_lines_of_their_own {
                    lines.push(std::mem::take(&mut line));
                } else {
                    line.extend(b", ");
                }
                line.extend(element(is_standard, address, style).bytes());
            }
            lines.push(line);
            prop_assert_eq!(named(&name, &lines), Claim::Of(address));
        }
    }
}
