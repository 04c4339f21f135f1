//! Values that are not what their writer sees.

use super::{
    lines::{is_passed_over, last_lines, name_in},
    may_hold_secret,
};
use crate::config::settings::is_known;

/// What to say of values that are not what their writer sees: a `#` begins a comment, and a `$` the name of a variable, whose
/// value takes its place. `is_set` tells which of these the environment has.
pub(super) fn what_vanished(text: &str, is_set: impl Fn(&str) -> bool) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_which_something_vanishes_is_told_by_its_line() {
        let told = |text: &str| what_vanished(text, |name| name == "HOME");
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
}
