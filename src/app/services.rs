//! The house without a street: the store and the operations, as a command needs them beside a running server.

use std::{io, num::NonZeroUsize, sync::Arc, thread};

use super::StartError;
use crate::{
    auth::{Auth, Limits, Parts, Rules, SigningKeyError},
    clock::Clock,
    config::{Config, DatabaseUrl, Signing},
    mail::Waker,
    password::{HashParameters, Hasher, Policy},
    store::{Location, Store},
    token::{AccessSettings, AccessTokens, Algorithm, KeyRing, SealingKey},
};

/// How many passwords may wait for each hashing thread: about a second's worth.
const HASHING_QUEUE_PER_THREAD: usize = 32;

/// The operations and what they stand on.
#[derive(Clone, Debug)]
pub struct Services {
    /// The operations.
    pub auth: Auth,
    pub(super) store: Store,
    pub(super) waker: Waker,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) sealing_key: Arc<SealingKey>,
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

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, PoisonError},
        time::Duration,
    };

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
        products::{NewProduct, ProductChange, ProductQuery, Products},
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

        let products = Products::new(services.store.clone(), clock.clone(), auth.clone());
        let lamp = NewProduct {
            name: "Lamp".to_owned(),
            description: None,
        };
        let lamp = products.create(&identity, lamp, &client).await.unwrap();
        products.list(&identity, ProductQuery::default()).await.unwrap();
        products.show(&identity, lamp.id).await.unwrap();
        let change = ProductChange {
            name: Some("Lantern".to_owned()),
            ..ProductChange::default()
        };
        products.update(&identity, lamp.id, change, &client).await.unwrap();
        products.delete(&identity, lamp.id, &client).await.unwrap();
        assert_eq!(
            heard.take(),
            [
                "create_product",
                "a line of create_product",
                "list_products",
                "show_product",
                "update_product",
                "a line of update_product",
                "delete_product",
                "a line of delete_product"
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
