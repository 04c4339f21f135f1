//! Certificates of the tests' own making, and clients that trust them.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{CertificateParams, KeyPair};
use time::OffsetDateTime;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use super::Place;

/// A certificate that signed itself, and its key, as files.
pub(crate) struct Certificate {
    pub(crate) file: PathBuf,
    pub(crate) key: PathBuf,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Makes one for these hosts, in files of `place` that begin with `name`.
    pub(crate) fn make(place: &Place, name: &str, hosts: &[&str]) -> Self {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(hosts).expect("a certificate");
        Self::kept(place, name, &made.cert, &made.signing_key)
    }

    /// As [`Certificate::make`], good until then.
    pub(crate) fn make_until(place: &Place, name: &str, hosts: &[&str], until: OffsetDateTime) -> Self {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut parameters = CertificateParams::new(hosts).expect("names of hosts");
        parameters.not_after = until;
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        Self::kept(place, name, &certificate, &key)
    }

    fn kept(place: &Place, name: &str, certificate: &rcgen::Certificate, key: &KeyPair) -> Self {
        let file = place.directory().join(format!("{name}.pem"));
        let key_file = place.directory().join(format!("{name}.key"));
        std::fs::write(&file, certificate.pem()).expect("a file");
        std::fs::write(&key_file, key.serialize_pem()).expect("a file");
        Self {
            file,
            key: key_file,
            der: certificate.der().clone(),
        }
    }

    /// One that something else made, if it is there yet.
    pub(crate) fn found(path: &Path) -> Option<Self> {
        let der = CertificateDer::from_pem_file(path).ok()?;
        Some(Self {
            file: path.to_owned(),
            key: PathBuf::new(),
            der,
        })
    }

    /// `TLS_CERT` and `TLS_KEY`.
    pub(crate) fn variables(&self) -> [(&str, &str); 2] {
        [
            ("TLS_CERT", self.file.to_str().expect("a path of text")),
            ("TLS_KEY", self.key.to_str().expect("a path of text")),
        ]
    }
}

/// A client's end of TLS that trusts these alone.
pub(super) fn trust(certificates: &[&Certificate]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.der.clone()).expect("a root");
    }
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that the provider knows")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Which of these certificates the server at `address` shows to a new client.
pub(crate) async fn shown<'a>(address: SocketAddr, known: &[&'a Certificate]) -> &'a Certificate {
    let connector = TlsConnector::from(Arc::new(trust(known)));
    let stream = TcpStream::connect(address).await.expect("it is listening");
    let host = ServerName::try_from("localhost").expect("a name");
    let mut stream = connector
        .connect(host, stream)
        .await
        .expect("a certificate that is known");
    let shown = stream.get_ref().1.peer_certificates().expect("certificates")[0].clone();
    stream.shutdown().await.expect("a sound end");
    known
        .iter()
        .find(|known| known.der == shown)
        .expect("one of those that are known")
}
