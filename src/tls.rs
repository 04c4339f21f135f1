//! A certificate and its key, for a server without a proxy that ends TLS before it: read from two files, and read again
//! when whatever renews them has written them anew.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest::{SHA256, digest};
use tokio_rustls::rustls::{
    self, CertificateError, ClientConfig, DigitallySignedStruct, ServerConfig, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    server::ParsedCertificate,
};
use zeroize::Zeroizing;

use crate::clock::Timestamp;

/// Longer than any chain of certificates; what is longer is more likely a device without an end.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// What is spoken inside of TLS.
const HTTP: &[u8] = b"http/1.1";

/// Why a certificate and its key cannot be used. Displays in words that follow [`variable`](Self::variable).
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file.
    #[error("names {path}, which cannot be read: {source}")]
    Unreadable {
        /// `TLS_CERT` or `TLS_KEY`.
        variable: &'static str,
        /// The file.
        path: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Not PEM, or nothing of the kind in it.
    #[error("names {0}, which must hold a certificate in PEM, followed by those between it and its authority's root")]
    NoCertificate(String),
    /// Not PEM, or nothing of the kind in it, or with a password.
    #[error("names {0}, which must hold a private key in PEM that no password protects")]
    NoKey(String),
    /// Each is sound, but they do not belong together.
    #[error("is not the key of the certificate in TLS_CERT")]
    Mismatch,
    /// A certificate that is not understood.
    #[error("names a certificate that cannot be used: {0}")]
    BadCertificate(rustls::Error),
    /// A key of a kind that is not known.
    #[error("names a key that cannot be used: {0}")]
    BadKey(rustls::Error),
}

impl TlsError {
    /// Which variable to look at.
    #[must_use]
    pub const fn variable(&self) -> &'static str {
        match self {
            Self::Unreadable { variable, .. } => variable,
            Self::NoCertificate(_) | Self::BadCertificate(_) => "TLS_CERT",
            Self::NoKey(_) | Self::Mismatch | Self::BadKey(_) => "TLS_KEY",
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::Mismatch,
            rustls::Error::InvalidCertificate(_) => Self::BadCertificate(error),
            error => Self::BadKey(error),
        }
    }
}

/// A file, and what it was found to hold.
pub struct PemFile<T> {
    path: PathBuf,
    content: T,
    digest: Digest,
}

/// The certificate and those between it and its authority's root.
pub type Chain = PemFile<Vec<CertificateDer<'static>>>;

/// The certificate's key.
pub type Key = PemFile<PrivateKeyDer<'static>>;

impl Chain {
    /// Reads the file that `TLS_CERT` names.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let text = read("TLS_CERT", path)?;
        let content: Vec<_> = CertificateDer::pem_slice_iter(&text)
            .collect::<Result<_, _>>()
            .unwrap_or_default();
        if content.is_empty() {
            return Err(TlsError::NoCertificate(path.display().to_string()));
        }
        Ok(Self {
            path: path.to_owned(),
            content,
            digest: digest(&SHA256, &text).as_ref().to_vec(),
        })
    }
}

impl Key {
    /// Reads the file that `TLS_KEY` names.
    pub fn read(path: &Path) -> Result<Self, TlsError> {
        let text = read("TLS_KEY", path)?;
        let content = PrivateKeyDer::from_pem_slice(&text).map_err(|_| TlsError::NoKey(path.display().to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            content,
            digest: digest(&SHA256, &text).as_ref().to_vec(),
        })
    }
}

fn read(variable: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let mut text = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES).read_to_end(&mut text))
        .map_err(|source| TlsError::Unreadable {
            variable,
            path: path.display().to_string(),
            source,
        })?;
    Ok(text)
}

/// The two files, and what was made of them when they were last good.
#[derive(Clone)]
pub struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
    server: Arc<ServerConfig>,
    chain: Vec<CertificateDer<'static>>,
    /// Of both. Their content rather than their times, since what a symbolic link is turned to may be older than what it
    /// led to before.
    digests: [Digest; 2],
}

type Digest = Vec<u8>;

/// Without what was read.
impl fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsFiles")
            .field("certificate", &self.certificate)
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// The two, if they belong together.
    pub fn pair(chain: Chain, key: Key) -> Result<Self, TlsError> {
        Ok(Self {
            server: Arc::new(server(chain.content.clone(), key.content)?),
            chain: chain.content,
            certificate: chain.path,
            key: key.path,
            digests: [chain.digest, key.digest],
        })
    }

    /// How to be the server that the certificate speaks of.
    #[must_use]
    pub fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.server)
    }

    /// How to be a client of the server that has these files. It is known by its very certificate: whom that names, and
    /// until when, matters to those who come from elsewhere.
    pub fn client(&self) -> Result<ClientConfig, TlsError> {
        let provider = Arc::new(default_provider());
        let verifier = ThisOne {
            chain: self.chain.clone(),
            provider: Arc::clone(&provider),
        };
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Ok(client)
    }

    /// Whether whoever comes to `host`, a name or an address, finds it in the certificate.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let Ok(name) = ServerName::try_from(bare.unwrap_or(host)) else {
            return false;
        };
        let first = self.chain.first().map(ParsedCertificate::try_from);
        first.is_some_and(|parsed| parsed.is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok()))
    }

    /// From when until when the certificate is good; `None` where that cannot be told.
    #[must_use]
    pub fn good_between(&self) -> Option<[Timestamp; 2]> {
        let (_, certificate) = x509_parser::parse_x509_certificate(self.chain.first()?).ok()?;
        let validity = certificate.validity();
        Some([validity.not_before, validity.not_after].map(|time| Timestamp::from_unix_seconds(time.timestamp())))
    }

    /// Reads the files again and says whether they hold something new. An error leaves what was good in use.
    pub fn look_again(&mut self) -> Result<bool, TlsError> {
        let found = Self::pair(Chain::read(&self.certificate)?, Key::read(&self.key)?)?;
        let is_new = found.digests != self.digests;
        if is_new {
            *self = found;
        }
        Ok(is_new)
    }
}

/// With a memory of its own for sessions: none that began under another certificate is taken up again.
fn server(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ServerConfig, TlsError> {
    let mut server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    server.alpn_protocols = vec![HTTP.to_vec()];
    Ok(server)
}

/// Takes one certificate, the first of its chain, and no other, of whoever proves to have its key.
#[derive(Debug)]
struct ThisOne {
    chain: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ThisOne {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.chain.first() == Some(end_entity) {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
