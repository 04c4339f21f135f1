use std::fs;

use super::{settings::VARIABLES, *};

const STRONG: &str = "e41f0c7b59a26d8310fbc2d4a7968e53";
const ALSO_STRONG: &str = "Wm0yQ3ZrT2h6bXJ4cWJ1dGxkZmVhc3lwbmdj";

fn config(variables: &[(&str, &str)]) -> Config {
    Config::from_variables(variables.iter().copied()).unwrap()
}

/// The variables that are complained about.
fn mistakes(variables: &[(&str, &str)]) -> Vec<&'static str> {
    let errors = Config::from_variables(variables.iter().copied()).unwrap_err();
    errors.errors().iter().map(|error| error.variable).collect()
}

#[test]
fn with_nothing_set_there_is_a_configuration_to_start_with() {
    let config = config(&[]);
    assert_eq!(format!("{}:{}", config.host, config.port), "127.0.0.1:8000");
    assert_eq!(config.public_url.origin(), "http://localhost:8000");
    assert_eq!(config.database, DatabaseUrl::Sqlite("./data/vestibule.db".into()));
    assert!(matches!(config.signing, Signing::EdDsa));
    assert!(config.sealing_key.is_none() && config.cookie_domain.is_none() && config.allowed_origins.is_empty());
    assert_eq!(config.access_token_life, Duration::from_mins(15));
    assert_eq!((config.refresh_idle, config.session_max), (DAY * 7, DAY * 30));
    assert_eq!(config.reset_life, Duration::from_mins(10));
    assert_eq!(config.jwt_audience.as_deref(), Some("http://localhost:8000"));
    assert_eq!(config.mail_from, "Vestibule <no-reply@localhost>");
    assert_eq!((config.password_min_length, config.password_min_score), (8, 3));
    assert_eq!((config.argon2_memory_kib, config.argon2_passes), (19_456, 2));
    assert!(config.allow_signup && config.products && !config.private_signup && !config.require_verified_email);
    assert_eq!(
        (config.audit_keep, config.unverified_keep),
        (Some(DAY * 365), Some(DAY * 90))
    );
    assert_eq!(config.log_format, LogFormat::Text);
}

#[test]
fn localhost_is_the_address_that_everybody_means() {
    for name in ["localhost", "LocalHost"] {
        assert_eq!(config(&[("HOST", name)]).host, Ipv4Addr::LOCALHOST);
    }
}

#[test]
fn zero_days_are_for_good() {
    let config = config(&[("AUDIT_KEEP_DAYS", "0"), ("UNVERIFIED_KEEP_DAYS", "0")]);
    assert_eq!((config.audit_keep, config.unverified_keep), (None, None));
}

#[test]
fn the_defaults_that_the_help_states_are_those_in_force() {
    let unset = format!("{:?}", config(&[]));
    // The others are in words, or have none.
    let in_words = [
        "PUBLIC_URL",
        "DATABASE_URL",
        "SESSION_MAX_DAYS",
        "JWT_AUDIENCE",
        "COOKIE_DOMAIN",
        "MAIL_FROM",
    ];
    let stated = VARIABLES
        .iter()
        .filter(|variable| !variable.default.is_empty() && !in_words.contains(&variable.name));
    assert_eq!(stated.clone().count(), 24);
    for variable in stated {
        assert_eq!(
            format!("{:?}", config(&[(variable.name, variable.default)])),
            unset,
            "{}",
            variable.name
        );
    }
}

#[test]
fn every_mistake_is_reported_in_one_go_in_the_order_of_the_documentation() {
    let variables = [
        ("HOST", "auth.example.com"),
        ("PORT", "0"),
        ("PUBLIC_URL", "http://example.com"),
        ("TLS_CERT", "/nowhere"),
        ("TLS_KEY", "/nowhere"),
        ("SITE_NAME", "two\nlines"),
        ("DATABASE_URL", "mysql://db"),
        ("ALGORITHM", "RS256"),
        ("SEALING_KEY", "short"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "0"),
        ("REFRESH_TOKEN_EXPIRE_DAYS", "401"),
        ("SESSION_MAX_DAYS", "-1"),
        ("RESET_TOKEN_EXPIRE_MINUTES", "ten"),
        ("ALLOWED_ORIGINS", "*"),
        ("SMTP_URL", "smtp://mail.example.com"),
        ("SMTP_CA_FILE", "/nowhere"),
        ("MAIL_FROM", "nobody"),
        ("MAIL_TEMPLATES", "/nowhere"),
        ("PASSWORD_MIN_LENGTH", "3"),
        ("PASSWORD_MIN_SCORE", "5"),
        ("ARGON2_MEMORY_KIB", "1024"),
        ("ARGON2_PASSES", "147"),
        ("REQUIRE_VERIFIED_EMAIL", "maybe"),
        ("PRIVATE_SIGNUP", "2"),
        ("ALLOW_SIGNUP", "y"),
        ("PRODUCTS", "none"),
        ("METRICS_ADDR", "9464"),
        ("TRUSTED_PROXIES", "proxy.example.com"),
        ("RATE_LIMITS", "few"),
        ("LIMIT_TRIES_PER_ACCOUNT", "10"),
        ("LIMIT_TRIES_PER_NETWORK", "0/1m"),
        ("LIMIT_MAILS_PER_ADDRESS", "5/1y"),
        ("LIMIT_MAILS_PER_NETWORK", "many"),
        ("AUDIT_KEEP_DAYS", "year"),
        ("UNVERIFIED_KEEP_DAYS", "-1"),
        ("LOG_FORMAT", "xml"),
    ];
    assert_eq!(mistakes(&variables), variables.map(|(name, _)| name));
    let text = Config::from_variables(variables).unwrap_err().to_string();
    assert_eq!(text.lines().count(), 1 + variables.len());
    assert!(
        text.contains("PORT must be a whole number from 1 to 65535, not \"0\""),
        "{text}"
    );
}

#[test]
fn a_mistake_has_no_consequences_reported_beside_it() {
    assert_eq!(
        mistakes(&[("PUBLIC_URL", "nowhere"), ("COOKIE_DOMAIN", "example.com")]),
        ["PUBLIC_URL"]
    );
    assert_eq!(
        mistakes(&[("ALGORITHM", "RS256"), ("SECRET_KEY", STRONG)]),
        ["ALGORITHM"]
    );
    assert_eq!(
        mistakes(&[("ALGORITHM", "HS256"), ("SECRET_KEY_FILE", "/nowhere")]),
        ["SECRET_KEY_FILE"]
    );
    assert_eq!(mistakes(&[("DATABASE_URL", "postgres:nowhere")]), ["DATABASE_URL"]);
    let postgres = ("DATABASE_URL", "postgres://db/auth");
    assert_eq!(
        mistakes(&[postgres, ("SEALING_KEY_FILE", "/nowhere")]),
        ["SEALING_KEY_FILE"]
    );
}

#[test]
fn a_mistake_hides_none_that_can_be_told_without_it() {
    for domain in ["192.0.2.1", "com", "https://example.com"] {
        assert_eq!(
            mistakes(&[("PUBLIC_URL", "nowhere"), ("COOKIE_DOMAIN", domain)]),
            ["PUBLIC_URL", "COOKIE_DOMAIN"]
        );
    }
    assert_eq!(
        mistakes(&[("ALGORITHM", "RS256"), ("SECRET_KEY", "your-secret-key")]),
        ["ALGORITHM", "SECRET_KEY"]
    );
}

#[test]
fn what_is_set_to_no_effect_is_warned_of() {
    assert!(config(&[]).warnings.is_empty());
    let public = [("HOST", "0.0.0.0"), ("PUBLIC_URL", "https://login.example.com")];
    assert!(config(&public).warnings.is_empty());
    let signed = [("ALGORITHM", "HS256"), ("SECRET_KEY", STRONG)];
    assert!(config(&signed).warnings.is_empty());
    for (name, value) in [("HOST", "0.0.0.0"), ("SECRET_KEY", STRONG)] {
        let warnings = config(&[(name, value)]).warnings;
        assert_eq!(warnings.len(), 1, "{name}");
        assert!(warnings[0].starts_with(name), "{warnings:?}");
    }
    let smtp = ("SMTP_URL", "smtps://u:hunter2@mail.example.com");
    let warnings = config(&[smtp]).warnings;
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("MAIL_FROM is not set"),
        "{warnings:?}"
    );
    assert!(
        config(&[smtp, ("MAIL_FROM", "no-reply@example.com")])
            .warnings
            .is_empty()
    );
    assert!(config(&[smtp, public[1]]).warnings.is_empty());
}

#[test]
fn a_templates_env_file_works_once_its_placeholder_is_replaced() {
    let template = |secret| {
        [
            ("SECRET_KEY", secret),
            ("ALGORITHM", "HS256"),
            ("ACCESS_TOKEN_EXPIRE_MINUTES", "30"),
            ("REFRESH_TOKEN_EXPIRE_DAYS", "60"),
            ("DATABASE_URL", "sqlite:///./app.db"),
            ("ALLOWED_ORIGINS", "http://localhost:3000,http://localhost:8080"),
            ("PASSWORD_MIN_LENGTH", "4"),
            ("PASSWORD_MIN_SCORE", "0"),
        ]
    };
    for placeholder in ["your-secret-key-here", "your-super-secret-key-minimum-32-characters"] {
        let errors = Config::from_variables(template(placeholder)).unwrap_err();
        assert_eq!(errors.errors().len(), 1);
        assert!(errors.to_string().contains("SECRET_KEY is a placeholder"), "{errors}");
    }
    let config = config(&template(STRONG));
    assert!(matches!(&config.signing, Signing::Hs256(secret) if secret.expose() == STRONG));
    assert_eq!(config.jwt_audience, None);
    assert_eq!(config.database, DatabaseUrl::Sqlite("./app.db".into()));
    assert_eq!((config.refresh_idle, config.session_max), (DAY * 60, DAY * 60));
    assert_eq!(
        config.allowed_origins,
        ["http://localhost:3000", "http://localhost:8080"]
    );
}

#[test]
fn hs256_needs_a_secret_key_and_the_others_do_not_use_it() {
    assert_eq!(mistakes(&[("ALGORITHM", "HS256")]), ["SECRET_KEY"]);
    assert_eq!(mistakes(&[("ALGORITHM", "HS256"), ("SECRET_KEY", "")]), ["SECRET_KEY"]);
    let unused = ("SECRET_KEY", STRONG);
    assert!(matches!(config(&[unused]).signing, Signing::EdDsa));
    assert!(matches!(
        config(&[unused, ("ALGORITHM", "es256")]).signing,
        Signing::Es256
    ));
    assert_eq!(mistakes(&[("SECRET_KEY", "your-secret-key-here")]), ["SECRET_KEY"]);
}

#[test]
fn an_audience_that_is_set_holds_with_every_algorithm() {
    for algorithm in ["EdDSA", "ES256", "HS256"] {
        let config = config(&[
            ("ALGORITHM", algorithm),
            ("SECRET_KEY", STRONG),
            ("JWT_AUDIENCE", "shop"),
        ]);
        assert_eq!(config.jwt_audience.as_deref(), Some("shop"));
    }
}

#[test]
fn the_sealing_key_is_strong_and_not_the_one_that_is_shared() {
    assert_eq!(mistakes(&[("SEALING_KEY", "change-me")]), ["SEALING_KEY"]);
    assert_eq!(
        mistakes(&[("SEALING_KEY", STRONG), ("SECRET_KEY", STRONG)]),
        ["SEALING_KEY"]
    );
    let config = config(&[("SEALING_KEY", STRONG), ("SECRET_KEY", ALSO_STRONG)]);
    assert_eq!(config.sealing_key.unwrap().expose(), STRONG);
}

#[test]
fn postgres_needs_a_sealing_key_of_its_own() {
    let postgres = ("DATABASE_URL", "postgresql+asyncpg://u:p@db/auth");
    assert_eq!(mistakes(&[postgres]), ["SEALING_KEY"]);
    let config = config(&[postgres, ("SEALING_KEY", STRONG)]);
    assert_eq!(
        config.database,
        DatabaseUrl::Postgres("postgres://u:p@db/auth".to_owned())
    );
}

#[test]
fn a_secret_can_come_from_a_file_with_a_line_break_at_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let config = config(&[
        ("ALGORITHM", "HS256"),
        ("SECRET_KEY_FILE", &path("secret", &format!("{STRONG}\n"))),
        ("SEALING_KEY_FILE", &path("sealing", &format!("{ALSO_STRONG}\r\n"))),
        ("DATABASE_URL_FILE", &path("database", "sqlite:auth.db\n")),
        ("SMTP_URL_FILE", &path("smtp", "smtps://u:p@mail.example.com\n")),
    ]);
    assert_eq!(config.smtp.unwrap().host, "mail.example.com");
    assert!(matches!(&config.signing, Signing::Hs256(secret) if secret.expose() == STRONG));
    assert_eq!(config.sealing_key.unwrap().expose(), ALSO_STRONG);
    assert_eq!(config.database, DatabaseUrl::Sqlite("auth.db".into()));
}

#[test]
fn a_secret_file_that_cannot_be_used_is_a_mistake_that_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let complaint = |content: Option<&[u8]>| {
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let errors = Config::from_variables([("SEALING_KEY_FILE", path.to_str().unwrap())]).unwrap_err();
        assert_eq!(errors.errors().len(), 1);
        errors.to_string()
    };
    let missing = complaint(None);
    assert!(
        missing.contains("SEALING_KEY_FILE") && missing.contains(path.to_str().unwrap()),
        "{missing}"
    );
    assert!(complaint(Some(b"")).contains("is empty"));
    assert!(complaint(Some(b"\n")).contains("is empty"));
    assert!(complaint(Some(&[0xff; 40])).contains("base64"));
    assert!(complaint(Some("x".repeat(70_000).as_bytes())).contains("longer"));
    assert!(complaint(Some(b"first line\nsecond line, which is rather long")).contains("one line"));
    assert!(complaint(Some(b"short")).contains("SEALING_KEY must have at least 32 bytes"));
}

#[test]
fn a_variable_and_its_file_are_not_both_set() {
    let both = [
        ("DATABASE_URL", "sqlite:a.db"),
        ("DATABASE_URL_FILE", "/nowhere"),
        ("SECRET_KEY", STRONG),
        ("SECRET_KEY_FILE", "/nowhere"),
        ("SEALING_KEY", ALSO_STRONG),
        ("SEALING_KEY_FILE", "/nowhere"),
        ("SMTP_URL", "smtps://mail.example.com"),
        ("SMTP_URL_FILE", "/nowhere"),
    ];
    assert_eq!(
        mistakes(&both),
        [
            "DATABASE_URL_FILE",
            "SECRET_KEY_FILE",
            "SEALING_KEY_FILE",
            "SMTP_URL_FILE"
        ]
    );
    assert_eq!(
        config(&[("SEALING_KEY", STRONG), ("SEALING_KEY_FILE", "")])
            .sealing_key
            .unwrap()
            .expose(),
        STRONG
    );
}

#[test]
fn neither_a_configuration_nor_its_mistakes_print_a_secret() {
    let variables = [
        ("ALGORITHM", "HS256"),
        ("SECRET_KEY", STRONG),
        ("SEALING_KEY", ALSO_STRONG),
        ("DATABASE_URL", "postgres://u:hunter2@db/auth"),
    ];
    let printed = format!("{:#?}", config(&variables));
    for secret in [STRONG, ALSO_STRONG, "hunter2"] {
        assert!(!printed.contains(secret), "{printed}");
    }
    let wrong = [
        ("ALGORITHM", "HS256"),
        ("SECRET_KEY", "hunter2"),
        ("SEALING_KEY", "hunter2"),
        ("DATABASE_URL", "hunter2://hunter2"),
        ("PUBLIC_URL", "https://u:hunter2@example.com"),
        ("ALLOWED_ORIGINS", "https://u:hunter2@example.com"),
        ("SMTP_URL", "smtp://u:hunter2@mail.example.com"),
    ];
    let errors = Config::from_variables(wrong).unwrap_err();
    assert_eq!(errors.errors().len(), 7);
    assert!(!format!("{errors} {errors:?}").contains("hunter2"), "{errors}");
}

#[test]
fn the_public_url_follows_the_port_and_its_dependants_follow_it() {
    assert_eq!(config(&[("PORT", "9000")]).public_url.origin(), "http://localhost:9000");
    let config = config(&[
        ("PUBLIC_URL", "https://login.example.com/"),
        ("COOKIE_DOMAIN", ".example.com"),
        ("SITE_NAME", "The \"Shop\", Ltd."),
    ]);
    assert_eq!(config.jwt_audience.as_deref(), Some("https://login.example.com"));
    assert_eq!(config.cookie_domain.as_deref(), Some("example.com"));
    let sender: Mailbox = config.mail_from.parse().unwrap();
    assert_eq!(sender.name.as_deref(), Some("The \"Shop\", Ltd."));
    assert_eq!(sender.email.to_string(), "no-reply@login.example.com");
}

#[test]
fn a_site_on_an_ip_address_has_a_sender_too() {
    for public_url in ["http://127.0.0.1:8000", "http://[::1]:8000", "https://192.0.2.1"] {
        assert_eq!(
            config(&[("PUBLIC_URL", public_url)]).mail_from,
            "Vestibule <no-reply@localhost>"
        );
    }
}

#[test]
fn a_session_cannot_die_before_it_has_been_idle_for_as_long_as_it_may() {
    assert_eq!(
        mistakes(&[("REFRESH_TOKEN_EXPIRE_DAYS", "7"), ("SESSION_MAX_DAYS", "3")]),
        ["SESSION_MAX_DAYS"]
    );
    let config = config(&[("SESSION_MAX_DAYS", "3")]);
    assert_eq!((config.refresh_idle, config.session_max), (DAY * 3, DAY * 3));
}

#[test]
fn argon2_costs_at_least_what_owasp_asks_for() {
    for (memory, passes) in [
        ("47104", "1"),
        ("19456", "2"),
        ("12288", "3"),
        ("9216", "4"),
        ("7168", "5"),
    ] {
        config(&[("ARGON2_MEMORY_KIB", memory), ("ARGON2_PASSES", passes)]);
    }
    assert_eq!(mistakes(&[("ARGON2_MEMORY_KIB", "7168")]), ["ARGON2_PASSES"]);
    assert_eq!(mistakes(&[("ARGON2_PASSES", "1")]), ["ARGON2_PASSES"]);
    let above_the_cap = [("ARGON2_MEMORY_KIB", "131072"), ("ARGON2_PASSES", "9")];
    assert_eq!(mistakes(&above_the_cap), ["ARGON2_PASSES"]);
}

#[test]
fn limits_are_on_unless_they_are_turned_off() {
    let quotas = config(&[]).limits.unwrap();
    assert_eq!(quotas.tries_per_account, Quota::new(10, MINUTE * 10));
    let few = [("RATE_LIMITS", "yes"), ("LIMIT_MAILS_PER_ADDRESS", "1/1d")];
    let quotas = config(&few).limits.unwrap();
    assert_eq!(quotas.mails_per_address, Quota::new(1, DAY));
    assert_eq!(config(&[("RATE_LIMITS", "off")]).limits, None);
}

#[test]
fn private_signup_turns_verification_on() {
    let config = config(&[("PRIVATE_SIGNUP", "yes"), ("REQUIRE_VERIFIED_EMAIL", "no")]);
    assert!(config.private_signup && config.require_verified_email);
}

#[test]
fn switches_understand_every_usual_spelling() {
    for (text, on) in [
        ("true", true),
        ("1", true),
        ("YES", true),
        (" on ", true),
        ("False", false),
        ("0", false),
    ] {
        assert_eq!(config(&[("PRODUCTS", text)]).products, on, "{text}");
    }
    for text in ["no", "off"] {
        assert!(!config(&[("ALLOW_SIGNUP", text)]).allow_signup);
    }
}
