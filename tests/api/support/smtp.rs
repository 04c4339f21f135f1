//! A mail server, as far as SMTP goes: with TLS, with log-in, and with every bad habit that a test asks for.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use super::{Place, mail::Mail};

const PATIENCE: Duration = Duration::from_secs(20);

/// How the server is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    StartTls,
    Implicit,
}

/// Where a conversation has got to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Greeting,
    Ehlo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    /// The command.
    Data,
    /// Half of the message was read.
    Content,
    /// All of it was.
    End,
}

/// What the server does instead of its duty.
#[derive(Clone, Debug)]
pub(crate) enum Trick {
    Say(&'static str),
    /// Closes the connection.
    Die,
    /// Says nothing until [`MailServer::release`].
    Hold,
}

/// One letter that the server has promised to deliver.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: String,
    /// As it was sent.
    pub(crate) raw: String,
}

#[derive(Default)]
struct State {
    tricks: VecDeque<(Step, Trick)>,
    received: Vec<Received>,
    /// Every line that was read, as `<` and the line; of a log-in, what it comes to.
    heard: Vec<String>,
    connections: usize,
}

struct Shared {
    security: Security,
    mechanisms: &'static str,
    login: Option<(&'static str, &'static str)>,
    acceptor: TlsAcceptor,
    state: Mutex<State>,
    /// How many conversations are held, and how many may go on.
    held: watch::Sender<usize>,
    released: watch::Sender<usize>,
}

/// Ends with the test.
pub(crate) struct MailServer {
    address: SocketAddr,
    certificate: PathBuf,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.vanish();
    }
}

impl MailServer {
    pub(crate) async fn start(place: &Place, security: Security) -> Self {
        Self::start_with(place, security, "PLAIN LOGIN", None).await
    }

    /// A server that lets in only who logs in as `login` with one of `mechanisms`.
    pub(crate) async fn start_with(
        place: &Place,
        security: Security,
        mechanisms: &'static str,
        login: Option<(&'static str, &'static str)>,
    ) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let certificate = place.directory().join("mail-server.pem");
        std::fs::write(&certificate, made.cert.pem()).expect("a file");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let tls = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a TLS server");
        let address = super::process::free_address();
        let mut server = Self {
            address,
            certificate,
            shared: Arc::new(Shared {
                security,
                mechanisms,
                login,
                acceptor: TlsAcceptor::from(Arc::new(tls)),
                state: Mutex::default(),
                held: watch::Sender::new(0),
                released: watch::Sender::new(0),
            }),
            listening: None,
        };
        server.appear().await;
        server
    }

    /// Nobody listens any more, and every conversation ends.
    pub(crate) fn vanish(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
        }
    }

    /// Listens, again at the same address.
    pub(crate) async fn appear(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("the port is free");
        let shared = Arc::clone(&self.shared);
        self.listening = Some(tokio::spawn(async move {
            // Dropped with this task, and the conversations with it.
            let mut conversations = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                shared.state().connections += 1;
                conversations.spawn(async move {
                    let _ = shared.welcome(stream).await;
                });
            }
        }));
    }

    /// `SMTP_URL`, with `login` as `user:password@`.
    pub(crate) fn url(&self, login: &str) -> String {
        let port = self.address.port();
        match self.shared.security {
            Security::Plain => format!("smtp://{login}127.0.0.1:{port}"),
            Security::StartTls => format!("smtp://{login}localhost:{port}?tls=required"),
            Security::Implicit => format!("smtps://{login}localhost:{port}"),
        }
    }

    /// `SMTP_CA_FILE`.
    pub(crate) fn certificate(&self) -> &str {
        self.certificate.to_str().expect("a path of text")
    }

    /// The next time that a conversation has come to `step`, and the tricks before this one are over.
    pub(crate) fn play(&self, step: Step, trick: Trick) {
        self.shared.state().tricks.push_back((step, trick));
    }

    /// Waits until `count` conversations in all have been held.
    pub(crate) async fn holds(&self, count: usize) {
        let mut held = self.shared.held.subscribe();
        let reached = tokio::time::timeout(PATIENCE, held.wait_for(|held| *held >= count)).await;
        reached
            .expect("a conversation gets there")
            .expect("the server is there");
    }

    /// Lets one more held conversation go on.
    pub(crate) fn release(&self) {
        self.shared.released.send_modify(|released| *released += 1);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.state().received.clone()
    }

    pub(crate) fn heard(&self) -> Vec<String> {
        self.shared.state().heard.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.state().connections
    }

    /// Waits for `count` letters to `email`, the oldest first.
    pub(crate) async fn letters(&self, email: &str, count: usize) -> Vec<Received> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut letters = self.received();
            letters.retain(|letter| letter.to == email);
            if letters.len() >= count {
                return letters;
            }
            let heard = self.heard();
            assert!(
                Instant::now() < deadline,
                "{} of {count} letters came: {heard:?}",
                letters.len()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Received {
    /// As its reader's program shows it.
    pub(crate) fn mail(&self) -> Mail {
        let header = |name: &str| {
            let line = self.raw.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default().trim().to_owned()
        };
        // Quoted-printable, of which only line ends and the sign itself matter to a link.
        let text = self.raw.replace("=\r\n", "").replace("=3D", "=");
        Mail {
            to: header("To:"),
            subject: header("Subject:"),
            html: text.clone(),
            text,
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Line = BufReader<Box<dyn Stream>>;

/// How a conversation goes on.
enum Next {
    More,
    StartTls,
    Over,
}

/// What is known of a conversation.
#[derive(Default)]
struct Talk {
    encrypted: bool,
    authenticated: bool,
    from: String,
    to: String,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test has panicked here")
    }

    async fn welcome(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut talk = Talk::default();
        let mut line: Line = if self.security == Security::Implicit {
            talk.encrypted = true;
            BufReader::new(Box::new(self.acceptor.accept(stream).await?))
        } else {
            BufReader::new(Box::new(stream))
        };
        if !self
            .reply(&mut line, Step::Greeting, "220 mail.example.com ESMTP")
            .await?
        {
            return Ok(());
        }
        loop {
            let Some(command) = self.hear(&mut line).await? else {
                return Ok(());
            };
            match self.obey(&command, &mut line, &mut talk).await? {
                Next::More => {}
                Next::Over => return Ok(()),
                Next::StartTls => {
                    let stream = self.acceptor.accept(line.into_inner()).await?;
                    line = BufReader::new(Box::new(stream));
                    talk = Talk {
                        encrypted: true,
                        ..Talk::default()
                    };
                }
            }
        }
    }

    async fn hear(&self, line: &mut Line) -> std::io::Result<Option<String>> {
        let mut text = String::new();
        if line.read_line(&mut text).await? == 0 {
            return Ok(None);
        }
        let text = text.trim_end().to_owned();
        self.state().heard.push(text.clone());
        Ok(Some(text))
    }

    async fn obey(&self, command: &str, line: &mut Line, talk: &mut Talk) -> std::io::Result<Next> {
        let verb = command
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let address = || {
            let (_, rest) = command.split_once('<').unwrap_or_default();
            rest.split('>').next().unwrap_or_default().to_owned()
        };
        let (step, answer) = match verb.as_str() {
            "EHLO" => (Step::Ehlo, self.abilities(talk)),
            "STARTTLS" => {
                self.reply(line, Step::StartTls, "220 go ahead").await?;
                return Ok(Next::StartTls);
            }
            "AUTH" => {
                if self.log_in(command, line).await? {
                    talk.authenticated = true;
                    (Step::Auth, "235 2.7.0 welcome".to_owned())
                } else {
                    (Step::Auth, "535 5.7.8 wrong user or password".to_owned())
                }
            }
            "MAIL" if self.login.is_some() && !talk.authenticated => {
                (Step::Mail, "530 5.7.0 authentication required".to_owned())
            }
            "MAIL" => {
                talk.from = address();
                (Step::Mail, "250 2.1.0 ok".to_owned())
            }
            "RCPT" => {
                talk.to = address();
                (Step::Rcpt, "250 2.1.5 ok".to_owned())
            }
            "DATA" => return self.take_letter(line, talk).await,
            "QUIT" => {
                line.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(Next::Over);
            }
            _ => {
                line.write_all(b"250 2.0.0 ok\r\n").await?;
                return Ok(Next::More);
            }
        };
        Ok(if self.reply(line, step, &answer).await? {
            Next::More
        } else {
            Next::Over
        })
    }

    fn abilities(&self, talk: &Talk) -> String {
        let mut abilities = "250-mail.example.com\r\n".to_owned();
        if self.security == Security::StartTls && !talk.encrypted {
            abilities.push_str("250-STARTTLS\r\n");
        }
        if self.login.is_some() {
            abilities.extend(["250-AUTH ", self.mechanisms, "\r\n"]);
        }
        abilities + "250 8BITMIME"
    }

    /// Whether who logs in may.
    async fn log_in(&self, command: &str, line: &mut Line) -> std::io::Result<bool> {
        let decode = |text: &str| {
            let bytes = STANDARD.decode(text.trim()).unwrap_or_default();
            String::from_utf8(bytes).unwrap_or_default()
        };
        let given = if let Some(response) = command.strip_prefix("AUTH PLAIN ") {
            decode(response)
        } else {
            let mut given = String::new();
            for question in ["Username:", "Password:"] {
                let question = format!("334 {}\r\n", STANDARD.encode(question));
                line.write_all(question.as_bytes()).await?;
                let answer = self.hear(line).await?.unwrap_or_default();
                given.push('\0');
                given.push_str(&decode(&answer));
            }
            given
        };
        self.state().heard.push(format!("log-in {given:?}"));
        let (user, password) = self.login.unwrap_or_default();
        Ok(given == format!("\0{user}\0{password}"))
    }

    async fn take_letter(&self, line: &mut Line, talk: &Talk) -> std::io::Result<Next> {
        if !self.reply(line, Step::Data, "354 go ahead").await? {
            return Ok(Next::Over);
        }
        let mut raw = String::new();
        loop {
            let mut text = String::new();
            if line.read_line(&mut text).await? == 0 {
                return Ok(Next::Over);
            }
            if text == ".\r\n" {
                break;
            }
            let is_first = raw.is_empty();
            raw.push_str(text.strip_prefix('.').unwrap_or(&text));
            if is_first && !self.reply(line, Step::Content, "").await? {
                return Ok(Next::Over);
            }
        }
        let letter = Received {
            from: talk.from.clone(),
            to: talk.to.clone(),
            raw,
        };
        let taken = "250 2.0.0 taken";
        let trick = self.trick(Step::End);
        // What was promised is kept, also when the promise does not arrive.
        if trick.as_ref().is_none_or(|trick| !matches!(trick, Trick::Say(_))) {
            self.state().received.push(letter);
        }
        Ok(if self.perform(line, trick, taken).await? {
            Next::More
        } else {
            Next::Over
        })
    }

    fn trick(&self, step: Step) -> Option<Trick> {
        let mut state = self.state();
        let due = state.tricks.front().is_some_and(|(at, _)| *at == step);
        if due {
            state.tricks.pop_front().map(|(_, trick)| trick)
        } else {
            None
        }
    }

    /// Says `usual`, or plays the trick that is due at `step`; whether the conversation goes on.
    async fn reply(&self, line: &mut Line, step: Step, usual: &str) -> std::io::Result<bool> {
        let trick = self.trick(step);
        self.perform(line, trick, usual).await
    }

    async fn perform(&self, line: &mut Line, trick: Option<Trick>, usual: &str) -> std::io::Result<bool> {
        let said = match trick {
            None => usual,
            Some(Trick::Say(said)) => said,
            Some(Trick::Die) => return Ok(false),
            Some(Trick::Hold) => {
                let mut number = 0;
                self.held.send_modify(|held| {
                    *held += 1;
                    number = *held;
                });
                let mut released = self.released.subscribe();
                // An error means that the server is gone.
                if released.wait_for(|released| *released >= number).await.is_err() {
                    return Ok(false);
                }
                usual
            }
        };
        if !said.is_empty() {
            line.write_all(format!("{said}\r\n").as_bytes()).await?;
            line.flush().await?;
        }
        Ok(true)
    }
}
