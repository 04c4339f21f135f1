//! How fast the users of another application move in.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, ensure};

use crate::process::VESTIBULE;

/// Nobody's: an import verifies none.
const HASH: &str = "$2b$12$abcdefghijklmnopqrstuumiB0ODioEy5xUwpPgdnn8nHWZjVqatm";

/// Imports so many users into an empty database in `directory`, from a file, as an operator does.
pub(crate) fn users_a_second(directory: &Path, count: u32) -> anyhow::Result<f64> {
    fs::create_dir_all(directory)?;
    let path = directory.join("users.jsonl");
    let mut file = BufWriter::new(File::create(&path)?);
    for id in 0..count {
        writeln!(
            file,
            "{{\"id\": {id}, \"email\": \"user{id}@example.com\", \"username\": \"user{id}\", \
             \"full_name\": \"User {id}\", \"hashed_password\": \"{HASH}\", \"is_active\": true}}"
        )?;
    }
    file.flush()?;
    let started = Instant::now();
    let status = Command::new(VESTIBULE)
        .args(["user", "import"])
        .arg(&path)
        .env_clear()
        .env("DATA_DIR", directory)
        .current_dir(directory)
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {VESTIBULE}"))?;
    let seconds = started.elapsed().as_secs_f64();
    ensure!(status.success(), "the import failed: {status}");
    Ok(f64::from(count) / seconds)
}
