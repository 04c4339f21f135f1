//! What the binary says to a configuration that cannot be, and where it takes a good one from.

use std::{collections::BTreeSet, os::unix::fs::PermissionsExt};

use crate::support::{Actor, Place, Process, SECRET_KEY, one_engine};

const README: &str = include_str!("../../README.md");

one_engine![
    sqlite: Sqlite,
    every_mistake_is_reported_at_once,
    placeholders_and_short_secrets_are_refused,
    a_flag_wins_over_the_environment_and_that_over_the_file,
    secrets_come_from_files_too,
    with_nothing_set_it_starts,
    the_mailbox_is_told_by_the_address_where_it_shows_itself,
    help_names_every_variable,
    an_option_may_stand_after_the_command,
    what_has_no_effect_is_warned_of,
    a_place_where_no_database_can_be_is_told_by_its_name,
];

async fn every_mistake_is_reported_at_once(place: Place) {
    let mistakes = [
        ("HOST", "not a host!"),
        ("PORT", "99999999"),
        ("PUBLIC_URL", "http://auth.example.com"),
        ("ALGORITHM", "none"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "soon"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "-1"),
        ("ALLOWED_ORIGINS", "*"),
        ("PASSWORD_MIN_SCORE", "9"),
        ("ARGON2_MEMORY_KIB", "lots"),
        ("ALLOW_SIGNUP", "perhaps"),
        ("TRUSTED_PROXIES", "everybody"),
        ("RATE_LIMITS", "some"),
        ("LIMIT_TRIES_PER_ACCOUNT", "ten"),
        ("LOG_FORMAT", "xml"),
        ("SEALING_KEY", "short-secret-x9"),
        ("DATABASE_URL", "mysql://root:hunter2@localhost/auth"),
        ("SMTP_URL", "smtp://u:hunter2@mail.example.com"),
        ("SMTP_CA_FILE", "/nowhere"),
        ("SITE_LOGO", "page.png"),
        ("MAIL_TEMPLATES", "/nowhere"),
    ];
    std::fs::write(place.directory().join("page.png"), "<html></html>").unwrap();
    let finished = place.vestibule_with(&[], &mistakes, "").await.expect_failure();
    for (name, _) in mistakes {
        assert!(
            finished.stderr.contains(name),
            "nothing about {name} in {}",
            finished.stderr
        );
    }
    assert!(finished.stderr.contains("holds no PNG"), "{}", finished.stderr);
    for secret in ["hunter2", "short-secret-x9"] {
        assert!(!finished.stderr.contains(secret), "{secret} in {}", finished.stderr);
    }
}

async fn placeholders_and_short_secrets_are_refused(place: Place) {
    for secret in [
        "your-secret-key",
        "your-secret-key-here",
        "your-super-secret-key-here",
        "your-secure-secret-key",
        "your-secret-key-your-secret-key-your-secret-key",
        "short",
        "",
    ] {
        let variables = [("ALGORITHM", "HS256"), ("SECRET_KEY", secret)];
        let finished = place
            .vestibule_with(&["keys", "list"], &variables, "")
            .await
            .expect_failure();
        assert!(finished.stderr.contains("SECRET_KEY"), "{finished:?}");
        assert!(
            secret.is_empty() || secret == "short" || !finished.stderr.contains(secret),
            "{finished:?}"
        );
    }
    for (name, value) in [
        ("ALLOWED_ORIGINS", "null"),
        ("ALLOWED_ORIGINS", "*"),
        ("PUBLIC_URL", "http://10.0.0.7:8000"),
    ] {
        let finished = place
            .vestibule_with(&["keys", "list"], &[(name, value)], "")
            .await
            .expect_failure();
        assert!(finished.stderr.contains(name), "{finished:?}");
    }
    let postgres = [("DATABASE_URL", "postgres://u:p@127.0.0.1:1/x"), ("SEALING_KEY", "")];
    let finished = place
        .vestibule_with(&["keys", "list"], &postgres, "")
        .await
        .expect_failure();
    assert!(finished.stderr.contains("SEALING_KEY"), "{finished:?}");
}

async fn a_flag_wins_over_the_environment_and_that_over_the_file(place: Place) {
    std::fs::write(
        place.directory().join(".env"),
        "SITE_NAME=File\nPASSWORD_MIN_LENGTH=99999\n",
    )
    .unwrap();
    let finished = place.vestibule(&["openapi"]).await.expect_failure();
    assert!(
        finished.stderr.contains("PASSWORD_MIN_LENGTH"),
        "the file is read: {finished:?}"
    );
    let variables = [("PASSWORD_MIN_LENGTH", "12")];
    place
        .vestibule_with(&["openapi"], &variables, "")
        .await
        .expect_success();
    let variables = [("PASSWORD_MIN_LENGTH", "88888")];
    place
        .vestibule_with(&["--password-min-length", "12", "openapi"], &variables, "")
        .await
        .expect_success();
}

async fn secrets_come_from_files_too(place: Place) {
    let path = place.directory().join("secret");
    std::fs::write(&path, format!("{SECRET_KEY}\n")).unwrap();
    let process = Process::start(
        &place,
        &[("ALGORITHM", "HS256"), ("SECRET_KEY_FILE", path.to_str().unwrap())],
    )
    .await;
    let body = serde_json::json!({"email": "ann@example.com", "password": crate::support::PASSWORD});
    process.anonymous().post("/register").json(&body).await.expect(201);
    let answer = process.anonymous().post("/login").json(&body).await.expect(200).json();
    let token = answer["access_token"].as_str().unwrap();
    let sound = crate::support::forge(
        &crate::support::jwt_header(token),
        &crate::support::jwt_claims(token),
        crate::support::hmac_sha256(SECRET_KEY.as_bytes()),
    );
    process.anonymous().get("/users/me").bearer(&sound).await.expect(200);
    let both = [
        ("ALGORITHM", "HS256"),
        ("SECRET_KEY", SECRET_KEY),
        ("SECRET_KEY_FILE", "/nowhere"),
    ];
    place
        .vestibule_with(&["keys", "list"], &both, "")
        .await
        .expect_failure();
}

async fn with_nothing_set_it_starts(place: Place) {
    // Empty counts as not set; only the port has to be one that is free.
    let unset = [
        ("DATA_DIR", ""),
        ("DATABASE_URL", ""),
        ("SEALING_KEY", ""),
        ("PUBLIC_URL", ""),
        ("HOST", ""),
    ];
    let process = Process::start_bare(&place, &unset).await;
    process.anonymous().get("/health/ready").await.expect(200);
    let key = place.directory().join("data/sealing.key");
    let mode = std::fs::metadata(&key).expect("a generated key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(place.directory().join("data/vestibule.db").exists());
    let database = place.directory().join("data/vestibule.db");
    let database = format!("the database is {}", database.display());
    let output = process.output();
    for told in [
        "/docs",
        &format!("{database} (new)\n"),
        "/dev/mail",
        &format!("http://localhost:{}", process.address().port()),
    ] {
        assert!(output.contains(told), "no {told} in {output}");
    }
    process.kill();
    let output = Process::start_bare(&place, &unset).await.output();
    assert!(output.contains(&format!("{database}\n")), "{output}");
}

async fn the_mailbox_is_told_by_the_address_where_it_shows_itself(place: Place) {
    for site in ["http://localhost:1", "https://login.localhost"] {
        let variables = [("PUBLIC_URL", site), ("HOST", "0.0.0.0")];
        let process = Process::start(&place, &variables).await;
        let output = process.output();
        let mailbox = format!("mailbox at http://127.0.0.1:{}/dev/mail", process.address().port());
        assert!(output.contains(&mailbox), "{output}");
        process.anonymous().get("/dev/mail").await.expect(200);
    }
}

/// Those of the README's table, a secret by the file that holds it.
async fn help_names_every_variable(place: Place) {
    let help = place.vestibule(&["--help"]).await.expect_success().stdout;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = help.split("[env: ").skip(1).filter_map(|text| text.split(']').next());
    let rows = README.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|row| row.split('`').next());
    let is_variable = |name: &&str| {
        name.bytes()
            .all(|byte| byte == b'_' || byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    let documented: BTreeSet<&str> = names.filter(is_variable).map(secret).collect();
    assert_eq!(told.map(secret).collect::<BTreeSet<_>>(), documented);
    assert!(!help.contains(SECRET_KEY));
}

/// The variable whose value is in the file that this one names.
fn secret(name: &str) -> &str {
    name.strip_suffix("_FILE").unwrap_or(name)
}

async fn an_option_may_stand_after_the_command(place: Place) {
    let finished = place.vestibule(&["openapi", "--port", "0"]).await.expect_failure();
    assert!(finished.stderr.contains("PORT"), "{finished:?}");
    let finished = place.vestibule(&["keys", "list", "--port", "0"]).await.expect_failure();
    assert!(finished.stderr.contains("PORT"), "{finished:?}");
}

async fn what_has_no_effect_is_warned_of(place: Place) {
    let variables = [
        ("SECRET_KEY", SECRET_KEY),
        ("SMTP_URL", "smtps://u:hunter2@localhost:9"),
    ];
    let output = Process::start(&place, &variables).await.output();
    for said in [
        "SECRET_KEY is set but not used",
        "mail is sent from no-reply@localhost",
        "mail goes to the mail server localhost, port 9",
    ] {
        assert!(output.contains(said), "no {said} in {output}");
    }
    assert!(!output.contains("hunter2"), "{output}");
}

async fn a_place_where_no_database_can_be_is_told_by_its_name(place: Place) {
    let variables = [("DATA_DIR", "/proc/x"), ("DATABASE_URL", "")];
    let finished = place.vestibule_with(&["serve"], &variables, "").await.expect_failure();
    for said in ["/proc/x", "directory", "DATA_DIR"] {
        assert!(finished.stderr.contains(said), "no {said} in {finished:?}");
    }
    let variables = [("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x")];
    let finished = place.vestibule_with(&["serve"], &variables, "").await.expect_failure();
    let text = &finished.stderr;
    assert!(text.contains("the database x at 127.0.0.1, port 1"), "{text}");
    assert!(text.contains("DATABASE_URL") && !text.contains("hunter2"), "{text}");
    assert_eq!(text.matches("refused").count(), 1, "{text}");
}
