//! `vestibule health`: what a container's health check or a supervisor runs beside the server.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, rustls::ClientConfig};
use vestibule::{config::Config, tls::TlsFiles};

/// Longer than the server takes to find out that its database does not answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Of the answer's first line.
const READY: &str = "HTTP/1.1 200 ";

const QUESTION: &[u8] = b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Succeeds if the server that runs with this configuration on this machine is ready.
pub(crate) async fn run(config: &Config) -> anyhow::Result<()> {
    let address = SocketAddr::new(reachable(config.host), config.port);
    let client = config.tls.as_ref().map(TlsFiles::client).transpose()?;
    let answer = timeout(LIMIT, ask(address, client)).await;
    let answer = answer
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))
        .flatten()
        .with_context(|| format!("the server at {address} does not answer"))?;
    if !answer.starts_with(READY) {
        let first = answer.lines().next().unwrap_or_default();
        bail!("the server at {address} is not ready; it says {first:?}");
    }
    Ok(super::say("ready")?)
}

/// An address that means every one of this machine's is none to talk to.
pub(super) const fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        host => host,
    }
}

async fn ask(address: SocketAddr, client: Option<ClientConfig>) -> io::Result<String> {
    let stream = TcpStream::connect(address).await?;
    match client {
        None => talk(stream).await,
        Some(client) => {
            let connecting = TlsConnector::from(Arc::new(client)).connect(address.ip().into(), stream);
            talk(connecting.await?).await
        }
    }
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<String> {
    stream.write_all(QUESTION).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
