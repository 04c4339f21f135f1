//! The site's own colour, made readable on light and on dark.

use crate::config::Colour;

/// WCAG 2.2, success criterion 1.4.3.
const READABLE: f64 = 4.5;

/// What lies under links and buttons: the darkest of the light surfaces, and the lightest of the dark.
const LIGHT: Colour = Colour::new(0xe7, 0xec, 0xed);
const DARK: Colour = Colour::new(0x1e, 0x2a, 0x2e);

const WHITE: Colour = Colour::new(0xff, 0xff, 0xff);
const BLACK: Colour = Colour::new(0, 0, 0);

/// The rule that gives the style sheet its brand: the accent as near to what was configured as can be read.
pub(super) fn rule(accent: Colour) -> String {
    let light = readable(accent, LIGHT, BLACK);
    let dark = readable(accent, DARK, WHITE);
    format!(
        "\n:root{{--brand-light:{light};--on-brand-light:{};--brand-dark:{dark};--on-brand-dark:{}}}\n",
        ink(light),
        ink(dark)
    )
}

/// `colour`, moved towards `end` until it can be read on `ground`.
fn readable(colour: Colour, ground: Colour, end: Colour) -> Colour {
    let steps = (0..=20).map(|step| mix(colour, end, f64::from(step) / 20.0));
    steps
        .into_iter()
        .find(|it| contrast(*it, ground) >= READABLE)
        .unwrap_or(end)
}

/// The text on a button of this colour.
fn ink(button: Colour) -> Colour {
    if contrast(button, WHITE) >= contrast(button, BLACK) {
        WHITE
    } else {
        BLACK
    }
}

fn mix(from: Colour, to: Colour, share: f64) -> Colour {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two bytes lies a byte"
    )]
    let channel = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8;
    Colour::new(
        channel(from.red, to.red),
        channel(from.green, to.green),
        channel(from.blue, to.blue),
    )
}

/// From 1 to 21, as WCAG 2.2 defines it.
fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// Relative luminance, as WCAG 2.2 defines it.
fn luminance(colour: Colour) -> f64 {
    let linear = |channel: u8| {
        let share = f64::from(channel) / 255.0;
        if share <= 0.040_45 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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
    fn contrast_is_that_of_wcag() {
        assert!((contrast(BLACK, WHITE) - 21.0).abs() < 0.01);
        assert!((contrast(Colour::new(0x77, 0x77, 0x77), WHITE) - 4.48).abs() < 0.01);
    }

    #[test]
    fn a_colour_that_can_be_read_stays_as_it_is() {
        let rule = rule(Colour::new(0x0b, 0x57, 0xd0));
        assert!(
            rule.contains("--brand-light:#0b57d0;--on-brand-light:#ffffff"),
            "{rule}"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_configured_links_and_buttons_can_be_read(red: u8, green: u8, blue: u8) {
            let accent = Colour::new(red, green, blue);
            for (ground, end) in [(LIGHT, BLACK), (DARK, WHITE)] {
                let colour = readable(accent, ground, end);
                prop_assert!(contrast(colour, ground) >= READABLE);
                prop_assert!(contrast(colour, ink(colour)) >= READABLE);
            }
        }
    }
}
