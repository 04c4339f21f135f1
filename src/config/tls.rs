//! The certificate and its key.

use std::path::Path;

use super::reader::{Reader, Reported};
use crate::tls::{Chain, Key, TlsFiles};

/// `TLS_CERT` and `TLS_KEY`, which go together.
pub(super) fn read(reader: &mut Reader) -> Result<Option<TlsFiles>, Reported> {
    let chain = reader.optional("TLS_CERT", |path| {
        Chain::read(Path::new(path)).map_err(|error| error.to_string())
    });
    let key = reader.optional("TLS_KEY", |path| {
        Key::read(Path::new(path)).map_err(|error| error.to_string())
    });
    match (chain?, key?) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(reader.report(
            "TLS_KEY",
            "is required with TLS_CERT: the file of the certificate's key",
        )),
        (None, Some(_)) => Err(reader.report(
            "TLS_CERT",
            "is required with TLS_KEY: the file of the key's certificate",
        )),
        (Some(chain), Some(key)) => TlsFiles::pair(chain, key)
            .map(Some)
            .map_err(|error| reader.report(error.variable(), error.to_string())),
    }
}

/// Whether TLS is asked for, rightly or not.
pub(super) fn is_set(reader: &Reader) -> bool {
    reader.is_set("TLS_CERT")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::config::Config;

    #[test]
    fn with_a_certificate_the_site_is_https() {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (certificate, key) = (path("cert.pem"), path("key.pem"));
        fs::write(&certificate, made.cert.pem()).unwrap();
        fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let files = [("TLS_CERT", certificate.as_str()), ("TLS_KEY", key.as_str())];
        let config = Config::from_variables(files.into_iter().chain([("PORT", "8443")])).unwrap();
        assert_eq!(config.public_url.origin(), "https://localhost:8443");
        assert_eq!(config.jwt_audience.as_deref(), Some("https://localhost:8443"));
        let printed = format!("{config:?}");
        assert!(
            printed.contains("cert.pem") && !printed.contains("PRIVATE"),
            "{printed}"
        );

        let plain = ("PUBLIC_URL", "http://localhost:8443");
        let errors = Config::from_variables(files.into_iter().chain([plain])).unwrap_err();
        assert_eq!(errors.to_string().matches("PUBLIC_URL").count(), 1, "{errors}");
    }
}
