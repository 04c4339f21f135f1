//! The site's own colour, made readable on light and on dark.

use crate::config::Colour;

/// What lies under links and buttons: the darkest of the light surfaces, and the lightest of the dark.
const LIGHT: Colour = Colour::new(0xe7, 0xec, 0xed);
const DARK: Colour = Colour::new(0x1e, 0x2a, 0x2e);

/// The rule that gives the style sheet its brand: the accent as near to what was configured as can be read.
pub(super) fn rule(accent: Colour) -> String {
    let (light, dark) = (accent.readable_on(LIGHT), accent.readable_on(DARK));
    format!(
        "\n:root{{--brand-light:{light};--on-brand-light:{};--brand-dark:{dark};--on-brand-dark:{}}}\n",
        light.ink(),
        dark.ink()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surfaces_are_those_of_the_sheet() {
        let sheet = crate::web::pages::assets::STYLE;
        for surface in [format!("--frame: {LIGHT};"), format!("--hover: {DARK};")] {
            assert!(sheet.contains(&surface), "{surface}");
        }
        for (_, page) in crate::web::pages::shell::THEME_COLOURS {
            assert!(sheet.contains(&format!("--page: {page};")), "{page}");
        }
    }

    #[test]
    fn a_colour_that_can_be_read_stays_as_it_is() {
        let rule = rule(Colour::new(0x0b, 0x57, 0xd0));
        assert!(
            rule.contains("--brand-light:#0b57d0;--on-brand-light:#ffffff"),
            "{rule}"
        );
    }
}
