//! The binary, started as its users start it.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::Write,
    iter,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{Anonymous, Place};

/// Longer than a debug build takes to start, or to stop.
const PATIENCE: Duration = Duration::from_secs(20);

/// `vestibule` with an empty environment but for the database of `place`.
fn command(place: &Place) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.env_clear().current_dir(place.directory());
    for (name, value) in super::settings(place) {
        command.env(name, value);
    }
    command
}

/// A command that ran to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    #[track_caller]
    pub(crate) fn expect_success(self) -> Self {
        assert!(self.status.success(), "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn expect_failure(self) -> Self {
        assert!(!self.status.success(), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }
}

impl Place {
    /// Runs `vestibule arguments…` to its end.
    pub(crate) async fn vestibule(&self, arguments: &[&str]) -> Finished {
        self.vestibule_with(arguments, &[], "").await
    }

    /// Runs `vestibule arguments…` with more variables, and with `input` on its standard input.
    pub(crate) async fn vestibule_with(&self, arguments: &[&str], variables: &[(&str, &str)], input: &str) -> Finished {
        let mut command = command(self);
        command.args(arguments).envs(variables.iter().copied());
        finish(command, input).await
    }

    /// Runs `vestibule arguments…` with its standard error on a terminal of its own.
    pub(crate) async fn vestibule_on_a_terminal(&self, arguments: &[&str]) -> Finished {
        let command = command(self);
        let words = iter::once(command.get_program()).chain(arguments.iter().map(OsStr::new));
        let words: Vec<String> = words.map(|word| format!("'{}'", word.display())).collect();
        let line = format!("{} >output", words.join(" "));
        let mut terminal = Command::new("script");
        terminal.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        terminal.current_dir(self.directory()).env_clear().env("TERM", "xterm");
        terminal.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let shown = finish(terminal, "").await;
        Finished {
            status: shown.status,
            stdout: read(&self.directory().join("output")),
            stderr: shown.stdout,
        }
    }

    /// Runs `vestibule arguments…` as somebody whom the modes of files bind: as root, who runs the tests in some places,
    /// without the right to pass over them.
    pub(crate) async fn mere_vestibule(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
        let mut command = command(self);
        command.envs(variables.iter().copied());
        let mut command = bind(&command, self);
        command.args(arguments);
        finish(command, "").await
    }
}

/// The command as somebody whom the modes of files bind.
fn bind(command: &Command, place: &Place) -> Command {
    if is_root(place) {
        let setpriv = [
            "/usr/bin/setpriv",
            "--bounding-set",
            "-dac_override,-dac_read_search",
            "--inh-caps",
            "-all",
        ];
        through(&setpriv, command, place)
    } else {
        through(&["/usr/bin/env"], command, place)
    }
}

/// Whether root runs the tests.
fn is_root(place: &Place) -> bool {
    fs::metadata(place.directory()).expect("a directory").uid() == 0
}

/// The command as the last arguments of another, which becomes it.
fn through(other: &[&str], command: &Command, place: &Place) -> Command {
    let mut outer = Command::new(other[0]);
    outer.args(&other[1..]).arg(command.get_program());
    outer
        .args(command.get_args())
        .current_dir(place.directory())
        .env_clear();
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

async fn finish(mut command: Command, input: &str) -> Finished {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary starts");
    // A command that refuses without reading leaves the pipe broken, which is not the matter here.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = output.await.unwrap().expect("the binary ends");
    Finished {
        status: output.status,
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

impl Place {
    /// Runs `vestibule arguments…` and kills it after a while, as a loss of power does.
    pub(crate) async fn vestibule_killed(&self, arguments: &[&str], after: Duration) {
        self.vestibule_killed_when(arguments, tokio::time::sleep(after)).await;
    }

    /// Runs `vestibule arguments…` and kills it at this moment.
    pub(crate) async fn vestibule_killed_when(&self, arguments: &[&str], moment: impl Future<Output = ()>) {
        let mut command = command(self);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary starts");
        moment.await;
        let _ = child.kill();
        tokio::task::spawn_blocking(move || child.wait().expect("its end"))
            .await
            .unwrap();
    }
}

/// A server in a process of its own; ended with the test.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    output: PathBuf,
}

impl Process {
    /// Starts `vestibule` in `place` on a free port and waits until it answers.
    pub(crate) async fn start(place: &Place, variables: &[(&str, &str)]) -> Self {
        let address = free_address();
        let public_url = format!("http://localhost:{}", address.port());
        let variables = [&[("PUBLIC_URL", public_url.as_str())], variables].concat();
        Self::start_at(address, place, &variables).await
    }

    /// As [`Process::start`], with no variable but `PORT` set beyond those given.
    pub(crate) async fn start_bare(place: &Place, variables: &[(&str, &str)]) -> Self {
        Self::start_at(free_address(), place, variables).await
    }

    /// As [`Process::start`], for a test that takes away the room on the disk or the right to write: as somebody whom the
    /// modes of files bind, and who is told that a file cannot grow rather than ended for trying.
    pub(crate) async fn start_bound(place: &Place, variables: &[(&str, &str)]) -> Self {
        Self::run(free_address(), place, variables, |command| {
            let told = through(&["/bin/sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"], &command, place);
            bind(&told, place)
        })
        .await
    }

    /// As [`Process::start`], with a disk of so many MiB at this directory, which nobody else sees but by
    /// [`Process::file`], and which goes with the process.
    pub(crate) async fn start_on_disk(place: &Place, at: &Path, mebibytes: u32, variables: &[(&str, &str)]) -> Self {
        const MOUNT: &str = "/usr/bin/mount -t tmpfs -o \"$0\" tmpfs \"$1\" && shift && exec \"$@\"";
        let size = format!("mode=700,size={mebibytes}m");
        let mut namespace = vec!["/usr/bin/unshare", "--mount"];
        if !is_root(place) {
            namespace.push("--map-root-user");
        }
        namespace.extend(["/bin/sh", "-c", MOUNT, &size, at.to_str().expect("a path of text")]);
        Self::run(free_address(), place, variables, |command| {
            through(&namespace, &command, place)
        })
        .await
    }

    async fn start_at(address: SocketAddr, place: &Place, variables: &[(&str, &str)]) -> Self {
        Self::run(address, place, variables, |command| command).await
    }

    async fn run(
        address: SocketAddr,
        place: &Place,
        variables: &[(&str, &str)],
        wrap: impl FnOnce(Command) -> Command,
    ) -> Self {
        let output = place.directory().join(format!("output-{}", address.port()));
        let log = File::create(&output).expect("a file for the output");
        let mut command = command(place);
        command
            .envs(variables.iter().copied())
            .env("PORT", address.port().to_string());
        let mut command = wrap(command);
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the same file"))
            .stderr(log);
        let mut process = Self {
            child: command.spawn().expect("the binary starts"),
            address,
            output,
        };
        tokio::task::spawn_blocking(move || {
            process.wait_until_it_answers();
            process
        })
        .await
        .unwrap()
    }

    fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.output().contains("listening on http") || TcpStream::connect(self.address).is_err() {
            let ended = self.child.try_wait().expect("the process's state");
            assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.output());
            assert!(Instant::now() < deadline, "it does not answer:\n{}", self.output());
            sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn anonymous(&self) -> Anonymous {
        Anonymous::at(self.address)
    }

    /// All it has written so far, to either stream.
    pub(crate) fn output(&self) -> String {
        read(&self.output)
    }

    /// The file that it knows by this path, from outside of its mounts.
    pub(crate) fn file(&self, path: &Path) -> PathBuf {
        let seen = path.strip_prefix("/").expect("an absolute path");
        Path::new("/proc")
            .join(self.child.id().to_string())
            .join("root")
            .join(seen)
    }

    /// Waits until it has written a line that holds this.
    pub(crate) async fn says(&self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.output();
            if let Some(line) = output.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(Instant::now() < deadline, "it does not say {words:?}:\n{output}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// From now on none of its files may grow beyond this many bytes: to a database that is as long already, the disk is
    /// full, and that at the same moment for everything.
    pub(crate) fn limit_files_to(&self, bytes: &str) {
        let (pid, limit) = (self.child.id().to_string(), format!("--fsize={bytes}:"));
        let set = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        assert!(set.expect("prlimit runs").success());
    }

    /// Asks it to stop, as an operator or a supervisor does.
    pub(crate) fn terminate(&self) {
        let sent = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status();
        assert!(sent.expect("kill runs").success());
    }

    /// Ends it as a loss of power does.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process's state") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not stop:\n{}", self.output());
            sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on. Its port is not one of those that systems give to whoever asks for any, or another
/// test's server would be given it before the process has it.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 80).expect("a small number") * 100;
    for _ in 0..10_000 {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().expect("its address");
        }
    }
    panic!("no port is free");
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("the output")).into_owned()
}
