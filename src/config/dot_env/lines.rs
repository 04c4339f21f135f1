//! Which lines of the file set what, as far as `dotenvy` can read them.

use crate::config::settings::is_known;

/// Where the first line is that cannot be read, and which variable it sets if that is one of ours: whatever else stands
/// there may be a part of a secret.
pub(super) fn broken_line(text: &str) -> String {
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
pub(super) fn last_lines(text: &str) -> Vec<usize> {
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
pub(super) fn is_passed_over(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// What a line sets, or seems to set.
pub(super) fn name_in(line: &str) -> &str {
    let name = line.split('=').next().unwrap_or_default().trim();
    name.strip_prefix("export").unwrap_or(name).trim()
}
