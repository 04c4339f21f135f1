//! Why Vestibule does not start.

use std::{io, net::SocketAddr};

use crate::{auth::SigningKeyError, mail::TemplateMistakes, store::OpenError};

/// Why Vestibule did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// The signing keys.
    #[error(transparent)]
    Keys(#[from] SigningKeyError),
    /// The generated sealing key, kept in `DATA_DIR`.
    #[error("cannot {} the sealing key", read_or_make(.0))]
    SealingKey(#[source] io::Error),
    /// The built-in mailbox, kept in `DATA_DIR`.
    #[error("cannot open the mailbox in {directory}")]
    Mailbox {
        /// `DATA_DIR`.
        directory: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The operator's templates for mail.
    #[error("MAIL_TEMPLATES cannot be used:{0}")]
    Templates(#[from] TemplateMistakes),
    /// The threads that hash passwords.
    #[error("cannot start the hashing threads")]
    Hashing(#[source] io::Error),
    /// The address to listen on.
    #[error("cannot listen on {address}: {}", obstacle(.source, *.address, .variable))]
    Listen {
        /// `HOST` and `PORT`, or `METRICS_ADDR`.
        address: SocketAddr,
        /// What to change.
        variable: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
}

/// One that is missing, damaged or another's is not made anew.
fn read_or_make(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => "read",
        _ => "read or make",
    }
}

/// Why nobody may listen there, and what to do about it.
fn obstacle(error: &io::Error, address: SocketAddr, variable: &str) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied if address.port() < 1024 => format!(
            "this user may not use ports below 1024; choose another {variable}, with a proxy before it, or give the server \
             that right (CAP_NET_BIND_SERVICE)"
        ),
        io::ErrorKind::AddrInUse => format!("another server is there; choose another {variable}"),
        io::ErrorKind::AddrNotAvailable => {
            let variable = if variable == "PORT" { "HOST" } else { variable };
            format!("this machine does not have that address; choose another {variable}")
        }
        _ => format!("choose another {variable}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_nobody_may_listen_is_told_by_the_kind_of_the_error() {
        for (kind, address, said) in [
            (
                io::ErrorKind::PermissionDenied,
                "127.0.0.1:443",
                "cannot listen on 127.0.0.1:443: this user may not use ports below 1024; choose another PORT",
            ),
            (io::ErrorKind::AddrInUse, "127.0.0.1:8000", "another server is there"),
            (
                io::ErrorKind::AddrNotAvailable,
                "192.0.2.1:8000",
                "does not have that address; choose another HOST",
            ),
            (io::ErrorKind::PermissionDenied, "127.0.0.1:8000", "choose another PORT"),
        ] {
            let error = StartError::Listen {
                address: address.parse().unwrap(),
                variable: "PORT",
                source: kind.into(),
            };
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
