use super::*;

/// Ed25519's PKCS#8 before the 32 bytes of the seed (RFC 8410 section 7).
const ED25519_PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn material(kid: &str, signs_from: i64, verifies_until: Option<i64>) -> KeyMaterial {
    let GeneratedKey { algorithm, private, .. } = GeneratedKey::generate(Algorithm::EdDsa).unwrap();
    let (signs_from, verifies_until) = (at(signs_from), verifies_until.map(at));
    KeyMaterial {
        kid: kid.to_owned(),
        algorithm,
        pkcs8: private,
        signs_from,
        verifies_until,
    }
}

/// What is published of a key as it is used.
fn published_jwk(key: GeneratedKey) -> Jwk {
    let GeneratedKey {
        kid,
        algorithm,
        private,
    } = key;
    let material = KeyMaterial {
        kid,
        algorithm,
        pkcs8: private,
        signs_from: at(0),
        verifies_until: None,
    };
    KeyRing::asymmetric(vec![material]).unwrap().jwks(at(0)).keys.remove(0)
}

fn signing_kid(ring: &KeyRing, now: i64) -> Option<&str> {
    ring.signing_key(at(now)).map(SigningKey::kid)
}

fn published(ring: &KeyRing, now: i64) -> Vec<String> {
    ring.jwks(at(now)).keys.into_iter().map(|key| key.kid).collect()
}

#[test]
fn the_public_half_and_its_thumbprint_are_those_of_rfc_8037() {
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    let public = PublicHalf::of(Algorithm::EdDsa, &[&ED25519_PKCS8[..], &seed].concat()).unwrap();
    assert_eq!(public.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    assert_eq!(public.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn thumbprints_are_those_that_jsonwebtoken_computes() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256] {
        let key = published_jwk(GeneratedKey::generate(algorithm).unwrap());
        let json = serde_json::to_value(&key).unwrap();
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(json).unwrap();
        assert_eq!(
            jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(),
            key.kid
        );
    }
}

#[test]
fn a_jwk_has_the_members_of_its_type() {
    let key = published_jwk(GeneratedKey::generate(Algorithm::EdDsa).unwrap());
    let json = serde_json::to_value(&key).unwrap();
    let x = &key.x;
    let expected = serde_json::json!({
        "kty": "OKP", "crv": "Ed25519", "x": x, "kid": key.kid, "alg": "EdDSA", "use": "sig",
    });
    assert_eq!(json, expected);

    let key = published_jwk(GeneratedKey::generate(Algorithm::Es256).unwrap());
    let json = serde_json::to_value(&key).unwrap();
    let (x, y) = (&key.x, &key.y);
    let expected = serde_json::json!({
        "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": key.kid, "alg": "ES256", "use": "sig",
    });
    assert_eq!(json, expected);
    assert_eq!((x.len(), y.as_ref().unwrap().len()), (43, 43));
}

#[test]
fn the_newest_key_that_has_begun_signs() {
    let keys = vec![
        material("c", 300, None),
        material("a", 100, None),
        material("b", 200, None),
    ];
    let ring = KeyRing::asymmetric(keys).unwrap();
    assert_eq!(signing_kid(&ring, 199), Some("a"));
    assert_eq!(signing_kid(&ring, 200), Some("b"));
    assert_eq!(signing_kid(&ring, 299), Some("b"));
    assert_eq!(signing_kid(&ring, 10_000), Some("c"));
}

#[test]
fn a_clock_behind_every_key_signs_with_the_oldest() {
    let ring = KeyRing::asymmetric(vec![material("b", 200, None), material("a", 100, None)]).unwrap();
    assert_eq!(signing_kid(&ring, 50), Some("a"));
}

#[test]
fn a_key_made_since_the_clock_was_set_back_does_not_sign_before_its_time() {
    let ring = KeyRing::asymmetric(vec![material("new", 100, None), material("future", 9000, Some(200))]).unwrap();
    assert_eq!(signing_kid(&ring, 50), Some("future"));
    assert_eq!(signing_kid(&ring, 100), Some("new"));
}

#[test]
fn keys_of_the_same_second_are_in_the_same_order_everywhere() {
    for kids in [["a", "b"], ["b", "a"]] {
        let ring = KeyRing::asymmetric(kids.map(|kid| material(kid, 100, None)).into()).unwrap();
        assert_eq!(signing_kid(&ring, 100), Some("b"));
    }
}

#[test]
fn a_key_that_has_ended_signs_no_more() {
    let ring = KeyRing::asymmetric(vec![material("a", 100, None), material("b", 200, Some(300))]).unwrap();
    assert_eq!(signing_kid(&ring, 299), Some("b"));
    assert_eq!(signing_kid(&ring, 300), Some("a"));

    let ring = KeyRing::asymmetric(vec![material("a", 100, Some(300))]).unwrap();
    assert_eq!(signing_kid(&ring, 300), None);
    assert_eq!(signing_kid(&KeyRing::asymmetric(Vec::new()).unwrap(), 300), None);
}

#[test]
fn keys_are_published_before_they_sign_and_until_their_last_token_has_expired() {
    let ring = KeyRing::asymmetric(vec![material("a", 100, Some(290)), material("b", 200, None)]).unwrap();
    assert_eq!(published(&ring, 100), ["a", "b"]);
    assert_eq!(published(&ring, 289), ["a", "b"]);
    assert_eq!(published(&ring, 290), ["b"]);
}

#[test]
fn a_shared_secret_is_never_published_nor_recognisable_in_its_name() {
    let secret = "a secret of at least thirty-two bytes";
    let ring = KeyRing::shared_secret(secret);
    assert_eq!(ring.jwks(at(0)), Jwks { keys: Vec::new() });
    let key = ring.signing_key(at(0)).unwrap();
    assert_eq!((key.algorithm(), key.kid().len()), (Algorithm::Hs256, 16));
    assert_eq!(signing_kid(&KeyRing::shared_secret(secret), 0), Some(key.kid()));
    assert_ne!(
        signing_kid(&KeyRing::shared_secret("another secret of thirty-two bytes"), 0),
        Some(key.kid())
    );
}

#[test]
fn what_is_no_key_of_its_algorithm_is_refused_by_name() {
    let broken = KeyMaterial {
        pkcs8: Zeroizing::new(b"no key".to_vec()),
        ..material("broken", 100, None)
    };
    let other_curve = KeyMaterial {
        algorithm: Algorithm::Es256,
        ..material("other", 100, None)
    };
    let symmetric = KeyMaterial {
        algorithm: Algorithm::Hs256,
        ..material("symmetric", 100, None)
    };
    for (material, name) in [(broken, "broken"), (other_curve, "other"), (symmetric, "symmetric")] {
        let error = KeyRing::asymmetric(vec![material]).unwrap_err();
        assert!(matches!(error, KeyError::Rejected { kid, .. } if kid == name));
    }
    assert_eq!(
        GeneratedKey::generate(Algorithm::Hs256).unwrap_err(),
        KeyError::NoKeyPair
    );
}

#[test]
fn algorithms_are_known_by_their_exact_names_only() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
    }
    for name in ["none", "None", "", "hs256", "RS256", "HS512"] {
        assert_eq!(Algorithm::parse(name), None);
    }
}

#[test]
fn debug_shows_no_private_key() {
    let generated = GeneratedKey::generate(Algorithm::EdDsa).unwrap();
    let bytes = format!("{:?}", &generated.private[16..20]);
    let bytes = bytes.trim_matches(['[', ']']).to_owned();
    let shown = format!("{generated:?}");
    assert!(!shown.contains(&bytes) && shown.contains(&generated.kid));

    let GeneratedKey {
        kid,
        algorithm,
        private,
        ..
    } = generated;
    let material = KeyMaterial {
        kid,
        algorithm,
        pkcs8: private,
        signs_from: at(0),
        verifies_until: None,
    };
    assert!(!format!("{material:?}").contains(&bytes));
    let ring = KeyRing::asymmetric(vec![material]).unwrap();
    assert!(!format!("{ring:?}").contains(&bytes));
}
