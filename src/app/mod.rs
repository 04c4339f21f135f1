//! What both `main` and the tests start.
//!
//! [`Services`] is the house without a street: the store and the operations, enough for a command beside a running
//! server. [`App`] adds the listener, the mail worker and the housekeeping, and stops them in order.

mod error;
mod housekeeping;
mod services;

use std::{io, net::SocketAddr, panic::resume_unwind, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

pub use self::{
    error::StartError,
    services::{Services, location},
};
use crate::{
    auth::Auth,
    clock::Clock,
    config::Config,
    listen::{Encryption, keep_certificate, serve},
    mail::{MailSettings, Mailbox, Smtp, TemplateMistakes, Templates, Transport, Waker, Worker},
    metrics::Requests,
    products::Products,
    tls::TlsFiles,
    web::{self, AppState, FlashPolicy, Rooms, Routes, Site},
};

/// How long requests in flight may take to finish once a stop was asked for.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// For how long a mailed verification link is good.
const VERIFY_LIFE: Duration = Duration::from_hours(24);

/// For how long a mailed invitation is good: whoever is invited may be on leave.
const INVITATION_LIFE: Duration = Duration::from_hours(7 * 24);

/// A running server.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    metrics_address: Option<SocketAddr>,
    services: Services,
    has_mailbox: bool,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    metrics: Option<JoinHandle<()>>,
    housekeeping: JoinHandle<()>,
    worker: Option<Worker>,
}

/// Starts everything that `config` describes and returns once it listens.
pub async fn start(config: Config, clock: Arc<dyn Clock>) -> Result<App, StartError> {
    let templates = mail_templates(&config)?;
    let site = Arc::new(Site::new(&config));
    let requests = config.metrics_addr.map(|_| Arc::new(Requests::default()));
    // Beside the opening of the database, as both take their time and neither needs the other.
    let routes = tokio::task::spawn_blocking({
        let (site, requests) = (Arc::clone(&site), requests.clone());
        move || Routes::new(&site, requests)
    });
    let services = Services::open(&config, clock).await?;
    let transport = open_transport(&config)?;
    let mailbox = match &transport {
        Some(Transport::Mailbox(mailbox)) => Some(mailbox.clone()),
        _ => None,
    };
    let address = SocketAddr::new(config.host, config.port);
    let listener = bind(address, "PORT").await?;
    let address = listener.local_addr().unwrap_or(address);
    let metrics_listener = match config.metrics_addr {
        Some(address) => Some(bind(address, "METRICS_ADDR").await?),
        None => None,
    };
    let worker = transport.map(|transport| start_worker(&config, &services, transport, templates));
    let has_mailbox = mailbox.is_some();
    let state = state(&config, &services, site, mailbox);
    let (stop, stopped) = watch::channel(false);
    // It is not cancelled, and what remains is a panic: a bug, to be told as one.
    let routes = routes.await.unwrap_or_else(|panic| resume_unwind(panic.into_panic()));
    let encryption = encrypt(config.tls, &stopped);
    let server = tokio::spawn(serve(
        listener,
        encryption,
        web::service(routes, state),
        stopped.clone(),
    ));
    let metrics_address = metrics_listener
        .as_ref()
        .and_then(|listener| listener.local_addr().ok());
    let metrics = metrics_listener.zip(requests).map(|(listener, requests)| {
        let service = web::metrics_service(services.auth.clone(), requests, metrics_address);
        tokio::spawn(serve(listener, None, service, stopped.clone()))
    });
    let housekeeping = housekeeping::start(services.auth.clone(), stopped);
    Ok(App {
        address,
        metrics_address,
        services,
        has_mailbox,
        stop,
        server,
        metrics,
        housekeeping,
        worker,
    })
}

impl App {
    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its metrics are, if they are served.
    #[must_use]
    pub const fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics_address
    }

    /// The operations.
    #[must_use]
    pub const fn auth(&self) -> &Auth {
        &self.services.auth
    }

    /// Wakes the mail worker, which otherwise looks at the clock every few seconds.
    #[must_use]
    pub const fn mail(&self) -> &Waker {
        &self.services.waker
    }

    /// Whether the database was made when it started.
    #[must_use]
    pub const fn has_new_database(&self) -> bool {
        self.services.store.is_new()
    }

    /// Whether mail goes to the built-in mailbox.
    #[must_use]
    pub const fn has_mailbox(&self) -> bool {
        self.has_mailbox
    }

    /// Waits until the listener fails, which it does not in a sound world, and says why.
    pub async fn failed(&mut self) -> io::Error {
        match (&mut self.server).await {
            Ok(()) => io::Error::other("it ended, and nobody had asked it to"),
            Err(panic) => panic.into(),
        }
    }

    /// Takes no more requests, finishes those in flight and the letter in hand, and closes the database.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if timeout(STOP_PATIENCE, self.server).await.is_err() {
            tracing::warn!("some requests did not finish in time and were cut off");
        }
        if let Some(worker) = self.worker {
            worker.stop().await;
        }
        if let Some(metrics) = self.metrics {
            // How things stand is said within seconds.
            let _ = timeout(STOP_PATIENCE, metrics).await;
        }
        // It waits for nothing but the database, and a panic in it was reported when it happened.
        let _ = self.housekeeping.await;
        self.services.close().await;
    }
}

async fn bind(address: SocketAddr, variable: &'static str) -> Result<TcpListener, StartError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| StartError::Listen {
        address,
        variable,
        source,
    })
}

/// What handlers are given.
fn state(config: &Config, services: &Services, site: Arc<Site>, mailbox: Option<Mailbox>) -> AppState {
    let (store, auth) = (services.store.clone(), services.auth.clone());
    AppState::new(Rooms {
        products: Products::new(store, Arc::clone(&services.clock), auth.clone()),
        auth,
        mailbox,
        site,
        flash: FlashPolicy::new(
            Arc::clone(&services.sealing_key),
            Arc::clone(&services.clock),
            &config.public_url,
        ),
    })
}

/// Mail goes to the mail server, or, while there is none and the site is for this machine alone, to the built-in mailbox.
fn open_transport(config: &Config) -> Result<Option<Transport>, StartError> {
    if let Some(server) = &config.smtp {
        tracing::info!("mail goes to the mail server {}, port {}", server.host, server.port);
        return Ok(Some(Transport::Smtp(Smtp::new(server.clone(), &config.public_url))));
    }
    if !config.public_url.is_loopback() {
        tracing::warn!("no mail server is set up with SMTP_URL: mail waits in the outbox");
        return Ok(None);
    }
    let directory = config.data_dir.join("mail");
    let opened = Mailbox::open(&directory);
    let mailbox = opened.map_err(|source| StartError::Mailbox {
        directory: directory.display().to_string(),
        source,
    })?;
    Ok(Some(Transport::Mailbox(mailbox)))
}

fn mail_templates(config: &Config) -> Result<Templates, TemplateMistakes> {
    match &config.mail_templates {
        Some(folder) => Templates::read(folder),
        None => Ok(Templates::built_in()),
    }
}

fn start_worker(config: &Config, services: &Services, transport: Transport, templates: Templates) -> Worker {
    let settings = MailSettings {
        public_url: config.public_url.clone(),
        site_name: config.site_name.clone(),
        mail_from: config.mail_from.clone(),
        accent: config.site_accent,
        templates,
        reset_life: config.reset_life,
        verify_life: VERIFY_LIFE,
        invitation_life: INVITATION_LIFE,
    };
    let (store, clock) = (services.store.clone(), Arc::clone(&services.clock));
    Worker::start(store, clock, services.waker.clone(), transport, settings)
}

/// With TLS, from now on with the certificate that is good at the moment.
fn encrypt(files: Option<TlsFiles>, stopped: &watch::Receiver<bool>) -> Encryption {
    let files = files?;
    let (sender, server) = watch::channel(files.server());
    tokio::spawn(keep_certificate(files, sender, stopped.clone()));
    Some(server)
}
