//! Names that mean nothing here, though their writer meant something.

use crate::config::settings::{VARIABLES, is_known};

/// What to say of names that mean nothing here: each that is nearly one of ours was probably meant to be it, and the others
/// may be somebody else's, as a compose file's are.
pub(super) fn strange_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
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
pub(super) fn misspelt<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
