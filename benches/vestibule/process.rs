//! The servers under load, each a process of its own.
//!
//! The floors run in a child too, and not in the bench beside its client: a handler that shares a process with its
//! client shares its allocator, and where their threads run is decided differently. Both sides see one layout.

use std::{
    env, fs, io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use tokio::time::{sleep, timeout};

use crate::{
    client::{Connection, get},
    floors,
};

/// The server as it is shipped: `cargo bench` builds it with the profile of a release.
pub(crate) const VESTIBULE: &str = env!("CARGO_BIN_EXE_vestibule");

/// For how long a server may be starting or stopping.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a server that is starting is asked whether it is there. Well below what is measured.
const PAUSE: Duration = Duration::from_micros(200);

/// A server that runs in a child process, which ends with this at the latest.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    started: Instant,
}

impl Process {
    /// Starts Vestibule on the data in `directory`, configured by nothing but these variables, with its log going to
    /// `log`.
    pub(crate) fn vestibule(directory: &Path, variables: &[(&str, &str)], log: Stdio) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new(VESTIBULE);
        command
            .env_clear()
            .env("HOST", address.ip().to_string())
            .env("PORT", address.port().to_string())
            // The issuer of its tokens, which outlive the process and its port.
            .env("PUBLIC_URL", "http://localhost:8000")
            .env("DATA_DIR", directory)
            // A client that measures is one that tries too often.
            .env("RATE_LIMITS", "off")
            .envs(variables.iter().copied())
            // Where no `.env` is.
            .current_dir(directory)
            .stdout(Stdio::null())
            .stderr(log);
        Self::start(command, address)
    }

    /// Starts the floors, with their database in `directory`.
    pub(crate) fn floors(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(directory)?;
        let address = free_address()?;
        let mut command = Command::new(env::current_exe()?);
        command
            .arg(floors::ARGUMENT)
            .arg(address.to_string())
            .arg(directory)
            .stdout(Stdio::null());
        Self::start(command, address)
    }

    fn start(mut command: Command, address: SocketAddr) -> anyhow::Result<Self> {
        let started = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            child,
            address,
            started,
        })
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a GET of this path succeeds, and gives the time since the process was started.
    pub(crate) async fn first_answer(&mut self, path: &str) -> anyhow::Result<Duration> {
        let request = get(path, None);
        let answered = timeout(PATIENCE, async {
            let mut connection = self.connect().await?;
            connection.exchange(&request).await?.success().map(drop)
        });
        answered.await??;
        Ok(self.started.elapsed())
    }

    async fn connect(&mut self) -> anyhow::Result<Connection> {
        loop {
            if let Ok(connection) = Connection::open(self.address).await {
                return Ok(connection);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("a server ended before it answered: {status}");
            }
            sleep(PAUSE).await;
        }
    }

    /// Its resident memory in bytes, where the system tells it as Linux does.
    pub(crate) fn resident_memory(&self) -> Option<u64> {
        self.memory("VmRSS:")
    }

    /// The most that its resident memory has been.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }

    /// Asks it to stop, as an init system would, and waits until it has.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        // The standard library can only kill, after which the next start would have to recover the database's log.
        Command::new("kill").arg(self.child.id().to_string()).status()?;
        let stopped = timeout(PATIENCE, async {
            while self.child.try_wait()?.is_none() {
                sleep(Duration::from_millis(1)).await;
            }
            io::Result::Ok(())
        });
        Ok(stopped.await.context("a server does not stop")??)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Only when something failed is it still there, and then there is nothing else to do about it.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An address that was free a moment ago.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// A new directory for one run, on the disk that the build is on, since a transaction is no faster than its disk; the
/// temporary directory is often kept in memory. Removed on drop.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn create() -> io::Result<Self> {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left of it is in the build's own directory, which is cleaned with it.
        drop(fs::remove_dir_all(&self.0));
    }
}
