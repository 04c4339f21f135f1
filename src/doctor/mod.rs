//! What is wrong with an installation, and what to do about it.
//!
//! Everything is looked at and nothing is changed: no file is made, no table, and no letter is sent.

mod files;

use std::{fmt, io, path::PathBuf, time::Duration};

use tokio::time::timeout;

use crate::{
    app,
    auth::open_signing_key,
    causes::in_one_line,
    clock::{Clock, Timestamp},
    config::{Config, ConfigErrors},
    mail::{Smtp, Templates},
    store::{Found, Inspection, Location, SigningKeyRow, Store},
    tls::TlsFiles,
    token::SealingKey,
    web,
};

/// How long the database may take: to look through a file of some gigabytes.
const DATABASE_LIMIT: Duration = Duration::from_mins(2);

/// How long each answer of the mail server may take. Somebody waits at the terminal.
const MAIL_LIMIT: Duration = Duration::from_secs(10);

/// By how much two clocks that are right may differ.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(2);

/// By then, what renews certificates has done so: most do a month ahead.
const RENEWAL: Duration = Duration::from_hours(14 * 24);

/// This program is younger than a clock that shows less: 2026-01-01.
const EARLIEST: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// How it stands with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Ok,
    /// Vestibule runs, but perhaps not as was meant.
    Warning,
    /// Vestibule does not run, or not safely.
    Failure,
}

/// What was found, and what is to be done where it is not good. Displayed as one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it stands.
    pub verdict: Verdict,
    /// With what.
    pub subject: &'static str,
    /// In words.
    pub told: String,
}

impl Finding {
    fn new(verdict: Verdict, subject: &'static str, told: impl fmt::Display) -> Self {
        Self {
            verdict,
            subject,
            told: told.to_string(),
        }
    }

    fn ok(subject: &'static str, told: impl fmt::Display) -> Self {
        Self::new(Verdict::Ok, subject, told)
    }

    fn warning(subject: &'static str, told: impl fmt::Display) -> Self {
        Self::new(Verdict::Warning, subject, told)
    }

    fn failure(subject: &'static str, told: impl fmt::Display) -> Self {
        Self::new(Verdict::Failure, subject, told)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warn",
            Verdict::Failure => "fail",
        };
        let told: Vec<&str> = self.told.split_whitespace().collect();
        write!(f, "{verdict:<4}  {:<13}  {}", self.subject, told.join(" "))
    }
}

/// What is found where there is no configuration to look at anything with.
#[must_use]
pub fn misconfigured(errors: &ConfigErrors) -> Vec<Finding> {
    let errors = errors.errors().iter();
    errors.map(|error| Finding::failure("configuration", error)).collect()
}

/// Looks at everything that `config` names.
pub async fn examine(config: &Config, clock: &dyn Clock) -> Vec<Finding> {
    let mut findings = configuration(config);
    findings.push(address(config));
    findings.extend(proxies(config));
    findings.extend(config.tls.as_ref().map(|files| certificate(config, files, clock.now())));
    findings.extend(files::data_directory(config));
    let (database, found) = database(config).await;
    findings.extend(database);
    let (signing_keys, newest) = match found {
        Some(Found::Nothing) => (Some(Vec::new()), None),
        Some(Found::Ours(inspection)) => (Some(inspection.signing_keys), inspection.newest),
        None => (None, None),
    };
    findings.push(sealing_key(config, signing_keys.as_deref()));
    findings.push(time(clock.now(), newest));
    findings.push(mail(config).await);
    findings.extend(templates(config));
    findings
}

fn configuration(config: &Config) -> Vec<Finding> {
    let subject = "configuration";
    let mut findings = vec![Finding::ok(subject, "every variable can be used")];
    findings.extend(config.warnings.iter().map(|warning| Finding::warning(subject, warning)));
    findings
}

/// Where browsers find the site, and what that makes of the cookies.
fn address(config: &Config) -> Finding {
    let (url, cookie) = (&config.public_url, web::session_cookie(config));
    let told = match (&config.cookie_domain, url.is_https()) {
        (_, false) => format!("{url}, for this machine alone: the cookie {cookie} also travels unencrypted"),
        (None, true) => format!("{url}, whose cookie {cookie} is sent to this host alone, and only encrypted"),
        (Some(domain), true) => {
            format!("{url}, whose cookie {cookie} is sent to every host of {domain}, and only encrypted")
        }
    };
    Finding::ok("address", told)
}

fn proxies(config: &Config) -> Option<Finding> {
    Some(Finding::warning("proxies", unnamed_proxy(config)?))
}

/// What there is to say of a proxy that ends TLS and that nobody has named, if there is one.
#[must_use]
pub fn unnamed_proxy(config: &Config) -> Option<&'static str> {
    let is_unnamed = config.public_url.is_https() && config.tls.is_none() && config.trusted_proxies.is_empty();
    is_unnamed.then_some(
        "PUBLIC_URL is https and there is no TLS_CERT, so a proxy ends TLS: name it in TRUSTED_PROXIES, or all visitors have \
         its address and share the limits of one network",
    )
}

/// The generated sealing key, where a start has made it: something was there before, and a database without users was not.
#[must_use]
pub fn sealing_key_that_is_there(config: &Config) -> Option<PathBuf> {
    config.sealing_key_file().filter(|path| path.exists())
}

/// Whether browsers take the certificate, and for how long; who signed it, they know best.
fn certificate(config: &Config, files: &TlsFiles, now: Timestamp) -> Finding {
    let subject = "certificate";
    let host = config.public_url.host();
    if !files.is_for(host) {
        let told = format!("that of TLS_CERT is not for {host}, the host of PUBLIC_URL: browsers refuse it");
        return Finding::failure(subject, told);
    }
    match files.good_between() {
        Some([from, _]) if from > now => {
            Finding::failure(subject, format_args!("it is for {host}, but only from {from} on"))
        }
        Some([_, until]) if until <= now => {
            Finding::failure(subject, format_args!("it was good until {until}: renew it"))
        }
        Some([_, until]) if until <= now.plus(RENEWAL) => Finding::warning(
            subject,
            format_args!("it is good until {until}: renew it, or see why that does not happen by itself"),
        ),
        Some([_, until]) => Finding::ok(subject, format_args!("it is for {host}, and good until {until}")),
        None => Finding::warning(subject, format_args!("it is for {host}; until when cannot be told")),
    }
}

async fn database(config: &Config) -> (Vec<Finding>, Option<Found>) {
    let subject = "database";
    let location = app::location(&config.database);
    let Ok(inspected) = timeout(DATABASE_LIMIT, Store::inspect(&location)).await else {
        let told = format!(
            "it did not answer within {} s: is it overloaded?",
            DATABASE_LIMIT.as_secs()
        );
        return (vec![Finding::failure(subject, told)], None);
    };
    let name = &location;
    let finding = match &inspected {
        Err(error) => {
            let unwritable = match &location {
                Location::Sqlite(path) => files::unwritable_database(path),
                Location::Postgres(_) => None,
            };
            unwritable.unwrap_or_else(|| {
                let advice = error.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
                Finding::failure(subject, format_args!("{}{advice}", in_one_line(error)))
            })
        }
        Ok(Found::Nothing) => match sealing_key_that_is_there(config) {
            Some(key) => Finding::warning(
                subject,
                format_args!(
                    "{name} is empty or not there, and {} is from before: a start makes a new one, without users. If there \
                     were some, restore a backup or mount the right directory first",
                    key.display()
                ),
            ),
            None => Finding::ok(
                subject,
                format_args!("{name} is empty or not there yet: the first start makes its tables"),
            ),
        },
        Ok(Found::Ours(Inspection { pending: 0, .. })) => Finding::ok(
            subject,
            format_args!("{name} answers, can be written, and is up to date"),
        ),
        Ok(Found::Ours(Inspection { pending, .. })) => Finding::warning(
            subject,
            format_args!(
                "{name} was written by an older version: the next start brings it up to date ({pending} migrations), \
                 after which that version cannot use it; make a backup first"
            ),
        ),
    };
    let mut findings = vec![finding];
    if let Location::Sqlite(path) = &location {
        findings.extend(files::open_database(path));
    }
    (findings, inspected.ok())
}

/// Whether the key that protects what is stored is there, is nobody else's, and opens it.
fn sealing_key(config: &Config, signing_keys: Option<&[SigningKeyRow]>) -> Finding {
    let subject = "sealing key";
    let secret = match config.sealing_secret(true) {
        Ok(secret) => secret,
        Err(error) if error.kind() == io::ErrorKind::NotFound && signing_keys == Some(&[]) => {
            return Finding::ok(subject, "the first start makes one in DATA_DIR");
        }
        Err(error) => return Finding::failure(subject, error),
    };
    let Some(sealed) = signing_keys else {
        return Finding::warning(
            subject,
            "there is one; whether it is the right one, only the database could show",
        );
    };
    let key = SealingKey::from_secret(secret.expose());
    let opened = sealed
        .iter()
        .try_for_each(|row| open_signing_key(&key, row.clone()).map(drop));
    match opened {
        Err(error) => Finding::failure(subject, error),
        Ok(()) if sealed.is_empty() => Finding::ok(subject, "there is one, and nothing to open with it yet"),
        Ok(()) => Finding::ok(
            subject,
            format_args!("it opens the signing keys of the database ({})", sealed.len()),
        ),
    }
}

fn time(now: Timestamp, newest: Option<Timestamp>) -> Finding {
    let subject = "clock";
    if now < EARLIEST {
        let told = format!("it shows {now}, which is past: set it, best by a time service such as chrony");
        return Finding::failure(subject, told);
    }
    match newest {
        Some(newest) if newest > now.plus(CLOCK_TOLERANCE) => Finding::failure(
            subject,
            format_args!(
                "it shows {now}, and the newest entry of the audit log is of {newest}: one of the machines that use this \
                 database has a clock that is wrong, and sessions and links end too early or too late; set it, best by a \
                 time service such as chrony"
            ),
        ),
        _ => Finding::ok(subject, format_args!("it shows {now}")),
    }
}

async fn mail(config: &Config) -> Finding {
    let subject = "mail";
    let Some(server) = &config.smtp else {
        return if config.public_url.is_loopback() {
            Finding::ok(subject, "it goes to the built-in mailbox, /dev/mail")
        } else {
            Finding::warning(subject, "it waits in the outbox: name a mail server in SMTP_URL")
        };
    };
    let (host, port) = (&server.host, server.port);
    let mut patient = server.clone();
    patient.step_limit = patient.step_limit.min(MAIL_LIMIT);
    match Smtp::new(patient, &config.public_url).knock().await {
        Ok(()) if server.credentials.is_some() => Finding::ok(
            subject,
            format_args!("{host}, port {port}, answers and takes user and password"),
        ),
        Ok(()) => Finding::ok(
            subject,
            format_args!("{host}, port {port}, answers; SMTP_URL names no user to log in as"),
        ),
        Err(error) => Finding::failure(
            subject,
            format_args!("{host}, port {port}: {error}; {}", error.advice()),
        ),
    }
}

fn templates(config: &Config) -> Option<Finding> {
    let subject = "templates";
    let folder = config.mail_templates.as_deref()?;
    Some(match Templates::read(folder) {
        Ok(_) => Finding::ok(subject, format_args!("those of {} can be used", folder.display())),
        Err(mistakes) => Finding::failure(subject, mistakes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_the_year_and_by_the_newest_entry() {
        let now = EARLIEST.plus(Duration::from_hours(1));
        let later = |minutes| Some(now.plus(Duration::from_mins(minutes)));
        for (shows, newest, verdict) in [
            (now, None, Verdict::Ok),
            (now, Some(EARLIEST), Verdict::Ok),
            (now, later(2), Verdict::Ok),
            (now, later(3), Verdict::Failure),
            (Timestamp::from_unix_seconds(0), None, Verdict::Failure),
        ] {
            assert_eq!(time(shows, newest).verdict, verdict, "{shows} {newest:?}");
        }
    }

    #[test]
    fn a_finding_is_one_line() {
        let finding = Finding::failure("mail", "\n  two\n  lines");
        assert_eq!(finding.to_string(), "fail  mail           two lines");
    }
}
