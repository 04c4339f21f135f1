//! Errors as people read them.

use std::error::Error;

/// The error with its causes; a cause that the text before it has quoted is not told again.
#[must_use]
pub fn in_one_line(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !told.ends_with(&words) {
            told = format!("{told}: {words}");
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let refused = anyhow::anyhow!("Connection refused")
            .context("cannot talk: Connection refused")
            .context("cannot open");
        let told = in_one_line(refused.as_ref());
        assert_eq!(told, "cannot open: cannot talk: Connection refused");
    }
}
