//! The database's address in all the spellings that applications have for it.

use std::{fmt, path::PathBuf};

use url::Url;

const FORMS: &str = "it must be sqlite:path or postgres://user:password@host/name";

/// What the PostgreSQL driver understands after the `?`, beside `options[…]`.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

const SSL_MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

/// Where the data is.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The path of a SQLite file, as it is: nothing in it is percent-encoded.
    Sqlite(PathBuf),
    /// A `postgres://` URL, which may hold a password.
    Postgres(String),
}

impl DatabaseUrl {
    /// Reads a URL. No message repeats any of the text: one that is not understood may have its password anywhere.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().any(char::is_control) {
            return Err(format!("holds control characters; {FORMS}"));
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| format!("has no scheme; {FORMS}"))?;
        // SQLAlchemy names the Python driver behind a plus sign, which means nothing here.
        let scheme = scheme.split('+').next().unwrap_or_default().to_ascii_lowercase();
        match scheme.as_str() {
            "sqlite" => parse_sqlite(rest).map(Self::Sqlite),
            "postgres" | "postgresql" => parse_postgres(rest).map(Self::Postgres),
            _ => Err(format!("names another kind of database; {FORMS}")),
        }
    }
}

/// Neither user nor password, nor the parameters, which may hold them too.
impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(url) => {
                let Ok(url) = Url::parse(url) else {
                    return f.write_str("Postgres(redacted)");
                };
                let host = url.host_str().unwrap_or_default();
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "Postgres(postgres://(redacted)@{host}{port}{})", url.path())
            }
        }
    }
}

/// What follows `sqlite:`. After `//` stands, as in `SQLAlchemy`, a host that is always empty and a slash; so three
/// slashes begin a relative path, four an absolute one. `sqlite://path`, as other libraries have it, is relative.
fn parse_sqlite(rest: &str) -> Result<PathBuf, String> {
    let path = match rest.strip_prefix("//") {
        Some(after_slashes) => after_slashes.strip_prefix('/').unwrap_or(after_slashes),
        None => rest,
    };
    // Nothing would survive a restart, and each connection would see an empty database of its own.
    if matches!(path, "" | ":memory:") || path.contains("mode=memory") || path.starts_with("file:") {
        return Err("must name a file, such as sqlite:data/vestibule.db: data in memory would be lost".to_owned());
    }
    if path.contains('?') {
        return Err("has parameters after `?`: with SQLite it must be the path alone".to_owned());
    }
    if path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..") || matches!(path, "." | "..") {
        return Err("names a directory: add the file's name, such as sqlite:data/vestibule.db".to_owned());
    }
    Ok(PathBuf::from(path))
}

/// What follows `postgres:`.
fn parse_postgres(rest: &str) -> Result<String, String> {
    let encode = "special characters of the password must be percent-encoded, `#` as %23";
    if !rest.starts_with("//") {
        return Err(format!("lacks the `//` after its scheme; {FORMS}"));
    }
    let text = format!("postgres:{rest}");
    let url = Url::parse(&text).map_err(|_| format!("is not a URL; {encode}"))?;
    if url.fragment().is_some() {
        return Err(format!("has a fragment; {encode}"));
    }
    // The first slash of a password has ended the host: what is left of it would be told as the name of the database.
    if url.path().contains('@') {
        return Err(format!("has an `@` after its host; {encode}, `/` as %2F"));
    }
    for (name, value) in url.query_pairs() {
        check_parameter(&name, &value)?;
    }
    Ok(text)
}

/// The driver ignores what it does not know, and would thus connect without the encryption that asyncpg's
/// `ssl=require` asks for.
fn check_parameter(name: &str, value: &str) -> Result<(), String> {
    let is_option = name.starts_with("options[") && name.ends_with(']');
    if !is_option && !PARAMETERS.contains(&name) {
        return Err(format!(
            "has a parameter after `?` that is not known; it may be one of {} (`ssl=require` is sslmode=require here)",
            PARAMETERS.join(", ")
        ));
    }
    if matches!(name, "sslmode" | "ssl-mode") && !SSL_MODES.contains(&value.to_ascii_lowercase().as_str()) {
        return Err(format!("has an sslmode that is not one of {}", SSL_MODES.join(", ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_sqlite_file_names_it() {
        for (text, path) in [
            ("sqlite:auth.db", "auth.db"),
            ("sqlite:./data/auth.db", "./data/auth.db"),
            ("sqlite:/srv/auth.db", "/srv/auth.db"),
            ("sqlite://auth.db", "auth.db"),
            ("sqlite:///auth.db", "auth.db"),
            ("sqlite:///./auth.db", "./auth.db"),
            ("sqlite:////srv/auth.db", "/srv/auth.db"),
            ("sqlite+aiosqlite:///./auth.db", "./auth.db"),
            ("sqlite+pysqlite:////srv/auth.db", "/srv/auth.db"),
            ("SQLite:///a b%20c#d.db", "a b%20c#d.db"),
        ] {
            assert_eq!(DatabaseUrl::parse(text), Ok(DatabaseUrl::Sqlite(path.into())), "{text}");
        }
    }

    #[test]
    fn a_database_in_memory_is_refused_with_the_reason() {
        for text in [
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite+aiosqlite://",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite:///:memory:",
            "sqlite:auth.db?mode=memory",
            "sqlite:file::memory:?cache=shared",
        ] {
            assert!(
                DatabaseUrl::parse(text).unwrap_err().contains("would be lost"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_sqlite_path_has_no_parameters_and_is_no_directory() {
        assert!(
            DatabaseUrl::parse("sqlite:///./auth.db?check_same_thread=False")
                .unwrap_err()
                .contains("parameters")
        );
        for text in ["sqlite:data/", "sqlite:///./", "sqlite:.", "sqlite:///data/.."] {
            assert!(DatabaseUrl::parse(text).unwrap_err().contains("directory"), "{text}");
        }
    }

    #[test]
    fn every_spelling_of_a_postgres_database_becomes_one() {
        for scheme in [
            "postgres",
            "postgresql",
            "postgresql+asyncpg",
            "postgresql+psycopg2",
            "POSTGRES",
        ] {
            assert_eq!(
                DatabaseUrl::parse(&format!("{scheme}://u:p%40ss@db:5433/auth?sslmode=verify-full")),
                Ok(DatabaseUrl::Postgres(
                    "postgres://u:p%40ss@db:5433/auth?sslmode=verify-full".to_owned()
                ))
            );
        }
        for text in [
            "postgres:///auth?host=/var/run/postgresql",
            "postgres://u@%2Fvar%2Frun/auth?options[a]=b",
        ] {
            assert!(DatabaseUrl::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_no_database_of_ours_is_refused_without_repeating_it() {
        for text in [
            "hunter2",
            "hunter2.db",
            "mysql://u:hunter2@db/auth",
            "postgres:u:hunter2@db/auth",
            "postgres://u:hunter2#@db/auth",
            "postgres://u:hunter2/@db/auth",
            "postgres://u:12/hunter2@db/auth",
            "postgres://u:12?hunter2@db/auth",
            "postgres://u:p@db/auth?sslmode=hunter2",
            "postgres://u:p@db/auth?ssl=require&sslpassword=hunter2",
            "postgres://u:hunter2\n@db/auth",
            "sqlite:hunter2\0.db",
        ] {
            let message = DatabaseUrl::parse(text).unwrap_err();
            assert!(!message.contains("hunter2"), "{message}");
        }
    }

    #[test]
    fn a_postgres_url_is_printed_without_its_secrets() {
        let url = DatabaseUrl::parse("postgres://alice:hunter2@db:5433/auth?password=hunter3").unwrap();
        let printed = format!("{url:?} {url:#?}");
        assert!(printed.contains("db:5433/auth"), "{printed}");
        assert!(!printed.contains("alice") && !printed.contains("hunter"), "{printed}");
    }

    proptest! {
        #[test]
        fn any_text_is_a_database_or_a_mistake_and_either_can_be_printed(
            text in "(sqlite|postgres|postgresql\\+asyncpg)?(:/{0,5})?\\PC{0,40}"
        ) {
            match DatabaseUrl::parse(&text) {
                Ok(DatabaseUrl::Sqlite(path)) => prop_assert!(path.file_name().is_some()),
                Ok(url) => {
                    let printed = format!("{url:?}");
                    prop_assert!(printed.contains("redacted"));
                }
                Err(message) => prop_assert!(!message.is_empty()),
            }
        }
    }
}
