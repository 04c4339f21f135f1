//! An HTTP/1.1 client that does as little as it can: it shares the machine with the server, and whatever time it takes
//! of its own is time that hides the difference between ours and a floor.

use std::{io, net::SocketAddr};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::measure::Work;

/// The longest answer that is read. Those measured stay under 4 KiB.
const BUFFER: usize = 32 * 1024;

/// A connection that is kept alive.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, wholly read.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    body: &'a [u8],
}

impl Answer<'_> {
    /// The body of a success. A refusal is a mistake of the bench, and its body says which.
    pub(crate) fn success(&self) -> anyhow::Result<&[u8]> {
        let Self { status, body } = self;
        ensure!(
            matches!(status, 200..300),
            "answered {status}: {}",
            String::from_utf8_lossy(body)
        );
        Ok(body)
    }
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; BUFFER];
        Ok(Self { stream, buffer })
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<Answer<'_>> {
        self.write(request).await?;
        let mut filled = 0;
        let head = loop {
            filled += self.read(filled).await?;
            if let Some(head) = Head::parse(&self.buffer[..filled])? {
                break head;
            }
        };
        let end = head.length + head.content_length;
        while filled < end {
            filled += self.read(filled).await?;
        }
        Ok(Answer {
            status: head.status,
            body: &self.buffer[head.length..end],
        })
    }

    async fn write(&self, mut bytes: &[u8]) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            self.stream.writable().await?;
            match self.stream.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn read(&mut self, filled: usize) -> anyhow::Result<usize> {
        ensure!(filled < self.buffer.len(), "the answer is longer than {BUFFER} bytes");
        loop {
            self.stream.readable().await?;
            match self.stream.try_read(&mut self.buffer[filled..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(read) => return Ok(read),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// What must be known of an answer's head to read the rest.
struct Head {
    status: u16,
    length: usize,
    content_length: usize,
}

impl Head {
    fn parse(bytes: &[u8]) -> anyhow::Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return Ok(None);
        };
        let text = str::from_utf8(&bytes[..end])?;
        let (status, fields) = text.split_once("\r\n").unwrap_or((text, ""));
        let status = status.split(' ').nth(1).context("the answer has no status")?.parse()?;
        let content_length = fields
            .split("\r\n")
            .filter_map(|field| field.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .context("the answer does not say how long it is")?
            .1
            .trim()
            .parse()?;
        Ok(Some(Self {
            status,
            length: end + 4,
            content_length,
        }))
    }
}

/// What every answer that signs in holds.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

/// A GET request, with an access token or without.
pub(crate) fn get(path: &str, access_token: Option<&str>) -> Vec<u8> {
    let authorization = access_token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let authorization = authorization.unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: bench\r\n{authorization}\r\n").into()
}

/// A POST request of a JSON body.
pub(crate) fn post(path: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nUser-Agent: bench\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into()
}

/// One client of a server, which sends a request over and over on a connection of its own.
pub(crate) struct Visitor {
    address: SocketAddr,
    connection: Option<Connection>,
    errand: Errand,
}

enum Errand {
    /// These requests, one after the other and again.
    Send { requests: Vec<Vec<u8>>, next: usize },
    /// The exchange of these refresh tokens, one after the other and again, each time for the one that the last answer
    /// gave in its place.
    Refresh { tokens: Vec<String>, next: usize },
}

impl Visitor {
    /// One that sends these requests, of which there is at least one.
    pub(crate) const fn sending(address: SocketAddr, requests: Vec<Vec<u8>>) -> Self {
        Self {
            address,
            connection: None,
            errand: Errand::Send { requests, next: 0 },
        }
    }

    /// One that exchanges these refresh tokens, of which there is at least one.
    pub(crate) const fn refreshing(address: SocketAddr, tokens: Vec<String>) -> Self {
        Self {
            address,
            connection: None,
            errand: Errand::Refresh { tokens, next: 0 },
        }
    }
}

impl Work for Visitor {
    async fn begin(&mut self) -> anyhow::Result<()> {
        self.connection = Some(Connection::open(self.address).await?);
        Ok(())
    }

    async fn once(&mut self) -> anyhow::Result<()> {
        let connection = self.connection.as_mut().context("not connected")?;
        match &mut self.errand {
            Errand::Send { requests, next } => {
                connection.exchange(&requests[*next]).await?.success()?;
                *next = (*next + 1) % requests.len();
            }
            Errand::Refresh { tokens, next } => {
                let place = *next;
                *next = (*next + 1) % tokens.len();
                let token = &mut tokens[place];
                let request = post("/api/auth/refresh", &serde_json::json!({ "refresh_token": token }));
                let answer = connection.exchange(&request).await?;
                *token = serde_json::from_slice::<Tokens>(answer.success()?)?.refresh_token;
            }
        }
        Ok(())
    }
}
