//! What `fuzz/` tries on whatever bytes come, one function per target. Each panics when what must always hold does not.
//!
//! It is there for `fuzz/` and for the tests, which run every target on what proptest thinks of: so that none of them stops
//! working unnoticed where nobody fuzzes.

use std::{
    env, fs,
    net::IpAddr,
    sync::{Arc, LazyLock},
};

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::{
    auth::EmailAddress,
    clock::{SystemClock, Timestamp},
    config::Config,
    import::{Format, Mapping, Source},
    password::PasswordHash,
    token::{self, AccessSettings, AccessTokens, KeyRing, LinkToken, RefreshToken, SealingKey},
    web::{
        FlashPolicy, Site,
        fuzzing::{self as web, Sample},
        problem::Problem,
    },
};

const SECRET: &str = "a secret of at least thirty-two bytes";
const HOME: &str = "http://localhost:8000";
const FRIEND: &str = "https://app.example";

static SITE: LazyLock<Option<Site>> = LazyLock::new(|| {
    let config = Config::from_variables([("PUBLIC_URL", HOME), ("ALLOWED_ORIGINS", FRIEND)]);
    config.ok().as_ref().map(Site::new)
});

/// A site of which sibling hosts may plant cookies, but none of the names of its own.
static GUARDED_SITE: LazyLock<Option<(Site, FlashPolicy)>> = LazyLock::new(|| {
    let config = Config::from_variables([("PUBLIC_URL", "https://login.example")]).ok()?;
    let key = Arc::new(SealingKey::from_secret(SECRET));
    let flash = FlashPolicy::new(key, Arc::new(SystemClock), &config.public_url);
    Some((Site::new(&config), flash))
});

static TOKENS: LazyLock<AccessTokens> = LazyLock::new(|| {
    let settings = AccessSettings {
        issuer: HOME.to_owned(),
        audience: None,
        life: std::time::Duration::from_mins(15),
    };
    AccessTokens::new(settings, KeyRing::shared_secret(SECRET))
});

/// A JSON body is malformed exactly when it is no JSON, and read as serde reads it.
pub fn json(body: &[u8]) {
    let is_json = serde_json::from_slice::<Value>(body).is_ok();
    match web::read_json(body) {
        Ok(sample) => assert_eq!(serde_json::from_slice::<Sample>(body).ok(), Some(sample)),
        Err(problem) => assert_eq!(is_json, is_about_fields(&problem), "{problem:?}"),
    }
}

/// A form is read to the letter, or refused.
pub fn form(body: &[u8]) {
    match web::read_form(body) {
        Ok(sample) => {
            let pairs = url::form_urlencoded::parse(body);
            let names: Vec<_> = pairs
                .filter(|(name, _)| name == "name")
                .map(|(_, value)| value)
                .collect();
            assert_eq!(names, [sample.name]);
        }
        Err(problem) => assert!(
            is_about_fields(&problem) || problem.status() == StatusCode::BAD_REQUEST,
            "{problem:?}"
        ),
    }
}

fn is_about_fields(problem: &Problem) -> bool {
    let ours = |field| ["name", "age", ""].contains(&field);
    problem.status() == StatusCode::UNPROCESSABLE_ENTITY && problem.field_messages().all(|(field, _)| ours(field))
}

/// Nobody trusted is taken for the client, and what an untrusted peer wrote changes nothing.
pub fn forwarded(line: &[u8]) {
    let is_trusted = |address: IpAddr| address.is_loopback();
    let by_custom = HeaderName::from_static("x-forwarded-for");
    let honest = [
        (header::FORWARDED, "for=192.0.2.1, for=127.0.0.1"),
        (by_custom, "192.0.2.1, 127.0.0.1"),
    ];
    for (name, rest) in honest {
        if let Some(address) = web::named_client(&name, &[line], is_trusted) {
            assert!(!is_trusted(address) && address == address.to_canonical());
        }
        let joined = [line, b", ", rest.as_bytes()].concat();
        for lines in [[line, rest.as_bytes()].as_slice(), &[&joined]] {
            let is_sent = HeaderValue::from_bytes(line).is_ok();
            let expected = is_sent.then_some(IpAddr::from([192, 0, 2, 1]));
            assert_eq!(web::named_client(&name, lines, is_trusted), expected);
        }
    }
}

/// A Bearer token is taken whole.
pub fn bearer(value: &[u8]) {
    if let Some(token) = web::bearer_token(value) {
        assert!(
            !token.is_empty() && value.ends_with(token.as_bytes())
                || value.trim_ascii_end().ends_with(token.as_bytes())
        );
    }
}

/// A cookie is ours by its exact name only, nobody plants a page's words, and whatever stands before it, our own is found.
pub fn cookies(line: &[u8]) {
    const OWN: &str = "__Host-access_token";
    let Some((site, flash)) = &*GUARDED_SITE else { return };
    let Some(read) = web::read_cookies(site, flash, line) else {
        return;
    };
    assert!(!read.says_something);
    for (name, value) in read.tokens {
        let mut pairs = line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        assert!(!value.is_empty() && pairs.any(|pair| pair.starts_with(name.as_bytes())));
    }
    let line = [line, format!("; {OWN}=own").as_bytes()].concat();
    let tokens = web::read_cookies(site, flash, &line).map(|read| read.tokens);
    assert!(tokens.is_some_and(|tokens| tokens.contains(&(OWN.to_owned(), "own".to_owned()))));
}

/// Where a sign-in leads is a page of this site or of an allowed one, and is said in one way only.
pub fn next(text: &[u8]) {
    let (Ok(text), Some(site)) = (std::str::from_utf8(text), &*SITE) else {
        return;
    };
    if let Some(page) = web::next_page(site, text) {
        assert_eq!(web::next_page(site, &page).as_ref(), Some(&page));
        let origin = Url::parse(HOME)
            .and_then(|home| home.join(&page))
            .map(|url| url.origin().ascii_serialization());
        assert!(
            matches!(origin.as_deref(), Ok(HOME | FRIEND)),
            "{text:?} leads to {page}"
        );
    }
}

/// Nobody without a key makes a token that is good, or a sealed text that opens.
pub fn tokens(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    assert!(
        TOKENS
            .verify(text, Timestamp::from_unix_seconds(1_700_000_000))
            .is_err()
    );
    assert!(SealingKey::from_secret(SECRET).open("fuzz", text).is_err());
    let (refresh, link) = (RefreshToken::parse(text), LinkToken::parse(text));
    assert!(refresh.is_none() || link.is_none());
    if let Some(token) = refresh {
        assert_eq!(token.expose(), text);
        let session = crate::id::SessionId::from(Uuid::nil());
        assert!(token::open_successor(&token, session, text).is_none());
    }
}

/// An address has one key, however often it is normalised.
pub fn address(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(address) = EmailAddress::parse("email", text) {
        let again = EmailAddress::parse("email", address.key());
        assert_eq!(again.as_ref().map(EmailAddress::key), Ok(address.key()));
        let typed = EmailAddress::parse("email", address.as_typed());
        assert_eq!(typed.as_ref(), Ok(&address));
    }
}

/// A stored hash is taken or refused at once, whatever work it asks for.
pub fn stored_hash(text: &[u8]) {
    if let Ok(text) = std::str::from_utf8(text) {
        let _ = PasswordHash::from_stored(text.to_owned()).check();
    }
}

/// A file of another application's users is read to its end, row by row, or refused before the first.
pub fn import_file(content: &[u8]) {
    let path = env::temp_dir().join(format!("vestibule-fuzzing-{}", Uuid::new_v4()));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let (Ok(()), Ok(runtime)) = (fs::write(&path, content), runtime) else {
        return;
    };
    for format in [Format::JsonLines, Format::Csv] {
        let Ok(mut source) = Source::of_file(&path, format, &Mapping::default()) else {
            continue;
        };
        let mut numbers = Vec::new();
        loop {
            match runtime.block_on(source.next_batch(3)) {
                Ok(batch) if batch.is_empty() => break,
                Ok(batch) => numbers.extend(batch.into_iter().map(|row| row.number)),
                Err(error) => panic!("counted, and then not read: {error}"),
            }
        }
        assert_eq!(numbers.len() as u64, source.rows());
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    }
    let _ = fs::remove_file(path);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target); 10] = [
        ("json", json),
        ("form", form),
        ("forwarded", forwarded),
        ("bearer", bearer),
        ("cookies", cookies),
        ("next", next),
        ("tokens", tokens),
        ("address", address),
        ("stored_hash", stored_hash),
        ("import_file", import_file),
    ];

    /// To the letter, so that each compiles as its function does: libFuzzer itself takes minutes to build.
    #[test]
    fn every_target_is_one_of_the_fuzzers() {
        let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
        for (name, _) in TARGETS {
            let source = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
            let call = format!("libfuzzer_sys::fuzz_target!(|data: &[u8]| vestibule::fuzzing::{name}(data));");
            assert_eq!(source, format!("#![no_main]\n\n{call}\n"));
            let binary = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\ntest = false\n");
            assert!(manifest.contains(&binary), "{name}");
        }
        assert_eq!(fs::read_dir(fuzz.join("fuzz_targets")).unwrap().count(), TARGETS.len());
    }

    proptest! {
        #[test]
        fn every_target_holds_on_whatever_comes(
            bytes in prop_oneof![
                any::<Vec<u8>>(),
                "[ -~]{0,60}".prop_map(String::into_bytes),
                r#"(\{?"?(name|age|for=|vst_rt_|v1\.|Bearer |/|https?://app\.example|\$2b\$04\$|a@b\.)"?[:=,&]?.{0,12}){1,4}"#
                    .prop_map(String::into_bytes),
                "([ \u{2000}]?(__Host(-|%2D))?(access|refresh|flash)(_token)?[%=\" ]{0,2}.{0,6};? ?){1,4}".prop_map(String::into_bytes),
                "(email,|password,|a@b\\.example|[\"{}:,\n\r]|[a-z]{0,3}){0,20}".prop_map(String::into_bytes),
            ],
        ) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }
}
