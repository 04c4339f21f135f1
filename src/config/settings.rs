//! The variables, as text: where they come from, before anything is made of them.

use std::{collections::BTreeMap, env, fmt, fs, io, path::Path};

use clap::{Arg, ArgMatches, Command, error::ErrorKind};
use url::Url;

use super::errors::{ConfigError, ConfigErrors};
use crate::private_file;

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
    let vanished = vanished(text, |name| env::var(name).is_ok_and(|value| !value.is_empty()));
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

/// Where the first line is that cannot be read, and which variable it sets if that is one of ours: whatever else stands
/// there may be a part of a secret.
fn broken_line(text: &str) -> String {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // A value may go on over several lines: the shortest beginning with every variable that can be read.
    let before = last_lines(text).last().copied().unwrap_or_default();
    let mut left = lines.iter().zip(1..).skip(before);
    let broken = left.find(|(line, _)| !is_passed_over(line));
    let (line, number) = broken.map_or(("", lines.len()), |(line, number)| (*line, number));
    let name = name_in(line);
    if is_known(name) {
        format!("line {number} ({name})")
    } else {
        format!("line {number}")
    }
}

/// The number of the line on which each variable ends, as far as the text can be read.
fn last_lines(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut end = 0;
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        end += line.len();
        let readable = dotenvy::from_read_iter(&text.as_bytes()[..end]).take_while(Result::is_ok);
        ends.resize(readable.count().max(ends.len()), number);
    }
    ends
}

/// Whether nothing is set there.
fn is_passed_over(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

fn name_in(line: &str) -> &str {
    let name = line.split('=').next().unwrap_or_default().trim();
    name.strip_prefix("export").unwrap_or(name).trim()
}

/// What to say of values that are not what their writer sees: a `#` begins a comment, and a `$` the name of a variable, whose
/// value takes its place. `is_set` tells which of these the environment has.
fn vanished(text: &str, is_set: impl Fn(&str) -> bool) -> Vec<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let pairs: Vec<(String, String)> = dotenvy::from_read_iter(text.as_bytes()).map_while(Result::ok).collect();
    let (mut warnings, mut begin) = (Vec::new(), 0);
    for (index, end) in last_lines(text).into_iter().enumerate() {
        let passed_over = lines[begin..end].iter().take_while(|line| is_passed_over(line)).count();
        let number = begin + passed_over + 1;
        let assignment = lines[begin + passed_over..end].concat();
        begin = end;
        let Some((_, value)) = assignment.split_once('=') else {
            continue;
        };
        let name = name_in(&assignment);
        if !is_known(name) {
            continue;
        }
        if is_commented_out(value) {
            warnings.push(format!(
                ".env, line {number} ({name}): what begins with # is a comment, so it is not set; write {name}='#…'"
            ));
        }
        let is_set = |name: &str| {
            is_set(name)
                || pairs[..index]
                    .iter()
                    .any(|(other, value)| other == name && !value.is_empty())
        };
        if let Some(replaced) = replaced_by_nothing(value, is_set) {
            // What follows a $ in a password is a part of it.
            let replaced = if may_hold_secret(name) {
                "what follows a $".to_owned()
            } else {
                format!("${replaced}")
            };
            warnings.push(format!(
                ".env, line {number} ({name}): {replaced} was replaced by nothing; put the value in 'single quotes' if the $ \
                 belongs to it"
            ));
        }
    }
    warnings
}

/// Whether all of the value is a comment that looks like a value: those for people begin with a space.
fn is_commented_out(value: &str) -> bool {
    let comment = value.trim_start().strip_prefix('#');
    comment.is_some_and(|rest| rest.starts_with(|character: char| !character.is_whitespace()))
}

/// The first name after a `$` whose place nothing takes, read as `dotenvy` does: none is one within single quotes, after a
/// backslash or in a comment, and one ends where letters and digits do unless it is in braces.
fn replaced_by_nothing(value: &str, is_set: impl Fn(&str) -> bool) -> Option<&str> {
    let (mut is_quoted, mut is_weakly_quoted) = (false, false);
    let value = value.trim_start();
    let mut characters = value.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' if !is_weakly_quoted => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '"' => is_weakly_quoted = !is_weakly_quoted,
            '\\' => drop(characters.next()),
            ' ' | '\t' if !is_weakly_quoted => return None,
            '$' => {
                let rest = &value[at + 1..];
                let name = match rest.strip_prefix('{') {
                    Some(braced) => braced.split('}').next().unwrap_or_default(),
                    None => rest
                        .split(|character: char| !character.is_alphanumeric())
                        .next()
                        .unwrap_or_default(),
                };
                if !is_set(name) {
                    return Some(name);
                }
            }
            _ => {}
        }
    }
    None
}

fn may_hold_secret(name: &str) -> bool {
    matches!(name, "SECRET_KEY" | "SEALING_KEY" | "DATABASE_URL" | "SMTP_URL")
}

fn is_known(name: &str) -> bool {
    VARIABLES.iter().any(|variable| variable.name == name)
}

/// What to say of names that mean nothing here: each that is nearly one of ours was probably meant to be it, and the others
/// may be somebody else's, as a compose file's are.
fn strange_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let (mut warnings, mut others) = (Vec::new(), Vec::new());
    // `PGPASSWORD` and its like are read by the connection to PostgreSQL, and by PostgreSQL's own programs.
    for name in names.filter(|name| !is_known(name) && !name.starts_with("PG")) {
        match nearest(name) {
            Some(known) => warnings.push(format!(".env sets {name}, which is not known: did you mean {known}?")),
            None => others.push(name),
        }
    }
    if !others.is_empty() {
        warnings.push(format!(
            ".env sets {}, which Vestibule does not know: remove what nothing else reads",
            others.join(", ")
        ));
    }
    warnings
}

/// What to say of names in the environment, which is everybody's: of those alone that are one slip away from one of ours, and
/// long enough for that to be no chance.
fn misspelt<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const LONG: usize = 8;
    let is_meant = |name: &str, known: &str| known.len() >= LONG && strsim::osa_distance(name, known) == 1;
    let names = names.filter(|name| !is_known(name));
    let nearly = names.filter_map(|name| {
        let known = VARIABLES.iter().find(|variable| is_meant(name, variable.name))?;
        Some((name, known.name))
    });
    nearly
        .map(|(name, known)| format!("the environment sets {name}, which is not known: did you mean {known}?"))
        .collect()
}

/// The variable that somebody meant who wrote `name`, if a slip makes the one of the other.
fn nearest(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_uppercase();
    let distances = VARIABLES
        .iter()
        .map(|variable| (strsim::osa_distance(&name, variable.name), variable.name));
    let near = distances.filter(|(distance, known)| *distance <= (known.len() / 4).min(3));
    near.min().map(|(_, known)| known)
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
    use std::fs;

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

    #[test]
    fn a_missing_dot_env_is_no_mistake() {
        let directory = tempfile::tempdir().unwrap();
        assert!(read_dot_env_at(&directory.path().join(".env")).is_ok());
    }

    #[test]
    fn a_value_of_which_something_vanishes_is_told_by_its_line() {
        let told = |text: &str| vanished(text, |name| name == "HOME");
        for (line, said) in [
            ("SITE_NAME=Foo$bar", "$bar was replaced by nothing"),
            ("SITE_NAME=\"Foo $bar.\"", "$bar was replaced by nothing"),
            ("SITE_NAME=Foo${bar_baz}", "$bar_baz was replaced by nothing"),
            ("SITE_NAME=US$", "$ was replaced by nothing"),
            ("export SITE_NAME = 'a'$bar", "$bar was replaced by nothing"),
            ("SITE_ACCENT=#0b57d0", "write SITE_ACCENT='#…'"),
            ("SITE_ACCENT = #0b57d0", "what begins with # is a comment"),
            (
                "SMTP_URL=smtps://u:pa$hunter2@host",
                "what follows a $ was replaced by nothing",
            ),
            ("SECRET_KEY=#hunter2", "write SECRET_KEY='#…'"),
        ] {
            let name = name_in(line);
            let text = format!("# $x\nSITE_LOGO='two\nlines'\n\n# More\n{line}\nPORT=1\n");
            let warnings = told(&text);
            assert_eq!(warnings.len(), 1, "{line}: {warnings:?}");
            let place = format!(".env, line 6 ({name}): ");
            assert!(
                warnings[0].starts_with(&place) && warnings[0].contains(said),
                "{warnings:?}"
            );
            assert!(!warnings[0].contains("hunter2"), "{warnings:?}");
        }
        for line in [
            "SITE_NAME='Foo$bar'",
            "SITE_NAME=Foo\\$bar",
            "SITE_NAME=\"Foo\\$bar\"",
            "SITE_NAME=$HOME",
            "SITE_NAME=${HOME}/x",
            "SITE_NAME=Foo # costs $5",
            "SITE_ACCENT='#0b57d0'",
            "SITE_ACCENT= # blue",
            "SITE_ACCENT=",
            "SITE_NAME=No#1",
            "POSTGRES_PASSWORD=pa$x",
            "# SITE_NAME=$x",
        ] {
            assert_eq!(told(&format!("{line}\n")), Vec::<String>::new(), "{line}");
        }
        assert_eq!(told("HOST=a\nSITE_NAME=$HOST\n"), Vec::<String>::new());
    }

    #[test]
    fn a_name_in_the_environment_is_told_only_when_it_is_one_slip_from_ours() {
        let names = [
            "ALOWED_ORIGINS",
            "PUBLIC_URI",
            "HOSTS",
            "POST",
            "DATABASE_USER",
            "DATABASE_PORT",
            "PUBLIC_URL",
            "public_url",
            "PATH",
        ];
        let warnings = misspelt(names.into_iter());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].contains("ALOWED_ORIGINS") && warnings[0].ends_with("mean ALLOWED_ORIGINS?"));
        assert!(warnings[1].contains("PUBLIC_URI") && warnings[1].ends_with("mean PUBLIC_URL?"));
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
    fn a_name_that_is_nearly_known_is_told_with_the_one_that_was_meant() {
        for (name, meant) in [
            ("ALLOW_SIGNUPS", "ALLOW_SIGNUP"),
            ("TRUSTED_PROXY", "TRUSTED_PROXIES"),
            ("ALOWED_ORIGINS", "ALLOWED_ORIGINS"),
            ("port", "PORT"),
            ("PUBLIC_URI", "PUBLIC_URL"),
        ] {
            assert_eq!(nearest(name), Some(meant));
        }
        for name in [
            "POSTGRES_PASSWORD",
            "DEBUG",
            "PATH",
            "APP_NAME",
            "REFRESH_TOKEN_EXPIRE_MINUTES",
        ] {
            assert_eq!(nearest(name), None, "{name}");
        }
        let names = ["PORT", "POSTGRES_PASSWORD", "ALLOW_SIGNUPS", "PGPASSWORD", "DEBUG"];
        let warnings = strange_names(names.into_iter());
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].ends_with("did you mean ALLOW_SIGNUP?"), "{warnings:?}");
        assert!(warnings[1].contains("POSTGRES_PASSWORD, DEBUG"), "{warnings:?}");
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
