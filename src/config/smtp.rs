//! The mail server.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    time::Duration,
};

use lettre::transport::smtp::{
    authentication::Credentials,
    client::{Certificate, Tls, TlsParameters},
};
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use super::{
    is_loopback,
    reader::{Reader, Reported},
    secret::Secret,
};

const FORMS: &str = "it must be smtps://user:password@host:465 or smtp://user:password@host:587?tls=required";
const ENCODE: &str = "special characters of user and password must be percent-encoded, `@` as %40 and `#` as %23";

/// How long each step of a delivery may take. RFC 5321, section 4.5.3.2, would have a client wait for minutes; the rest
/// of the outbox would wait with it, and the message is tried again anyway.
const STEP_LIMIT: Duration = Duration::from_secs(30);

/// More than all certificate authorities of the public web.
const MAX_CA_FILE_BYTES: u64 = 1024 * 1024;

/// `SMTP_URL` or `SMTP_URL_FILE`, with `SMTP_CA_FILE`: where mail is handed over, and how.
#[derive(Clone)]
pub struct SmtpServer {
    /// The host: a name in ASCII, or an IP address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// TLS from the first byte, TLS that is begun in the open and required, or none.
    pub tls: Tls,
    /// Who Vestibule is to the server.
    pub credentials: Option<Credentials>,
    /// How long each step of a delivery may take: no variable sets it.
    pub step_limit: Duration,
}

/// Neither user nor password.
impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpServer")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// What the URL says, before there is TLS.
struct Address {
    host: String,
    port: u16,
    encryption: Encryption,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encryption {
    Implicit,
    StartTls,
    None,
}

/// Whether a mail server is named, rightly or not.
pub(super) fn is_set(reader: &Reader) -> bool {
    reader.is_set("SMTP_URL") || reader.is_set("SMTP_URL_FILE")
}

pub(super) fn read(reader: &mut Reader) -> Result<Option<SmtpServer>, Reported> {
    let url = reader.secret("SMTP_URL", "SMTP_URL_FILE");
    let authority = reader.optional("SMTP_CA_FILE", read_authority);
    let Some(url) = url? else {
        return Ok(None);
    };
    let address = parse(&url).map_err(|message| reader.report("SMTP_URL", message))?;
    let builder = TlsParameters::builder(address.host.clone());
    let parameters = match authority? {
        Some(authority) => builder.add_root_certificate(authority),
        None => builder,
    };
    let parameters = parameters
        .build()
        .map_err(|_| reader.report("SMTP_CA_FILE", "names a file with a certificate that cannot be used"))?;
    Ok(Some(SmtpServer {
        host: address.host,
        port: address.port,
        tls: match address.encryption {
            Encryption::Implicit => Tls::Wrapper(parameters),
            Encryption::StartTls => Tls::Required(parameters),
            Encryption::None => Tls::None,
        },
        credentials: address.credentials,
        step_limit: STEP_LIMIT,
    }))
}

fn read_authority(path: &str) -> Result<Certificate, String> {
    let mut pem = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_CA_FILE_BYTES).read_to_end(&mut pem))
        .map_err(|error: io::Error| format!("names {path}, which cannot be read: {error}"))?;
    let wrong = || format!("names {path}, which must hold certificates in PEM: -----BEGIN CERTIFICATE-----");
    // A file without any would pass for one that is understood.
    if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
        return Err(wrong());
    }
    Certificate::from_pem(&pem).map_err(|_| wrong())
}

/// No message repeats any of the text: a URL that is not understood may have its password anywhere.
fn parse(text: &Secret) -> Result<Address, String> {
    let url = Url::parse(text.expose().trim()).map_err(|_| format!("is not a URL; {FORMS}; {ENCODE}"))?;
    let implicit = match url.scheme() {
        "smtps" => true,
        "smtp" => false,
        _ => return Err(format!("does not begin with smtps:// or smtp://; {FORMS}")),
    };
    let host = host(&url)?;
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(format!("has something after its host; {FORMS}; {ENCODE}"));
    }
    let mut required = implicit;
    for (name, value) in url.query_pairs() {
        match (&*name, &*value) {
            ("tls", "required") => required = true,
            ("tls", _) => {
                return Err(
                    "has a `tls` that is not `required`: whether mail is encrypted cannot be left to whoever \
                            is between here and the mail server"
                        .to_owned(),
                );
            }
            _ => return Err(format!("has a parameter after `?` that is not known; {FORMS}")),
        }
    }
    // Passwords and links would be read by the network.
    if !required && !is_loopback(&host) {
        return Err(
            "must begin with smtps://, or have ?tls=required at its end: only a mail server on this machine may be \
             talked to without TLS"
                .to_owned(),
        );
    }
    let (encryption, usual_port) = match (implicit, required) {
        (true, _) => (Encryption::Implicit, 465),
        (false, true) => (Encryption::StartTls, 587),
        (false, false) => (Encryption::None, 25),
    };
    Ok(Address {
        host,
        port: match url.port() {
            None => usual_port,
            Some(0) => return Err(format!("has a port that cannot be; {FORMS}")),
            Some(port) => port,
        },
        encryption,
        credentials: credentials(&url)?,
    })
}

/// `Url` looks into the hosts of web addresses only: this one is still percent-encoded, and may be an IPv4 address or an
/// international name.
fn host(url: &Url) -> Result<String, String> {
    let wrong = || format!("does not name a host; {FORMS}");
    let name = match url.host().ok_or_else(wrong)? {
        Host::Ipv4(address) => return Ok(address.to_string()),
        Host::Ipv6(address) => return Ok(address.to_string()),
        Host::Domain(name) => percent_decode_str(name).decode_utf8().map_err(|_| wrong())?,
    };
    let ascii = idna::domain_to_ascii(&name).map_err(|_| wrong())?;
    let is_name = |text: &str| {
        text.chars()
            .all(|character| character.is_ascii_alphanumeric() || "-._".contains(character))
    };
    if ascii.is_empty() || !is_name(&ascii) {
        return Err(wrong());
    }
    Ok(ascii)
}

fn credentials(url: &Url) -> Result<Option<Credentials>, String> {
    let decode = |text: &str| match percent_decode_str(text).decode_utf8() {
        // PLAIN parts user and password by a NUL (RFC 4616).
        Ok(text) if !text.chars().any(char::is_control) => Ok(text.into_owned()),
        _ => Err(format!("has a user or password that is not text; {ENCODE}")),
    };
    match (decode(url.username())?, url.password()) {
        (user, None) if user.is_empty() => Ok(None),
        (user, Some(password)) if !user.is_empty() && !password.is_empty() => {
            Ok(Some(Credentials::new(user, decode(password)?)))
        }
        _ => Err(format!("names a user without a password, or none with one; {FORMS}")),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::{Config, ConfigErrors};

    fn address(text: &str) -> Result<Address, String> {
        parse(&Secret::new(text.to_owned()))
    }

    #[test]
    fn the_scheme_and_the_parameter_say_how_the_server_is_talked_to() {
        use Encryption::{Implicit, None, StartTls};
        for (text, host, port, encryption) in [
            ("smtps://mail.example.com", "mail.example.com", 465, Implicit),
            ("SMTPS://u:p@MAIL.example.com:4465/", "mail.example.com", 4465, Implicit),
            (
                "smtps://mail.example.com?tls=required",
                "mail.example.com",
                465,
                Implicit,
            ),
            (
                "smtp://u:p@mail.example.com:2525?tls=required",
                "mail.example.com",
                2525,
                StartTls,
            ),
            (
                "smtp://mail.example.com/?tls=required",
                "mail.example.com",
                587,
                StartTls,
            ),
            ("smtp://192.0.2.1?tls=required", "192.0.2.1", 587, StartTls),
            ("smtps://[2001:db8::1]:465", "2001:db8::1", 465, Implicit),
            ("smtps://bücher.example", "xn--bcher-kva.example", 465, Implicit),
            ("smtp://localhost", "localhost", 25, None),
            ("smtp://u:p@mail.localhost:1025", "mail.localhost", 1025, None),
            ("smtp://127.0.0.1:1025", "127.0.0.1", 1025, None),
            ("smtp://[::1]:1025", "::1", 1025, None),
        ] {
            let address = address(text).unwrap_or_else(|complaint| panic!("{text} {complaint}"));
            assert_eq!(
                (address.host.as_str(), address.port, address.encryption),
                (host, port, encryption),
                "{text}"
            );
            assert_eq!(address.credentials.is_some(), text.contains('@'), "{text}");
        }
    }

    #[test]
    fn user_and_password_are_percent_decoded() {
        let given = address("smtps://ann%40example.com:p%3A%2F%23%C3%A9@mail.example.com").unwrap();
        let meant = Credentials::new("ann@example.com".to_owned(), "p:/#é".to_owned());
        assert!(given.credentials == Some(meant));
    }

    #[test]
    fn every_mistake_is_told_without_the_text() {
        for (text, said) in [
            ("hunter2", "is not a URL"),
            ("smtps://hunter2:pass/word@mail.example.com", "percent-encoded"),
            ("https://u:hunter2@mail.example.com", "does not begin with"),
            ("smtps:mail.example.com", "does not name a host"),
            ("smtps://", "does not name a host"),
            ("smtps://u:p@mail hunter2.example.com", "URL"),
            ("smtps://u:p@mail%20hunter2", "does not name a host"),
            ("smtps://u:hunter2@mail.example.com/path", "after its host"),
            ("smtps://u:p@mail.example.com#hunter2", "after its host"),
            ("smtps://u:hunter2@mail.example.com?starttls=1", "not known"),
            ("smtp://u:hunter2@mail.example.com?tls=opportunistic", "not `required`"),
            ("smtp://u:hunter2@mail.example.com", "without TLS"),
            ("smtp://localhost.example.com", "without TLS"),
            ("smtp://192.0.2.1", "without TLS"),
            ("smtps://hunter2@mail.example.com", "without a password"),
            ("smtps://:hunter2@mail.example.com", "without a password"),
            ("smtps://u:hunter2%00@mail.example.com", "not text"),
            ("smtps://u:hunter2%ff@mail.example.com", "not text"),
            ("smtps://u:hunter2@mail.example.com:0", "port"),
            ("smtps://u:hunter2@mail.example.com:99999", "is not a URL"),
        ] {
            let complaint = address(text).err().unwrap_or_else(|| panic!("{text} is taken"));
            assert!(complaint.contains(said), "{text}: {complaint}");
            assert!(!complaint.contains("hunter2"), "{complaint}");
        }
    }

    fn load(variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
        Config::from_variables(variables.iter().copied())
    }

    #[test]
    fn neither_the_user_nor_the_password_is_printed() {
        let config = load(&[("SMTP_URL", "smtps://hunter1:hunter2@mail.example.com")]).unwrap();
        let printed = format!("{config:?} {:#?}", config.smtp);
        assert!(
            printed.contains("mail.example.com") && !printed.contains("hunter"),
            "{printed}"
        );
    }

    #[test]
    fn a_further_authority_comes_from_a_file_that_is_looked_into() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.pem");
        let path = path.to_str().unwrap();
        let url = ("SMTP_URL", "smtps://mail.example.com");
        let load = || load(&[url, ("SMTP_CA_FILE", path)]);
        assert!(load().unwrap_err().to_string().contains("cannot be read"));
        let certificate = rcgen::generate_simple_self_signed(["mail.example.com".to_owned()]).unwrap();
        let pem = certificate.cert.pem();
        for (content, said) in [
            (String::new(), "must hold certificates"),
            (certificate.signing_key.serialize_pem(), "must hold certificates"),
            (pem.replace("MII", "!!!"), "must hold certificates"),
            (pem.replace("MII", "MIJ"), "cannot be used"),
        ] {
            fs::write(path, &content).unwrap();
            let complaint = load().unwrap_err().to_string();
            assert!(
                complaint.contains("SMTP_CA_FILE") && complaint.contains(said),
                "{content} {complaint}"
            );
        }
        fs::write(path, format!("A private authority\n{pem}{pem}")).unwrap();
        assert!(load().unwrap().smtp.is_some());
    }
}
