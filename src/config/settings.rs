//! The variables, as text: where they come from, before anything is made of them.

use std::{collections::BTreeMap, env, fmt};

use clap::{Arg, ArgMatches, Command, error::ErrorKind};

/// One variable, and the flag that overrides it.
pub(super) struct Variable {
    /// In the environment and in `.env`.
    pub(super) name: &'static str,
    /// On the command line. Secrets have none: every user of a machine can read the arguments of its processes.
    flag: Option<&'static str>,
    value_name: &'static str,
    /// What holds when it is not set, in words where it is no constant.
    pub(super) default: &'static str,
    help: &'static str,
}

const fn variable(
    name: &'static str,
    flag: &'static str,
    value_name: &'static str,
    default: &'static str,
    help: &'static str,
) -> Variable {
    Variable {
        name,
        flag: Some(flag),
        value_name,
        default,
        help,
    }
}

const fn secret(name: &'static str) -> Variable {
    Variable {
        name,
        flag: None,
        value_name: "SECRET",
        default: "",
        help: "",
    }
}

/// Every variable there is, in the order in which they are documented.
#[rustfmt::skip]
pub(super) const VARIABLES: &[Variable] = &[
    variable("HOST", "host", "ADDRESS", "127.0.0.1", "IP address to listen on; localhost stands for 127.0.0.1"),
    variable("PORT", "port", "PORT", "8000", "TCP port to listen on"),
    variable("PUBLIC_URL", "public-url", "URL", "http://localhost:PORT, or https with TLS_CERT", "Origin under which browsers reach the site: used in mailed links, tokens and cookie rules"),
    variable("TLS_CERT", "tls-cert", "PATH", "", "PEM file with the certificate, and those up to its authority's, for a server without a proxy; read again when it changes"),
    variable("TLS_KEY", "tls-key", "PATH", "", "PEM file with that certificate's private key"),
    variable("DATA_DIR", "data-dir", "PATH", "./data", "Directory for the database, the generated key and the mailbox"),
    variable("SITE_NAME", "site-name", "NAME", "Vestibule", "Name of the site in pages and mail"),
    variable("SITE_LOGO", "site-logo", "PATH", "", "Picture beside that name and icon of the pages: an .svg, .png, .webp or .jpg of at most 64 KiB"),
    variable("SITE_ACCENT", "site-accent", "COLOUR", "", "Colour of links and buttons, such as #0b57d0; made lighter or darker where it could not be read"),
    variable("DATABASE_URL", "database-url", "URL", "sqlite:DATA_DIR/vestibule.db", "SQLite file (sqlite:path) or PostgreSQL database (postgres://…)"),
    variable("DATABASE_URL_FILE", "database-url-file", "PATH", "", "File that holds DATABASE_URL"),
    variable("ALGORITHM", "algorithm", "NAME", "EdDSA", "Signature of access tokens: EdDSA, ES256 or HS256"),
    secret("SECRET_KEY"),
    variable("SECRET_KEY_FILE", "secret-key-file", "PATH", "", "File that holds SECRET_KEY, with which HS256 signs (the key itself is taken from the environment only)"),
    secret("SEALING_KEY"),
    variable("SEALING_KEY_FILE", "sealing-key-file", "PATH", "", "File that holds SEALING_KEY, which protects stored keys; required with PostgreSQL, else generated in DATA_DIR (the key itself is taken from the environment only)"),
    variable("ACCESS_TOKEN_EXPIRE_MINUTES", "access-token-expire-minutes", "MINUTES", "15", "Life of an access token"),
    variable("REFRESH_TOKEN_EXPIRE_DAYS", "refresh-token-expire-days", "DAYS", "7", "Days without use after which a session ends"),
    variable("SESSION_MAX_DAYS", "session-max-days", "DAYS", "30, or REFRESH_TOKEN_EXPIRE_DAYS where that is more", "Days after which a session ends in any case"),
    variable("RESET_TOKEN_EXPIRE_MINUTES", "reset-token-expire-minutes", "MINUTES", "10", "Life of a password reset link"),
    variable("ALLOWED_ORIGINS", "allowed-origins", "ORIGINS", "", "Other origins whose pages may call the API and to which signing in may lead back, separated by commas"),
    variable("JWT_AUDIENCE", "jwt-audience", "NAME", "PUBLIC_URL; none with HS256", "Audience of access tokens"),
    variable("COOKIE_DOMAIN", "cookie-domain", "DOMAIN", "the host of PUBLIC_URL alone", "Domain whose hosts share the session"),
    secret("SMTP_URL"),
    variable("SMTP_URL_FILE", "smtp-url-file", "PATH", "", "File that holds SMTP_URL, the server that sends mail: smtps://user:password@host:465 or smtp://user:password@host:587?tls=required (the URL itself is taken from the environment only)"),
    variable("SMTP_CA_FILE", "smtp-ca-file", "PATH", "", "PEM file with a certificate authority to trust for that server besides the public ones"),
    variable("MAIL_FROM", "mail-from", "ADDRESS", "SITE_NAME <no-reply@host of PUBLIC_URL>", "Sender of mail"),
    variable("MAIL_TEMPLATES", "mail-templates", "PATH", "", "Folder with templates of mail that take the place of the built-in ones; `vestibule mail templates` writes those to start from"),
    variable("PASSWORD_MIN_LENGTH", "password-min-length", "CHARACTERS", "8", "Shortest password, 4 to 128"),
    variable("PASSWORD_MIN_SCORE", "password-min-score", "SCORE", "3", "Least zxcvbn score of a password, 0 to 4"),
    variable("ARGON2_MEMORY_KIB", "argon2-memory-kib", "KIB", "19456", "Memory of one password hash"),
    variable("ARGON2_PASSES", "argon2-passes", "PASSES", "2", "Passes of one password hash over that memory"),
    variable("REQUIRE_VERIFIED_EMAIL", "require-verified-email", "BOOL", "false", "Refuse log-in until the email address is verified"),
    variable("PRIVATE_SIGNUP", "private-signup", "BOOL", "false", "Never tell at sign-up whether an address is taken; turns REQUIRE_VERIFIED_EMAIL on"),
    variable("ALLOW_SIGNUP", "allow-signup", "BOOL", "true", "Let visitors sign up"),
    variable("PRODUCTS", "products", "BOOL", "true", "Serve the products, the worked example"),
    variable("METRICS_ADDR", "metrics-addr", "ADDRESS:PORT", "", "Where to serve metrics for Prometheus, apart from the site, such as 127.0.0.1:9464"),
    variable("TRUSTED_PROXIES", "trusted-proxies", "ADDRESSES", "", "Proxies that are believed about who their clients are: addresses or networks such as 10.0.0.0/8, separated by commas"),
    variable("RATE_LIMITS", "rate-limits", "BOOL", "true", "Limit how often something may be tried"),
    variable("LIMIT_TRIES_PER_ACCOUNT", "limit-tries-per-account", "QUOTA", "10/10m", "Wrong passwords at one account, by all strangers together and by each known device: a number and the time in which so many come back"),
    variable("LIMIT_TRIES_PER_NETWORK", "limit-tries-per-network", "QUOTA", "60/1m", "Log-ins, and uses of mailed links, from one network"),
    variable("LIMIT_MAILS_PER_ADDRESS", "limit-mails-per-address", "QUOTA", "5/1h", "Letters of one kind to one address that somebody asks for"),
    variable("LIMIT_MAILS_PER_NETWORK", "limit-mails-per-network", "QUOTA", "60/10m", "Sign-ups, and requests for each kind of letter, from one network"),
    variable("AUDIT_KEEP_DAYS", "audit-keep-days", "DAYS", "365", "Days after which an entry of the audit log is removed; 0 keeps it for good"),
    variable("UNVERIFIED_KEEP_DAYS", "unverified-keep-days", "DAYS", "90", "Days after which an account is removed that signed up and to which nobody came, neither to verify its address nor to sign in; 0 keeps it for good"),
    variable("LOG_FORMAT", "log-format", "FORMAT", "text", "text or json"),
];

impl Variable {
    fn argument(&self, flag: &'static str) -> Arg {
        let default = match self.default {
            "" => String::new(),
            default => format!(" [default: {default}]"),
        };
        // Not clap's `env`: it would take what the environment says for typed, and put that into the usage of errors.
        Arg::new(self.name)
            .long(flag)
            .value_name(self.value_name)
            .help_heading("Configuration")
            .global(true)
            .help(format!("{}{default} [env: {}]", self.help, self.name))
    }
}

/// The text of every variable that is set: as a flag, or else in the environment.
///
/// Flattened into the command line's parser, which fills it; [`super::Config::load`] makes sense of it.
#[derive(Clone, Default)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// Has a command, and those below it, take the flags after it without a word in its help, where they would bury its
    /// own.
    #[must_use]
    pub fn unseen(command: Command) -> Command {
        command
            .args(arguments().map(|argument| argument.hide(true)))
            .after_help("Every option of `vestibule --help` can be given here too.")
            .mut_subcommands(Self::unseen)
    }

    fn gather(
        matches: &ArgMatches,
        environment: impl Fn(&str) -> Result<Option<String>, clap::Error>,
    ) -> Result<Self, clap::Error> {
        let mut texts = BTreeMap::new();
        for variable in VARIABLES {
            let flag = variable.flag.and_then(|_| matches.get_one::<String>(variable.name));
            let text = match flag {
                Some(text) => Some(text.clone()),
                None => environment(variable.name)?,
            };
            texts.extend(text.map(|text| (variable.name, text)));
        }
        Ok(Self(texts))
    }

    pub(super) fn from_variables<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let named = |name: &str| {
            let mut known = VARIABLES.iter().map(|variable| variable.name);
            known.find(|known| *known == name)
        };
        Self(
            variables
                .into_iter()
                .filter_map(|(name, value)| Some((named(name)?, value.to_owned())))
                .collect(),
        )
    }

    /// The text of a variable; one that is blank, as in a compose file's `PORT=`, counts as not set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|text| !text.trim().is_empty())
    }
}

/// Names only: the values hold secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl clap::FromArgMatches for Settings {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Self::gather(matches, environment)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for Settings {
    fn augment_args(command: Command) -> Command {
        command.args(arguments())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arguments() -> impl Iterator<Item = Arg> {
    VARIABLES
        .iter()
        .filter_map(|variable| variable.flag.map(|flag| variable.argument(flag)))
}

fn environment(name: &str) -> Result<Option<String>, clap::Error> {
    match env::var(name) {
        Ok(text) => Ok(Some(text)),
        Err(env::VarError::NotPresent) => Ok(None),
        // The error of the standard library would print the value.
        Err(env::VarError::NotUnicode(_)) => Err(clap::Error::raw(
            ErrorKind::InvalidUtf8,
            format!("{name} is not valid UTF-8\n"),
        )),
    }
}

/// Whether there is such a variable.
pub(super) fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.name == name)
}

#[cfg(test)]
mod tests {
    use clap::Args as _;

    use super::*;

    fn command() -> Command {
        Settings::augment_args(Command::new("vestibule"))
    }

    /// Without the environment, which belongs to whoever runs the tests.
    fn flags(matches: &ArgMatches) -> Settings {
        Settings::gather(matches, |_| Ok(None)).unwrap()
    }

    #[test]
    fn every_flag_is_accepted_by_the_parser() {
        Settings::augment_args(Command::new("vestibule")).debug_assert();
        for variable in VARIABLES {
            if let Some(flag) = variable.flag {
                assert_eq!(flag, variable.name.to_lowercase().replace('_', "-"));
            }
        }
    }

    #[test]
    fn a_flag_sets_its_variable() {
        let matches = command()
            .try_get_matches_from(["vestibule", "--port", "9000", "--products=off"])
            .unwrap();
        let settings = flags(&matches);
        assert_eq!(settings.get("PORT"), Some("9000"));
        assert_eq!(settings.get("PRODUCTS"), Some("off"));
        assert_eq!(settings.get("HOST"), None);
    }

    #[test]
    fn a_flag_wins_over_the_environment() {
        let matches = command().try_get_matches_from(["vestibule", "--port", "9000"]).unwrap();
        let settings = Settings::gather(&matches, |name| Ok(Some(format!("the environment's {name}")))).unwrap();
        assert_eq!(
            ["PORT", "HOST", "SECRET_KEY"].map(|name| settings.get(name)),
            [
                Some("9000"),
                Some("the environment's HOST"),
                Some("the environment's SECRET_KEY")
            ]
        );
    }

    #[test]
    fn a_flag_may_stand_after_the_command_too() {
        let list = Command::new("list").arg(Arg::new("json").long("json").num_args(0));
        let command = command().subcommand(Command::new("user").subcommand(list));
        let command = command.mut_subcommands(Settings::unseen);
        let matches = command
            .clone()
            .try_get_matches_from(["vestibule", "--host", "::1", "user", "list", "--port", "9000"])
            .unwrap();
        let settings = flags(&matches);
        assert_eq!(
            (settings.get("HOST"), settings.get("PORT")),
            (Some("::1"), Some("9000"))
        );
        let help = command.try_get_matches_from(["vestibule", "user", "list", "--help"]);
        let help = help.unwrap_err().to_string();
        assert!(help.contains("--json") && !help.contains("--port"), "{help}");
    }

    #[test]
    fn a_secret_cannot_be_an_argument() {
        for flag in ["--secret-key", "--sealing-key", "--smtp-url"] {
            assert!(command().try_get_matches_from(["vestibule", flag, "x"]).is_err());
        }
    }

    #[test]
    fn a_blank_variable_is_not_set_and_an_unknown_one_is_not_kept() {
        let settings = Settings::from_variables([("PORT", ""), ("HOST", " "), ("SMELL", "roses")]);
        assert_eq!(
            (settings.get("PORT"), settings.get("HOST"), settings.get("SMELL")),
            (None, None, None)
        );
    }

    #[test]
    fn settings_are_printed_without_their_values() {
        let settings = Settings::from_variables([("SECRET_KEY", "hunter2")]);
        assert_eq!(format!("{settings:?}"), r#"{"SECRET_KEY"}"#);
    }
}
