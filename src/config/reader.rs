//! Reads variables one by one and remembers every mistake.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    ops::RangeInclusive,
    str::FromStr,
};

use zeroize::Zeroizing;

use super::{
    errors::{ConfigError, ConfigErrors},
    secret::Secret,
    settings::{Settings, VARIABLES},
};

/// A file that is longer than this holds no secret; it is more likely a device without an end.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// In place of a value that could not be read: the mistake has been noted.
///
/// Whatever depends on that value passes this on instead of complaining about a consequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported;

/// Settings, and the mistakes found in them so far.
#[derive(Debug)]
pub(super) struct Reader {
    settings: Settings,
    mistakes: Vec<ConfigError>,
}

impl Reader {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            mistakes: Vec::new(),
        }
    }

    /// Notes that `variable` is wrong.
    pub(super) fn report(&mut self, variable: &'static str, message: impl Into<String>) -> Reported {
        self.mistakes.push(ConfigError {
            variable,
            message: message.into(),
        });
        Reported
    }

    /// `value`, if nothing was wrong at all.
    pub(super) fn finish<T>(mut self, value: Result<T, Reported>) -> Result<T, ConfigErrors> {
        match value {
            Ok(value) if self.mistakes.is_empty() => Ok(value),
            _ => {
                self.mistakes
                    .sort_by_key(|mistake| VARIABLES.iter().position(|known| known.name == mistake.variable));
                Err(ConfigErrors(self.mistakes))
            }
        }
    }

    pub(super) fn is_set(&self, name: &str) -> bool {
        self.settings.get(name).is_some()
    }

    /// The variable as `parse` understands it, or `None` if it is not set.
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Reported> {
        let parsed = self.settings.get(name).map(|text| parse(text.trim())).transpose();
        parsed.map_err(|message| self.report(name, message))
    }

    /// The variable as `parse` understands it, or `default` if it is not set. After a mistake the default stands in, so
    /// that reading goes on: nothing comes of it in the end.
    pub(super) fn with_default<T>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        self.optional(name, parse).ok().flatten().unwrap_or(default)
    }

    /// A whole number within `range`.
    pub(super) fn number<T: FromStr + PartialOrd + fmt::Display>(
        &mut self,
        name: &'static str,
        default: T,
        range: RangeInclusive<T>,
    ) -> T {
        self.with_default(name, default, |text| {
            text.parse()
                .ok()
                .filter(|number| range.contains(number))
                .ok_or_else(|| {
                    format!(
                        "must be a whole number from {} to {}, not {text:?}",
                        range.start(),
                        range.end()
                    )
                })
        })
    }

    /// Yes or no, in the spellings of compose files and of pydantic.
    pub(super) fn switch(&mut self, name: &'static str, default: bool) -> bool {
        self.with_default(name, default, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(format!("must be true or false, not {text:?}")),
        })
    }

    /// A secret from the variable, or from the file that `file_variable` names.
    pub(super) fn secret(
        &mut self,
        name: &'static str,
        file_variable: &'static str,
    ) -> Result<Option<Secret>, Reported> {
        let (variable, secret) = match (self.settings.get(name), self.settings.get(file_variable)) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(self.report(file_variable, format!("and {name} are both set: unset one"))),
            (Some(text), None) => (name, Ok(Secret::new(text.to_owned()))),
            (None, Some(path)) => {
                let path = path.trim();
                (
                    file_variable,
                    read_secret_file(path).map_err(|reason| format!("names {path}, which {reason}")),
                )
            }
        };
        match secret {
            Ok(secret) if secret.expose().chars().any(char::is_control) => {
                Err(self.report(variable, "must hold one line of text, without control characters"))
            }
            Ok(secret) => Ok(Some(secret)),
            Err(message) => Err(self.report(variable, message)),
        }
    }
}

/// The file's text without the line break that editors and `echo` put at its end.
fn read_secret_file(path: &str) -> Result<Secret, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error: io::Error| format!("cannot be read: {error}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(format!("is longer than {MAX_FILE_BYTES} bytes"));
    }
    let text = str::from_utf8(&bytes).map_err(|_| "is not text: encode the secret as base64")?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    Ok(Secret::new(text.to_owned()))
}
