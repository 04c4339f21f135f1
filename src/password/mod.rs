//! Passwords: how they are hashed, how hashes made elsewhere are verified, who may hash when, and which are too weak.
//!
//! Hashing is the most expensive thing a stranger can ask of this server. It happens on threads of its own behind a
//! bounded queue, costs the same whether or not the account exists, and an imported hash cannot raise its price.

mod admission;
mod foreign;
mod hash;
mod memory;
mod policy;
mod unusable;

use std::{error::Error, fmt, io, num::NonZeroUsize, sync::Arc};

use zeroize::Zeroizing;

pub use self::{
    admission::Load,
    hash::{HashParameters, PasswordHash},
    policy::{Policy, Strength, Weakness},
    unusable::UnusableHash,
};
use self::{
    admission::Threads,
    hash::{Argon2Hash, StoredHash},
    memory::Memory,
};

/// A password as it was typed: no trimming, no normalisation, no change of case. Wiped from memory when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// The text itself. Its only honest uses are hashing and judging it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Its length as a person counts it: in characters (Unicode scalar values), not bytes (NIST SP 800-63B, 3.1.1.2).
    #[must_use]
    pub fn characters(&self) -> usize {
        self.0.chars().count()
    }
}

impl From<String> for Password {
    fn from(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What comparing a password with a stored hash says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the password, or there is no such account, or its hash is of a kind that cannot be verified here.
    Wrong,
    /// It is the password, and the hash is one that [`Hasher::hash`] would make today.
    Right,
    /// It is the password, but the hash is foreign or of other parameters: replace it while the password is at hand.
    RightButOutdated,
}

/// Why a password was neither hashed nor verified.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Every thread has work and the queue is full. Nothing was done; the caller may try again in a second or two.
    #[error("too many passwords are being hashed at once")]
    Busy,
    /// There was no memory or no randomness, or the thread panicked.
    #[error("hashing failed")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl HashError {
    fn because(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed(cause.into())
    }
}

/// How many passwords of strangers may wait to be judged: a tenth of a second's worth.
const PREVIEW_QUEUE: usize = 15;

/// Hashes and verifies passwords, on threads of its own.
///
/// They end when this is dropped. A request that no longer waits for its answer is skipped when its turn comes.
#[derive(Debug)]
pub struct Hasher {
    threads: Threads,
    previews: Threads,
    parameters: HashParameters,
    decoy: Arc<Argon2Hash>,
}

impl Hasher {
    /// Starts `threads` threads, with room for `queue` requests that wait for one.
    ///
    /// Fails with [`io::ErrorKind::InvalidInput`] when the parameters cost more than a hash is allowed to
    /// ([`HashParameters::MAX_MEMORY_KIB`], [`HashParameters::MAX_WORK`]), and when the system gives no thread.
    pub fn start(parameters: HashParameters, threads: NonZeroUsize, queue: usize) -> io::Result<Self> {
        let decoy = Arc::new(Argon2Hash::decoy(parameters)?);
        let threads = Threads::start(threads, queue, parameters)?;
        let previews = Threads::start(NonZeroUsize::MIN, PREVIEW_QUEUE, parameters)?;
        Ok(Self {
            threads,
            previews,
            parameters,
            decoy,
        })
    }

    /// What the threads have to do at the moment.
    #[must_use]
    pub fn load(&self) -> Load {
        self.threads.load()
    }

    /// Hashes a password for storage.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HashError> {
        let parameters = self.parameters;
        let work = move |memory: &mut Memory| Argon2Hash::of(&password, parameters, memory).map(PasswordHash::from);
        self.threads.run(work).await?
    }

    /// Judges a new password that is about to be hashed, on the same threads: what takes a core for milliseconds is
    /// admitted as hashing is.
    pub async fn judge(&self, policy: &Policy, password: &Password, words: &[&str]) -> Result<Strength, HashError> {
        self.threads.run(judgement(policy, password, words)).await
    }

    /// Judges a password while it is typed, which anybody may ask for: one at a time, on a thread of its own with a short
    /// queue of its own, so that whoever fills it is in the way of no log-in and no new password.
    pub async fn preview(&self, policy: &Policy, password: &Password, words: &[&str]) -> Result<Strength, HashError> {
        self.previews.run(judgement(policy, password, words)).await
    }

    /// Compares a password with the stored hash of the account it was sent for, or with none when there is no such
    /// account: that costs the same, so that an answer's time does not tell who has an account.
    pub async fn verify(&self, password: Password, stored: Option<&PasswordHash>) -> Result<Verdict, HashError> {
        let stored = stored.cloned();
        let (decoy, parameters) = (Arc::clone(&self.decoy), self.parameters);
        let work = move |memory: &mut Memory| compare(&password, stored.as_ref(), &decoy, parameters, memory);
        self.threads.run(work).await?
    }
}

fn judgement(
    policy: &Policy,
    password: &Password,
    words: &[&str],
) -> impl FnOnce(&mut Memory) -> Strength + Send + use<> {
    let (policy, password) = (policy.clone(), password.clone());
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    move |_| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        policy.strength(&password, &words)
    }
}

/// Verifies against `stored`, or does the same work against `decoy` when there is nothing to verify against.
fn compare(
    password: &Password,
    stored: Option<&PasswordHash>,
    decoy: &Argon2Hash,
    parameters: HashParameters,
    memory: &mut Memory,
) -> Result<Verdict, HashError> {
    let Some(stored) = stored.and_then(|hash| StoredHash::parse(hash.as_str())) else {
        // The result must not matter: not even a password that the decoy's tag stands for opens anything.
        decoy.matches(password, memory)?;
        return Ok(Verdict::Wrong);
    };
    Ok(match stored.matches(password, memory)? {
        false => Verdict::Wrong,
        true if stored.is_current(parameters) => Verdict::Right,
        true => Verdict::RightButOutdated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: HashParameters = HashParameters {
        memory_kib: 64,
        passes: 1,
    };

    fn password(text: &str) -> Password {
        Password::from(text.to_owned())
    }

    fn hasher(parameters: HashParameters) -> Hasher {
        Hasher::start(parameters, NonZeroUsize::MIN, 8).unwrap()
    }

    #[tokio::test]
    async fn a_password_is_verified_exactly_as_it_was_typed() {
        let hasher = hasher(CHEAP);
        for typed in [
            "correct horse",
            " padded ",
            "",
            "ab\0cd",
            "ab\0",
            "pässwörd ☃ 𝄞",
            "\u{65}\u{301}",
        ] {
            let hash = hasher.hash(password(typed)).await.unwrap();
            assert_eq!(
                hasher.verify(password(typed), Some(&hash)).await.unwrap(),
                Verdict::Right,
                "{typed:?}"
            );
        }
        for (typed, other) in [
            ("é", "e\u{301}"),
            ("correct horse", "correct horse "),
            ("Correct", "correct"),
            ("ab", "ab\0"),
            ("ab\0cd", "ab\0ce"),
        ] {
            let hash = hasher.hash(password(typed)).await.unwrap();
            assert_eq!(
                hasher.verify(password(other), Some(&hash)).await.unwrap(),
                Verdict::Wrong,
                "{typed:?} {other:?}"
            );
        }
    }

    #[tokio::test]
    async fn the_same_password_is_never_hashed_to_the_same_text() {
        let hasher = hasher(CHEAP);
        let first = hasher.hash(password("correct horse")).await.unwrap();
        let second = hasher.hash(password("correct horse")).await.unwrap();
        assert_ne!(first.as_str(), second.as_str());
        assert!(
            first.as_str().starts_with("$argon2id$v=19$m=64,t=1,p=1$"),
            "{}",
            first.as_str()
        );
    }

    #[tokio::test]
    async fn a_hash_of_other_parameters_or_a_foreign_one_is_outdated() {
        let hash = hasher(CHEAP).hash(password("correct horse")).await.unwrap();
        for parameters in [
            HashParameters {
                memory_kib: 32,
                passes: 1,
            },
            HashParameters {
                memory_kib: 64,
                passes: 2,
            },
        ] {
            let verdict = hasher(parameters).verify(password("correct horse"), Some(&hash)).await;
            assert_eq!(verdict.unwrap(), Verdict::RightButOutdated);
        }
        let bcrypt = "$2b$04$9x9FkcPchY717bAVDeHUP.n.ZdiI7Jo2JYZlNit.nxa9gHtc9pPLy";
        let bcrypt = PasswordHash::from_stored(bcrypt.to_owned());
        let hasher = hasher(CHEAP);
        assert_eq!(
            hasher.verify(password("correct horse"), Some(&bcrypt)).await.unwrap(),
            Verdict::RightButOutdated
        );
        assert_eq!(
            hasher.verify(password("wrong horse"), Some(&bcrypt)).await.unwrap(),
            Verdict::Wrong
        );
    }

    #[test]
    fn an_unknown_account_and_an_unsupported_hash_cost_what_a_known_one_costs() {
        let decoy = Argon2Hash::decoy(CHEAP).unwrap();
        assert!(StoredHash::Argon2(Argon2Hash::decoy(CHEAP).unwrap()).is_current(CHEAP));
        let mut memory = Memory::kept_for(CHEAP);
        let known = PasswordHash::from(Argon2Hash::of(&password("correct horse"), CHEAP, &mut memory).unwrap());
        let unsupported = PasswordHash::from_stored("$2b$31$not-within-the-cap".to_owned());

        for (stored, typed, verdict) in [
            (Some(&known), "correct horse", Verdict::Right),
            (Some(&known), "wrong horse", Verdict::Wrong),
            (Some(&unsupported), "correct horse", Verdict::Wrong),
            (None, "correct horse", Verdict::Wrong),
        ] {
            memory.rest();
            assert_eq!(memory.dirty(), 0);
            assert_eq!(
                compare(&password(typed), stored, &decoy, CHEAP, &mut memory).unwrap(),
                verdict
            );
            assert_eq!(memory.dirty(), 64, "{stored:?} took other work");
        }
    }

    #[tokio::test]
    async fn whoever_has_passwords_judged_keeps_nobody_from_hashing() {
        let policy = Policy {
            min_length: 8,
            min_score: 3,
            site_name: "Vestibule".to_owned(),
        };
        let hasher = Arc::new(hasher(CHEAP));
        let (release, released) = std::sync::mpsc::channel::<()>();
        let mut strangers = tokio::task::JoinSet::new();
        let occupying = Arc::clone(&hasher);
        strangers.spawn(async move {
            occupying
                .previews
                .run(move |_| released.recv().is_err())
                .await
                .map(|_| ())
        });
        while hasher.previews.load().running == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..PREVIEW_QUEUE {
            let (hasher, policy) = (Arc::clone(&hasher), policy.clone());
            strangers.spawn(async move { hasher.preview(&policy, &password("guess"), &[]).await.map(drop) });
        }
        while hasher.previews.load().waiting < PREVIEW_QUEUE {
            tokio::task::yield_now().await;
        }

        let typed = password("correct umbrella staple");
        let refused = hasher.preview(&policy, &typed, &[]).await;
        assert!(matches!(refused, Err(HashError::Busy)), "{refused:?}");
        assert!(hasher.judge(&policy, &typed, &[]).await.unwrap().accepted);
        let hash = hasher.hash(typed.clone()).await.unwrap();
        assert_eq!(hasher.verify(typed.clone(), Some(&hash)).await.unwrap(), Verdict::Right);

        drop(release);
        assert!(strangers.join_all().await.iter().all(Result::is_ok));
        assert!(hasher.preview(&policy, &typed, &[]).await.unwrap().accepted);
    }

    #[test]
    fn parameters_over_the_cap_are_refused_at_start() {
        let parameters = HashParameters {
            memory_kib: u32::MAX,
            passes: 1,
        };
        let error = Hasher::start(parameters, NonZeroUsize::MIN, 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[tokio::test]
    async fn nothing_shows_a_secret_when_debugged() {
        let typed = password("correct horse");
        let hash = hasher(CHEAP).hash(typed.clone()).await.unwrap();
        let shown = format!("{typed:?} {hash:?} {:?}", hasher(CHEAP));
        assert!(!shown.contains("correct") && !shown.contains("argon2id"), "{shown}");
    }
}
