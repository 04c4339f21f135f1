//! Tokens that should open nothing, each refused with a 401 that says why, and the good one beside them.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

use crate::support::{
    Actor, MINUTE, PASSWORD, PUBLIC_URL, Place, Reply, SECRET_KEY, Server, both_engines, forge, hmac_sha256,
    hmac_sha384, jwt_claims, jwt_header,
};

both_engines![
    a_token_says_who_for_whom_and_until_when,
    other_services_verify_eddsa_and_es256_by_the_published_keys,
    hs256_tokens_are_verified_as_the_templates_do,
    a_token_expires_to_the_second,
    the_life_of_a_token_is_configurable,
    a_token_of_another_algorithm_is_refused,
    an_unsigned_token_is_refused,
    the_public_key_is_no_shared_secret,
    a_foreign_key_is_refused,
    keys_that_a_token_brings_along_are_not_followed,
    a_wrong_issuer_is_refused,
    a_wrong_audience_is_refused,
    a_wrong_type_is_refused,
    claims_that_are_missing_or_wrong_are_refused,
    what_is_not_a_token_is_malformed,
    a_token_with_anything_changed_is_refused,
    the_challenge_says_what_is_wrong,
    a_token_of_an_ended_session_or_a_deleted_user_is_refused,
    a_bearer_header_wins_over_cookies,
];

const HS256: [(&str, &str); 2] = [("ALGORITHM", "HS256"), ("SECRET_KEY", SECRET_KEY)];

async fn me(server: &Server, token: &str) -> Reply {
    server.anonymous().get("/users/me").bearer(token).await
}

/// The published set, as another service reads it.
async fn published(server: &Server) -> JwkSet {
    let reply = server.anonymous().get("/.well-known/jwks.json").await.expect(200);
    assert!(!reply.text().contains("\"d\""), "no private half: {}", reply.text());
    serde_json::from_slice(&reply.body).expect("a JWK set")
}

async fn a_token_says_who_for_whom_and_until_when(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let header = jwt_header(&ann.access_token);
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "EdDSA");
    assert!(header["kid"].is_string());
    let claims = jwt_claims(&ann.access_token);
    let now = 1_772_366_400;
    assert_eq!(claims["iss"], PUBLIC_URL);
    assert_eq!(claims["aud"], PUBLIC_URL);
    assert_eq!(claims["sub"], ann.user_id);
    assert_eq!(claims["user_id"], ann.user_id);
    assert_eq!(claims["iat"], now);
    assert_eq!(claims["exp"], now + 900);
    assert_eq!(claims["roles"], json!([]));
    for claim in ["client_id", "sid", "jti"] {
        assert!(claims[claim].is_string(), "{claim} in {claims}");
    }
    let known = [
        "iss",
        "aud",
        "sub",
        "user_id",
        "iat",
        "exp",
        "roles",
        "client_id",
        "sid",
        "jti",
    ];
    assert!(
        claims
            .as_object()
            .unwrap()
            .keys()
            .all(|claim| known.contains(&claim.as_str())),
        "{claims}"
    );
}

async fn other_services_verify_eddsa_and_es256_by_the_published_keys(place: Place) {
    for (name, algorithm) in [("EdDSA", Algorithm::EdDSA), ("ES256", Algorithm::ES256)] {
        let server = place.start_with(&[("ALGORITHM", name)]).await;
        let token = server.user(&format!("{name}@example.com")).await.access_token;
        assert_eq!(jwt_header(&token)["alg"], name);
        let kid = jwt_header(&token)["kid"].as_str().unwrap().to_owned();
        let set = published(&server).await;
        let jwk = set.find(&kid).expect("the key is published");
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[PUBLIC_URL]);
        validation.set_issuer(&[PUBLIC_URL]);
        // This machine's clock is not the test's.
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(jwk).unwrap();
        let verified = jsonwebtoken::decode::<Value>(&token, &key, &validation).expect("a good signature");
        assert_eq!(verified.claims["iss"], PUBLIC_URL);
        me(&server, &token).await.expect(200);
        // Of two keys made in the same second, either may sign.
        server.advance(MINUTE);
        server.stop().await;
    }
}

async fn hs256_tokens_are_verified_as_the_templates_do(place: Place) {
    let server = place.start_with(&HS256).await;
    let ann = server.user("ann@example.com").await;
    let header = jwt_header(&ann.access_token);
    assert_eq!(header["alg"], "HS256");
    let mut validation = Validation::new(Algorithm::HS256);
    validation.validate_exp = false;
    let key = DecodingKey::from_secret(SECRET_KEY.as_bytes());
    let verified = jsonwebtoken::decode::<Value>(&ann.access_token, &key, &validation).expect("a good signature");
    assert_eq!(
        verified.claims.get("aud"),
        None,
        "the templates' verifiers refuse an audience they do not know"
    );
    assert_eq!(verified.claims["user_id"], ann.user_id);
    let set = server
        .anonymous()
        .get("/.well-known/jwks.json")
        .await
        .expect(200)
        .json();
    assert_eq!(set, json!({"keys": []}), "a shared secret is not published");
    me(&server, &ann.access_token).await.expect(200);
}

async fn a_token_expires_to_the_second(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    server.advance(15 * MINUTE - 1);
    me(&server, &ann.access_token).await.expect(200);
    server.advance(1);
    let reply = me(&server, &ann.access_token).await;
    reply.expect_problem(401, "token_expired");
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(challenge.to_lowercase().contains("expired"), "{challenge}");
}

async fn the_life_of_a_token_is_configurable(place: Place) {
    let server = place.start_with(&[("ACCESS_TOKEN_EXPIRE_MINUTES", "30")]).await;
    server.sign_up("ann@example.com").await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    let answer = server
        .anonymous()
        .post("/api/auth/login")
        .json(body)
        .await
        .expect(200)
        .json();
    assert_eq!(answer["expires_in"], 1800);
    let token = answer["access_token"].as_str().unwrap();
    server.advance(29 * MINUTE);
    me(&server, token).await.expect(200);
    server.advance(MINUTE);
    me(&server, token).await.expect_problem(401, "token_expired");
}

async fn a_token_of_another_algorithm_is_refused(place: Place) {
    let server = place.start_with(&HS256).await;
    let token = server.user("ann@example.com").await.access_token;
    let claims = jwt_claims(&token);
    let with_algorithm = |name: &str| {
        let mut header = jwt_header(&token);
        header["alg"] = json!(name);
        header
    };
    // The right secret and the right claims: only the algorithm is not the one that the server was told.
    let forged = forge(&with_algorithm("HS384"), &claims, hmac_sha384(SECRET_KEY.as_bytes()));
    me(&server, &forged).await.expect_problem(401, "token_invalid");
    for name in ["HS512", "RS256", "ES256", "EdDSA", "PS256", "hs256", "nOnE", ""] {
        let forged = forge(&with_algorithm(name), &claims, hmac_sha256(SECRET_KEY.as_bytes()));
        me(&server, &forged).await.expect_any_problem(401);
    }
    // And the forger's tools do work.
    let sound = forge(&jwt_header(&token), &claims, hmac_sha256(SECRET_KEY.as_bytes()));
    me(&server, &sound).await.expect(200);
}

async fn an_unsigned_token_is_refused(place: Place) {
    let server = place.start().await;
    let token = server.user("ann@example.com").await.access_token;
    for algorithm in ["none", "None", "NONE", "nOnE"] {
        let mut header = jwt_header(&token);
        header["alg"] = json!(algorithm);
        let unsigned = forge(&header, &jwt_claims(&token), |_| Vec::new());
        me(&server, &unsigned).await.expect_any_problem(401);
        header.as_object_mut().unwrap().remove("kid");
        let unsigned = forge(&header, &jwt_claims(&token), |_| Vec::new());
        me(&server, &unsigned).await.expect_any_problem(401);
        me(&server, unsigned.trim_end_matches('.'))
            .await
            .expect_any_problem(401);
    }
    let stripped = forge(&jwt_header(&token), &jwt_claims(&token), |_| Vec::new());
    me(&server, &stripped).await.expect_any_problem(401);
}

async fn the_public_key_is_no_shared_secret(place: Place) {
    let server = place.start().await;
    let token = server.user("ann@example.com").await.access_token;
    let set = server.anonymous().get("/.well-known/jwks.json").await.json();
    let jwk = &set["keys"][0];
    let raw = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    // SubjectPublicKeyInfo of RFC 8410, as a library that loads PEM would have it.
    let mut der = vec![0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    der.extend(&raw);
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(&der)
    );
    let secrets = [
        raw,
        der,
        pem.into_bytes(),
        jwk["x"].to_string().into_bytes(),
        jwk.to_string().into_bytes(),
    ];
    let mut header = jwt_header(&token);
    header["alg"] = json!("HS256");
    for secret in secrets {
        let confused = forge(&header, &jwt_claims(&token), hmac_sha256(&secret));
        me(&server, &confused).await.expect_problem(401, "token_invalid");
    }
}

async fn a_foreign_key_is_refused(place: Place) {
    let server = place.start().await;
    let token = server.user("ann@example.com").await.access_token;
    let foreign = Ed25519KeyPair::generate().unwrap();
    let sign = |message: &[u8]| foreign.sign(message).as_ref().to_vec();
    let header = jwt_header(&token);
    me(&server, &forge(&header, &jwt_claims(&token), sign))
        .await
        .expect_problem(401, "token_invalid");
    for kid in [
        json!("unknown"),
        json!(""),
        json!("../../etc/passwd"),
        json!("' OR 1=1 --"),
        Value::Null,
        json!(7),
    ] {
        let mut header = header.clone();
        header["kid"] = kid;
        me(&server, &forge(&header, &jwt_claims(&token), sign))
            .await
            .expect_any_problem(401);
    }
    let mut without = header;
    without.as_object_mut().unwrap().remove("kid");
    me(&server, &forge(&without, &jwt_claims(&token), sign))
        .await
        .expect_any_problem(401);
}

async fn keys_that_a_token_brings_along_are_not_followed(place: Place) {
    let server = place.start().await;
    let token = server.user("ann@example.com").await.access_token;
    let foreign = Ed25519KeyPair::generate().unwrap();
    let x = URL_SAFE_NO_PAD.encode(foreign.public_key().as_ref());
    // Whoever follows a link is noticed here.
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", trap.local_addr().unwrap());
    for (name, value) in [
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA"})),
        ("jku", json!(url)),
        ("x5u", json!(url)),
        ("x5c", json!([x])),
        ("crit", json!(["exp"])),
    ] {
        let mut header = jwt_header(&token);
        header[name] = value;
        let forged = forge(&header, &jwt_claims(&token), |message| {
            foreign.sign(message).as_ref().to_vec()
        });
        me(&server, &forged).await.expect_any_problem(401);
        header["kid"] = json!("mine");
        let forged = forge(&header, &jwt_claims(&token), |message| {
            foreign.sign(message).as_ref().to_vec()
        });
        me(&server, &forged).await.expect_any_problem(401);
    }
    let followed = tokio::time::timeout(std::time::Duration::from_millis(100), trap.accept()).await;
    assert!(followed.is_err(), "somebody called");
}

async fn a_wrong_issuer_is_refused(place: Place) {
    let server = place.start().await;
    // The same database, the same keys and the same audience: another house all the same.
    let other = [("PUBLIC_URL", "http://localhost:9000"), ("JWT_AUDIENCE", PUBLIC_URL)];
    let other = place.start_with(&other).await;
    let token = other.user("ann@example.com").await.access_token;
    me(&other, &token).await.expect(200);
    me(&server, &token).await.expect_problem(401, "token_invalid");
}

async fn a_wrong_audience_is_refused(place: Place) {
    let server = place.start().await;
    let other = place.start_with(&[("JWT_AUDIENCE", "another-service")]).await;
    let token = other.user("ann@example.com").await.access_token;
    assert_eq!(jwt_claims(&token)["aud"], "another-service");
    me(&other, &token).await.expect(200);
    me(&server, &token).await.expect_problem(401, "token_invalid");
    let without = place
        .start_with(&HS256)
        .await
        .log_in("ann@example.com")
        .await
        .access_token;
    me(&server, &without).await.expect_any_problem(401);
}

async fn a_wrong_type_is_refused(place: Place) {
    let server = place.start_with(&HS256).await;
    let token = server.user("ann@example.com").await.access_token;
    for kind in [
        json!("JWT"),
        json!("id+jwt"),
        json!("dpop+jwt"),
        json!(""),
        Value::Null,
        json!(7),
    ] {
        let mut header = jwt_header(&token);
        header["typ"] = kind;
        let forged = forge(&header, &jwt_claims(&token), hmac_sha256(SECRET_KEY.as_bytes()));
        me(&server, &forged).await.expect_any_problem(401);
    }
    let mut header = jwt_header(&token);
    header.as_object_mut().unwrap().remove("typ");
    let forged = forge(&header, &jwt_claims(&token), hmac_sha256(SECRET_KEY.as_bytes()));
    me(&server, &forged).await.expect_problem(401, "token_invalid");
}

async fn claims_that_are_missing_or_wrong_are_refused(place: Place) {
    let server = place.start_with(&[HS256[0], HS256[1], ("JWT_AUDIENCE", "here")]).await;
    let token = server.user("ann@example.com").await.access_token;
    let sign = |claims: &Value| forge(&jwt_header(&token), claims, hmac_sha256(SECRET_KEY.as_bytes()));
    for claim in ["iss", "aud", "sub", "sid", "exp"] {
        let mut claims = jwt_claims(&token);
        claims.as_object_mut().unwrap().remove(claim);
        me(&server, &sign(&claims)).await.expect_any_problem(401);
        for wrong in [
            Value::Null,
            json!(""),
            json!("x"),
            json!([]),
            json!({}),
            json!(true),
            json!(-1),
            json!(0),
        ] {
            let mut claims = jwt_claims(&token);
            claims[claim] = wrong;
            me(&server, &sign(&claims)).await.expect_any_problem(401);
        }
    }
    for far in [json!(1e300), json!("1772367300"), json!(i64::MIN)] {
        let mut claims = jwt_claims(&token);
        claims["exp"] = far;
        me(&server, &sign(&claims)).await.expect_any_problem(401);
    }
    // Another user's session does not carry this user.
    let bob = server.user("bob@example.com").await;
    let mut claims = jwt_claims(&token);
    claims["sub"] = json!(bob.user_id);
    claims["user_id"] = json!(bob.user_id);
    me(&server, &sign(&claims)).await.expect_any_problem(401);
}

async fn what_is_not_a_token_is_malformed(place: Place) {
    let server = place.start().await;
    let token = server.user("ann@example.com").await.access_token;
    let parts: Vec<&str> = token.split('.').collect();
    let two = format!("{}.{}", parts[0], parts[1]);
    let four = format!("{token}.{}", parts[2]);
    let not_json = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("x"), parts[1], parts[2]);
    let padded = format!("{}=.{}.{}", parts[0], parts[1], parts[2]);
    let long = "a".repeat(5000);
    for bad in [
        "x",
        "..",
        "...",
        &two,
        &four,
        &not_json,
        &padded,
        "a b c",
        &long,
        "eyJ.eyJ.eyJ",
    ] {
        me(&server, bad).await.expect_problem(401, "token_malformed");
    }
    let truncated = &token[..token.len() - 10];
    me(&server, truncated).await.expect_any_problem(401);
    for header in [
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "Digest x",
        "",
        "Bearer\u{9}",
        "Token x",
    ] {
        let reply = server
            .anonymous()
            .get("/users/me")
            .header("authorization", header)
            .await;
        reply.expect_any_problem(401);
    }
    let reply = server
        .anonymous()
        .get("/users/me")
        .header("authorization", b"Bearer \xff\xfe")
        .await;
    reply.expect_refusal();
    let lower = server
        .anonymous()
        .get("/users/me")
        .header("authorization", format!("bearer {token}"))
        .await;
    lower.expect(200);
}

async fn a_token_with_anything_changed_is_refused(place: Place) {
    let server = place.start().await;
    let token = server.user("ann@example.com").await.access_token;
    let mut claims = jwt_claims(&token);
    claims["roles"] = json!(["admin"]);
    let signature = token.rsplit('.').next().unwrap();
    let promoted = forge(&jwt_header(&token), &claims, |_| {
        URL_SAFE_NO_PAD.decode(signature).unwrap()
    });
    me(&server, &promoted).await.expect_problem(401, "token_invalid");
    for index in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        me(&server, &String::from_utf8(bytes).unwrap())
            .await
            .expect_any_problem(401);
    }
}

async fn the_challenge_says_what_is_wrong(place: Place) {
    let server = place.start().await;
    let token = server.user("ann@example.com").await.access_token;
    let reply = me(&server, "nonsense").await;
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(challenge.to_lowercase().contains("malformed"), "{challenge}");
    let foreign = Ed25519KeyPair::generate().unwrap();
    let forged = forge(&jwt_header(&token), &jwt_claims(&token), |message| {
        foreign.sign(message).as_ref().to_vec()
    });
    let reply = me(&server, &forged).await;
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
    assert!(challenge.contains("error_description=\""), "{challenge}");
}

async fn a_token_of_an_ended_session_or_a_deleted_user_is_refused(place: Place) {
    let server = place.start().await;
    let ann = server.user("ann@example.com").await;
    let other = server.log_in("ann@example.com").await;
    ann.post("/api/auth/logout").await.expect(200);
    me(&server, &ann.access_token)
        .await
        .expect_problem(401, "session_ended");
    other
        .delete("/api/auth/me")
        .json(json!({"password": PASSWORD}))
        .await
        .expect_success();
    me(&server, &other.access_token)
        .await
        .expect_problem(401, "session_ended");
}

async fn a_bearer_header_wins_over_cookies(place: Place) {
    let server = place.start().await;
    let browser = server.user_with_browser("cookie@example.com").await;
    let bearer = server.user("bearer@example.com").await;
    let me = browser
        .get("/users/me")
        .bearer(&bearer.access_token)
        .await
        .expect(200)
        .json();
    assert_eq!(me["email"], "bearer@example.com");
    // A bad one is not overlooked for a good cookie.
    browser
        .get("/users/me")
        .bearer("nonsense")
        .await
        .expect_problem(401, "token_malformed");
}
