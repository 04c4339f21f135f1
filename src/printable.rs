//! What text of strangers may hold to be shown as it is: on a page, in a letter, on a terminal.

use std::fmt::{self, Write as _};

use icu_properties::{
    CodePointSetData,
    props::{BidiControl, DefaultIgnorableCodePoint},
};

/// Controls, and what reorders the text around it, breaks its line or is not seen at all, by Unicode's own account
/// (`Bidi_Control`, `Default_Ignorable_Code_Point`): two texts that differ in these alone look alike (CVE-2021-42574).
pub(crate) fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}')
        || CodePointSetData::new::<BidiControl>().contains(char)
        || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(char)
}

/// The same of what people write in their own script. Persian, Indic scripts and emoji need the two joiners, and emoji,
/// Mongolian and names in Han characters the selectors of a character's form.
pub(crate) fn is_unprintable_in_prose(char: char) -> bool {
    let is_joiner = matches!(char, '\u{200C}' | '\u{200D}');
    let selects_form = matches!(
        char,
        '\u{180B}'..='\u{180D}' | '\u{180F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}'
    );
    is_unprintable(char) && !is_joiner && !selects_form
}

/// Shows text of others in one line, with escapes for what a terminal would obey or not show.
#[derive(Clone, Copy, Debug)]
pub struct OneLine<T>(pub T);

/// As [`OneLine`], but its lines stay.
#[derive(Clone, Copy, Debug)]
pub struct Lines<T>(pub T);

impl<T: fmt::Display> fmt::Display for OneLine<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { f, keeps_lines: false }, "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Display for Lines<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { f, keeps_lines: true }, "{}", self.0)
    }
}

struct Escaping<'a, 'f> {
    f: &'a mut fmt::Formatter<'f>,
    keeps_lines: bool,
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|char| {
            if is_unprintable_in_prose(char) && !(char == '\n' && self.keeps_lines) {
                write!(self.f, "{}", char.escape_default())
            } else {
                self.f.write_char(char)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_or_reorders_is_unprintable() {
        for char in [
            '\0',
            '\u{1b}',
            '\u{9b}',
            '\u{AD}',
            '\u{34F}',
            '\u{61C}',
            '\u{115F}',
            '\u{17B4}',
            '\u{180E}',
            '\u{200B}',
            '\u{200E}',
            '\u{2028}',
            '\u{202E}',
            '\u{2060}',
            '\u{2066}',
            '\u{3164}',
            '\u{FEFF}',
            '\u{FFA0}',
            '\u{E0041}',
        ] {
            assert!(is_unprintable(char) && is_unprintable_in_prose(char), "{char:?}");
        }
        for char in ['\u{200C}', '\u{200D}', '\u{FE0F}', '\u{E0100}', '\u{180B}'] {
            assert!(is_unprintable(char) && !is_unprintable_in_prose(char), "{char:?}");
        }
        for char in ['a', ' ', 'é', 'ß', 'ا', '한', '名', '👩', '\u{301}', '\u{A0}'] {
            assert!(!is_unprintable(char), "{char:?}");
        }
    }

    #[test]
    fn a_terminal_is_told_nothing_by_text_of_others() {
        let text = "a\u{1b}[2J\u{9b}1m\r\nb\u{202E} é 👩\u{200D}🚀";
        assert_eq!(
            OneLine(text).to_string(),
            "a\\u{1b}[2J\\u{9b}1m\\r\\nb\\u{202e} é 👩\u{200D}🚀"
        );
        assert_eq!(
            Lines(text).to_string(),
            "a\\u{1b}[2J\\u{9b}1m\\r\nb\\u{202e} é 👩\u{200D}🚀"
        );
    }
}
