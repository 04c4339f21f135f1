//! The only reader of flags, environment and `.env`.
//!
//! `read_dot_env` completes the environment, `Settings` gathers flags and environment, and `Config::load` makes one
//! checked `Config` of them, or says everything that is wrong.

mod brand;
mod database;
mod dot_env;
mod errors;
mod keys;
mod origin;
mod proxies;
mod reader;
mod sealing;
mod secret;
mod settings;
mod smtp;
#[cfg(test)]
mod tests;
mod tls;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::{Address, message::Mailbox};

pub(crate) use self::origin::is_loopback;
use self::reader::{Reader, Reported};
pub use self::{
    brand::{Colour, Logo},
    database::DatabaseUrl,
    dot_env::read_dot_env,
    errors::{ConfigError, ConfigErrors},
    keys::Signing,
    origin::PublicUrl,
    proxies::TrustedProxies,
    sealing::{copy_sealing_key, put_sealing_key_back, sealing_key_to_copy},
    secret::Secret,
    settings::Settings,
    smtp::SmtpServer,
};
use crate::{
    password::{HashParameters, Policy},
    quota::{Quota, Quotas},
    tls::TlsFiles,
};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// Services that verify access tokens by their signature alone cannot be told that a session ended: a day is already
/// long.
const MAX_ACCESS_TOKEN_MINUTES: u32 = 24 * 60;

/// Browsers keep no cookie for longer than 400 days (RFC 6265bis, section 5.5).
const MAX_SESSION_DAYS: u32 = 400;
const DEFAULT_IDLE_DAYS: u32 = 7;
const DEFAULT_SESSION_DAYS: u32 = 30;

/// A century: whoever means more means for good.
const MAX_KEEP_DAYS: u32 = 36_500;

/// What happened a year ago is rarely asked for, and says where somebody was.
const DEFAULT_AUDIT_DAYS: u32 = 365;

/// Nobody is locked out by such an account, since a forgotten password leads into it: there is no hurry, and whoever was on
/// leave still finds theirs.
const DEFAULT_UNVERIFIED_DAYS: u32 = 90;

/// A reset link is as good as a password to whoever reads the mailbox: after a day it is only a risk.
const MAX_RESET_TOKEN_MINUTES: u32 = 24 * 60;

/// OWASP's weakest recommendation, 7 MiB in five passes. Other pairs must cost an attacker as much.
const MIN_ARGON2_MEMORY_KIB: u32 = 7168;
const MIN_ARGON2_WORK: u32 = MIN_ARGON2_MEMORY_KIB * 5;

/// The name stands in titles, subjects and senders.
const MAX_SITE_NAME_CHARACTERS: usize = 60;

/// Everything that can be configured.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches, not the states of anything"
)]
pub struct Config {
    /// `HOST`: the address to listen on; 127.0.0.1.
    pub host: IpAddr,
    /// `PORT`: the TCP port to listen on; 8000.
    pub port: u16,
    /// `PUBLIC_URL`: the origin under which browsers reach the site; `http://localhost:PORT`, or https with `TLS_CERT`.
    pub public_url: PublicUrl,
    /// `TLS_CERT` and `TLS_KEY`: the certificate with which the server itself ends TLS; none.
    pub tls: Option<TlsFiles>,
    /// `DATA_DIR`: where the database, the generated key and the mailbox are kept; `./data`.
    pub data_dir: PathBuf,
    /// `SITE_NAME`: the name in pages and mail; Vestibule.
    pub site_name: String,
    /// `SITE_LOGO`: a picture beside that name; Vestibule's.
    pub site_logo: Option<Logo>,
    /// `SITE_ACCENT`: the colour of links and buttons; the style sheet's.
    pub site_accent: Option<Colour>,
    /// `DATABASE_URL` or `DATABASE_URL_FILE`: where the data is; the SQLite file `DATA_DIR/vestibule.db`.
    pub database: DatabaseUrl,
    /// `ALGORITHM`, with `SECRET_KEY` or `SECRET_KEY_FILE`: how access tokens are signed; `EdDSA`.
    pub signing: Signing,
    /// `SEALING_KEY` or `SEALING_KEY_FILE`: protects what is stored; `None` for the generated one, which
    /// [`Config::sealing_secret`] knows.
    pub sealing_key: Option<Secret>,
    /// `ACCESS_TOKEN_EXPIRE_MINUTES`: the life of an access token; 15 minutes.
    pub access_token_life: Duration,
    /// `REFRESH_TOKEN_EXPIRE_DAYS`: how long a session lives without use; 7 days.
    pub refresh_idle: Duration,
    /// `SESSION_MAX_DAYS`: how long a session lives in any case; 30 days, or `REFRESH_TOKEN_EXPIRE_DAYS` where that is
    /// more.
    pub session_max: Duration,
    /// `RESET_TOKEN_EXPIRE_MINUTES`: the life of a reset link; 10 minutes.
    pub reset_life: Duration,
    /// `ALLOWED_ORIGINS`: other origins whose pages may call and to which signing in may lead back, as browsers write them; none.
    pub allowed_origins: Vec<String>,
    /// `COOKIE_DOMAIN`: the domain whose hosts share the session; `None` for the host of `PUBLIC_URL` alone.
    pub cookie_domain: Option<String>,
    /// `JWT_AUDIENCE`: the audience of access tokens; `PUBLIC_URL`, and none with HS256.
    pub jwt_audience: Option<String>,
    /// `SMTP_URL` or `SMTP_URL_FILE`, with `SMTP_CA_FILE`: the server that sends mail; none.
    pub smtp: Option<SmtpServer>,
    /// `MAIL_FROM`: the sender of mail; `SITE_NAME <no-reply@host of PUBLIC_URL>`.
    pub mail_from: String,
    /// `MAIL_TEMPLATES`: the folder of templates for mail in place of the built-in ones; none. What is in it is read when
    /// the server starts: a mistake there must not keep a command from shutting somebody out.
    pub mail_templates: Option<PathBuf>,
    /// `PASSWORD_MIN_LENGTH`: in characters; 8.
    pub password_min_length: usize,
    /// `PASSWORD_MIN_SCORE`: of zxcvbn, 0 to 4; 3.
    pub password_min_score: u8,
    /// `ARGON2_MEMORY_KIB`: the memory of one hash in KiB; 19456.
    pub argon2_memory_kib: u32,
    /// `ARGON2_PASSES`: the passes over that memory; 2.
    pub argon2_passes: u32,
    /// `REQUIRE_VERIFIED_EMAIL`: log-in waits for a verified address; off, and on with `PRIVATE_SIGNUP`.
    pub require_verified_email: bool,
    /// `PRIVATE_SIGNUP`: sign-up never tells whether an address is taken; off.
    pub private_signup: bool,
    /// `ALLOW_SIGNUP`: visitors may sign up; on.
    pub allow_signup: bool,
    /// `PRODUCTS`: the worked example is served; on.
    pub products: bool,
    /// `METRICS_ADDR`: where metrics are served, apart from the site; nowhere.
    pub metrics_addr: Option<SocketAddr>,
    /// `TRUSTED_PROXIES`: who is believed about who their clients are; nobody.
    pub trusted_proxies: TrustedProxies,
    /// `RATE_LIMITS`, with `LIMIT_TRIES_PER_ACCOUNT`, `LIMIT_TRIES_PER_NETWORK`, `LIMIT_MAILS_PER_ADDRESS` and
    /// `LIMIT_MAILS_PER_NETWORK`: how often something may be tried; `None` when off.
    pub limits: Option<Quotas>,
    /// `AUDIT_KEEP_DAYS`: how long an entry of the audit log is kept; 365 days, and `None`, which is 0, for good.
    pub audit_keep: Option<Duration>,
    /// `UNVERIFIED_KEEP_DAYS`: how long an account is kept that signed up and to which nobody came; 90 days, and `None`, which
    /// is 0, for good.
    pub unverified_keep: Option<Duration>,
    /// `LOG_FORMAT`: text.
    pub log_format: LogFormat,
    /// What is probably not meant as it stands, though it can be: sentences for the log.
    pub warnings: Vec<String>,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object per line.
    Json,
}

impl Config {
    /// Makes sense of what flags and environment say, and reads the files that they name.
    pub fn load(settings: Settings) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(settings);
        let config = Self::read(&mut reader);
        reader.finish(config)
    }

    /// The same from these variables alone, whatever the process's environment says. Unknown names are ignored, as they
    /// are there.
    pub fn from_variables<'a, I: IntoIterator<Item = (&'a str, &'a str)>>(variables: I) -> Result<Self, ConfigErrors> {
        Self::load(Settings::from_variables(variables))
    }

    /// Reads everything before it gives up on anything, so that one start shows every mistake.
    fn read(reader: &mut Reader) -> Result<Self, Reported> {
        let host = reader.with_default("HOST", Ipv4Addr::LOCALHOST.into(), |text| {
            // A name may have several addresses, and others tomorrow; of this one it is known which.
            if text.eq_ignore_ascii_case("localhost") {
                return Ok(Ipv4Addr::LOCALHOST.into());
            }
            text.parse()
                .map_err(|_| format!("must be localhost or an IP address such as 127.0.0.1 or 0.0.0.0, not {text:?}"))
        });
        let port = reader.number("PORT", 8000, 1..=u16::MAX);
        let public_url = public_url(reader, port);
        let tls = tls::read(reader);
        let data_dir = reader.with_default("DATA_DIR", PathBuf::from("./data"), |text| Ok(PathBuf::from(text)));
        let site_name = reader.with_default("SITE_NAME", "Vestibule".to_owned(), site_name);
        let site_logo = reader.optional("SITE_LOGO", Logo::read);
        let site_accent = reader.optional("SITE_ACCENT", Colour::parse);
        let database = database(reader, &data_dir);
        let (signing, sealing_key) = keys::read(reader, database.as_ref());
        let (refresh_idle, session_max) = session_lives(reader);
        let cookie_domain = cookie_domain(reader, public_url.as_ref());
        let jwt_audience = reader.optional("JWT_AUDIENCE", |text| Ok(text.to_owned()));
        let smtp = smtp::read(reader);
        let mail_from = mail_from(reader, &site_name, public_url.as_ref());
        let mail_templates = reader.optional("MAIL_TEMPLATES", folder);
        let (argon2_memory_kib, argon2_passes) = argon2(reader);
        let private_signup = reader.switch("PRIVATE_SIGNUP", false);
        // Without it a new account could log in at once, and trying to would tell what sign-up does not.
        let require_verified_email = reader.switch("REQUIRE_VERIFIED_EMAIL", false) || private_signup;
        let access_minutes = reader.number("ACCESS_TOKEN_EXPIRE_MINUTES", 15, 1..=MAX_ACCESS_TOKEN_MINUTES);
        let reset_minutes = reader.number("RESET_TOKEN_EXPIRE_MINUTES", 10, 1..=MAX_RESET_TOKEN_MINUTES);
        let allowed_origins = reader.with_default("ALLOWED_ORIGINS", Vec::new(), origin::parse_allowed_origins);
        let password_min_length = reader.number("PASSWORD_MIN_LENGTH", 8, 4..=Policy::MAX_LENGTH);
        let password_min_score = reader.number("PASSWORD_MIN_SCORE", 3, 0..=4);
        let allow_signup = reader.switch("ALLOW_SIGNUP", true);
        let products = reader.switch("PRODUCTS", true);
        let metrics_addr = reader.optional("METRICS_ADDR", metrics_addr);
        let trusted_proxies = reader.with_default("TRUSTED_PROXIES", TrustedProxies::default(), TrustedProxies::parse);
        let limits = limits(reader);
        let audit_keep = keep(reader, "AUDIT_KEEP_DAYS", DEFAULT_AUDIT_DAYS);
        let unverified_keep = keep(reader, "UNVERIFIED_KEEP_DAYS", DEFAULT_UNVERIFIED_DAYS);
        let log_format = reader.with_default("LOG_FORMAT", LogFormat::Text, log_format);

        let (public_url, signing) = (public_url?, signing?);
        let warnings = warnings(reader, host, &public_url, &signing);
        Ok(Self {
            host,
            port,
            jwt_audience: jwt_audience?.or_else(|| default_audience(&signing, &public_url)),
            public_url,
            tls: tls?,
            data_dir,
            site_name,
            site_logo: site_logo?,
            site_accent: site_accent?,
            database: database?,
            signing,
            sealing_key: sealing_key?,
            access_token_life: MINUTE * access_minutes,
            refresh_idle,
            session_max,
            reset_life: MINUTE * reset_minutes,
            allowed_origins,
            cookie_domain: cookie_domain?,
            smtp: smtp?,
            mail_from: mail_from?,
            mail_templates: mail_templates?,
            password_min_length,
            password_min_score,
            argon2_memory_kib,
            argon2_passes,
            require_verified_email,
            private_signup,
            allow_signup,
            products,
            metrics_addr: metrics_addr?,
            trusted_proxies,
            limits,
            audit_keep,
            unverified_keep,
            log_format,
            warnings,
        })
    }
}

fn public_url(reader: &mut Reader, port: u16) -> Result<PublicUrl, Reported> {
    let has_tls = tls::is_set(reader);
    match reader.optional("PUBLIC_URL", PublicUrl::parse)? {
        // A browser's forms would name another origin than this, and its cookies go over the network for all to read.
        Some(public_url) if has_tls && !public_url.is_https() => {
            Err(reader.report("PUBLIC_URL", "must begin with https:// where TLS_CERT is set"))
        }
        Some(public_url) => Ok(public_url),
        None => {
            let scheme = if has_tls { "https" } else { "http" };
            PublicUrl::parse(&format!("{scheme}://localhost:{port}"))
                .map_err(|message| reader.report("PUBLIC_URL", message))
        }
    }
}

fn warnings(reader: &Reader, host: IpAddr, public_url: &PublicUrl, signing: &Signing) -> Vec<String> {
    let mut warnings = Vec::new();
    let has_secret_key = reader.is_set("SECRET_KEY") || reader.is_set("SECRET_KEY_FILE");
    if has_secret_key && !matches!(signing, Signing::Hs256(_)) {
        warnings.push("SECRET_KEY is set but not used: only ALGORITHM=HS256 signs with it".to_owned());
    }
    if !host.is_loopback() && !reader.is_set("PUBLIC_URL") {
        warnings.push(format!(
            "HOST is {host}, and PUBLIC_URL is not set: mailed links, tokens and cookies are made for {public_url}, which \
             browsers on other machines cannot reach"
        ));
    }
    if reader.is_set("SMTP_CA_FILE") && !smtp::is_set(reader) {
        warnings.push("SMTP_CA_FILE is set but not used: there is no SMTP_URL".to_owned());
    }
    if smtp::is_set(reader)
        && !reader.is_set("MAIL_FROM")
        && (public_url.is_loopback() || public_url.domain().is_none())
    {
        warnings.push(format!(
            "MAIL_FROM is not set: mail is sent from no-reply@{}, an address that mail servers refuse",
            public_url.domain().unwrap_or("localhost")
        ));
    }
    warnings
}

fn site_name(text: &str) -> Result<String, String> {
    if text.chars().count() > MAX_SITE_NAME_CHARACTERS || text.chars().any(char::is_control) {
        return Err(format!(
            "must be one line of at most {MAX_SITE_NAME_CHARACTERS} characters"
        ));
    }
    Ok(text.to_owned())
}

fn database(reader: &mut Reader, data_dir: &Path) -> Result<DatabaseUrl, Reported> {
    match reader.secret("DATABASE_URL", "DATABASE_URL_FILE")? {
        Some(url) => DatabaseUrl::parse(url.expose().trim()).map_err(|message| reader.report("DATABASE_URL", message)),
        None => Ok(DatabaseUrl::Sqlite(data_dir.join("vestibule.db"))),
    }
}

/// The idle and the absolute life of a session. Where only one is set, as the templates set the idle one, the other's
/// default gives way to it.
fn session_lives(reader: &mut Reader) -> (Duration, Duration) {
    let idle = reader.number("REFRESH_TOKEN_EXPIRE_DAYS", DEFAULT_IDLE_DAYS, 1..=MAX_SESSION_DAYS);
    let max = reader.number("SESSION_MAX_DAYS", DEFAULT_SESSION_DAYS.max(idle), 1..=MAX_SESSION_DAYS);
    if max < idle && reader.is_set("REFRESH_TOKEN_EXPIRE_DAYS") {
        reader.report(
            "SESSION_MAX_DAYS",
            format!("must be at least REFRESH_TOKEN_EXPIRE_DAYS, {idle}, not {max}"),
        );
    }
    (DAY * idle.min(max), DAY * max)
}

fn cookie_domain(reader: &mut Reader, public_url: Result<&PublicUrl, &Reported>) -> Result<Option<String>, Reported> {
    // Without a site to compare it with, it is still a domain or none.
    reader.optional("COOKIE_DOMAIN", |text| {
        let domain = origin::parse_cookie_domain(text)?;
        public_url.map_or(Ok(()), |url| origin::check_cookie_domain(&domain, url))?;
        Ok(domain)
    })
}

/// With HS256 none, since the services that verify with a shared secret refuse an audience they were not told of.
fn default_audience(signing: &Signing, public_url: &PublicUrl) -> Option<String> {
    match signing {
        Signing::Hs256(_) => None,
        Signing::EdDsa | Signing::Es256 => Some(public_url.origin().to_owned()),
    }
}

fn mail_from(
    reader: &mut Reader,
    site_name: &str,
    public_url: Result<&PublicUrl, &Reported>,
) -> Result<String, Reported> {
    let example = "must be an address such as no-reply@example.com or \"Example <no-reply@example.com>\"";
    let set = reader.optional("MAIL_FROM", |text| {
        text.parse::<Mailbox>().map_err(|_| example.to_owned())
    })?;
    if let Some(mailbox) = set {
        return Ok(mailbox.to_string());
    }
    // There is no writing to an IP address; mail of such a site stays on the machine.
    let domain = public_url
        .map_err(|reported| *reported)?
        .domain()
        .unwrap_or("localhost");
    match Address::new("no-reply", domain) {
        Ok(address) => Ok(Mailbox::new(Some(site_name.to_owned()), address).to_string()),
        Err(_) => Err(reader.report(
            "MAIL_FROM",
            format!("{example}: the host of PUBLIC_URL cannot have one"),
        )),
    }
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() {
        Ok(path)
    } else {
        Err(format!("must name a folder, and there is none at {text:?}"))
    }
}

fn argon2(reader: &mut Reader) -> (u32, u32) {
    let memory = reader.number(
        "ARGON2_MEMORY_KIB",
        19_456,
        MIN_ARGON2_MEMORY_KIB..=HashParameters::MAX_MEMORY_KIB,
    );
    let passes = reader.number("ARGON2_PASSES", 2, 1..=HashParameters::MAX_WORK / MIN_ARGON2_MEMORY_KIB);
    let (least, most) = (MIN_ARGON2_WORK.div_ceil(memory), HashParameters::MAX_WORK / memory);
    if passes < least {
        reader.report(
            "ARGON2_PASSES",
            format!("must be at least {least} with ARGON2_MEMORY_KIB={memory}, not {passes}"),
        );
    } else if passes > most {
        reader.report(
            "ARGON2_PASSES",
            format!("must be at most {most} with ARGON2_MEMORY_KIB={memory}, not {passes}"),
        );
    }
    (memory, passes)
}

fn metrics_addr(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().ok().filter(|address: &SocketAddr| address.port() != 0);
    address.ok_or_else(|| format!("must be an IP address and a port such as 127.0.0.1:9464, not {text:?}"))
}

fn limits(reader: &mut Reader) -> Option<Quotas> {
    let is_on = reader.switch("RATE_LIMITS", true);
    let mut quota = |name, count, window| reader.with_default(name, Quota::new(count, window), Quota::parse);
    let quotas = Quotas {
        tries_per_account: quota("LIMIT_TRIES_PER_ACCOUNT", 10, MINUTE * 10),
        tries_per_network: quota("LIMIT_TRIES_PER_NETWORK", 60, MINUTE),
        mails_per_address: quota("LIMIT_MAILS_PER_ADDRESS", 5, MINUTE * 60),
        mails_per_network: quota("LIMIT_MAILS_PER_NETWORK", 60, MINUTE * 10),
    };
    is_on.then_some(quotas)
}

/// How long something is kept, in days; 0 is for good.
fn keep(reader: &mut Reader, name: &'static str, default: u32) -> Option<Duration> {
    let days = reader.number(name, default, 0..=MAX_KEEP_DAYS);
    (days > 0).then(|| DAY * days)
}

fn log_format(text: &str) -> Result<LogFormat, String> {
    match text.to_ascii_lowercase().as_str() {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err(format!("must be text or json, not {text:?}")),
    }
}
