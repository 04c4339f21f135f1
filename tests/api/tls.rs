//! A server that ends TLS itself.

use std::fs;

use serde_json::json;
use tokio::{
    io::AsyncReadExt,
    net::TcpStream,
    time::{Duration, sleep},
};

use crate::support::{
    Actor, Anonymous, Browser, Certificate, PASSWORD, Place, Process, one_engine, send_bytes, send_unfinished, shown,
};

// None comes near the database.
one_engine![
    sqlite: Sqlite,
    a_browser_signs_in_over_https,
    a_new_certificate_is_shown_without_a_restart,
    a_silent_client_keeps_nobody_waiting_and_is_not_waited_for,
    a_stop_waits_for_no_handshake,
    who_speaks_plainly_gets_nothing,
    files_that_do_not_go_together_are_refused_at_start,
];

const SITE: &str = "https://localhost:8000";

async fn a_browser_signs_in_over_https(place: Place) {
    let certificate = Certificate::make(&place, "tls", &["localhost"]);
    let [cert, key] = certificate.variables();
    let server = place.start_with(&[("PUBLIC_URL", SITE), cert, key]).await;
    let origin = format!("https://localhost:{}", server.address().port());
    let anonymous = Anonymous::over_tls(&origin, server.address(), &[&certificate]);
    let ann = json!({"email": "ann@example.com", "password": PASSWORD});
    anonymous.post("/api/auth/register").json(&ann).await.expect(201);
    let browser = Browser::new(anonymous).on_page_of("same-origin", SITE);
    let reply = browser.post("/api/auth/login").json(&ann).await.expect(200);
    for name in ["__Host-access_token", "__Host-refresh_token"] {
        assert!(reply.cookie(name).attribute("Secure").is_some());
    }
    let reply = browser.get("/api/auth/me").await.expect(200);
    assert_eq!(reply.header("strict-transport-security"), Some("max-age=63072000"));
    browser.open("/profile").await.expect_page(200);
    server.stop().await;
}

async fn wait_for(process: &Process, said: &str) {
    for _ in 0..2000 {
        if process.output().contains(said) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("no {said} in {}", process.output());
}

async fn a_new_certificate_is_shown_without_a_restart(place: Place) {
    let first = Certificate::make(&place, "first", &["localhost"]);
    let second = Certificate::make(&place, "second", &["localhost"]);
    let used = Certificate::make(&place, "used", &["localhost"]);
    let (address, known) = {
        fs::copy(&first.file, &used.file).unwrap();
        fs::copy(&first.key, &used.key).unwrap();
        ("PUBLIC_URL", [&first, &second])
    };
    let [cert, key] = used.variables();
    let process = Process::start(&place, &[(address, SITE), cert, key]).await;
    let address = process.address();
    assert!(process.output().contains("listening on https://"));
    assert_eq!(shown(address, &known).await.key, first.key);

    // Half of a pair, as while one file is written after the other.
    fs::copy(&second.file, &used.file).unwrap();
    wait_for(&process, "stays in use: TLS_KEY is not the key of the certificate").await;
    assert_eq!(shown(address, &known).await.key, first.key);

    fs::copy(&second.key, &used.key).unwrap();
    wait_for(&process, "a new certificate is in use").await;
    assert_eq!(shown(address, &known).await.key, second.key);

    // The health check knows the server by its certificate.
    let port = address.port().to_string();
    let check = async |certificate: &Certificate| {
        let [cert, key] = certificate.variables();
        let variables = [("PUBLIC_URL", SITE), ("PORT", port.as_str()), cert, key];
        place.vestibule_with(&["health"], &variables, "").await
    };
    check(&second).await.expect_success();
    check(&first).await.expect_failure();

    fs::remove_file(&used.key).unwrap();
    wait_for(&process, "stays in use: TLS_KEY names").await;
    assert_eq!(shown(address, &known).await.key, second.key);
    let output = process.output();
    assert_eq!(output.matches("is not the key of").count(), 1, "said once: {output}");
    assert!(!output.contains("PRIVATE KEY"), "{output}");
}

async fn a_silent_client_keeps_nobody_waiting_and_is_not_waited_for(place: Place) {
    let certificate = Certificate::make(&place, "tls", &["localhost"]);
    let [cert, key] = certificate.variables();
    let server = place.start_with(&[("PUBLIC_URL", SITE), cert, key]).await;
    let address = server.address();
    let silent: Vec<_> = (0..50).map(|_| tokio::spawn(send_unfinished(address, b""))).collect();
    // The beginning of a handshake.
    let halting = tokio::spawn(send_unfinished(address, b"\x16\x03\x01"));
    let origin = format!("https://localhost:{}", address.port());
    let anonymous = Anonymous::over_tls(&origin, address, &[&certificate]);
    anonymous.get("/health/live").await.expect(200);
    assert!(
        silent.iter().all(|client| !client.is_finished()),
        "none was turned away yet"
    );
    for client in silent.into_iter().chain([halting]) {
        let (answer, waited) = client.await.unwrap();
        assert!(answer.is_empty(), "{answer}");
        assert!(waited.as_secs() >= 9, "{waited:?}");
    }
}

async fn a_stop_waits_for_no_handshake(place: Place) {
    let certificate = Certificate::make(&place, "tls", &["localhost"]);
    let [cert, key] = certificate.variables();
    let server = place.start_with(&[("PUBLIC_URL", SITE), cert, key]).await;
    let mut silent = TcpStream::connect(server.address()).await.unwrap();
    // A connection that came after it is answered: so the first is in the hands of the server.
    shown(server.address(), &[&certificate]).await;
    let begun = std::time::Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    assert_eq!(silent.read(&mut [0]).await.unwrap_or_default(), 0);
}

async fn who_speaks_plainly_gets_nothing(place: Place) {
    let certificate = Certificate::make(&place, "tls", &["localhost"]);
    let [cert, key] = certificate.variables();
    let server = place.start_with(&[("PUBLIC_URL", SITE), cert, key]).await;
    let answer = send_bytes(
        server.address(),
        b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n",
    )
    .await;
    assert!(!answer.contains("HTTP/1.1") && !answer.contains("status"), "{answer}");
}

async fn files_that_do_not_go_together_are_refused_at_start(place: Place) {
    let certificate = Certificate::make(&place, "tls", &["localhost"]);
    let other = Certificate::make(&place, "other", &["localhost"]);
    let [cert, key] = certificate.variables();
    let [_, other_key] = other.variables();
    let garbled = place.directory().join("garbled.pem");
    let text = fs::read_to_string(&certificate.file).unwrap();
    fs::write(&garbled, text.replace("MII", "MIJ")).unwrap();
    let locked = place.directory().join("locked.key");
    let text = fs::read_to_string(&certificate.key).unwrap();
    fs::write(&locked, text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")).unwrap();
    let (garbled, locked) = (garbled.to_str().unwrap(), locked.to_str().unwrap());
    for (variables, said) in [
        (
            vec![cert, other_key],
            vec!["TLS_KEY is not the key of the certificate in TLS_CERT"],
        ),
        (vec![cert], vec!["TLS_KEY is required with TLS_CERT"]),
        (vec![key], vec!["TLS_CERT is required with TLS_KEY"]),
        (
            vec![("TLS_CERT", "/nowhere"), ("TLS_KEY", "/neither")],
            vec![
                "TLS_CERT names /nowhere, which cannot be read",
                "TLS_KEY names /neither, which cannot be read",
            ],
        ),
        (
            vec![("TLS_CERT", key.1), ("TLS_KEY", cert.1)],
            vec![
                "which must hold a certificate in PEM",
                "which must hold a private key in PEM",
            ],
        ),
        (
            vec![("TLS_CERT", garbled), key],
            vec!["TLS_CERT names a certificate that cannot be used"],
        ),
        (vec![cert, ("TLS_KEY", locked)], vec!["that no password protects"]),
        (
            vec![cert, key, ("PUBLIC_URL", "http://localhost:8000")],
            vec!["PUBLIC_URL must begin with https://"],
        ),
    ] {
        let variables = [&[("PUBLIC_URL", "")], &variables[..]].concat();
        let finished = place.vestibule_with(&[], &variables, "").await.expect_failure();
        for said in said {
            assert!(finished.stderr.contains(said), "no {said} in {}", finished.stderr);
        }
        assert!(!finished.stderr.contains("PRIVATE KEY"), "{}", finished.stderr);
    }
}
