//! Origins: the site's own, those allowed to call it, and the domain its cookies are for.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// The origin under which browsers reach the site: scheme, host and, where it is not the scheme's own, port.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicUrl {
    url: Url,
    origin: String,
}

impl PublicUrl {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = parse_origin(text)
            .map_err(|reason| format!("{reason}; it must be an origin such as https://login.example.com"))?;
        let origin = url.origin().ascii_serialization();
        let public_url = Self { url, origin };
        // Over plain http the network reads passwords and sessions, and cookies cannot be Secure.
        if public_url.is_https() || public_url.is_loopback() {
            Ok(public_url)
        } else {
            Err("must start with https://, since only a loopback host such as localhost may use http".to_owned())
        }
    }

    /// `scheme://host[:port]`, without a slash at its end.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether browsers come over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether only browsers on this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(self.host())
    }

    /// The host as it stands in the URL: in small letters, international names in ASCII, IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port that browsers come to.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.url.port_or_known_default()
    }

    /// The host if it is a name.
    pub(super) fn domain(&self) -> Option<&str> {
        self.url.domain()
    }

    /// An absolute link to a path, with its query, on this site: whatever the path says, it does not leave it.
    #[must_use]
    pub fn link(&self, path_and_query: &str) -> String {
        format!("{}/{}", self.origin, path_and_query.trim_start_matches('/'))
    }
}

impl fmt::Debug for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicUrl").field(&self.origin).finish()
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

/// Whether `host` is this machine and no other, to itself: a name or an address in any spelling, IPv6 in brackets or not.
pub(crate) fn is_loopback(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    match bare.unwrap_or(&host).parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        // RFC 6761, section 6.3: the names under localhost are loopback too, which browsers resolve themselves, so that no
        // name server can give them away.
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// A URL of which nothing but the origin is given. The reason why it is not one never repeats the text, which may hold
/// a password.
fn parse_origin(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !matches!(url.scheme(), "http" | "https") {
        Err("is not an http or https URL")
    } else if url.host_str().is_none_or(|host| host.contains('*')) || url.port() == Some(0) {
        Err("does not name one host")
    } else if !url.username().is_empty() || url.password().is_some() {
        Err("holds a user name or password")
    } else if url.path() != "/" {
        Err("has a path")
    } else if url.query().is_some() || url.fragment().is_some() {
        Err("has a query or fragment")
    } else {
        Ok(url)
    }
}

/// Origins separated by commas, or as the JSON array that pydantic wants.
///
/// The quotation marks of an array are optional, because reading `.env` takes them away; neither they nor commas or
/// brackets at the ends can be part of an origin, so nothing is guessed.
pub(super) fn parse_allowed_origins(text: &str) -> Result<Vec<String>, String> {
    let list = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let mut origins = Vec::new();
    let mut wrong = Vec::new();
    for (index, item) in list.split(',').enumerate() {
        match item.trim_matches(|character: char| character.is_whitespace() || matches!(character, '"' | '\'')) {
            "" => {}
            item => match parse_allowed_origin(item) {
                Ok(origin) if origins.contains(&origin) => {}
                Ok(origin) => origins.push(origin),
                Err(reason) => wrong.push(format!("number {} {reason}", index + 1)),
            },
        }
    }
    if wrong.is_empty() {
        Ok(origins)
    } else {
        Err(format!(
            "must be origins such as https://app.example.com, separated by commas: {}",
            wrong.join(", ")
        ))
    }
}

fn parse_allowed_origin(item: &str) -> Result<String, &'static str> {
    match item {
        "*" => Err("is `*`, which would let every site act for your users"),
        // Sandboxed frames and local files send it: whoever can open one would be trusted.
        "null" => Err("is `null`, which any page can make a browser send"),
        item => Ok(parse_origin(item)?.origin().ascii_serialization()),
    }
}

/// A domain that browsers let some site set cookies for.
pub(super) fn parse_cookie_domain(text: &str) -> Result<String, String> {
    // A leading dot is what RFC 2109 asked for, and what many samples still have; RFC 6265 ignores it.
    let domain = match Host::parse(text.strip_prefix('.').unwrap_or(text)) {
        Ok(Host::Domain(domain)) if !domain.split('.').any(str::is_empty) => domain,
        Ok(Host::Domain(_)) | Err(_) => {
            return Err(format!(
                "must be a domain such as example.com, without scheme or port, not {text:?}"
            ));
        }
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => {
            return Err("must be a domain: cookies of an IP address cannot be shared, so leave it unset".to_owned());
        }
    };
    if !domain.contains('.') {
        return Err(format!(
            "must be a domain such as example.com: browsers accept no cookies for all of {domain:?}"
        ));
    }
    Ok(domain)
}

/// Whether browsers let this site set cookies for `domain`: it is its own host or one above it.
pub(super) fn check_cookie_domain(domain: &str, public_url: &PublicUrl) -> Result<(), String> {
    let is_above = public_url
        .host()
        .strip_suffix(domain)
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if is_above && public_url.domain().is_some() {
        Ok(())
    } else {
        Err(format!(
            "must be the host of PUBLIC_URL, {}, or a domain above it, not {domain:?}",
            public_url.host()
        ))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cookie_domain(text: &str, public_url: &PublicUrl) -> Result<String, String> {
        let domain = parse_cookie_domain(text)?;
        check_cookie_domain(&domain, public_url).map(|()| domain)
    }

    fn public_url(text: &str) -> PublicUrl {
        PublicUrl::parse(text).unwrap()
    }

    #[test]
    fn a_public_url_is_normalised_to_its_origin() {
        for (text, origin) in [
            ("https://Login.Example.com/", "https://login.example.com"),
            ("https://login.example.com:443", "https://login.example.com"),
            ("https://login.example.com:8443", "https://login.example.com:8443"),
            ("https://bücher.example", "https://xn--bcher-kva.example"),
            ("http://localhost:8000", "http://localhost:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ] {
            assert_eq!(public_url(text).origin(), origin);
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        for text in [
            "http://localhost",
            "http://app.localhost:3000",
            "http://127.8.0.1",
            "http://[::1]",
        ] {
            let public_url = public_url(text);
            assert!(public_url.is_loopback() && !public_url.is_https(), "{text}");
        }
        for text in [
            "http://example.com",
            "http://192.168.1.5:8000",
            "http://0.0.0.0:8000",
            "http://localhost.example.com",
            "http://notlocalhost",
            "http://[::2]",
        ] {
            assert!(PublicUrl::parse(text).unwrap_err().contains("https://"), "{text}");
        }
        assert!(!public_url("https://example.com").is_loopback());
    }

    #[test]
    fn this_machine_has_many_names() {
        for host in [
            "localhost",
            "LOCALHOST",
            "app.localhost",
            "127.0.0.1",
            "127.8.0.1",
            "::1",
            "[::1]",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "[]",
            "[localhost",
            "notlocalhost",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "192.0.2.7",
            "0.0.0.0",
            "[::]",
            "[::ffff:192.0.2.7]",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_public_url_that_is_more_than_an_origin_is_refused_without_repeating_it() {
        for (text, reason) in [
            ("https://example.com/auth", "path"),
            ("https://example.com/?", "query"),
            ("https://example.com?a=b", "query"),
            ("https://example.com#top", "fragment"),
            ("https://user@example.com", "user name"),
            ("https://user:hunter2@example.com", "user name"),
            ("https://:hunter2@example.com", "user name"),
            ("https://*.example.com", "one host"),
            ("https://example.com:0", "one host"),
            ("ftp://example.com", "http or https"),
            ("example.com", "not a URL"),
            ("localhost:8000", "http or https"),
            ("https://", "not a URL"),
        ] {
            let message = PublicUrl::parse(text).unwrap_err();
            assert!(message.contains(reason), "{text}: {message}");
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_link_never_leaves_the_site() {
        let site = public_url("https://example.com");
        assert_eq!(
            site.link("/reset-password?token=x"),
            "https://example.com/reset-password?token=x"
        );
        assert_eq!(site.link("//evil.example/"), "https://example.com/evil.example/");
        assert_eq!(site.link("@evil.example"), "https://example.com/@evil.example");
    }

    #[test]
    fn allowed_origins_come_with_commas_or_as_an_array_with_or_without_its_quotation_marks() {
        let both = ["http://localhost:3000", "https://app.example.com"].map(str::to_owned);
        for text in [
            "http://localhost:3000,https://app.example.com",
            " http://localhost:3000/ , https://APP.example.com:443,, http://localhost:3000",
            r#"["http://localhost:3000", "https://app.example.com"]"#,
            "[http://localhost:3000,https://app.example.com]",
            "['http://localhost:3000', 'https://app.example.com',]",
        ] {
            assert_eq!(parse_allowed_origins(text).unwrap(), both, "{text}");
        }
        assert_eq!(parse_allowed_origins("[]").unwrap(), Vec::<String>::new());
        assert_eq!(parse_allowed_origins("http://[::1]").unwrap(), ["http://[::1]"]);
    }

    #[test]
    fn wildcards_null_and_whatever_is_no_origin_are_refused_all_at_once() {
        for text in [
            "*",
            r#"["*"]"#,
            "null",
            "https://*.example.com",
            "https://a.example/path",
            "file://",
            "app",
        ] {
            assert!(parse_allowed_origins(text).is_err(), "{text}");
        }
        let message = parse_allowed_origins("*, https://a.example, null, https://u:hunter2@b.example").unwrap_err();
        for part in ["number 1", "number 3", "number 4"] {
            assert!(message.contains(part), "{message}");
        }
        assert!(
            !message.contains("number 2") && !message.contains("hunter2"),
            "{message}"
        );
    }

    #[test]
    fn a_cookie_domain_is_the_sites_host_or_one_above_it() {
        let site = public_url("https://login.example.com");
        for text in ["login.example.com", "example.com", ".example.com", "EXAMPLE.com"] {
            assert_eq!(
                cookie_domain(text, &site).unwrap(),
                text.trim_start_matches('.').to_lowercase()
            );
        }
        for text in [
            "com",
            ".com",
            "ample.com",
            "app.login.example.com",
            "other.com",
            "example.com.",
            "..example.com",
        ] {
            assert!(cookie_domain(text, &site).is_err(), "{text}");
        }
        for text in [
            "https://example.com",
            "example.com:443",
            "*.example.com",
            "exa mple.com",
            "127.0.0.1",
            "[::1]",
        ] {
            assert!(cookie_domain(text, &site).is_err(), "{text}");
        }
        assert!(cookie_domain("localhost", &public_url("http://localhost:8000")).is_err());
        assert!(cookie_domain("0.0.1", &public_url("http://127.0.0.1")).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_as_public_url_is_a_safe_origin(text in "(https?://)?[ -~é]{0,40}") {
            if let Ok(site) = PublicUrl::parse(&text) {
                prop_assert!(site.is_https() || site.is_loopback());
                prop_assert!(!site.origin().ends_with('/') && !site.origin().contains('@'));
                prop_assert_eq!(PublicUrl::parse(site.origin()), Ok(site.clone()));
            }
        }

        #[test]
        fn whatever_is_accepted_as_allowed_origin_is_one_that_browsers_send(text in r#"[\[\]"',*a-z:/.@0-9]{0,60}"#) {
            for origin in parse_allowed_origins(&text).unwrap_or_default() {
                prop_assert!(!origin.contains(['*', ',', '"', '@']) && !origin.ends_with('/'));
                prop_assert!(origin.starts_with("http://") || origin.starts_with("https://"));
            }
        }
    }
}
