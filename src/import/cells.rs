//! What stands in a cell, and what it can be read as.

use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::clock::Timestamp;

/// What a row says in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// Nothing, not even that there is nothing: a JSON object without the key.
    Missing,
    /// Nothing: NULL, or no text.
    Empty,
    /// This.
    Text(String),
}

impl Cell {
    pub(super) fn of(text: String) -> Self {
        if text.trim().is_empty() {
            Self::Empty
        } else {
            Self::Text(text)
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()),
            Self::Missing | Self::Empty => None,
        }
    }

    /// Yes or no, as databases, Python and JavaScript write it; `None` where nothing is said. Nothing is no, as it is to
    /// the applications in Python that read the same column; and a time is when it became yes.
    pub(super) fn truth(&self) -> Result<Option<bool>, ()> {
        let text = match self {
            Self::Missing => return Ok(None),
            Self::Empty => return Ok(Some(false)),
            Self::Text(text) => text.trim(),
        };
        match text.to_ascii_lowercase().as_str() {
            "1" | "1.0" | "t" | "true" | "y" | "yes" | "on" => Ok(Some(true)),
            "0" | "0.0" | "f" | "false" | "n" | "no" | "off" => Ok(Some(false)),
            text if moment(text).is_some() => Ok(Some(true)),
            _ => Err(()),
        }
    }

    pub(super) fn moment(&self) -> Option<Timestamp> {
        moment(self.text()?)
    }

    /// The names in a list: with commas between them, or as JSON and PostgreSQL's arrays have it.
    pub(super) fn names(&self) -> impl Iterator<Item = String> {
        let text = self.text().unwrap_or_default();
        let names = text.trim_matches(|char| "[]{}".contains(char)).split(',');
        names
            .map(|name| name.trim_matches(|char: char| char.is_whitespace() || "\"'".contains(char)))
            .filter(|name| !name.is_empty())
            .map(str::to_lowercase)
    }
}

/// Unix seconds, or thousandths of them, or a date with a time as SQL or RFC 3339 writes it; in UTC unless it says
/// otherwise.
fn moment(text: &str) -> Option<Timestamp> {
    /// 9 September 2001, and, taken as thousandths, the year 33658.
    const SECONDS: std::ops::Range<i64> = 1_000_000_000..1_000_000_000_000;
    /// The years 0000 to 9999.
    const WRITABLE: std::ops::Range<i64> = -62_167_219_200..253_402_300_800;
    if let Ok(number) = text.parse::<i64>() {
        let seconds = if SECONDS.contains(&number) {
            number
        } else {
            number / 1000
        };
        return SECONDS
            .contains(&seconds)
            .then(|| Timestamp::from_unix_seconds(seconds));
    }
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00"));
    let (time, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(start) => time.split_at(start),
        None => (time, "Z"),
    };
    let offset = match offset.len() {
        // `+01`, as PostgreSQL writes it, and `+0100`.
        3 => format!("{offset}:00"),
        5 if !offset.contains(':') && offset.is_char_boundary(3) => format!("{}:{}", &offset[..3], &offset[3..]),
        _ => offset.to_owned(),
    };
    let seconds = if time.matches(':').count() == 1 { ":00" } else { "" };
    let moment = OffsetDateTime::parse(&format!("{date}T{}{seconds}{offset}", time.trim()), &Rfc3339).ok()?;
    // Shifted to UTC, the first and the last of them fall out of the years that RFC 3339 can write.
    let seconds = moment.unix_timestamp();
    WRITABLE
        .contains(&seconds)
        .then(|| Timestamp::from_unix_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cell(text: &str) -> Cell {
        Cell::of(text.to_owned())
    }

    #[test]
    fn yes_and_no_are_read_as_databases_and_languages_write_them() {
        for yes in ["1", "t", "true", "True", "TRUE", "yes", " on ", "2024-05-01 10:00:00"] {
            assert_eq!(cell(yes).truth(), Ok(Some(true)), "{yes}");
        }
        for no in ["0", "f", "false", "False", "no", "", "  "] {
            assert_eq!(cell(no).truth(), Ok(Some(false)), "{no}");
        }
        assert_eq!(Cell::Missing.truth(), Ok(None));
        for other in ["maybe", "2", "-1", "nope"] {
            assert_eq!(cell(other).truth(), Err(()), "{other}");
        }
    }

    #[test]
    fn times_are_read_as_databases_and_languages_write_them() {
        let expected = Timestamp::from_unix_seconds(1_714_557_600);
        for text in [
            "2024-05-01T10:00:00Z",
            "2024-05-01 10:00:00",
            "2024-05-01 10:00:00.123456",
            "2024-05-01 10:00:00+00",
            "2024-05-01 10:00:00.5+00:00",
            "2024-05-01T12:00:00+0200",
            "2024-05-01 05:00:00-05",
            "2024-05-01 10:00",
            "1714557600",
            "1714557600123",
        ] {
            assert_eq!(cell(text).moment(), Some(expected), "{text}");
        }
        assert_eq!(
            cell("2024-05-01").moment(),
            Some(Timestamp::from_unix_seconds(1_714_521_600))
        );
        for (text, shown) in [
            ("0001-01-01", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(cell(text).moment().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "yesterday",
            "2024-13-01",
            "17",
            "99999999999999999999",
            "2024-05-01 25:00:00",
            "0000-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
        ] {
            assert_eq!(cell(text).moment(), None, "{text}");
        }
    }

    #[test]
    fn lists_of_names_are_read_from_every_notation() {
        for text in [
            "Admin, editor",
            r#"["admin","editor"]"#,
            "{admin,editor}",
            r#"{"admin","editor"}"#,
            "['admin', 'editor']",
        ] {
            assert_eq!(cell(text).names().collect::<Vec<_>>(), ["admin", "editor"], "{text}");
        }
        assert_eq!(cell("").names().count(), 0);
    }

    proptest! {
        #[test]
        fn no_text_makes_a_reader_panic(text in ".*") {
            let cell = cell(&text);
            let _ = (cell.truth(), cell.moment(), cell.names().count());
        }

        #[test]
        fn nothing_that_is_nearly_a_time_makes_a_reader_panic(text in "[0-9Tz:+. é-]{0,30}") {
            let _ = cell(&text).moment();
        }
    }
}
