//! The README's examples of verifying tokens in another service, run as they stand there, on good tokens and on bad ones.
//!
//! The tests' names begin with the program that they need, so that `scripts/with-others` can leave them out.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use axum::{Json, Router, routing::get};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use vestibule::clock::Clock;

use crate::support::{Actor, Anonymous, MINUTE, Place, Server, forge, hmac_sha256, jwt_claims, jwt_header, one_engine};

/// The README's Rust, word for word.
mod verify_example {
    include!("verify_example.rs");

    /// Whose token it is.
    pub(super) fn subject(token: &str, keys: &JwkSet) -> Option<String> {
        let claims = verify(token, keys).ok()?;
        assert!(claims.roles.is_empty());
        Some(claims.sub)
    }
}

mod python {
    use super::{Place, one_engine};

    one_engine![sqlite: Sqlite, takes_good_access_tokens_and_nothing_else];

    async fn takes_good_access_tokens_and_nothing_else(place: Place) {
        super::takes_good_access_tokens_and_nothing_else(place, super::in_python).await;
    }
}

mod node {
    use super::{Place, one_engine};

    one_engine![sqlite: Sqlite, takes_good_access_tokens_and_nothing_else];

    async fn takes_good_access_tokens_and_nothing_else(place: Place) {
        super::takes_good_access_tokens_and_nothing_else(place, super::in_node).await;
    }
}

mod rust {
    use super::{Place, one_engine};

    one_engine![sqlite: Sqlite, takes_good_access_tokens_and_nothing_else, stands_in_the_readme];

    async fn takes_good_access_tokens_and_nothing_else(place: Place) {
        super::takes_good_access_tokens_and_nothing_else(place, super::in_rust).await;
    }

    async fn stands_in_the_readme(_: Place) {
        assert_eq!(super::example("rust"), include_str!("verify_example.rs"));
    }
}

/// The issuer and the audience of the examples.
const SITE: &str = "https://login.example.com";

const LEAVE_OUT: &str = "`scripts/with-others cargo test` leaves out the tests whose programs are not installed";

/// Runs an example with the keys of the server at this address, on these tokens; says which were taken.
type Verify = fn(&str, &JwkSet, &[Case]) -> Vec<bool>;

struct Case {
    what: &'static str,
    token: String,
    is_good: bool,
}

fn good(what: &'static str, token: &str) -> Case {
    Case {
        what,
        token: token.to_owned(),
        is_good: true,
    }
}

fn bad(what: &'static str, token: &str) -> Case {
    Case {
        is_good: false,
        ..good(what, token)
    }
}

/// The one block in this language of the README's section.
fn example(language: &str) -> String {
    let readme = include_str!("../../README.md");
    let (_, section) = readme
        .split_once("\n## Verifying tokens in another service\n")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let (_, block) = section.split_once(&format!("```{language}\n")).expect("a block");
    let (block, _) = block.split_once("```\n").expect("its end");
    block.to_owned()
}

fn with_keys_at(example: &str, url: &str) -> String {
    let documented = format!("{SITE}/.well-known/jwks.json");
    assert!(example.contains(&documented), "{example}");
    example.replace(&documented, &format!("{url}/.well-known/jwks.json"))
}

/// One line for each token: `good`, or `refused` and why.
fn read(output: &Output, cases: &[Case]) -> Vec<bool> {
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}\n{LEAVE_OUT}");
    let verdicts: Vec<bool> = said.lines().map(|line| line == "good").collect();
    assert_eq!(verdicts.len(), cases.len(), "{said}{complained}");
    verdicts
}

fn tokens(cases: &[Case]) -> impl Iterator<Item = &str> {
    cases.iter().map(|case| case.token.as_str())
}

fn in_python(url: &str, _: &JwkSet, cases: &[Case]) -> Vec<bool> {
    // The system's own, for which Debian has PyJWT, where the first on the way is another.
    let has_jwt = |python: &&str| {
        let tried = Command::new(python).args(["-c", "import jwt, cryptography"]).output();
        tried.is_ok_and(|tried| tried.status.success())
    };
    let python = ["python3", "/usr/bin/python3"].into_iter().find(has_jwt);
    let python = python.unwrap_or_else(|| panic!("no Python with PyJWT: {LEAVE_OUT}"));
    let run = "
import sys
for token in sys.argv[1:]:
    try:
        verify(token)
        print('good')
    except jwt.PyJWTError as error:
        print('refused', type(error).__name__, error)
";
    let script = with_keys_at(&example("python"), url) + run;
    let output = Command::new(python).args(["-c", &script]).args(tokens(cases)).output();
    read(&output.expect("Python runs"), cases)
}

fn in_node(url: &str, _: &JwkSet, cases: &[Case]) -> Vec<bool> {
    let run = "
for (const token of process.argv.slice(1)) {
  try {
    await verify(token)
    console.log('good')
  } catch (error) {
    if (!String(error.code).startsWith('ERR_J')) throw error
    console.log('refused', error.code)
  }
}
";
    let script = with_keys_at(&example("js"), url) + run;
    // Where npm puts jose, for the browser tests' package names it.
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("end2end");
    let output = Command::new("node")
        .current_dir(directory)
        .args(["--input-type=module", "--eval", &script, "--"])
        .args(tokens(cases))
        .output();
    read(&output.unwrap_or_else(|error| panic!("{error}: {LEAVE_OUT}")), cases)
}

fn in_rust(_: &str, keys: &JwkSet, cases: &[Case]) -> Vec<bool> {
    let subject = |token| verify_example::subject(token, keys);
    tokens(cases).map(|token| subject(token).is_some()).collect()
}

async fn takes_good_access_tokens_and_nothing_else(place: Place, verify: Verify) {
    // The examples look at the machine's clock.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let before = u64::try_from(place.clock().now().unix_seconds()).unwrap();
    let ahead = Duration::from_secs(now.as_secs() - before - 20 * MINUTE);
    place.clock().advance(ahead);
    let server = place.start_with(&[("PUBLIC_URL", SITE)]).await;
    let cases = cases_of_the_server(&place, &server).await;
    let url = format!("http://{}", server.address());
    judge(url, &server.anonymous(), cases, verify).await;

    let forger = Forger::start().await;
    let address = forger.address.clone();
    let anonymous = Anonymous::at(address.trim_start_matches("http://").parse().unwrap());
    judge(address, &anonymous, forger.cases(now.as_secs()), verify).await;
}

async fn judge(url: String, server: &Anonymous, cases: Vec<Case>, verify: Verify) {
    let keys = server.get("/.well-known/jwks.json").await.expect(200);
    let keys: JwkSet = serde_json::from_slice(&keys.body).unwrap();
    let judged = tokio::task::spawn_blocking(move || (verify(&url, &keys, &cases), cases)).await;
    let (verdicts, cases) = judged.unwrap();
    for (case, was_taken) in cases.iter().zip(verdicts) {
        assert_eq!(was_taken, case.is_good, "{}: {}", case.what, case.token);
    }
}

/// What Vestibule issues, and what becomes of it on the way.
async fn cases_of_the_server(place: &Place, server: &Server) -> Vec<Case> {
    let expired = server.user("ann@example.com").await;
    server.advance(20 * MINUTE);
    let ann = server.log_in("ann@example.com").await;
    let token = &ann.access_token;
    // The same keys for another site, and for another audience of this one.
    let elsewhere = [("PUBLIC_URL", "https://evil.example.com"), ("JWT_AUDIENCE", SITE)];
    let elsewhere = place.start_with(&elsewhere).await;
    let for_others = [("PUBLIC_URL", SITE), ("JWT_AUDIENCE", "https://other.example.com")];
    let for_others = place.start_with(&for_others).await;
    let (issuer, audience) = (
        elsewhere.log_in("ann@example.com").await,
        for_others.log_in("ann@example.com").await,
    );

    let mut claims = jwt_claims(token);
    assert_eq!(claims["iss"], SITE);
    claims["roles"] = json!(["admin"]);
    let parts: Vec<&str> = token.split('.').collect();
    let admin = URL_SAFE_NO_PAD.encode(claims.to_string());
    let tampered = format!("{}.{admin}.{}", parts[0], parts[2]);
    let stranger = Ed25519KeyPair::generate().unwrap();
    let sign = |message: &[u8]| stranger.sign(message).as_ref().to_vec();
    let mut unknown = jwt_header(token);
    unknown["kid"] = json!("another");
    vec![
        good("its token", token),
        bad("an expired one", &expired.access_token),
        bad("another issuer's", &issuer.access_token),
        bad("one for another audience", &audience.access_token),
        bad("one with more roles", &tampered),
        bad(
            "one of another key by the same name",
            &forge(&jwt_header(token), &claims, sign),
        ),
        bad("one of an unknown key", &forge(&unknown, &claims, sign)),
        bad("a refresh token", &ann.refresh_token),
        bad("nothing", ""),
    ]
}

/// Somebody who has the keys.
struct Forger {
    key: Ed25519KeyPair,
    address: String,
}

impl Forger {
    async fn start() -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        let x = URL_SAFE_NO_PAD.encode(key.public_key());
        let set = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "1", "alg": "EdDSA", "use": "sig"}]});
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/.well-known/jwks.json", get(async move || Json(set)));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { key, address }
    }

    /// What is signed as it should be, and still no access token for this service.
    fn cases(&self, now: u64) -> Vec<Case> {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "1"});
        let claims = json!({
            "iss": SITE, "aud": SITE, "sub": "0197", "roles": [], "iat": now, "exp": now + 15 * MINUTE,
        });
        let sign = |message: &[u8]| self.key.sign(message).as_ref().to_vec();
        let with = |whole: &Value, name: &str, value: Value| {
            let mut changed = whole.clone();
            changed[name] = value;
            changed
        };
        let without = |whole: &Value, name: &str| {
            let mut changed = whole.clone();
            changed.as_object_mut().unwrap().remove(name);
            changed
        };
        let under = |header: Value| forge(&header, &claims, sign);
        let saying = |claims: Value| forge(&header, &claims, sign);
        let public = self.key.public_key().as_ref().to_vec();
        vec![
            good("one as it should be", &saying(claims.clone())),
            bad("an id token", &under(with(&header, "typ", json!("JWT")))),
            bad("one of no type", &under(without(&header, "typ"))),
            bad("one without an end", &saying(without(&claims, "exp"))),
            bad("one without an issuer", &saying(without(&claims, "iss"))),
            bad("one without an audience", &saying(without(&claims, "aud"))),
            bad("one without a subject", &saying(without(&claims, "sub"))),
            bad(
                "one that is over",
                &saying(with(&claims, "exp", json!(now - 5 * MINUTE))),
            ),
            bad(
                "an unsigned one",
                &forge(&with(&header, "alg", json!("none")), &claims, |_| Vec::new()),
            ),
            bad(
                "one that takes the public key for a secret",
                &forge(&with(&header, "alg", json!("HS256")), &claims, hmac_sha256(&public)),
            ),
        ]
    }
}
