//! `.env` in the working directory: read into the environment, with a word on what is probably not meant there.

mod lines;
mod names;
mod vanished;

use std::{env, fs, io, path::Path};

use url::Url;

use self::{
    lines::broken_line,
    names::{misspelt, strange_names},
    vanished::what_vanished,
};
use super::errors::{ConfigError, ConfigErrors};
use crate::private_file;

/// Adds what `.env` in the working directory says to the environment, which wins where both say something. Returns what is
/// probably not meant there as it stands: sentences for the log.
///
/// To be called before the command line is parsed and before there are threads. Without such a file, nothing happens.
/// Only the working directory is looked at, not those above it: what somebody else can leave in `/tmp` must not be
/// picked up.
pub fn read_dot_env() -> Result<Vec<String>, ConfigErrors> {
    read_dot_env_at(Path::new(".env"))
}

fn read_dot_env_at(path: &Path) -> Result<Vec<String>, ConfigErrors> {
    // Before the file's own are among them.
    let names: Vec<String> = env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect();
    let mut warnings = misspelt(names.iter().map(String::as_str));
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(warnings),
        read => read.map_err(|error| unreadable(format!("cannot be read: {error}")))?,
    };
    let text = text.trim_start_matches('\u{feff}');
    let vanished = what_vanished(text, |name| env::var(name).is_ok_and(|value| !value.is_empty()));
    dotenvy::from_read(text.as_bytes()).map_err(|error| match error {
        // The error quotes the line, which may hold a secret.
        dotenvy::Error::LineParse(..) => unreadable(format!(
            "cannot be read in {}: write NAME=value, in 'single quotes' where the value has spaces",
            broken_line(text)
        )),
        error => unreadable(format!("cannot be read: {error}")),
    })?;
    let pairs: Vec<(String, String)> = dotenvy::from_read_iter(text.as_bytes())
        .filter_map(Result::ok)
        .collect();
    warnings.extend(strange_names(pairs.iter().map(|(name, _)| name.as_str())));
    warnings.extend(vanished);
    if pairs.iter().any(|(name, value)| is_secret(name, value)) && private_file::is_open_to_others(path) {
        warnings.push(".env holds a secret, and others on this machine can read it: chmod 600 .env".to_owned());
    }
    Ok(warnings)
}

fn unreadable(message: String) -> ConfigErrors {
    ConfigErrors(vec![ConfigError {
        variable: ".env",
        message,
    }])
}

fn may_hold_secret(name: &str) -> bool {
    matches!(name, "SECRET_KEY" | "SEALING_KEY" | "DATABASE_URL" | "SMTP_URL")
}

/// Whether this is a secret itself, or a URL with a password.
fn is_secret(name: &str, value: &str) -> bool {
    match name {
        "SECRET_KEY" | "SEALING_KEY" => !value.trim().is_empty(),
        "DATABASE_URL" | "SMTP_URL" => Url::parse(value.trim())
            .is_ok_and(|url| url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password")),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_dot_env_is_no_mistake() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read_dot_env_at(&directory.path().join(".env")).is_ok());
    }

    #[test]
    fn a_broken_dot_env_is_reported_by_the_place_and_never_by_the_text() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(".env");
        for (line, name) in [
            ("SECRET_KEY=hunter2 hunter3", " (SECRET_KEY)"),
            ("export SMTP_URL = hunter2 'hunter3", " (SMTP_URL)"),
            ("SEALING_KEY='hunter2", " (SEALING_KEY)"),
            ("hunter2 hunter3", ""),
            ("hunter2== hunter3", ""),
        ] {
            fs::write(&path, format!("{line}\n")).unwrap();
            let errors = read_dot_env_at(&path).unwrap_err();
            assert_eq!(errors.errors()[0].variable, ".env");
            let text = errors.to_string();
            assert!(
                text.contains(&format!("line 1{name}:")) && !text.contains("hunter"),
                "{text}"
            );
            let below = format!("# Comment\nSITE_NAME='two\nlines'\n\n# Another\n{line}\nPORT=1\n");
            assert_eq!(broken_line(&below), format!("line 6{name}"));
        }
    }

    #[test]
    fn a_url_is_a_secret_when_it_holds_a_password() {
        for (name, value, secret) in [
            ("SECRET_KEY", "x", true),
            ("SEALING_KEY", "", false),
            ("DATABASE_URL", "postgres://u:p@db/x", true),
            ("DATABASE_URL", "postgres://u@db/x?password=p", true),
            ("DATABASE_URL", "sqlite:auth.db", false),
            ("SMTP_URL", "smtp://localhost:25", false),
            ("SMTP_URL", "smtps://u:p@mail:465", true),
            ("SITE_NAME", "http://u:p@x", false),
        ] {
            assert_eq!(is_secret(name, value), secret, "{name}={value}");
        }
    }
}
