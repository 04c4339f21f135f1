//! Letters by SMTP (RFC 5321).
//!
//! lettre speaks the protocol; the conversation is led here, command by command, for three reasons. What a refusal means
//! depends on what it answers. Every answer has a time limit, of which lettre's asynchronous connection has none. And a
//! connection is used again only after a conversation that came to its end: lettre's own pool would take one back whose
//! delivery was given up half-way, and the next letter would read the answers to the last one.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    address::Envelope,
    transport::smtp::{
        Error as ProtocolError,
        authentication::DEFAULT_MECHANISMS,
        client::{AsyncSmtpConnection, Tls},
        commands::{Data, Mail, Noop, Quit, Rcpt},
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
    },
};
use tokio::time::{Instant, timeout};

use super::{
    letter::Letter,
    refusal::{Cause, SmtpError, Step},
};
use crate::config::{PublicUrl, SmtpServer};

/// How long a connection is kept for the next letter. Servers close idle ones after minutes, and count those that are
/// open.
const IDLE: Duration = Duration::from_secs(30);

/// The mail server. Clones share its connection.
#[derive(Clone, Debug)]
pub struct Smtp {
    server: Arc<SmtpServer>,
    hello: ClientId,
    parked: Arc<Mutex<Option<Parked>>>,
}

struct Parked {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl std::fmt::Debug for Parked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parked")
            .field("since", &self.since)
            .finish_non_exhaustive()
    }
}

impl Smtp {
    /// Letters through `server`, from the site at `public_url`. Nothing is connected yet.
    #[must_use]
    pub fn new(server: SmtpServer, public_url: &PublicUrl) -> Self {
        Self {
            server: Arc::new(server),
            hello: hello(public_url),
            parked: Arc::default(),
        }
    }

    /// Hands `letter` to the server. Once this returns, the server has promised to deliver it or to say that it could
    /// not.
    ///
    /// An answer that is lost after the letter's last byte leaves it open whether the letter was taken. It is then sent
    /// again: twice is a nuisance, never is somebody locked out.
    pub(super) async fn send(&self, letter: &Letter) -> Result<(), SmtpError> {
        let mut connection = self.connection().await?;
        match self.converse(&mut connection, letter).await {
            Ok(()) => {
                self.park(connection);
                Ok(())
            }
            Err(error) => {
                if error.was_answered() {
                    self.part(connection).await;
                }
                Err(error)
            }
        }
    }

    /// Connects and logs in as for a letter, and takes leave again: whether letters could leave, without sending one.
    pub async fn knock(&self) -> Result<(), SmtpError> {
        let limit = self.server.step_limit;
        let mut connection = within(limit, Step::Connection, self.open()).await?;
        within(limit, Step::Connection, connection.command(Noop)).await?;
        self.part(connection).await;
        Ok(())
    }

    /// Ends the connection when no letter has needed it for a while, or at once.
    pub(super) async fn rest(&self, at_once: bool) {
        let parked = self.take();
        match parked {
            Some(parked) if at_once || parked.since.elapsed() > IDLE => self.part(parked.connection).await,
            Some(parked) => *self.slot() = Some(parked),
            None => {}
        }
    }

    async fn converse(&self, connection: &mut AsyncSmtpConnection, letter: &Letter) -> Result<(), SmtpError> {
        let (envelope, content) = (letter.email.envelope(), letter.email.formatted());
        let parameters = parameters(connection, envelope, &content)?;
        let limit = self.server.step_limit;
        let mail = Mail::new(envelope.from().cloned(), parameters);
        within(limit, Step::Sender, connection.command(mail)).await?;
        for reader in envelope.to() {
            let rcpt = Rcpt::new(reader.clone(), Vec::new());
            within(limit, Step::Recipient, connection.command(rcpt)).await?;
        }
        // Whoever puts an answer between the server and STARTTLS moves all that follow by one, since lettre reads on from
        // where it was. No other command is answered like this one, so that no letter is taken for sent by a wrong answer.
        let answer = within(limit, Step::Content, connection.command(Data)).await?;
        if !answer.has_code(354) {
            return Err(SmtpError::out_of_step(answer.code()));
        }
        // Here the server looks for viruses and advertisements.
        within(limit * 4, Step::Content, connection.message(&content)).await?;
        Ok(())
    }

    /// The connection that the last letter has left, if the server still answers on it, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        if let Some(Parked { mut connection, .. }) = self.take()
            && let Ok(Ok(_)) = timeout(self.short_limit(), connection.command(Noop)).await
        {
            return Ok(connection);
        }
        within(self.server.step_limit, Step::Connection, self.open()).await
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, ProtocolError> {
        let address = (self.server.host.as_str(), self.server.port);
        let implicit = match &self.server.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        // A name may have several addresses, of which one may be out of reach.
        let each = Some(self.server.step_limit / 3);
        let mut connection = AsyncSmtpConnection::connect_tokio1(address, each, &self.hello, implicit, None).await?;
        if let Tls::Required(parameters) = &self.server.tls {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(credentials) = &self.server.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn park(&self, connection: AsyncSmtpConnection) {
        let since = Instant::now();
        *self.slot() = Some(Parked { connection, since });
    }

    /// Says goodbye, and does not insist on an answer.
    async fn part(&self, mut connection: AsyncSmtpConnection) {
        let _ = timeout(self.short_limit(), connection.command(Quit)).await;
    }

    fn take(&self) -> Option<Parked> {
        self.slot().take()
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn short_limit(&self) -> Duration {
        self.server.step_limit / 6
    }
}

/// Who Vestibule says it is: servers ask for a name that is more than `localhost`.
fn hello(public_url: &PublicUrl) -> ClientId {
    let host = public_url.host();
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
        Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
        Err(_) => ClientId::Domain(host.to_owned()),
    }
}

/// What the server must be told of a letter beyond ASCII. One that cannot take it will not learn to within a day.
fn parameters(
    connection: &AsyncSmtpConnection,
    envelope: &Envelope,
    content: &[u8],
) -> Result<Vec<MailParameter>, SmtpError> {
    let server = connection.server_info();
    let mut parameters = Vec::new();
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    if addresses.any(|address| !AsRef::<str>::as_ref(address).is_ascii()) {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(SmtpError::unable(
                "the mail server takes no address whose part before the @ is not ASCII (SMTPUTF8)",
            ));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    if !content.is_ascii() {
        if !server.supports_feature(Extension::EightBitMime) {
            return Err(SmtpError::unable(
                "the mail server takes no header that is not ASCII (8BITMIME)",
            ));
        }
        parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(parameters)
}

async fn within<T>(
    limit: Duration,
    step: Step,
    work: impl Future<Output = Result<T, ProtocolError>>,
) -> Result<T, SmtpError> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(|error| SmtpError::new(step, &error)),
        Err(_) => Err(SmtpError {
            step,
            cause: Cause::Silence(limit),
        }),
    }
}
