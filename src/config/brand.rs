//! What the operator puts in place of Vestibule's own look: a logo and a colour.

use std::{fmt, fs, path::Path, sync::Arc};

/// Every page loads it.
const MAX_LOGO_BYTES: u64 = 64 * 1024;

/// A picture that stands beside the site's name, and is its icon.
#[derive(Clone)]
pub struct Logo {
    /// Its media type.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Arc<[u8]>,
}

/// A kind of picture that browsers show.
#[derive(Clone, Copy)]
struct Kind {
    media_type: &'static str,
    name: &'static str,
    /// Whether a file begins as one of this kind does.
    is_it: fn(&[u8]) -> bool,
}

impl Kind {
    /// The kind that a file says that it is by its name.
    fn of(path: &str) -> Option<Self> {
        let extension = Path::new(path).extension().and_then(|extension| extension.to_str());
        let (media_type, name, is_it): (_, _, fn(&[u8]) -> bool) =
            match extension.map(str::to_ascii_lowercase).as_deref() {
                Some("svg") => ("image/svg+xml", "SVG", is_svg),
                Some("png") => ("image/png", "PNG", |bytes| bytes.starts_with(b"\x89PNG\r\n\x1a\n")),
                Some("webp") => ("image/webp", "WebP", |bytes| {
                    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP")
                }),
                Some("jpg" | "jpeg") => ("image/jpeg", "JPEG", |bytes| bytes.starts_with(b"\xff\xd8\xff")),
                _ => return None,
            };
        Some(Self {
            media_type,
            name,
            is_it,
        })
    }
}

/// Whether the first element of a text is an `svg`. What may stand before it in XML is skipped.
fn is_svg(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = if rest.starts_with("<?") {
            "?>"
        } else if rest.starts_with("<!--") {
            "-->"
        } else if rest.starts_with("<!DOCTYPE") {
            // With declarations of its own, as drawing programs write them, or without.
            let head = rest.split('>').next().unwrap_or_default();
            if head.contains('[') { "]>" } else { ">" }
        } else {
            return rest.starts_with("<svg");
        };
        match rest.split_once(end) {
            Some((_, after)) => rest = after.trim_start(),
            None => return false,
        }
    }
}

impl Logo {
    /// Reads the file at `path`. A file of another kind than its name says would be a broken picture on every page.
    pub(super) fn read(path: &str) -> Result<Self, String> {
        let kind =
            Kind::of(path).ok_or_else(|| format!("must name an .svg, .png, .webp or .jpg file, not {path:?}"))?;
        let cannot_read = |error| format!("cannot read {path:?}: {error}");
        let length = fs::metadata(path).map_err(cannot_read)?.len();
        if length > MAX_LOGO_BYTES {
            return Err(format!(
                "must be a file of at most {} KiB, as every page loads it; {path:?} has {}",
                MAX_LOGO_BYTES / 1024,
                length.div_ceil(1024)
            ));
        }
        let bytes = fs::read(path).map_err(cannot_read)?;
        if !(kind.is_it)(&bytes) {
            return Err(format!(
                "must be a picture of the kind that its name says: {path:?} holds no {}",
                kind.name
            ));
        }
        Ok(Self {
            media_type: kind.media_type,
            bytes: bytes.into(),
        })
    }
}

/// Without the picture.
impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({})", self.media_type)
    }
}

/// WCAG 2.2, success criterion 1.4.3.
const READABLE: f64 = 4.5;

/// A colour in sRGB. Displays as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    /// From 0 to 255.
    pub red: u8,
    /// From 0 to 255.
    pub green: u8,
    /// From 0 to 255.
    pub blue: u8,
}

impl Colour {
    const WHITE: Self = Self::new(0xff, 0xff, 0xff);
    const BLACK: Self = Self::new(0, 0, 0);

    /// The colour of these parts.
    #[must_use]
    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Reads `#rrggbb` or `#rgb`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let refuse = || format!("must be a colour such as #0b57d0, not {text:?}");
        let digits = text.strip_prefix('#').ok_or_else(refuse)?;
        let digits: Option<Vec<u8>> = digits
            .chars()
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect();
        match digits.as_deref() {
            Some([r, g, b]) => Ok(Self::new(r * 17, g * 17, b * 17)),
            Some([r1, r2, g1, g2, b1, b2]) => Ok(Self::new(r1 * 16 + r2, g1 * 16 + g2, b1 * 16 + b2)),
            _ => Err(refuse()),
        }
    }

    /// This colour, or one as near to it as can be read on `ground`.
    pub(crate) fn readable_on(self, ground: Self) -> Self {
        let end = ground.ink();
        let steps = (0..=20).map(|step| self.mix(end, f64::from(step) / 20.0));
        steps
            .into_iter()
            .find(|it| it.contrast(ground) >= READABLE)
            .unwrap_or(end)
    }

    /// Black or white, whichever is better to read on this colour.
    pub(crate) fn ink(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) {
            Self::WHITE
        } else {
            Self::BLACK
        }
    }

    /// From 1 to 21, as WCAG 2.2 defines it.
    fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance(), other.luminance());
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    /// Relative luminance, as WCAG 2.2 defines it.
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.040_45 {
                share / 12.92
            } else {
                ((share + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    fn mix(self, end: Self, share: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between two bytes lies a byte"
        )]
        let channel = |from: u8, to: u8| (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8;
        Self::new(
            channel(self.red, end.red),
            channel(self.green, end.green),
            channel(self.blue, end.blue),
        )
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        assert!((Colour::BLACK.contrast(Colour::WHITE) - 21.0).abs() < 0.01);
        assert!((Colour::new(0x77, 0x77, 0x77).contrast(Colour::WHITE) - 4.48).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn whatever_is_configured_can_be_read_on_anything_and_written_on(accent: [u8; 3], ground: [u8; 3]) {
            let [accent, ground] = [accent, ground].map(|[red, green, blue]| Colour::new(red, green, blue));
            let colour = accent.readable_on(ground);
            prop_assert!(colour.contrast(ground) >= READABLE);
            prop_assert!(colour.contrast(colour.ink()) >= READABLE);
        }
    }

    #[test]
    fn a_colour_is_written_in_three_or_six_digits() {
        assert_eq!(Colour::parse("#0b57D0").unwrap().to_string(), "#0b57d0");
        assert_eq!(Colour::parse("#f80").unwrap().to_string(), "#ff8800");
        for text in [
            "",
            "#",
            "0b57d0",
            "#0b57d",
            "#0b57d0ff",
            "#é57d0",
            "red",
            "#0b57dg",
            "#fff;}",
        ] {
            assert!(Colour::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_logo_is_a_small_picture() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("logo.SVG"), "<svg/>").unwrap();
        fs::write(path("logo.exe"), "MZ").unwrap();
        fs::write(path("large.png"), vec![0; 65 * 1024]).unwrap();
        assert_eq!(Logo::read(&path("logo.SVG")).unwrap().media_type, "image/svg+xml");
        assert!(Logo::read(&path("logo.exe")).unwrap_err().contains(".svg"));
        assert!(Logo::read(&path("large.png")).unwrap_err().contains("64 KiB"));
        assert!(Logo::read(&path("none.png")).unwrap_err().contains("cannot read"));
    }

    #[test]
    fn a_logo_is_of_the_kind_that_its_name_says() {
        const DRAWN: &str = "\u{feff}<?xml version=\"1.0\"?>\n<!-- <svg> -->\n<!DOCTYPE svg PUBLIC \"x\" \"y\" [\n\
                             <!ENTITY ns \"z\">\n]>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>";
        let directory = tempfile::tempdir().unwrap();
        let read = |name: &str, content: &[u8]| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            Logo::read(path.to_str().unwrap())
        };
        let pictures: [(&str, &[u8]); 6] = [
            ("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
            ("a.webp", b"RIFF\x24\0\0\0WEBPVP8 "),
            ("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF"),
            ("a.jpeg", b"\xff\xd8\xff\xdb"),
            ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'></svg>"),
            ("b.svg", DRAWN.as_bytes()),
        ];
        for (name, content) in pictures {
            assert!(read(name, content).is_ok(), "{name}");
        }
        for (name, _) in pictures {
            for (other, content) in pictures {
                let same = name.rsplit('.').next().unwrap()[..1] == other.rsplit('.').next().unwrap()[..1];
                assert_eq!(read(name, content).is_ok(), same, "{other} called {name}");
            }
            for content in [
                &b""[..],
                b"MZ",
                b"<html><svg></svg></html>",
                b"<!DOCTYPE",
                b"<?xml",
                b"RIFF",
                b"\xff",
            ] {
                let refused = read(name, content).unwrap_err();
                assert!(refused.contains("kind that its name says"), "{name}: {refused}");
            }
        }
    }
}
