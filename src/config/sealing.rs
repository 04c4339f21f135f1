//! The sealing key that is generated when none is set.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::{
    Config,
    secret::{MIN_SECRET_BYTES, Secret},
};
use crate::private_file;

const FILE_NAME: &str = "sealing.key";

impl Config {
    /// The secret that protects what is stored: the one that is set, or else the one kept in `DATA_DIR`. That one is made
    /// where `something_is_sealed` is false; after that, another would open nothing. The error names the file, so that
    /// whoever reports it need not.
    pub fn sealing_secret(&self, something_is_sealed: bool) -> io::Result<Secret> {
        if let Some(secret) = &self.sealing_key {
            return Ok(secret.clone());
        }
        let path = self.data_dir.join(FILE_NAME);
        let found = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && something_is_sealed => {
                return Err(io::Error::new(
                    error.kind(),
                    format!(
                        "{} is missing: restore it from a backup, or set SEALING_KEY. Only if it is lost for good, have \
                         new signing keys made, with which every access token ends: `DELETE FROM signing_keys` in the \
                         database, by sqlite3 or psql",
                        path.display()
                    ),
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Read back: of two processes that start at the same moment both use the key of the first.
                create(&self.data_dir, &path).and_then(|()| read(&path))
            }
            found => found,
        };
        found.map_err(|error| named(&path, &error))
    }

    /// Where the generated secret is kept, unless one is set.
    #[must_use]
    pub fn sealing_key_file(&self) -> Option<PathBuf> {
        self.sealing_key.is_none().then(|| self.data_dir.join(FILE_NAME))
    }
}

/// The generated secret that lies at `from`, if it can be copied to `to`: whatever is there stays, and is an error unless it
/// is the same.
pub fn sealing_key_to_copy(from: &Path, to: &Path) -> io::Result<Secret> {
    let secret = read(from).map_err(|error| named(from, &error))?;
    match refuse_another(&secret, to) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(named(to, &error)),
        _ => Ok(secret),
    }
}

fn refuse_another(secret: &Secret, to: &Path) -> io::Result<()> {
    if read(to)?.expose() == secret.expose() {
        return Ok(());
    }
    let text = "another key is there, and is not overwritten";
    Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
}

/// Copies the generated secret from where it is kept to beside a backup, for its owner alone. Whatever is at `to` stays; that
/// is an error unless it is the same.
pub fn copy_sealing_key(from: &Path, to: &Path) -> io::Result<()> {
    copy(from, to, |_| Ok(()))
}

/// Copies it back, for whom the directory belongs to: whoever restores may be another than the server runs as. Makes the
/// directory where there is none.
pub fn put_sealing_key_back(from: &Path, to: &Path) -> io::Result<()> {
    let directory = directory_of(to);
    private_file::create_directory(directory).map_err(|error| named(directory, &error))?;
    copy(from, to, |file| private_file::give_to_owner_of(directory, file))
}

/// Copies the secret, and does `more` with the copy before it is kept.
fn copy(from: &Path, to: &Path, more: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let secret = read(from).map_err(|error| named(from, &error))?;
    let written = private_file::options().write(true).create_new(true).open(to);
    let written = written.and_then(|mut file| {
        let whole = file
            .write_all(secret.expose().as_bytes())
            .and_then(|()| more(&file))
            .and_then(|()| file.sync_all());
        whole.inspect_err(|_| drop(fs::remove_file(to)))
    });
    let there = match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refuse_another(&secret, to),
        // A name is not on disk before its directory is.
        Ok(()) => File::open(directory_of(to)).and_then(|directory| directory.sync_all()),
        failed => failed,
    };
    there.map_err(|error| named(to, &error))
}

fn directory_of(file: &Path) -> &Path {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

/// The error about a file, with its name.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> io::Result<Secret> {
    refuse_readers(path)?;
    let secret = Secret::new(fs::read_to_string(path)?.trim_end().to_owned());
    if secret.expose().len() < MIN_SECRET_BYTES {
        // Going on with an emptied file would seal with a key that everybody has.
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it is damaged; restore it from a backup",
        ));
    }
    Ok(secret)
}

/// A key that others on the machine can read protects nothing from them.
fn refuse_readers(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path)?.permissions()) & 0o077 != 0 {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            format!("others can read it; run `chmod 600 {}`", path.display()),
        ));
    }
    Ok(())
}

/// Puts a new key at `path` unless there is one. It is written under another name and then linked, which fails if the
/// name is taken: nobody ever sees half a key, and nobody's key is replaced.
fn create(directory: &Path, path: &Path) -> io::Result<()> {
    private_file::create_directory(directory)?;
    let unfinished = directory.join(format!("{FILE_NAME}.{}", &*random_text::<8>()?));
    let written = write(&unfinished).and_then(|()| match fs::hard_link(&unfinished, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    match (written, fs::remove_file(&unfinished)) {
        (Ok(()), removed) => removed?,
        (failed, _) => return failed,
    }
    // What is sealed with the key must not outlive it in a power cut.
    File::open(directory)?.sync_all()
}

fn write(path: &Path) -> io::Result<()> {
    let mut file = private_file::options().write(true).create_new(true).open(path)?;
    file.write_all(random_text::<32>()?.as_bytes())?;
    file.sync_all()
}

/// `N` random bytes, as text.
fn random_text<const N: usize>() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; N]);
    rand::fill(&mut *bytes).map_err(io::Error::other)?;
    Ok(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use super::*;

    fn config(directory: &Path) -> Config {
        Config::from_variables([("DATA_DIR", directory.to_str().unwrap())]).unwrap()
    }

    #[test]
    fn a_generated_sealing_key_is_kept_and_is_the_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let data = directory.path().join("new/data");
        let first = config(&data).sealing_secret(false).unwrap();
        assert_eq!(first.expose().len(), 43);
        assert_eq!(config(&data).sealing_secret(false).unwrap().expose(), first.expose());
        let left: Vec<_> = fs::read_dir(&data)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["sealing.key"]);

        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&data.join("sealing.key")), mode(&data)), (0o600, 0o700));
        }
    }

    #[test]
    fn processes_that_start_at_the_same_moment_agree_on_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let starts: Vec<_> = (0..8)
            .map(|_| {
                let config = config(directory.path());
                thread::spawn(move || config.sealing_secret(false).unwrap().expose().to_owned())
            })
            .collect();
        let keys: BTreeSet<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
        assert_eq!(keys.len(), 1);
    }

    #[test]
    fn a_sealing_key_that_is_missed_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let error = config(directory.path()).sealing_secret(true).unwrap_err().to_string();
        assert!(
            error.contains("sealing.key is missing") && error.contains("SEALING_KEY"),
            "{error}"
        );
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_sealing_key_that_others_can_read_is_refused_with_what_to_do() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let config = config(directory.path());
        config.sealing_secret(false).unwrap();
        let path = directory.path().join("sealing.key");
        for (mode, refused) in [(0o640, true), (0o604, true), (0o400, false), (0o600, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let read = config.sealing_secret(true);
            assert_eq!(
                read.is_err_and(|error| error.to_string().contains("chmod 600")),
                refused,
                "{mode:o}"
            );
        }
    }

    #[test]
    fn a_sealing_key_is_copied_and_never_over_another() {
        let directory = tempfile::tempdir().unwrap();
        let (first, second) = (config(&directory.path().join("1")), config(&directory.path().join("2")));
        let secret = first.sealing_secret(false).unwrap();
        let (kept, copy) = (first.sealing_key_file().unwrap(), directory.path().join("copy.key"));
        for _ in 0..2 {
            copy_sealing_key(&kept, &copy).unwrap();
        }
        second.sealing_secret(false).unwrap();
        let other = second.sealing_key_file().unwrap();
        let refused = copy_sealing_key(&copy, &other).unwrap_err().to_string();
        assert!(refused.contains("2/sealing.key: another key is there"), "{refused}");
        fs::remove_file(&other).unwrap();
        copy_sealing_key(&copy, &other).unwrap();
        assert_eq!(second.sealing_secret(true).unwrap().expose(), secret.expose());
        let missing = copy_sealing_key(&directory.path().join("3"), &copy).unwrap_err();
        assert!(missing.to_string().contains("/3: "), "{missing}");
    }

    #[test]
    fn a_set_sealing_key_is_used_and_nothing_is_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config(directory.path());
        config.sealing_key = Some(Secret::new("set".to_owned()));
        assert_eq!(config.sealing_secret(false).unwrap().expose(), "set");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_sealing_key_is_an_error_that_names_the_file_and_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sealing.key");
        let mut file = private_file::options();
        file.write(true).create_new(true).open(&path).unwrap();
        let error = config(directory.path()).sealing_secret(false).unwrap_err().to_string();
        assert!(error.contains("sealing.key") && error.contains("damaged"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    fn a_data_directory_that_cannot_be_made_is_an_error_that_names_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = config(&file.join("data"))
            .sealing_secret(false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("file/data/sealing.key"), "{error}");
    }
}
