//! A PostgreSQL server of a test's own, to be stopped and started again.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::free_address;

/// Ends with the test.
pub(crate) struct PostgresServer {
    programs: PathBuf,
    /// As whom it runs, where the test runs as root, whom PostgreSQL refuses.
    user: Option<&'static str>,
    directory: TempDir,
    port: u16,
}

impl PostgresServer {
    /// Makes one and starts it.
    pub(crate) async fn start() -> Self {
        let made = tokio::task::spawn_blocking(Self::make).await.expect("a server");
        made.start_again().await
    }

    fn make() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let is_root = fs::metadata(directory.path()).expect("a directory").uid() == 0;
        let server = Self {
            programs: programs(),
            user: is_root
                .then(|| ["postgres", "nobody"].into_iter().find(|user| id(user).is_some()))
                .flatten(),
            directory,
            port: free_address().port(),
        };
        if let Some(id) = server.user.and_then(id) {
            chown(server.directory.path(), Some(id), None).expect("another owner");
        }
        fs::set_permissions(server.directory.path(), fs::Permissions::from_mode(0o700)).expect("its mode");
        server.run(
            "initdb",
            &[
                "--username=vestibule",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
        );
        server
    }

    /// Where its database is.
    pub(crate) fn url(&self) -> String {
        format!("postgres://vestibule@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts it where it was, and waits until it answers.
    pub(crate) async fn start_again(self) -> Self {
        self.blocking(|server| {
            let options = format!("-h 127.0.0.1 -p {} -k '' -c fsync=off", server.port);
            let log = server.directory.path().join("log");
            server.run(
                "pg_ctl",
                &[
                    "--wait",
                    "--silent",
                    "--log",
                    text(&log),
                    "--options",
                    &options,
                    "start",
                ],
            );
        })
        .await
    }

    /// Stops it: `fast` as an operator does, `immediate` as a loss of power.
    pub(crate) async fn stop(self, mode: &'static str) -> Self {
        self.blocking(move |server| server.run("pg_ctl", &["--wait", "--silent", "--mode", mode, "stop"]))
            .await
    }

    async fn blocking(self, work: impl FnOnce(&Self) + Send + 'static) -> Self {
        let worked = tokio::task::spawn_blocking(move || {
            work(&self);
            self
        });
        worked.await.expect("PostgreSQL does as it is told")
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) {
        let done = self.command(program, arguments).status();
        let log = fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
        assert!(done.expect("it runs").success(), "{program} {arguments:?}: {log}");
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let program = self.programs.join(program);
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.args(["-u", user, "--", text(&program)]);
                command
            }
            None => Command::new(program),
        };
        let data = self.directory.path().join("data");
        command.args(["-D", text(&data)]).args(arguments);
        // A pipe would be held open by the server.
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let _ = self
            .command("pg_ctl", &["--wait", "--silent", "--mode", "immediate", "stop"])
            .status();
    }
}

/// Where PostgreSQL's programs are: Debian keeps them off the path, a directory for each version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found.extend(std::env::split_paths(&path));
    let complete = |directory: &PathBuf| directory.join("initdb").is_file() && directory.join("pg_ctl").is_file();
    let found = found.into_iter().rev().find(complete);
    found.expect("initdb and pg_ctl: a server that is stopped and started again has to be on this machine")
}

fn id(user: &str) -> Option<u32> {
    let output = Command::new("id").args(["-u", user]).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}
