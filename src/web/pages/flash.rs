//! What one page has to say about the form that was just sent: it failed, and how, or it worked.
//!
//! A form's answer is a redirect, so that reloading the page after it sends nothing again. What the page is to say
//! crosses that redirect in a cookie: in a URL it would stand in histories and logs, and anybody could write a link that
//! puts words on our pages. It is sealed, so that no sibling host can plant one, lives for a minute, and is taken back by
//! the page that shows it; a copy of it shows nothing after that. Where several processes serve one site, each knows only
//! what itself has shown: a copy may then be shown once more by each of the others, within that minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use tower_cookies::{
    Cookie, Cookies,
    cookie::{CookieBuilder, SameSite},
};
use uuid::Uuid;

use super::{form::PageForm, notice::Notice, words};
use crate::{
    clock::{Clock, Timestamp, unix_seconds},
    config::PublicUrl,
    token::SealingKey,
    web::problem::Problem,
};

const PURPOSE: &str = "flash cookie";

const LIFE: Duration = Duration::from_mins(1);

/// Browsers keep a cookie of 4096 bytes with its name and attributes (RFC 6265bis section 5.6), and sealing makes four
/// bytes of three.
const MAX_PLAIN_BYTES: usize = 2800;

/// What is to be said, and of which form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Flash {
    /// A form was refused.
    Refused(Refused),
    /// An operation did what was asked.
    Done {
        /// What is said of it.
        notice: Notice,
        /// What the next form may be filled with.
        echo: Echo,
    },
}

/// A form that comes back to its page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refused {
    /// The path of the page on which the form stands; another page leaves this alone.
    pub(super) page: String,
    /// The path of the form's server function: a page can hold several forms.
    pub(super) form: String,
    /// The stable code of the refusal.
    pub(super) code: String,
    /// The refusal in words.
    pub(super) detail: String,
    /// The fields that do not hold what they must, each with why. In words rather than by code: the rules have numbers in
    /// them, and the cookie is sealed, so that the words can only be ours.
    pub(super) fields: Vec<(String, String)>,
    /// What was typed, as far as it may be shown again.
    pub(super) echo: Echo,
}

/// What was typed into fields that may be shown again, by their names.
pub(super) type Echo = Vec<(String, String)>;

impl Refused {
    /// The form `F` on `page` was refused with `problem`.
    pub(super) fn new<F: PageForm>(page: &str, problem: &Problem, echo: Echo) -> Self {
        let path = page.split(['?', '#']).next().unwrap_or_default();
        let fields = problem.field_messages();
        let mut fields: Vec<_> = fields
            .map(|(field, message)| (field.to_owned(), message.to_owned()))
            .collect();
        let blamed = F::BLAMED.iter().find(|(code, _)| *code == problem.code());
        let text = words::refusal(problem.code(), problem.detail());
        fields.extend(blamed.map(|(_, field)| ((*field).to_owned(), text.to_owned())));
        Self {
            page: path.to_owned(),
            form: F::PATH.to_owned(),
            code: problem.code().to_owned(),
            detail: problem.detail().to_owned(),
            fields,
            echo,
        }
    }

    /// Why, as a page says it.
    pub(super) fn text(&self) -> String {
        words::refusal(&self.code, &self.detail).to_owned()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Sealed {
    id: Uuid,
    #[serde(with = "unix_seconds")]
    until: Timestamp,
    flash: Flash,
}

/// What was left for a page. It stays until the page is shown: one that leads on instead leaves it for the next.
#[derive(Default)]
pub(super) struct Left {
    sealed: Option<Sealed>,
    spent: Arc<Spent>,
    removal: Option<(Cookies, Cookie<'static>)>,
}

impl Left {
    pub(super) fn flash(&self) -> Option<&Flash> {
        self.sealed.as_ref().map(|sealed| &sealed.flash)
    }

    /// Gives it to the page that is being shown, and to no other: it is taken back from the browser, and a copy of it is
    /// worth nothing any more.
    pub(super) fn take(&self) -> Option<&Flash> {
        if let Some((cookies, removal)) = &self.removal {
            cookies.add(removal.clone());
        }
        let sealed = self.sealed.as_ref()?;
        let is_first = self.spent.spend(sealed.id, sealed.until);
        is_first.then_some(&sealed.flash)
    }
}

/// The flashes that this process has shown and that have not expired, each with when it does.
#[derive(Debug, Default)]
struct Spent(Mutex<HashMap<Uuid, Timestamp>>);

impl Spent {
    /// A hundred kilobytes or so. More forms than that are sent in a minute only by whoever wants to fill this; then all are
    /// forgotten, and what can be had by it is to read again what one has read.
    const MOST: usize = 4096;

    /// Whether it was not spent already.
    fn spend(&self, id: Uuid, until: Timestamp) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= Self::MOST {
            spent.clear();
        }
        spent.insert(id, until).is_none()
    }

    /// Whether it was spent; forgets those that have expired.
    fn holds(&self, id: Uuid, now: Timestamp) -> bool {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spent.retain(|_, until| now <= *until);
        spent.contains_key(&id)
    }
}

/// How flashes are written and read.
#[derive(Clone, Debug)]
pub struct FlashPolicy {
    key: Arc<SealingKey>,
    clock: Arc<dyn Clock>,
    spent: Arc<Spent>,
    name: &'static str,
    secure: bool,
}

impl FlashPolicy {
    /// Seals with `key`, for the site at `public_url`.
    #[must_use]
    pub fn new(key: Arc<SealingKey>, clock: Arc<dyn Clock>, public_url: &PublicUrl) -> Self {
        let secure = public_url.is_https();
        let name = if secure { "__Host-flash" } else { "flash" };
        Self {
            key,
            clock,
            spent: Arc::default(),
            name,
            secure,
        }
    }

    /// Leaves `flash` for the next page.
    pub(super) fn leave(&self, cookies: &Cookies, flash: Flash) -> Result<(), Problem> {
        let sealed = self.seal(flash).map_err(Problem::internal)?;
        cookies.add(self.cookie(sealed));
        Ok(())
    }

    /// What was left for the page at `parts`' path.
    pub(super) fn find(&self, parts: &Parts) -> Left {
        let sent = parts.extensions.get::<Cookies>();
        let sent = sent.and_then(|cookies| Some((cookies, cookies.get(self.name)?)));
        let Some((cookies, cookie)) = sent else {
            return Left::default();
        };
        let sealed = self.open(cookie.value());
        let elsewhere =
            |sealed: &Sealed| matches!(&sealed.flash, Flash::Refused(refused) if refused.page != parts.uri.path());
        if sealed.as_ref().is_some_and(elsewhere) {
            return Left::default();
        }
        let mut removal = self.cookie(String::new());
        removal.make_removal();
        Left {
            sealed,
            spent: Arc::clone(&self.spent),
            removal: Some((cookies.clone(), removal)),
        }
    }

    /// Whether there is something to say for whoever sends these cookies.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn has_something_in(&self, cookies: &Cookies) -> bool {
        let cookie = cookies.get(self.name);
        cookie.is_some_and(|cookie| self.open(cookie.value()).is_some())
    }

    fn seal(&self, mut flash: Flash) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
        let (id, until) = (Uuid::new_v4(), self.clock.now().plus(LIFE));
        loop {
            let sealed = Sealed { id, until, flash };
            let plain = serde_json::to_vec(&sealed)?;
            flash = sealed.flash;
            if plain.len() <= MAX_PLAIN_BYTES || !drop_longest(&mut flash) {
                return Ok(self.key.seal(PURPOSE, &plain)?);
            }
        }
    }

    fn open(&self, text: &str) -> Option<Sealed> {
        let plain = self.key.open(PURPOSE, text).ok()?;
        let sealed: Sealed = serde_json::from_slice(&plain).ok()?;
        let now = self.clock.now();
        (now <= sealed.until && !self.spent.holds(sealed.id, now)).then_some(sealed)
    }

    fn cookie(&self, value: String) -> Cookie<'static> {
        CookieBuilder::new(self.name, value)
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .path("/")
            .max_age(time::Duration::try_from(LIFE).unwrap_or(time::Duration::MINUTE))
            .build()
    }
}

/// Takes out the longest text that is only a convenience; false when there is none. The browser's "back" still has it.
fn drop_longest(flash: &mut Flash) -> bool {
    let (Flash::Refused(Refused { echo, .. }) | Flash::Done { echo, .. }) = flash;
    let longest = echo.iter().enumerate().max_by_key(|(_, (_, value))| value.len());
    match longest.map(|(index, _)| index) {
        Some(index) => {
            echo.remove(index);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use proptest::prelude::*;

    use super::*;
    use crate::{auth, clock::ManualClock, config::Config, token::edits::edits, web::pages::log_in::LogIn};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn policy_at(clock: Arc<ManualClock>, public_url: &str) -> FlashPolicy {
        let secret = "a sealing key that is long enough to be one";
        let config = Config::from_variables([("PUBLIC_URL", public_url)]).unwrap();
        FlashPolicy::new(Arc::new(SealingKey::from_secret(secret)), clock, &config.public_url)
    }

    fn policy() -> FlashPolicy {
        policy_at(Arc::new(ManualClock::at(NOW)), "https://login.example.com")
    }

    fn refused(echo: Echo) -> Flash {
        let problem = Problem::from(auth::Error::InvalidCredentials);
        Flash::Refused(Refused::new::<LogIn>("/login?next=%2F", &problem, echo))
    }

    /// What a page at `path` finds and shows.
    fn take(policy: &FlashPolicy, path: &str, cookies: &Cookies) -> Option<Flash> {
        policy.find(&request(path, cookies)).take().cloned()
    }

    /// A request for `path` by the browser that got these cookies.
    fn request(path: &str, cookies: &Cookies) -> Parts {
        let mut request = Request::builder().uri(path).body(()).unwrap();
        request.extensions_mut().insert(cookies.clone());
        request.into_parts().0
    }

    #[test]
    fn what_was_left_is_found_once() {
        let (policy, cookies) = (policy(), Cookies::default());
        let flash = refused(vec![("username".to_owned(), "mira".to_owned())]);
        policy.leave(&cookies, flash.clone()).unwrap();
        assert_eq!(policy.find(&request("/login", &cookies)).flash(), Some(&flash));
        assert_eq!(take(&policy, "/login", &cookies), Some(flash));
        assert_eq!(take(&policy, "/login", &cookies), None);
    }

    #[test]
    fn a_copy_is_worth_nothing_once_one_was_shown() {
        let (policy, browser) = (policy(), Cookies::default());
        policy.leave(&browser, refused(Vec::new())).unwrap();
        let copy = Cookies::default();
        copy.add(browser.get(policy.name).unwrap().into_owned());
        // Both tabs were opened before either is shown.
        let (one, other) = (request("/login", &browser), request("/login", &copy));
        let (one, other) = (policy.find(&one), policy.find(&other));
        assert!(one.take().is_some());
        assert_eq!(other.take(), None);
        let again = Cookies::default();
        policy.leave(&again, refused(Vec::new())).unwrap();
        assert!(take(&policy, "/login", &again).is_some(), "another is another");
    }

    #[test]
    fn what_was_spent_is_remembered_no_longer_than_it_lives_and_never_without_bounds() {
        let spent = Spent::default();
        let (now, id) = (NOW, Uuid::new_v4());
        assert!(spent.spend(id, now.plus(LIFE)) && !spent.spend(id, now.plus(LIFE)));
        assert!(spent.holds(id, now.plus(LIFE)));
        assert!(!spent.holds(id, now.plus(LIFE + Duration::from_secs(1))));
        for _ in 0..3 * Spent::MOST {
            spent.spend(Uuid::new_v4(), now);
        }
        assert!(spent.0.lock().unwrap().len() <= Spent::MOST);
    }

    #[test]
    fn a_refusal_waits_for_its_own_page_and_a_notice_for_any() {
        let (policy, cookies) = (policy(), Cookies::default());
        policy.leave(&cookies, refused(Vec::new())).unwrap();
        assert_eq!(take(&policy, "/profile", &cookies), None);
        assert!(take(&policy, "/login", &cookies).is_some());

        let notice = Flash::Done {
            notice: Notice::LoggedOut,
            echo: Vec::new(),
        };
        policy.leave(&cookies, notice).unwrap();
        assert!(take(&policy, "/profile", &cookies).is_some());
    }

    #[test]
    fn the_cookie_is_for_this_host_and_for_no_script() {
        let (policy, cookies) = (policy(), Cookies::default());
        policy.leave(&cookies, refused(Vec::new())).unwrap();
        let text = cookies.list()[0].to_string();
        assert!(text.starts_with("__Host-flash=v1."), "{text}");
        assert!(
            text.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"),
            "{text}"
        );
        assert!(!text.contains("credentials"), "{text}");
    }

    #[test]
    fn after_a_minute_it_says_nothing() {
        let clock = Arc::new(ManualClock::at(NOW));
        let policy = policy_at(Arc::clone(&clock), "http://localhost:8000");
        let sealed = policy.seal(refused(Vec::new())).unwrap();
        assert!(policy.open(&sealed).is_some());
        clock.advance(LIFE);
        assert!(policy.open(&sealed).is_some());
        clock.advance(Duration::from_secs(1));
        assert!(policy.open(&sealed).is_none());
    }

    #[test]
    fn nobody_else_can_write_one() {
        let policy = policy();
        let other = SealingKey::from_secret("another sealing key that is long enough to be one");
        let plain = serde_json::to_vec(&Sealed {
            id: Uuid::nil(),
            until: NOW.plus(LIFE),
            flash: refused(Vec::new()),
        })
        .unwrap();
        assert!(policy.open(&other.seal(PURPOSE, &plain).unwrap()).is_none());
        assert!(
            policy
                .open(&policy.key.seal("another purpose", &plain).unwrap())
                .is_none()
        );
        for text in ["", "v1.", "v1.AAAA", "{}"] {
            assert!(policy.open(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_into_a_cookie_is_left_out_longest_first() {
        let (policy, cookies) = (policy(), Cookies::default());
        let echo = vec![
            ("name".to_owned(), "n".repeat(100)),
            ("description".to_owned(), "ö".repeat(2000)),
        ];
        policy.leave(&cookies, refused(echo)).unwrap();
        assert!(cookies.list()[0].to_string().len() <= 4096);
        let Some(Flash::Refused(refused)) = take(&policy, "/login", &cookies) else {
            panic!("nothing was left");
        };
        assert_eq!(refused.echo, [("name".to_owned(), "n".repeat(100))]);
    }

    proptest! {
        #[test]
        fn whatever_was_typed_comes_back_from_a_cookie_that_a_browser_keeps(
            echo in prop::collection::vec(("[a-z_]{1,16}", prop_oneof![".{0,40}", ".{0,4000}"]), 0..4),
        ) {
            let (policy, cookies) = (policy(), Cookies::default());
            policy.leave(&cookies, refused(echo.clone())).unwrap();
            prop_assert!(cookies.list()[0].to_string().len() <= 4096);
            let Some(Flash::Refused(kept)) = take(&policy, "/login", &cookies) else {
                return Err(TestCaseError::fail("nothing was left"));
            };
            // In the order of the form, without what is too long.
            let mut typed = echo.iter();
            prop_assert!(kept.echo.iter().all(|kept| typed.any(|typed| typed == kept)));
            let short = echo.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() < 300;
            prop_assert!(!short || kept.echo == echo);
        }

        #[test]
        fn nothing_that_is_made_of_one_says_anything(edits in edits()) {
            let policy = policy();
            let sealed = policy.seal(refused(vec![("username".to_owned(), "mira".to_owned())])).unwrap();
            let forged = edits.of(&sealed);
            prop_assume!(forged != sealed);
            prop_assert!(policy.open(&forged).is_none());
        }

        #[test]
        fn a_well_sealed_value_that_is_no_flash_says_nothing(plain in prop_oneof![any::<Vec<u8>>(), r#"\{"(id|until|flash)":[\[\]{}"0-9a-z:-]{0,20}\}"#.prop_map(String::into_bytes)]) {
            let policy = policy();
            prop_assert!(policy.open(&policy.key.seal(PURPOSE, &plain).unwrap()).is_none());
        }
    }
}
