//! What both `main` and the tests start.
//!
//! [`Services`] is the house without a street: the store and the operations, enough for a command beside a running
//! server. [`App`] adds the listener, the mail worker and the housekeeping, and stops them in order.

use std::{io, net::SocketAddr, num::NonZeroUsize, panic::resume_unwind, sync::Arc, thread, time::Duration};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use crate::{
    auth::{Auth, Limits, Parts, Rules, SigningKeyError},
    clock::Clock,
    config::{Config, DatabaseUrl, Signing},
    listen::{Encryption, keep_certificate, serve},
    mail::{MailSettings, Mailbox, Smtp, TemplateMistakes, Templates, Transport, Waker, Worker},
    metrics::Requests,
    password::{HashParameters, Hasher, Policy},
    products::Products,
    store::{Location, OpenError, Store},
    tls::TlsFiles,
    token::{AccessSettings, AccessTokens, Algorithm, KeyRing, SealingKey},
    web::{self, AppState, FlashPolicy, Rooms, Routes, Site},
};

/// How many passwords may wait for each hashing thread: about a second's worth.
const HASHING_QUEUE_PER_THREAD: usize = 32;

/// How often housekeeping runs: as often as a replay window closes, and soon enough after a command beside this server
/// has replaced a key that leaked.
const HOUSEKEEPING_PAUSE: Duration = Duration::from_secs(10);

/// How often what is over is swept.
const SWEEP_PAUSE: Duration = Duration::from_mins(1);

/// How long requests have the database to themselves between two batches, while there is more to sweep.
const BATCH_PAUSE: Duration = Duration::from_millis(100);

/// How long requests in flight may take to finish once a stop was asked for.
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// For how long a mailed verification link is good.
const VERIFY_LIFE: Duration = Duration::from_hours(24);

/// For how long a mailed invitation is good: whoever is invited may be on leave.
const INVITATION_LIFE: Duration = Duration::from_hours(7 * 24);

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

/// The operations and what they stand on.
#[derive(Clone, Debug)]
pub struct Services {
    /// The operations.
    pub auth: Auth,
    store: Store,
    waker: Waker,
    clock: Arc<dyn Clock>,
    sealing_key: Arc<SealingKey>,
}

impl Services {
    /// Opens the database, bringing its tables up to date, and reads the signing keys.
    pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let store = Store::open(&location(&config.database)).await?;
        let waker = Waker::default();
        let sealing_key = Arc::new(sealing_key(config, &store).await?);
        let auth = Auth::new(Parts {
            store: store.clone(),
            clock: Arc::clone(&clock),
            hasher: start_hasher(config).map_err(StartError::Hashing)?,
            policy: Policy {
                min_length: config.password_min_length,
                min_score: config.password_min_score,
                site_name: config.site_name.clone(),
            },
            tokens: AccessTokens::new(access_settings(config), first_ring(config)?),
            algorithm: algorithm(config),
            sealing_key: Arc::clone(&sealing_key),
            limits: config.limits.map(|quotas| Limits::new(quotas, &sealing_key)),
            waker: waker.clone(),
            rules: Rules {
                allow_signup: config.allow_signup,
                private_signup: config.private_signup,
                require_verified_email: config.require_verified_email,
                refresh_idle: config.refresh_idle,
                session_max: config.session_max,
                access_token_life: config.access_token_life,
                audit_keep: config.audit_keep,
                unverified_keep: config.unverified_keep,
            },
        });
        auth.load_signing_keys().await?;
        Ok(Self {
            auth,
            store,
            waker,
            clock,
            sealing_key,
        })
    }

    /// Whether the database is there, rather than one that [`open`](Self::open) would make.
    pub async fn has_database(config: &Config) -> Result<bool, StartError> {
        Ok(Store::exists(&location(&config.database)).await?)
    }

    /// Closes the database.
    pub async fn close(&self) {
        self.store.close().await;
    }

    #[cfg(test)]
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }
}

/// Where the store finds the database of this URL.
#[must_use]
pub fn location(database: &DatabaseUrl) -> Location {
    match database {
        DatabaseUrl::Sqlite(path) => Location::Sqlite(path.clone()),
        DatabaseUrl::Postgres(url) => Location::Postgres(url.clone()),
    }
}

fn start_hasher(config: &Config) -> io::Result<Hasher> {
    let parameters = HashParameters {
        memory_kib: config.argon2_memory_kib,
        passes: config.argon2_passes,
    };
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Hasher::start(parameters, threads, HASHING_QUEUE_PER_THREAD * threads.get())
}

fn algorithm(config: &Config) -> Algorithm {
    match config.signing {
        Signing::EdDsa => Algorithm::EdDsa,
        Signing::Es256 => Algorithm::Es256,
        Signing::Hs256(_) => Algorithm::Hs256,
    }
}

fn access_settings(config: &Config) -> AccessSettings {
    AccessSettings {
        issuer: config.public_url.origin().to_owned(),
        audience: config.jwt_audience.clone(),
        life: config.access_token_life,
    }
}

fn first_ring(config: &Config) -> Result<KeyRing, SigningKeyError> {
    Ok(match &config.signing {
        Signing::Hs256(secret) => KeyRing::shared_secret(secret.expose()),
        Signing::EdDsa | Signing::Es256 => KeyRing::asymmetric(Vec::new())?,
    })
}

async fn sealing_key(config: &Config, store: &Store) -> Result<SealingKey, StartError> {
    let sealed = store.list_signing_keys().await.map_err(SigningKeyError::from)?;
    let secret = config.sealing_secret(!sealed.is_empty());
    let secret = secret.map_err(StartError::SealingKey)?;
    Ok(SealingKey::from_secret(secret.expose()))
}

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
    let state = AppState::new(Rooms {
        auth: services.auth.clone(),
        products: Products::new(services.store.clone(), Arc::clone(&services.clock)),
        mailbox,
        site,
        flash: FlashPolicy::new(
            Arc::clone(&services.sealing_key),
            Arc::clone(&services.clock),
            &config.public_url,
        ),
    });
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
    let (auth, stopped_too) = (services.auth.clone(), stopped.clone());
    // Side by side: a long sweep must not keep a used successor from being erased.
    let housekeeping = tokio::spawn(async move {
        tokio::join!(keep_house(&auth, stopped), sweep_up(&auth, stopped_too));
    });
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

/// What must be done again and again, whoever calls.
async fn keep_house(auth: &Auth, mut stopped: watch::Receiver<bool>) {
    let mut ticks = interval(HOUSEKEEPING_PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and start-up has just done all of this.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = auth.erase_successors().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot erase used successors");
        }
        if let Err(error) = auth.load_signing_keys().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot look at the signing keys"
            );
        }
    }
}

/// Sweeps what is over, a batch of each kind at a time.
async fn sweep_up(auth: &Auth, mut stopped: watch::Receiver<bool>) {
    let mut pause = SWEEP_PAUSE;
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let is_more = sweep(auth).await;
        pause = if is_more { BATCH_PAUSE } else { SWEEP_PAUSE };
    }
}

/// Whether there is more to sweep.
async fn sweep(auth: &Auth) -> bool {
    match auth.sweep().await {
        Ok(true) => return true,
        Ok(false) => {}
        Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "cannot sweep what is over"),
    }
    if let Err(error) = auth.follow_the_clock().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot put right what is of the future"
        );
    }
    if let Err(error) = auth.sweep_limits().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot sweep limits");
    }
    false
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use tracing::{Event, Subscriber, span};
    use tracing_subscriber::{
        Layer,
        layer::{Context, SubscriberExt},
        registry::LookupSpan,
    };

    use super::*;
    use crate::{
        auth::{Client, Credential, LogIn, SessionQuery, SignUp},
        clock::{ManualClock, Timestamp},
        products::{NewProduct, ProductChange, ProductQuery},
    };

    /// The spans of operations that were begun, and those around each line that was written meanwhile.
    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<String>>>);

    impl Heard {
        fn take(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }

        fn note(&self, what: String) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        }
    }

    fn is_operations(target: &str) -> bool {
        ["vestibule::auth", "vestibule::products"]
            .iter()
            .any(|room| target.starts_with(room))
    }

    impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Heard {
        fn on_new_span(&self, attributes: &span::Attributes<'_>, _: &span::Id, _: Context<'_, S>) {
            let metadata = attributes.metadata();
            if is_operations(metadata.target()) {
                assert!(
                    attributes.fields().is_empty(),
                    "an argument may be a secret: {metadata:?}"
                );
                self.note(metadata.name().to_owned());
            }
        }

        fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
            if is_operations(event.metadata().target()) {
                let scope = context.event_scope(event).into_iter().flatten();
                let names: Vec<&str> = scope.map(|span| span.name()).collect();
                self.note(format!("a line of {}", names.join(" in ")));
            }
        }
    }

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

    #[tokio::test]
    async fn an_operation_is_a_span_of_its_name_around_what_it_writes() {
        let heard = Heard::default();
        let subscriber = tracing_subscriber::registry().with(heard.clone());
        let _hearing = tracing::subscriber::set_default(subscriber);
        let directory = tempfile::tempdir().unwrap();
        let mut config = Config::from_variables([("DATA_DIR", directory.path().to_str().unwrap())]).unwrap();
        (config.argon2_memory_kib, config.argon2_passes) = (8, 1);
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(1_772_366_400)));
        let services = Services::open(&config, clock.clone()).await.unwrap();
        assert_eq!(heard.take(), ["load_signing_keys", "a line of load_signing_keys"]);

        let (auth, client) = (&services.auth, Client::default());
        let (email, password) = ("ann@example.com", "plum-Tractor-94-orbit");
        let newcomer = SignUp {
            email: email.to_owned(),
            username: None,
            name: None,
            password: password.to_owned().into(),
        };
        auth.sign_up(newcomer, &client).await.unwrap();
        let mut devices = Vec::new();
        for _ in 0..2 {
            let attempt = LogIn {
                identifier: email.to_owned(),
                password: password.to_owned().into(),
                remember: true,
                replaces: None,
            };
            devices.push(auth.log_in(attempt, &client).await.unwrap());
        }
        assert_eq!(
            heard.take(),
            [
                "sign_up",
                "a line of sign_up",
                "log_in",
                "a line of log_in",
                "log_in",
                "a line of log_in"
            ]
        );

        let identity = auth.authenticate(&devices[0].access.token).await.unwrap();
        auth.list_sessions(&identity, SessionQuery::default()).await.unwrap();
        auth.log_out(&[Credential::Access(&devices[0].access.token)], &client)
            .await
            .unwrap();
        assert_eq!(
            heard.take(),
            [
                "authenticate",
                "list_sessions",
                "log_out",
                "authenticate",
                "a line of log_out"
            ]
        );

        let products = Products::new(services.store.clone(), clock.clone());
        let lamp = NewProduct {
            name: "Lamp".to_owned(),
            description: None,
        };
        let lamp = products.create(&identity, lamp).await.unwrap();
        products.list(&identity, ProductQuery::default()).await.unwrap();
        products.show(&identity, lamp.id).await.unwrap();
        let change = ProductChange::default();
        products.update(&identity, lamp.id, change).await.unwrap();
        products.delete(&identity, lamp.id).await.unwrap();
        assert_eq!(
            heard.take(),
            [
                "create_product",
                "list_products",
                "show_product",
                "update_product",
                "delete_product"
            ]
        );

        let stolen = devices[1].refresh.expose();
        auth.refresh(stolen, &client).await.unwrap();
        clock.advance(Duration::from_secs(11));
        auth.refresh(stolen, &client).await.unwrap_err();
        assert_eq!(
            heard.take(),
            ["refresh", "refresh", "a line of refresh", "a line of refresh"]
        );
        services.close().await;
    }
}
