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
