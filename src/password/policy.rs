//! Which passwords are too weak: by length and by how soon they would be guessed. No rules of composition, which make
//! passwords harder to remember and no harder to guess (NIST SP 800-63B, section 3.1.1.2).

use zxcvbn::{Score, zxcvbn};

use super::Password;

/// What a new password has to be.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The least length, in characters.
    pub min_length: usize,
    /// The least score, from 0 (anything goes) to 4, as zxcvbn counts.
    pub min_score: u8,
    /// A word that every attacker of this site will try.
    pub site_name: String,
}

/// How well a password does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// From 0, guessed at once, to 4, not to be guessed. 3 takes more than 10^8 guesses.
    pub score: u8,
    /// Whether it may be chosen.
    pub accepted: bool,
    /// Why not. Empty if it may.
    pub reasons: Vec<Weakness>,
}

/// Why a password is refused. Its text is for the person who chose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Weakness {
    /// It has too few characters.
    #[error("Use at least {min} characters.")]
    TooShort {
        /// How many it takes.
        min: usize,
    },
    /// It has too many characters.
    #[error("Use at most {max} characters.")]
    TooLong {
        /// How many it may have.
        max: usize,
    },
    /// It would be among the first hundred million guesses.
    #[error(
        "This password is easy to guess. Avoid common passwords, names, dates and keyboard patterns; \
         a few unrelated words make a good one."
    )]
    Guessable,
}

impl Weakness {
    /// A stable name for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort { .. } => "password_too_short",
            Self::TooLong { .. } => "password_too_long",
            Self::Guessable => "password_guessable",
        }
    }
}

impl Policy {
    /// The greatest length, in characters. Passwords that were imported may be longer.
    pub const MAX_LENGTH: usize = 128;

    /// Judges a password; `words` are the user's own, such as name and email address, whole: their parts count too.
    ///
    /// Takes a few milliseconds at most, whatever it is given.
    #[must_use]
    pub fn strength(&self, password: &Password, words: &[&str]) -> Strength {
        let score = self.score(password, words);
        let reasons = self.weaknesses(password, score);
        Strength {
            score,
            accepted: reasons.is_empty(),
            reasons,
        }
    }

    fn score(&self, password: &Password, words: &[&str]) -> u8 {
        let words = parts([self.site_name.as_str()].into_iter().chain(words.iter().copied()));
        // A score beyond those this knows of is a stronger one.
        match zxcvbn(judged_part(password.expose()), &words).score() {
            Score::Zero => 0,
            Score::One => 1,
            Score::Two => 2,
            Score::Three => 3,
            _ => 4,
        }
    }

    fn weaknesses(&self, password: &Password, score: u8) -> Vec<Weakness> {
        let (min, max) = (self.min_length, Self::MAX_LENGTH);
        let characters = password.characters();
        [
            (characters < min).then_some(Weakness::TooShort { min }),
            (characters > max).then_some(Weakness::TooLong { max }),
            (score < self.min_score).then_some(Weakness::Guessable),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A password is made of `alice.jones`, `alice` or `example` rather than of the whole of `alice.jones@example.com`.
/// Bounded, since a name is as long as its owner likes.
fn parts<'a>(words: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    words
        .flat_map(|word| {
            let sides = word.split('@');
            let pieces = word.split(|c: char| !c.is_alphanumeric());
            std::iter::once(word).chain(sides).chain(pieces)
        })
        .filter(|part| (3..=MAX_JUDGED).contains(&part.len()))
        .take(32)
        .collect()
}

/// How many characters are judged: zxcvbn looks up every substring, so that its time grows with the square. Leaving the
/// rest out can only make a password seem weaker, and 72 characters that are guessable are not saved by more.
const MAX_JUDGED: usize = 72;

/// The characters that zxcvbn also reads as a letter, by letter, for every letter that has more than one.
///
/// It searches its dictionaries once for each way of choosing one of those present per letter. Their number multiplies:
/// a password of all of them, two dozen characters long, keeps a core at it for a tenth of a second, 100 for a whole one.
const LOOKALIKES: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];

/// Readings times the square of the length: about five milliseconds' worth.
const MAX_WORK: usize = 30_000;

/// As much of a password's beginning as can be judged in good time. One with many look-alikes is cut short, but never
/// to fewer than a dozen characters that differ, which is a good password by itself.
fn judged_part(password: &str) -> &str {
    let mut lookalikes = String::new();
    for (index, (start, character)) in password.char_indices().enumerate() {
        if !lookalikes.contains(character) && LOOKALIKES.iter().any(|of_letter| of_letter.contains(character)) {
            lookalikes.push(character);
        }
        let length = index + 1;
        if length > MAX_JUDGED || readings(&lookalikes) * length * length > MAX_WORK {
            return &password[..start];
        }
    }
    password
}

fn readings(lookalikes: &str) -> usize {
    let of_letter = |letter: &&str| {
        letter
            .chars()
            .filter(|character| lookalikes.contains(*character))
            .count()
            .max(1)
    };
    LOOKALIKES.iter().map(of_letter).product()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> Policy {
        Policy {
            min_length: 8,
            min_score: 3,
            site_name: "Vestibule".to_owned(),
        }
    }

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    impl Policy {
        fn weaknesses_of(&self, text: &str, words: &[&str]) -> Vec<Weakness> {
            self.strength(&password(text), words).reasons
        }
    }

    #[test]
    fn a_few_unrelated_words_are_accepted() {
        let strength = policy().strength(&password("correct umbrella staple"), &[]);
        assert!(
            strength.accepted && strength.score >= 3 && strength.reasons.is_empty(),
            "{strength:?}"
        );
    }

    #[test]
    fn length_is_counted_in_characters() {
        let of_any_strength = Policy {
            min_score: 0,
            ..policy()
        };
        let too_short = [Weakness::TooShort { min: 8 }];
        assert_eq!(
            of_any_strength.weaknesses_of("ḉṑṝṝḛḉẗ", &[]),
            too_short,
            "7 characters of 21 bytes"
        );
        assert_eq!(of_any_strength.weaknesses_of("ḉṑṝṝḛḉẗṓ", &[]), []);

        let too_long = [Weakness::TooLong { max: 128 }];
        assert_eq!(of_any_strength.weaknesses_of(&"ḉ".repeat(128), &[]), []);
        assert_eq!(of_any_strength.weaknesses_of(&"ḉ".repeat(129), &[]), too_long);
    }

    #[test]
    fn common_passwords_and_patterns_are_refused() {
        for common in [
            "password",
            "password123",
            "P@ssw0rd1",
            "qwertyuiop",
            "aaaaaaaaaaaaaaaa",
            "12345678",
            "iloveyou1",
        ] {
            assert_eq!(policy().weaknesses_of(common, &[]), [Weakness::Guessable], "{common}");
        }
    }

    #[test]
    fn own_words_and_the_name_of_the_site_are_refused() {
        let words = ["wilhelmina", "Wilhelmina.Xanthopoulos@krautwickel.example"];
        for own in [
            "wilhelmina1",
            "Xanthopoulos",
            "krautwickel!",
            "vestibule",
            "Vestibule1",
            "wilhelminaxanthopoulos",
        ] {
            assert_eq!(policy().weaknesses_of(own, &words), [Weakness::Guessable], "{own}");
        }
        assert_eq!(policy().weaknesses_of("Xanthopoulos", &[]), [], "a word of nobody's");
    }

    #[test]
    fn a_least_score_of_zero_accepts_whatever_is_long_enough() {
        let lenient = Policy {
            min_length: 4,
            min_score: 0,
            ..policy()
        };
        assert_eq!(lenient.weaknesses_of("1234", &[]), []);
        assert_eq!(lenient.weaknesses_of("123", &[]), [Weakness::TooShort { min: 4 }]);
    }

    #[test]
    fn every_weakness_is_told_at_once() {
        let reasons = policy().weaknesses_of("abc", &[]);
        assert_eq!(
            reasons.iter().map(|reason| reason.code()).collect::<Vec<_>>(),
            ["password_too_short", "password_guessable"]
        );
    }

    /// What zxcvbn is slowest on: every look-alike of every letter.
    const SLOWEST: &str = "4@8({[<3691!|170$5+7%2";

    #[test]
    fn a_password_of_many_lookalikes_is_cut_before_its_readings_multiply() {
        let long: String = SLOWEST.chars().cycle().take(128).collect();
        let judged = judged_part(&long);
        assert!((12..=22).contains(&judged.len()), "{judged}");
        assert_eq!(policy().weaknesses_of(&long, &[]), []);
    }

    #[test]
    fn a_password_without_them_is_judged_to_72_characters() {
        assert_eq!(judged_part(&"é".repeat(128)).chars().count(), 72);
        assert_eq!(judged_part("correct umbrella staple"), "correct umbrella staple");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_is_judged_without_a_panic(text in ".{0,140}", word in ".{0,80}") {
            let _ = policy().strength(&password(&text), &[&word]);
        }

        /// Long zigzags on a keyboard or keypad overflow zxcvbn's arithmetic.
        #[test]
        fn any_repetition_is_judged_without_a_panic(text in "[a-zA-Z0-9!-/]{1,4}", times in 1_usize..140) {
            let _ = policy().strength(&password(&text.repeat(times)), &[]);
        }

        #[test]
        fn what_is_judged_is_a_beginning_of_bounded_work(text in "[4@8({\\[<3691!|70$5+%2é]{0,140}") {
            let judged = judged_part(&text);
            prop_assert!(text.starts_with(judged));
            prop_assert!(readings(judged) * judged.chars().count().pow(2) <= MAX_WORK);
        }
    }
}
