//! Connections: how they are accepted, with TLS and without, how long each may take to say what it wants, and how they
//! end.

use std::{pin::Pin, sync::Arc, time::Duration};

use axum::{body::Body, http::Request, serve::Listener};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::{Accept, TlsAcceptor, rustls::ServerConfig, server::TlsStream};
use tower::{Service, ServiceExt};

use crate::{tls::TlsFiles, web};

/// How long a connection may take to send a request's line and headers, and how long it may be idle before: whoever opens
/// many and says nothing would otherwise have all that this process can hold.
const HEADER_LIMIT: Duration = Duration::from_secs(10);

/// How long a connection may take none of what it is sent: whoever asks for much and reads nothing would otherwise have it
/// kept for them for ever. Who reads slowly goes on.
const WRITE_LIMIT: Duration = Duration::from_secs(15);

/// How long a connection may take to agree on its encryption, for the same reason.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How often the files of the certificate are looked at. They are renewed weeks ahead: this is for whoever watches.
const CERTIFICATE_PAUSE: Duration = Duration::from_secs(5);

/// A connection whose peer has to take what it is sent.
type Stream = Pin<Box<TimeoutStream<TcpStream>>>;

/// How to be the server of the certificate that is good at the moment; none without TLS.
pub(crate) type Encryption = Option<watch::Receiver<Arc<ServerConfig>>>;

/// Answers requests until `stopped` says so, and then finishes those in flight.
///
/// Not `axum::serve`, which waits for ever for a header that does not come.
pub(crate) async fn serve(
    mut listener: TcpListener,
    encryption: Encryption,
    mut services: web::MakeService,
    mut stopped: watch::Receiver<bool>,
) {
    let connections = http1();
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            // It deals with errors itself, such as too many open files.
            accepted = Listener::accept(&mut listener) => accepted,
            // An error means that the app is gone, which is a stop too.
            _ = stopped.wait_for(|stop| *stop) => break,
        };
        let stream = hasten(stream);
        let Ok(service) = services.call(peer).await;
        let service =
            TowerToHyperService::new(service.map_request(|request: Request<Incoming>| request.map(Body::new)));
        // What goes wrong with a connection is its client's doing, or its network's.
        if let Some(server) = &encryption {
            let handshake = TlsAcceptor::from(Arc::clone(&server.borrow())).accept(stream);
            let (connections, watcher, stopped) = (connections.clone(), graceful.watcher(), stopped.clone());
            tokio::spawn(async move {
                if let Some(stream) = agree(handshake, stopped).await {
                    let connection = connections.serve_connection(TokioIo::new(stream), service);
                    drop(watcher.watch(connection).await);
                }
            });
        } else {
            let connection = connections.serve_connection(TokioIo::new(stream), service);
            tokio::spawn(graceful.watch(connection));
        }
    }
    drop(listener);
    graceful.shutdown().await;
}

fn hasten(stream: TcpStream) -> Stream {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_LIMIT));
    Box::pin(stream)
}

/// The stream inside of TLS, if the client comes to terms in time.
async fn agree(handshake: Accept<Stream>, mut stopped: watch::Receiver<bool>) -> Option<TlsStream<Stream>> {
    tokio::select! {
        agreed = timeout(HANDSHAKE_LIMIT, handshake) => agreed.ok()?.ok(),
        _ = stopped.wait_for(|stop| *stop) => None,
    }
}

fn http1() -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEADER_LIMIT);
    builder
}

/// Puts a new certificate into use for connections that come after it. While there is none that can be used, the one
/// before serves on, which is better than nothing for as long as it is good, and the log says why.
pub(crate) async fn keep_certificate(
    mut files: TlsFiles,
    server: watch::Sender<Arc<ServerConfig>>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut ticks = interval(CERTIFICATE_PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut complaint = String::new();
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let looked = tokio::task::spawn_blocking(move || (files.look_again(), files)).await;
        // It is not cancelled, and a panic in it was reported when it happened.
        let Ok((outcome, seen)) = looked else { return };
        files = seen;
        let said = match outcome {
            Ok(false) => String::new(),
            Ok(true) => {
                server.send_replace(files.server());
                tracing::info!("a new certificate is in use");
                String::new()
            }
            Err(error) => format!("{} {error}", error.variable()),
        };
        if said != complaint && !said.is_empty() {
            tracing::error!("the certificate before stays in use: {said}");
        }
        complaint = said;
    }
}
