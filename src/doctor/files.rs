//! Directories and files: whether they can be written, who else can read them, and whether there is room.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, AtFlags, CWD, accessat, statvfs};

use super::{Finding, Verdict};
use crate::{
    config::{Config, DatabaseUrl},
    private_file::is_open_to_others,
};

/// With less free space than this a write may fail any moment.
const LEAST_FREE: u64 = 32 * MIB;

/// With less than this it is time to look after it.
const LITTLE_FREE: u64 = 512 * MIB;

const MIB: u64 = 1024 * 1024;

const SUBJECT: &str = "data";

/// The directories that the server writes into.
pub(super) fn data_directory(config: &Config) -> Vec<Finding> {
    let mut directories = Vec::new();
    let has_mailbox = config.smtp.is_none() && config.public_url.is_loopback();
    if config.sealing_key.is_none() || has_mailbox {
        directories.push(config.data_dir.clone());
    }
    if let DatabaseUrl::Sqlite(path) = &config.database {
        let directory = directory_of(path);
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    if directories.is_empty() {
        return vec![Finding::ok(SUBJECT, "nothing is kept in DATA_DIR")];
    }
    directories
        .iter()
        .flat_map(|directory| examine_directory(directory))
        .collect()
}

fn directory_of(file: &Path) -> PathBuf {
    match file.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory.to_owned(),
        _ => PathBuf::from("."),
    }
}

fn examine_directory(directory: &Path) -> Vec<Finding> {
    let name = directory.display();
    match fs::metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return vec![examine_missing(directory)],
        Err(error) => {
            return vec![Finding::failure(
                SUBJECT,
                format_args!("{name} cannot be looked at: {error}"),
            )];
        }
        Ok(found) if !found.is_dir() => {
            return vec![Finding::failure(
                SUBJECT,
                format_args!("{name} is no directory: name another in DATA_DIR"),
            )];
        }
        Ok(_) => {}
    }
    if let Err(error) = writable(directory) {
        let told =
            format!("{name} cannot be written: {error}; give it to the user who runs Vestibule (chown, chmod 700)");
        return vec![Finding::failure(SUBJECT, told)];
    }
    let mut findings = vec![match statvfs(directory) {
        Ok(disk) => judge_space(&name, disk.f_bavail.saturating_mul(disk.f_frsize)),
        Err(error) => Finding::warning(
            SUBJECT,
            format_args!("{name} can be written; how full it is cannot be told: {error}"),
        ),
    }];
    if is_open_to_others(directory) {
        // In full: `chmod 700 .` would be typed wherever its reader happens to be.
        let whole = fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
        let name = whole.display();
        let told = format!("others on this machine can look into {name}: chmod 700 {name}");
        findings.push(Finding::warning(SUBJECT, told));
    }
    findings
}

/// About a directory that is not there yet, and is made at the first start.
fn examine_missing(directory: &Path) -> Finding {
    let name = directory.display();
    let mut above = directory.ancestors().skip(1).map(|above| {
        if above.as_os_str().is_empty() {
            Path::new(".")
        } else {
            above
        }
    });
    let there = above.find(|above| above.exists()).unwrap_or(Path::new("/"));
    match writable(there) {
        Ok(()) => Finding::ok(SUBJECT, format_args!("the first start makes {name}")),
        Err(error) => Finding::failure(
            SUBJECT,
            format_args!(
                "{name} cannot be made in {}: {error}; make it, for the user who runs Vestibule",
                there.display()
            ),
        ),
    }
}

fn judge_space(name: &impl std::fmt::Display, free: u64) -> Finding {
    let mib = free / MIB;
    let (verdict, told) = match free {
        0..LEAST_FREE => (Verdict::Failure, "make room, or writes fail"),
        LEAST_FREE..LITTLE_FREE => (Verdict::Warning, "make room soon"),
        _ => return Finding::ok(SUBJECT, format_args!("{name} can be written, and has {mib} MiB free")),
    };
    Finding::new(verdict, SUBJECT, format_args!("{name} has {mib} MiB free: {told}"))
}

/// The file of a database, when it is there and whoever runs this may not write it.
pub(super) fn unwritable_database(path: &Path) -> Option<Finding> {
    let error = writable(path).err().filter(|_| path.exists())?;
    let name = path.display();
    let told = format!("{name} cannot be written: {error}; give it to the user who runs Vestibule (chown, chmod 600)");
    Some(Finding::failure("database", told))
}

/// The file of a database, when it is there and others may read it.
pub(super) fn open_database(path: &Path) -> Option<Finding> {
    let name = path.display();
    let told = format!("others on this machine can read {name}: chmod 600 {name}");
    is_open_to_others(path).then(|| Finding::warning("database", told))
}

/// Whether whoever runs this may write there, without trying to.
fn writable(path: &Path) -> io::Result<()> {
    let mut access = Access::WRITE_OK | Access::READ_OK;
    if path.is_dir() {
        access |= Access::EXEC_OK;
    }
    Ok(accessat(CWD, path, access, AtFlags::EACCESS)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_judged_by_its_free_space() {
        for (free, verdict) in [
            (0, Verdict::Failure),
            (LEAST_FREE - 1, Verdict::Failure),
            (LEAST_FREE, Verdict::Warning),
            (LITTLE_FREE, Verdict::Ok),
            (u64::MAX, Verdict::Ok),
        ] {
            assert_eq!(judge_space(&"x", free).verdict, verdict, "{free}");
        }
    }
}
