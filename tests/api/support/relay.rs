//! A network between the server and its PostgreSQL that can fall silent.

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use url::Url;

pub(crate) struct Relay {
    url: String,
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    frozen: bool,
    /// Connections of an earlier generation are silent for ever.
    generation: u32,
}

impl Relay {
    pub(crate) async fn start(database_url: &str) -> Self {
        let mut url: Url = database_url.parse().expect("a database's URL");
        let database = format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        url.set_ip_host([127, 0, 0, 1].into()).expect("a host");
        url.set_port(Some(listener.local_addr().expect("an address").port()))
            .expect("a port");
        let (state, watched) = watch::channel(State::default());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(join(client, database.clone(), watched.clone()));
            }
        });
        Self { url: url.into(), state }
    }

    /// Where the database seems to be.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Connections are taken, and nothing comes through them.
    pub(crate) fn freeze(&self) {
        self.state.send_modify(|state| state.frozen = true);
    }

    /// New connections are as they should be; those there are stay open and silent.
    pub(crate) fn forget(&self) {
        self.state.send_modify(|state| {
            state.frozen = false;
            state.generation += 1;
        });
    }
}

async fn join(client: TcpStream, database: String, state: watch::Receiver<State>) {
    let generation = state.borrow().generation;
    let server = TcpStream::connect(database).await.expect("the database");
    let ((client_out, client_in), (server_out, server_in)) = (split(client), split(server));
    tokio::join!(
        pass_on(client_out, server_in, state.clone(), generation),
        pass_on(server_out, client_in, state, generation),
    );
}

async fn pass_on(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut state: watch::Receiver<State>,
    generation: u32,
) {
    let mut bytes = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let passes = |state: &State| !state.frozen && state.generation == generation;
        if state.wait_for(passes).await.is_err() || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
