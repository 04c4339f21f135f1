use aws_lc_rs::hmac;
use jsonwebtoken::{EncodingKey, crypto};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::token::{Algorithm, GeneratedKey, KeyMaterial, edits::edits};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://app.example.com";
const SECRET: &str = "a secret of at least thirty-two bytes, ünicode included";
const LIFE: Duration = Duration::from_mins(15);
const ALGORITHMS: [Algorithm; 3] = [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Hs256];

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_700_000_000)
}

fn settings(audience: Option<&str>) -> AccessSettings {
    AccessSettings {
        issuer: ISSUER.to_owned(),
        audience: audience.map(ToOwned::to_owned),
        life: LIFE,
    }
}

/// A server's tokens, beside the key to forge some with.
struct Server {
    tokens: AccessTokens,
    algorithm: jsonwebtoken::Algorithm,
    key: EncodingKey,
    kid: String,
}

impl Server {
    fn new(algorithm: Algorithm) -> Self {
        Self::with_audience(algorithm, Some(AUDIENCE))
    }

    fn with_audience(algorithm: Algorithm, audience: Option<&str>) -> Self {
        let (ring, jose, key) = match algorithm {
            Algorithm::Hs256 => {
                let key = EncodingKey::from_secret(SECRET.as_bytes());
                (KeyRing::shared_secret(SECRET), jsonwebtoken::Algorithm::HS256, key)
            }
            Algorithm::EdDsa => {
                let material = material(algorithm, now());
                let key = EncodingKey::from_ed_der(&material.pkcs8);
                (
                    KeyRing::asymmetric(vec![material]).unwrap(),
                    jsonwebtoken::Algorithm::EdDSA,
                    key,
                )
            }
            Algorithm::Es256 => {
                let material = material(algorithm, now());
                let key = EncodingKey::from_ec_der(&material.pkcs8);
                (
                    KeyRing::asymmetric(vec![material]).unwrap(),
                    jsonwebtoken::Algorithm::ES256,
                    key,
                )
            }
        };
        let kid = ring.signing_key(now()).unwrap().kid().to_owned();
        Self {
            tokens: AccessTokens::new(settings(audience), ring),
            algorithm: jose,
            key,
            kid,
        }
    }

    fn issue(&self) -> String {
        let roles = ["admin".to_owned()];
        self.tokens.issue(&subject(&roles), now()).unwrap().token
    }

    fn verify(&self, token: &str) -> Result<AccessClaims, TokenError> {
        self.tokens.verify(token, now())
    }

    /// A well signed token of this header and payload, whatever they are.
    fn sign_text(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = crypto::sign(message.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{message}.{signature}")
    }

    /// A genuine token with changed header and claims, well signed again. `null` takes a member out.
    fn sign_with(&self, header: Value, claims: Value) -> String {
        let genuine = self.issue();
        let mut parts = genuine.split('.').map(decoded);
        let header = changed(parts.next().unwrap(), header);
        let claims = changed(parts.next().unwrap(), claims);
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

fn subject(roles: &[String]) -> Subject<'_> {
    Subject {
        user: UserId::new(now()),
        session: SessionId::new(now()),
        roles,
    }
}

fn material(algorithm: Algorithm, signs_from: Timestamp) -> KeyMaterial {
    let GeneratedKey { kid, private, .. } = GeneratedKey::generate(algorithm).unwrap();
    KeyMaterial {
        kid,
        algorithm,
        pkcs8: private,
        signs_from,
        verifies_until: None,
    }
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap_or(Value::Null)
}

fn changed(mut object: Value, changes: Value) -> Value {
    let members = object.as_object_mut().unwrap();
    if let Value::Object(changes) = changes {
        members.extend(changes);
    }
    members.retain(|_, value| !value.is_null());
    object
}

#[test]
fn an_issued_token_verifies_and_tells_whose_it_is() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let roles = ["admin".to_owned(), "editor".to_owned()];
        let subject = subject(&roles);
        let issued = server.tokens.issue(&subject, now()).unwrap();
        assert_eq!(issued.expires_in, LIFE);

        let claims = server.verify(&issued.token).unwrap();
        assert_eq!(
            (claims.sub, claims.sid, claims.roles.as_slice()),
            (subject.user, subject.session, &roles[..])
        );
        assert_eq!((claims.iat, claims.exp), (now(), now().plus(LIFE)));
        assert_ne!(claims.jti, server.verify(&server.issue()).unwrap().jti);
    }
}

#[test]
fn header_and_claims_are_those_of_rfc_9068() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let token = server.issue();
        let mut parts = token.split('.').map(decoded);
        let header = parts.next().unwrap();
        assert_eq!(
            header,
            json!({"typ": "at+jwt", "alg": algorithm.as_str(), "kid": server.kid})
        );

        let claims = parts.next().unwrap();
        let verified = server.verify(&token).unwrap();
        let expected = json!({
            "iss": ISSUER, "sub": verified.sub, "user_id": verified.sub, "client_id": "vestibule", "aud": AUDIENCE,
            "sid": verified.sid, "jti": verified.jti, "iat": 1_700_000_000, "exp": 1_700_000_900, "roles": ["admin"],
        });
        assert_eq!(claims, expected);
    }
}

#[test]
fn without_an_audience_the_claim_is_absent() {
    let server = Server::with_audience(Algorithm::Hs256, None);
    let token = server.issue();
    assert!(decoded(token.split('.').nth(1).unwrap()).get("aud").is_none());
    assert_eq!(server.verify(&token).unwrap().aud, None);
}

#[test]
fn an_hs256_signature_is_plain_hmac_over_the_secret_as_typed() {
    let token = Server::new(Algorithm::Hs256).issue();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
}

#[test]
fn the_published_key_verifies_what_was_issued() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let server = Server::new(algorithm);
        let token = server.issue();
        let jwks = serde_json::to_value(server.tokens.jwks(now())).unwrap();
        let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks).unwrap();
        let jwk = jwks.find(&server.kid).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        assert!(crypto::verify(signature, message.as_bytes(), &key, server.algorithm).unwrap());
    }
}

#[test]
fn a_token_is_valid_up_to_the_second_before_it_expires() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let token = server.issue();
        let end = now().plus(LIFE);
        assert!(server.tokens.verify(&token, end.minus(Duration::from_secs(1))).is_ok());
        assert_eq!(server.tokens.verify(&token, end), Err(TokenError::Expired));
        assert_eq!(server.tokens.verify(&token, end.plus(LIFE)), Err(TokenError::Expired));
    }
}

#[test]
fn a_token_from_a_clock_that_is_ahead_is_accepted() {
    let server = Server::new(Algorithm::EdDsa);
    let token = server.issue();
    assert!(
        server
            .tokens
            .verify(&token, now().minus(Duration::from_secs(30)))
            .is_ok()
    );
}

#[test]
fn a_token_from_before_the_clock_was_set_back_is_over() {
    let server = Server::new(Algorithm::EdDsa);
    let token = server.issue();
    let back = |by: Duration| server.tokens.verify(&token, now().minus(by));
    assert!(back(crate::clock::TOLERANCE).is_ok());
    assert_eq!(
        back(crate::clock::TOLERANCE + Duration::from_secs(1)),
        Err(TokenError::Expired)
    );
}

#[test]
fn expired_is_said_only_of_our_own_tokens() {
    let server = Server::new(Algorithm::EdDsa);
    let past = json!({"exp": 1_600_000_000});
    assert_eq!(
        server.verify(&server.sign_with(json!({}), past)),
        Err(TokenError::Expired)
    );
    let elsewhere = json!({"exp": 1_600_000_000, "aud": "https://other.example.com"});
    assert_eq!(
        server.verify(&server.sign_with(json!({}), elsewhere)),
        Err(TokenError::Invalid)
    );

    let mut unsigned = server.sign_with(json!({}), json!({"exp": 1_600_000_000}));
    unsigned.truncate(unsigned.rfind('.').unwrap() + 1);
    unsigned.push_str(server.issue().rsplit('.').next().unwrap());
    assert_eq!(server.verify(&unsigned), Err(TokenError::Invalid));
}

#[test]
fn an_unsigned_token_is_refused() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        for none in ["none", "None", "NONE", "nOnE", ""] {
            let token = server.sign_with(json!({"alg": none}), json!({}));
            assert_eq!(server.verify(&token), Err(TokenError::Invalid));
            let stripped = &token[..=token.rfind('.').unwrap()];
            assert_eq!(server.verify(stripped), Err(TokenError::Invalid));
        }
    }
}

#[test]
fn a_header_cannot_choose_the_algorithm() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        for other in [
            "EdDSA", "ES256", "HS256", "HS384", "HS512", "RS256", "ES384", "eddsa", "es256", "hs256",
        ] {
            if other != algorithm.as_str() {
                let token = server.sign_with(json!({"alg": other}), json!({}));
                assert_eq!(
                    server.verify(&token),
                    Err(TokenError::Invalid),
                    "{other} with a key for {algorithm}"
                );
            }
        }
    }
}

#[test]
fn a_public_key_is_no_hmac_secret() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let server = Server::new(algorithm);
        let jwk = server.tokens.jwks(now()).keys.remove(0);
        let x = URL_SAFE_NO_PAD.decode(&jwk.x).unwrap();
        let y = jwk
            .y
            .as_ref()
            .map(|y| URL_SAFE_NO_PAD.decode(y).unwrap())
            .unwrap_or_default();
        let point = [&[4][..], &x, &y].concat();
        let json = serde_json::to_vec(&jwk).unwrap();
        for secret in [x, point, json, jwk.x.into_bytes()] {
            let key = EncodingKey::from_secret(&secret);
            let confused = Server {
                key,
                algorithm: jsonwebtoken::Algorithm::HS256,
                ..Server::new(algorithm)
            };
            for alg in ["HS256", algorithm.as_str()] {
                let token = confused.sign_with(json!({"alg": alg, "kid": server.kid}), json!({}));
                assert_eq!(server.verify(&token), Err(TokenError::Invalid));
            }
        }
    }
}

#[test]
fn a_foreign_key_is_unknown_by_its_own_name_and_invalid_by_ours() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let (ours, foreign) = (Server::new(algorithm), Server::new(algorithm));
        assert_eq!(ours.verify(&foreign.issue()), Err(TokenError::UnknownKey));
        let renamed = foreign.sign_with(json!({"kid": ours.kid}), json!({}));
        assert_eq!(ours.verify(&renamed), Err(TokenError::Invalid));
    }
    let other_secret = AccessTokens::new(settings(Some(AUDIENCE)), KeyRing::shared_secret("another secret"));
    assert_eq!(
        other_secret.verify(&Server::new(Algorithm::Hs256).issue(), now()),
        Err(TokenError::UnknownKey)
    );
}

#[test]
fn a_token_that_names_no_key_is_refused() {
    let server = Server::new(Algorithm::EdDsa);
    assert_eq!(
        server.verify(&server.sign_with(json!({"kid": null}), json!({}))),
        Err(TokenError::Invalid)
    );
    assert_eq!(
        server.verify(&server.sign_with(json!({"kid": 7}), json!({}))),
        Err(TokenError::Malformed)
    );
}

#[test]
fn keys_that_a_token_brings_along_are_ignored() {
    let (server, thief) = (Server::new(Algorithm::EdDsa), Server::new(Algorithm::EdDsa));
    let brought = json!({
        "kid": server.kid,
        "jku": "https://thief.example.com/jwks.json",
        "x5u": "https://thief.example.com/cert.pem",
        "jwk": thief.tokens.jwks(now()).keys[0],
        "x5c": ["not even base64"],
    });
    assert_eq!(
        server.verify(&thief.sign_with(brought.clone(), json!({}))),
        Err(TokenError::Invalid)
    );
    assert!(server.verify(&server.sign_with(brought, json!({}))).is_ok());
}

#[test]
fn a_critical_extension_is_refused() {
    let server = Server::new(Algorithm::EdDsa);
    for crit in [json!(["b64"]), json!(["exp"]), json!([]), json!("b64")] {
        let token = server.sign_with(json!({"crit": crit, "b64": false}), json!({}));
        assert_eq!(server.verify(&token), Err(TokenError::Invalid));
    }
}

#[test]
fn only_the_type_of_access_tokens_is_accepted() {
    let server = Server::new(Algorithm::EdDsa);
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
        assert!(
            server.verify(&server.sign_with(json!({"typ": typ}), json!({}))).is_ok(),
            "{typ}"
        );
    }
    for typ in [
        json!(null),
        json!(""),
        json!("JWT"),
        json!("at"),
        json!("at+jwt "),
        json!("logout+jwt"),
    ] {
        let token = server.sign_with(json!({"typ": typ}), json!({}));
        assert_eq!(server.verify(&token), Err(TokenError::Invalid), "{typ}");
    }
}

#[test]
fn another_issuer_is_refused() {
    let server = Server::new(Algorithm::EdDsa);
    for iss in [
        json!(null),
        json!(""),
        json!("https://id.example.com/"),
        json!("https://ID.example.com"),
        json!([ISSUER]),
    ] {
        let token = server.sign_with(json!({}), json!({"iss": iss}));
        assert_eq!(server.verify(&token), Err(TokenError::Invalid), "{iss}");
    }
}

#[test]
fn the_audience_has_to_include_ours() {
    let server = Server::new(Algorithm::EdDsa);
    for aud in [
        json!(AUDIENCE),
        json!([AUDIENCE]),
        json!(["https://other.example.com", AUDIENCE]),
    ] {
        assert!(
            server.verify(&server.sign_with(json!({}), json!({"aud": aud}))).is_ok(),
            "{aud}"
        );
    }
    for aud in [
        json!(null),
        json!(""),
        json!([]),
        json!("https://other.example.com"),
        json!(7),
        json!([[AUDIENCE]]),
    ] {
        let token = server.sign_with(json!({}), json!({"aud": aud}));
        assert_eq!(server.verify(&token), Err(TokenError::Invalid), "{aud}");
    }
}

#[test]
fn a_token_for_someone_is_refused_where_no_audience_is_configured() {
    let server = Server::with_audience(Algorithm::Hs256, None);
    let token = server.sign_with(json!({}), json!({"aud": AUDIENCE}));
    assert_eq!(server.verify(&token), Err(TokenError::Invalid));
}

#[test]
fn every_claim_has_to_be_there_and_of_its_type() {
    let server = Server::new(Algorithm::EdDsa);
    for claims in [
        json!({"sub": null}),
        json!({"sub": "alice"}),
        json!({"sub": 7}),
        json!({"user_id": "01890000-0000-7000-8000-000000000000"}),
        json!({"sid": null}),
        json!({"sid": "first"}),
        json!({"exp": null}),
        json!({"exp": "1700000900"}),
        json!({"exp": 1e300}),
        json!({"exp": u64::MAX}),
        json!({"iat": null}),
        json!({"roles": "admin"}),
    ] {
        let token = server.sign_with(json!({}), claims.clone());
        assert_eq!(server.verify(&token), Err(TokenError::Invalid), "{claims}");
    }
}

#[test]
fn claims_that_mean_nothing_here_are_ignored() {
    let server = Server::new(Algorithm::EdDsa);
    let token = server.sign_with(
        json!({"x": {"y": 1}}),
        json!({"scope": "read", "admin": true, "nested": {"sub": "x"}}),
    );
    assert!(server.verify(&token).is_ok());
}

#[test]
fn a_claim_that_is_there_twice_is_refused() {
    let server = Server::new(Algorithm::EdDsa);
    let genuine = server.issue();
    let mut parts = genuine.split('.').map(decoded);
    let (header, claims) = (parts.next().unwrap().to_string(), parts.next().unwrap().to_string());
    let twice = claims.replacen('{', r#"{"exp":99999999999,"#, 1);
    assert_eq!(
        server.verify(&server.sign_text(&header, &twice)),
        Err(TokenError::Invalid)
    );
}

#[test]
fn a_payload_that_is_no_json_object_is_refused() {
    let server = Server::new(Algorithm::EdDsa);
    let header = json!({"typ": "at+jwt", "alg": "EdDSA", "kid": server.kid}).to_string();
    for payload in ["", "null", "[]", "\"text\"", "{", "{}", "{}{}", "\u{feff}{}"] {
        let token = server.sign_text(&header, payload);
        assert_eq!(server.verify(&token), Err(TokenError::Invalid), "{payload}");
    }
}

#[test]
fn an_array_of_the_right_values_is_no_object() {
    let server = Server::new(Algorithm::EdDsa);
    let genuine = server.issue();
    let mut parts = genuine.split('.').map(decoded);
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let values = json!([header["alg"], header["typ"], header["kid"], null]);
    let token = server.sign_text(&values.to_string(), &claims.to_string());
    assert_eq!(server.verify(&token), Err(TokenError::Malformed));

    let names = [
        "iss",
        "sub",
        "user_id",
        "client_id",
        "aud",
        "sid",
        "jti",
        "iat",
        "exp",
        "roles",
    ];
    let values: Vec<&Value> = names.iter().map(|name| &claims[name]).collect();
    let token = server.sign_text(&header.to_string(), &json!(values).to_string());
    assert_eq!(server.verify(&token), Err(TokenError::Invalid));
}

#[test]
fn what_is_no_jwt_is_malformed() {
    let server = Server::new(Algorithm::EdDsa);
    let token = server.issue();
    let (message, signature) = token.rsplit_once('.').unwrap();
    for text in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "Bearer".to_owned(),
        message.to_owned(),
        format!("{token}.{signature}"),
        format!(".{token}"),
        format!(" {token}"),
        format!("{token}="),
        format!("{token}\n"),
        format!("{message}.{signature}!"),
        server.sign_text("null", "{}"),
        server.sign_text("{\"alg\":\"EdDSA\"", "{}"),
        server.sign_text(r#"{"alg":"EdDSA","alg":"none","typ":"at+jwt"}"#, "{}"),
        server.sign_text(r#"{"typ":"at+jwt"}"#, "{}"),
    ] {
        assert_eq!(server.verify(&text), Err(TokenError::Malformed), "{text}");
    }
}

#[test]
fn a_long_token_is_refused_unread_and_never_issued() {
    let server = Server::new(Algorithm::EdDsa);
    let padding = |length: usize| server.sign_with(json!({}), json!({"padding": "x".repeat(length)}));
    assert!(server.verify(&padding(2_000)).is_ok());
    assert_eq!(server.verify(&padding(4_000)), Err(TokenError::Malformed));

    let roles: Vec<String> = (0..400).map(|number| format!("role-{number}")).collect();
    assert_eq!(
        server.tokens.issue(&subject(&roles), now()).unwrap_err(),
        TokenError::TooLong
    );
}

#[test]
fn a_token_cut_short_anywhere_is_refused() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let token = server.issue();
        for length in 0..token.len() {
            assert!(server.verify(&token[..length]).is_err(), "{algorithm} cut to {length}");
        }
    }
}

#[test]
fn a_token_with_any_bit_changed_is_refused() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let token = server.issue();
        for position in 0..token.len() {
            for bit in 0..7 {
                let mut bytes = token.clone().into_bytes();
                bytes[position] ^= 1 << bit;
                let text = String::from_utf8(bytes).unwrap();
                assert!(server.verify(&text).is_err(), "{algorithm}: bit {bit} of {position}");
            }
        }
    }
}

#[test]
fn a_signature_does_not_carry_over_to_other_claims() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let (one, other) = (server.issue(), server.issue());
        let spliced = format!(
            "{}.{}",
            one.rsplit_once('.').unwrap().0,
            other.rsplit_once('.').unwrap().1
        );
        assert_eq!(server.verify(&spliced), Err(TokenError::Invalid));
    }
}

#[test]
fn tokens_outlive_the_rotation_of_their_key_until_it_ends() {
    let old = GeneratedKey::generate(Algorithm::EdDsa).unwrap();
    let rotation = now().plus(Duration::from_mins(1));
    let end = rotation.plus(LIFE);
    let key = |verifies_until| KeyMaterial {
        kid: old.kid.clone(),
        algorithm: Algorithm::EdDsa,
        pkcs8: old.private.clone(),
        signs_from: now(),
        verifies_until,
    };
    let new = material(Algorithm::Es256, rotation);
    let new_kid = new.kid.clone();

    let tokens = AccessTokens::new(settings(None), KeyRing::asymmetric(vec![key(None)]).unwrap());
    tokens.replace_ring(KeyRing::asymmetric(vec![new, key(Some(end))]).unwrap());
    let issue = |moment| tokens.issue(&subject(&[]), moment).unwrap().token;
    let kid_of = |token: &str| {
        decoded(token.split('.').next().unwrap())["kid"]
            .as_str()
            .unwrap()
            .to_owned()
    };

    let last_of_old = issue(rotation.minus(Duration::from_secs(1)));
    let first_of_new = issue(rotation);
    assert_eq!(
        (kid_of(&last_of_old), kid_of(&first_of_new)),
        (old.kid.clone(), new_kid)
    );
    assert!(tokens.verify(&last_of_old, rotation).is_ok());
    assert!(tokens.verify(&first_of_new, rotation).is_ok());
    assert!(
        tokens.verify(&first_of_new, now()).is_ok(),
        "from a process whose clock is ahead"
    );
    assert_eq!(
        tokens.verify(&last_of_old, end.minus(Duration::from_secs(1))),
        Err(TokenError::Expired)
    );
    assert_eq!(tokens.verify(&last_of_old, end), Err(TokenError::Invalid));
}

#[test]
fn a_key_of_another_process_is_unknown_until_it_is_loaded() {
    let (ours, theirs) = (material(Algorithm::EdDsa, now()), material(Algorithm::EdDsa, now()));
    let copy = KeyMaterial {
        kid: theirs.kid.clone(),
        pkcs8: theirs.pkcs8.clone(),
        ..theirs
    };
    let here = AccessTokens::new(settings(None), KeyRing::asymmetric(vec![ours]).unwrap());
    let there = AccessTokens::new(settings(None), KeyRing::asymmetric(vec![theirs]).unwrap());
    let token = there.issue(&subject(&[]), now()).unwrap().token;
    assert_eq!(here.verify(&token, now()), Err(TokenError::UnknownKey));
    here.replace_ring(KeyRing::asymmetric(vec![copy]).unwrap());
    assert!(here.verify(&token, now()).is_ok());
}

#[test]
fn without_a_key_nothing_is_issued() {
    let tokens = AccessTokens::new(settings(None), KeyRing::asymmetric(Vec::new()).unwrap());
    assert_eq!(
        tokens.issue(&subject(&[]), now()).unwrap_err(),
        TokenError::NoSigningKey
    );
}

#[test]
fn debug_does_not_show_the_token_nor_the_secret() {
    let server = Server::new(Algorithm::Hs256);
    let issued = server.tokens.issue(&subject(&[]), now()).unwrap();
    assert_eq!(format!("{issued:?}"), "IssuedAccess { expires_in: 900s, .. }");
    let secret = format!("{:?}", &SECRET.as_bytes()[..4]);
    let shown = format!("{:?}", server.tokens);
    assert!(!shown.contains(SECRET) && !shown.contains(secret.trim_matches(['[', ']'])));
}

proptest! {
    #[test]
    fn verifying_arbitrary_text_never_panics_and_never_succeeds(
        text in prop_oneof![any::<String>(), r"[A-Za-z0-9_.=-]{0,200}", r"([A-Za-z0-9_-]{0,60}\.){2}[A-Za-z0-9_-]{0,90}"],
    ) {
        let tokens = AccessTokens::new(settings(None), KeyRing::shared_secret(SECRET));
        prop_assert!(tokens.verify(&text, now()).is_err());
    }

    #[test]
    fn arbitrary_headers_and_claims_never_panic_even_well_signed(
        header in prop_oneof![any::<String>(), Just(r#"{"alg":"HS256","typ":"at+jwt","kid":"KID"}"#.to_owned())],
        payload in prop_oneof![any::<String>(), r#"\{"(exp|iat|sub|aud|roles)":(-?[0-9]{1,30}|\[\]|"[a-z]*"|null)\}"#],
    ) {
        let server = Server::new(Algorithm::Hs256);
        let token = server.sign_text(&header.replace("KID", &server.kid), &payload);
        prop_assert!(server.verify(&token).is_err());
    }
}

#[test]
fn nothing_that_is_made_of_a_good_token_is_good() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let good = server.issue();
        assert!(server.verify(&good).is_ok());
        proptest!(|(edits in edits())| {
            let forged = edits.of(&good);
            prop_assume!(forged != good);
            prop_assert!(server.verify(&forged).is_err(), "{:?}: {}", algorithm, forged);
        });
    }
}

#[test]
fn no_part_of_a_good_token_can_be_put_into_another() {
    for algorithm in ALGORITHMS {
        let server = Server::new(algorithm);
        let (one, other) = (server.issue(), server.issue());
        let parts = |token: &str| token.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (one, other) = (parts(&one), parts(&other));
        proptest!(|(taken in prop::collection::vec((any::<bool>(), 0..3_usize), 0..5))| {
            let forged: Vec<&str> = taken
                .iter()
                .map(|(of_one, part)| if *of_one { one[*part].as_str() } else { other[*part].as_str() })
                .collect();
            let header = forged.first().is_some_and(|header| *header == one[0]);
            // The headers are alike, so that a token is whole with either.
            let whole = header && (forged[1..] == one[1..] || forged[1..] == other[1..]);
            prop_assert_eq!(server.verify(&forged.join(".")).is_ok(), whole);
        });
    }
}
