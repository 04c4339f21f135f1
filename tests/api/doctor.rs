//! `vestibule doctor`: each thing that can be wrong, and the line that says so.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use time::OffsetDateTime;

use crate::support::{
    Certificate, Engine, Finished, MailServer, Place, Process, Security, Step, Trick, both_engines, one_engine,
};

both_engines![
    a_sound_installation_is_found_sound_before_and_beside_a_server,
    a_database_of_another_application_is_left_as_it_is,
    a_database_of_a_newer_version_is_told,
    a_database_of_an_older_version_is_warned_of,
    a_database_that_takes_no_change_is_told,
    a_sealing_key_that_opens_nothing_is_told,
    a_clock_that_is_behind_the_database_is_told,
];

one_engine![
    sqlite: Sqlite,
    every_mistake_in_the_configuration_is_a_line,
    what_is_probably_not_meant_in_the_file_of_settings_is_warned_of,
    a_proxy_that_nobody_named_is_warned_of,
    a_database_that_is_lost_is_warned_of,
    a_certificate_is_judged_by_its_names_and_its_time,
    what_others_can_read_is_told,
    a_directory_that_cannot_be_written_is_told,
    a_sealing_key_that_is_lost_is_told,
    a_damaged_database_is_told,
    a_mail_server_is_tried_and_sent_nothing,
    what_is_wrong_with_a_mail_server_is_told,
    a_mail_server_that_says_nothing_is_not_waited_for_long,
    where_mail_cannot_leave_is_warned_of,
    templates_that_cannot_be_used_are_told,
];

one_engine![
    postgres: Postgres,
    a_database_that_does_not_answer_is_told,
    a_user_who_may_not_make_tables_is_told,
];

async fn doctor(place: &Place, variables: &[(&str, &str)]) -> Finished {
    place.vestibule_with(&["doctor"], variables, "").await
}

/// Somebody who is bound by the modes of files, as root is not.
async fn doctor_of_a_mere_user(place: &Place, variables: &[(&str, &str)]) -> Finished {
    place.mere_vestibule(&["doctor"], variables).await
}

trait Diagnosis {
    /// The command failed, with a line that begins like this and says all of these.
    fn fails(&self, beginning: &str, said: &[&str]);
    /// The command succeeded, with such a line.
    fn passes(&self, beginning: &str, said: &[&str]);
}

#[track_caller]
fn has_line(finished: &Finished, beginning: &str, said: &[&str]) {
    let mut lines = finished.stdout.lines();
    let found = lines.any(|line| line.starts_with(beginning) && said.iter().all(|words| line.contains(words)));
    assert!(found, "no line {beginning:?} says {said:?} in {finished:?}");
}

impl Diagnosis for Finished {
    #[track_caller]
    fn fails(&self, beginning: &str, said: &[&str]) {
        assert_eq!(self.status.code(), Some(1), "{self:?}");
        assert!(self.stderr.contains("to be put right"), "{self:?}");
        has_line(self, &format!("fail  {beginning}"), said);
    }

    #[track_caller]
    fn passes(&self, beginning: &str, said: &[&str]) {
        assert_eq!(self.status.code(), Some(0), "{self:?}");
        has_line(self, beginning, said);
    }
}

fn files(place: &Place) -> Vec<String> {
    let files = fs::read_dir(place.directory()).expect("a directory");
    let mut names: Vec<String> = files
        .map(|file| file.expect("a file").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

async fn a_sound_installation_is_found_sound_before_and_beside_a_server(place: Place) {
    fs::set_permissions(place.directory(), Permissions::from_mode(0o700)).expect("its mode");
    let before = files(&place);
    let finished = doctor(&place, &[("SEALING_KEY", "")]).await;
    if place.engine() == Engine::Sqlite {
        finished.passes("ok    sealing key", &["the first start makes one"]);
    }
    let finished = doctor(&place, &[]).await;
    finished.passes("ok    database", &["the first start makes its tables"]);
    assert_eq!(files(&place), before, "nothing was made");

    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    let unchanged = server.snapshot().await;
    let finished = doctor(&place, &[]).await;
    finished.passes("ok    database", &["answers, can be written, and is up to date"]);
    for line in [
        "configuration",
        "address",
        "sealing key    it opens",
        "clock",
        "mail           it goes to the built-in",
    ] {
        finished.passes(&format!("ok    {line}"), &[]);
    }
    assert!(
        finished.stdout.lines().all(|line| line.starts_with("ok    ")),
        "{finished:?}"
    );
    assert_eq!(server.snapshot().await, unchanged);
    // The server goes on.
    server.sign_up("bob@example.com").await;
}

async fn a_database_of_another_application_is_left_as_it_is(place: Place) {
    place
        .execute("CREATE TABLE posts (id TEXT); INSERT INTO posts VALUES ('kept');")
        .await;
    doctor(&place, &[])
        .await
        .fails("database", &["not Vestibule's (posts)", "user import"]);
    place.execute("INSERT INTO posts VALUES ('more');").await;
}

async fn a_database_of_a_newer_version_is_told(place: Place) {
    place.start().await.stop().await;
    place
        .execute("UPDATE vestibule_migrations SET version = 99 WHERE version = 3;")
        .await;
    doctor(&place, &[])
        .await
        .fails("database", &["newer Vestibule", "version 99"]);
}

async fn a_database_of_an_older_version_is_warned_of(place: Place) {
    place.start().await.stop().await;
    place
        .execute("DELETE FROM vestibule_migrations WHERE version > 1;")
        .await;
    doctor(&place, &[])
        .await
        .passes("warn  database", &["older version", "backup"]);
}

async fn a_database_that_takes_no_change_is_told(place: Place) {
    place.start().await.stop().await;
    match place.engine() {
        Engine::Sqlite => {
            let file = place.directory().join("vestibule.db");
            fs::set_permissions(&file, Permissions::from_mode(0o400)).expect("its mode");
            let finished = doctor_of_a_mere_user(&place, &[]).await;
            finished.fails("database", &["vestibule.db cannot be written", "chown"]);
        }
        Engine::Postgres => {
            place.default_to_read_only().await;
            doctor(&place, &[])
                .await
                .fails("database", &["can be read but not written", "read-only"]);
        }
    }
}

async fn a_sealing_key_that_opens_nothing_is_told(place: Place) {
    place.start().await.stop().await;
    let another = [("SEALING_KEY", "another-key-Zk3vQ9rLx7TnB2mWc5YhJd8FsGa4UePq")];
    doctor(&place, &another)
        .await
        .fails("sealing key", &["another SEALING_KEY"]);
}

async fn a_clock_that_is_behind_the_database_is_told(place: Place) {
    place.start().await.stop().await;
    // In 2100: this machine's clock must be wrong, or the other one's was.
    place
        .execute("UPDATE audit_events SET at = 4102444800 WHERE id = (SELECT MAX(id) FROM audit_events);")
        .await;
    doctor(&place, &[])
        .await
        .fails("clock", &["2100-01-01T00:00:00Z", "time service"]);
}

async fn every_mistake_in_the_configuration_is_a_line(place: Place) {
    let finished = doctor(
        &place,
        &[("PORT", "0"), ("SMTP_URL", "smtp://u:hunter2@mail.example.com")],
    )
    .await;
    finished.fails("configuration", &["PORT must be"]);
    finished.fails("configuration", &["SMTP_URL must begin with smtps://"]);
    assert!(finished.stderr.contains("2 things"), "{finished:?}");
    assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
    let broken = "PORT=8000\n\nSMTP_URL=smtps://u:hunter2 @mail.example.com\n";
    fs::write(place.directory().join(".env"), broken).expect("a file");
    let finished = doctor(&place, &[]).await;
    finished.fails("configuration", &[".env cannot be read in line 3 (SMTP_URL)"]);
    assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
    fs::remove_file(place.directory().join(".env")).expect("it is there");
    let finished = doctor(&place, &[("TRUSTED_PROXY", "x"), ("SMTP_CA_FILE", "")]).await;
    finished.passes("ok    configuration", &[]);
    let unused = [("SECRET_KEY", crate::support::SECRET_KEY)];
    doctor(&place, &unused)
        .await
        .passes("warn  configuration", &["SECRET_KEY is set but not used"]);
}

async fn what_is_probably_not_meant_in_the_file_of_settings_is_warned_of(place: Place) {
    let file = place.directory().join(".env");
    let settings = "ALLOW_SIGNUPS=false\nPOSTGRES_PASSWORD=hunter2\nSITE_NAME=Mine$nobody\nSITE_ACCENT=#0b57d0\n";
    fs::write(&file, settings).expect("a file");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("its mode");
    let meant = "ALLOW_SIGNUPS, which is not known: did you mean ALLOW_SIGNUP?";
    // Names in the environment are everybody's.
    let finished = doctor(&place, &[("ALLOW_SIGNUPSS", "false")]).await;
    finished.passes("warn  configuration", &[meant]);
    finished.passes("warn  configuration", &["POSTGRES_PASSWORD", "does not know"]);
    let dollar = ".env, line 3 (SITE_NAME): $nobody was replaced by nothing";
    let hash = ".env, line 4 (SITE_ACCENT): what begins with # is a comment, so it is not set";
    finished.passes("warn  configuration", &[dollar, "single quotes"]);
    finished.passes("warn  configuration", &[hash, "SITE_ACCENT='#…'"]);
    for unsaid in ["SIGNUPSS", "hunter2", "chmod 600 .env"] {
        assert!(!finished.stdout.contains(unsaid), "{unsaid} in {finished:?}");
    }
    let slip = [("PUBLIC_URLS", "http://localhost")];
    let output = Process::start(&place, &slip).await.output();
    for said in [
        "WARN",
        meant,
        dollar,
        hash,
        "the environment sets PUBLIC_URLS, which is not known",
    ] {
        assert!(output.contains(said), "no {said} in {output}");
    }
    let refused = doctor(&place, &[("SITE_LOGO", "/nowhere")]).await;
    refused.fails("configuration", &["SITE_LOGO"]);
    assert!(refused.stderr.contains(hash), "{refused:?}");

    let secret = format!("SEALING_KEY={}\n", crate::support::SECRET_KEY);
    fs::write(&file, secret).expect("a file");
    for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false)] {
        fs::set_permissions(&file, Permissions::from_mode(mode)).expect("its mode");
        let finished = doctor(&place, &[]).await;
        finished.passes("ok    configuration", &[]);
        assert_eq!(finished.stdout.contains("chmod 600 .env"), warned, "{finished:?}");
    }
}

async fn a_proxy_that_nobody_named_is_warned_of(place: Place) {
    let public = ("PUBLIC_URL", "https://login.example.com");
    let finished = doctor(&place, &[public]).await;
    finished.passes("warn  proxies", &["TRUSTED_PROXIES", "limits of one network"]);
    let warned = |output: &str| output.contains("WARN") && output.contains("share the limits of one network");
    let output = Process::start(&place, &[public]).await.output();
    assert!(warned(&output), "{output}");
    let output = Process::start(&place, &[public, ("TRUSTED_PROXIES", "127.0.0.1")])
        .await
        .output();
    assert!(!warned(&output), "{output}");
    let certificate = Certificate::make(&place, "tls", &["login.example.com"]);
    let [cert, key] = certificate.variables();
    for variables in [
        &[public, ("TRUSTED_PROXIES", "127.0.0.1")][..],
        &[public, cert, key],
        &[],
    ] {
        let finished = doctor(&place, variables).await;
        assert!(!finished.stdout.contains("proxies"), "{finished:?}");
    }
}

async fn a_database_that_is_lost_is_warned_of(place: Place) {
    let own = [("SEALING_KEY", "")];
    let words = [
        "sealing.key is from before",
        "restore a backup or mount the right directory",
    ];
    let output = output_of_a_run(&place, &own).await;
    assert!(!output.contains(words[0]), "{output}");
    let unchanged = doctor(&place, &own).await;
    assert!(!unchanged.stdout.contains(words[0]), "{unchanged:?}");
    for file in files(&place) {
        if file.starts_with("vestibule.db") {
            fs::remove_file(place.directory().join(file)).expect("it is there");
        }
    }
    doctor(&place, &own).await.passes("warn  database", &words);
    let output = output_of_a_run(&place, &own).await;
    for said in ["WARN", "this one is new and has no users", words[0], words[1]] {
        assert!(output.contains(said), "no {said} in {output}");
    }
    // From now on it is the one that there is.
    let output = output_of_a_run(&place, &own).await;
    assert!(!output.contains(words[0]), "{output}");
}

/// All that a server says from its start to its end.
async fn output_of_a_run(place: &Place, variables: &[(&str, &str)]) -> String {
    let mut process = Process::start(place, variables).await;
    process.terminate();
    process.ended();
    process.output()
}

async fn a_certificate_is_judged_by_its_names_and_its_time(place: Place) {
    let day = Duration::from_hours(24);
    let now = OffsetDateTime::now_utc();
    let judge = async |name: &str, hosts: &[&str], until: OffsetDateTime, url: &str| {
        let certificate = Certificate::make_until(&place, name, hosts, until);
        let [cert, key] = certificate.variables();
        doctor(&place, &[("PUBLIC_URL", url), cert, key]).await
    };
    let site = "https://login.example.com";
    for (hosts, url) in [
        (&["example.com", "login.example.com"][..], site),
        (&["*.example.com"], site),
        (&["::1"], "https://[::1]:8443"),
    ] {
        let finished = judge("good", hosts, now + day * 15, url).await;
        finished.passes("ok    certificate", &["good until"]);
    }
    for other in ["example.com", "other.example.com", "192.0.2.1"] {
        let finished = judge("other", &[other], now + day * 90, site).await;
        finished.fails("certificate", &["not for login.example.com", "PUBLIC_URL"]);
    }
    let finished = judge("soon", &["login.example.com"], now + day * 13, site).await;
    finished.passes("warn  certificate", &["good until", "renew it"]);
    let finished = judge("past", &["login.example.com"], now - day, site).await;
    finished.fails("certificate", &["was good until", "renew it"]);
}

async fn what_others_can_read_is_told(place: Place) {
    place.start_with(&[("SEALING_KEY", "")]).await.stop().await;
    let own = [("SEALING_KEY", "")];
    doctor(&place, &own).await.passes("ok    sealing key", &[]);
    let mode = |name: &str, mode| {
        fs::set_permissions(place.directory().join(name), Permissions::from_mode(mode)).expect("its mode");
    };
    mode("", 0o755);
    mode("vestibule.db", 0o644);
    let finished = doctor(&place, &own).await;
    let whole = place.directory().canonicalize().expect("a path");
    let command = format!("chmod 700 {}", whole.display());
    finished.passes("warn  data", &["others on this machine", &command]);
    // Also of the directory in which the command runs.
    let here = [
        ("SEALING_KEY", ""),
        ("DATABASE_URL", "sqlite:vestibule.db"),
        ("DATA_DIR", "."),
    ];
    doctor(&place, &here).await.passes("warn  data", &[&command]);
    finished.passes("warn  database", &["others on this machine", "chmod 600"]);
    mode("sealing.key", 0o640);
    doctor(&place, &own)
        .await
        .fails("sealing key", &["others can read it", "chmod 600"]);
}

async fn a_directory_that_cannot_be_written_is_told(place: Place) {
    let file = place.directory().join("file");
    fs::write(&file, "").expect("a file");
    let file = [("DATA_DIR", file.to_str().expect("a path of text"))];
    doctor(&place, &file).await.fails("data", &["is no directory"]);
    fs::set_permissions(place.directory(), Permissions::from_mode(0o500)).expect("its mode");
    let unwritable = doctor_of_a_mere_user(&place, &[]).await;
    let deeper = place.directory().join("deep/er");
    let deeper = [
        ("DATA_DIR", deeper.to_str().expect("a path of text")),
        ("DATABASE_URL", ""),
    ];
    let unmakeable = doctor_of_a_mere_user(&place, &deeper).await;
    fs::set_permissions(place.directory(), Permissions::from_mode(0o700)).expect("its mode");
    unwritable.fails("data", &["cannot be written", "chown"]);
    unmakeable.fails("data", &["deep/er cannot be made in", "make it"]);
    doctor(&place, &deeper)
        .await
        .passes("ok    data", &["the first start makes", "deep/er"]);
}

async fn a_sealing_key_that_is_lost_is_told(place: Place) {
    let own = [("SEALING_KEY", "")];
    place.start_with(&own).await.stop().await;
    let key = place.directory().join("sealing.key");
    fs::write(&key, "short").expect("a file");
    doctor(&place, &own)
        .await
        .fails("sealing key", &["damaged", "restore it from a backup"]);
    fs::remove_file(&key).expect("it is there");
    doctor(&place, &own)
        .await
        .fails("sealing key", &["is missing", "restore it from a backup"]);
    assert!(!key.exists(), "no other was made");
}

async fn a_damaged_database_is_told(place: Place) {
    let server = place.start().await;
    server.sign_up("ann@example.com").await;
    server.stop().await;
    let file = place.directory().join("vestibule.db");
    let mut bytes = fs::read(&file).expect("the database");
    let second_page = 4096;
    bytes[second_page..].fill(0x5a);
    fs::write(&file, bytes).expect("the database");
    doctor(&place, &[])
        .await
        .fails("database", &["damaged", "restore a backup"]);
    fs::write(&file, "This is no database, but a letter to you.\n".repeat(100)).expect("a file");
    doctor(&place, &[]).await.fails("database", &["file is not a database"]);
}

async fn a_mail_server_is_tried_and_sent_nothing(place: Place) {
    for security in [Security::Plain, Security::StartTls, Security::Implicit] {
        let mail = MailServer::start_with(&place, security, "PLAIN LOGIN", Some(("ann", "hunter2"))).await;
        let url = mail.url("ann:hunter2@");
        let variables = [
            ("SMTP_URL", &*url),
            ("SMTP_CA_FILE", mail.certificate()),
            ("MAIL_FROM", "a@example.com"),
        ];
        let finished = doctor(&place, &variables).await;
        finished.passes("ok    mail", &["answers and takes user and password"]);
        assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
        let heard = mail.heard();
        assert!(
            !heard
                .iter()
                .any(|line| line.starts_with("MAIL") || line.starts_with("RCPT")),
            "{heard:?}"
        );
        assert_eq!(heard[heard.len() - 2..], ["NOOP", "QUIT"], "{heard:?}");
    }
}

async fn what_is_wrong_with_a_mail_server_is_told(place: Place) {
    let login = Some(("ann", "new"));
    let mut mail = MailServer::start_with(&place, Security::Implicit, "PLAIN", login).await;
    let old = mail.url("ann:old@");
    let trusted = ("SMTP_CA_FILE", mail.certificate().to_owned());
    let trusted = (trusted.0, &*trusted.1);
    let finished = doctor(&place, &[("SMTP_URL", &old)]).await;
    finished.fails("mail", &["certificate", "SMTP_CA_FILE"]);
    let finished = doctor(&place, &[("SMTP_URL", &old), trusted]).await;
    finished.fails(
        "mail",
        &["535", "wrong user or password", "check user and password in SMTP_URL"],
    );
    assert!(!finished.stdout.contains("old@"), "{finished:?}");
    mail.play(Step::Greeting, Trick::Say("554 5.3.2 no mail today"));
    let finished = doctor(&place, &[("SMTP_URL", &old), trusted]).await;
    finished.fails("mail", &["554", "ask whoever runs that server"]);
    mail.vanish();
    let finished = doctor(&place, &[("SMTP_URL", &old), trusted]).await;
    finished.fails("mail", &["refused", "check that it runs"]);

    let plain = MailServer::start(&place, Security::Plain).await;
    let encrypted = plain.url("") + "?tls=required";
    let finished = doctor(&place, &[("SMTP_URL", &encrypted)]).await;
    finished.fails("mail", &["STARTTLS", "check the port"]);
}

async fn a_mail_server_that_says_nothing_is_not_waited_for_long(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    mail.play(Step::Greeting, Trick::Hold);
    let began = Instant::now();
    let finished = doctor(&place, &[("SMTP_URL", &mail.url(""))]).await;
    finished.fails("mail", &["did not answer", "within 10 s", "firewall"]);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

async fn where_mail_cannot_leave_is_warned_of(place: Place) {
    let public = [
        ("PUBLIC_URL", "https://login.example.com"),
        ("COOKIE_DOMAIN", "example.com"),
    ];
    let finished = doctor(&place, &public).await;
    finished.passes("warn  mail", &["waits in the outbox", "SMTP_URL"]);
    finished.passes(
        "ok    address",
        &["__Secure-refresh_token", "every host of example.com"],
    );
    let finished = doctor(&place, &public[..1]).await;
    finished.passes("ok    address", &["__Host-refresh_token", "this host alone"]);
}

async fn templates_that_cannot_be_used_are_told(place: Place) {
    place.vestibule(&["mail", "templates", "words"]).await.expect_success();
    let variables = [("MAIL_TEMPLATES", "words")];
    doctor(&place, &variables).await.passes("ok    templates", &["words"]);
    fs::write(place.directory().join("words/layout.txt"), "{{ lnk }}").expect("a file");
    let finished = doctor(&place, &variables).await;
    finished.fails("templates", &["words/layout.txt, line 1", "lnk"]);
}

async fn a_database_that_does_not_answer_is_told(place: Place) {
    let nobody = [("DATABASE_URL", "postgres://u:hunter2@127.0.0.1:1/x")];
    let finished = doctor(&place, &nobody).await;
    finished.fails(
        "database",
        &[
            "the database x at 127.0.0.1, port 1",
            "DATABASE_URL",
            "refused",
            "check that it runs",
        ],
    );
    let elsewhere = format!("{}-nowhere", place.database_url().split('?').next().unwrap());
    let missing = [("DATABASE_URL", &*elsewhere)];
    let finished = doctor(&place, &missing).await;
    finished.fails("database", &["does not exist", "CREATE DATABASE"]);
    assert!(!finished.stdout.contains("hunter2"), "{finished:?}");
    place.refuse_connections(true).await;
    let finished = doctor(&place, &[]).await;
    finished.fails("database", &["not currently accepting connections"]);
    assert!(!finished.stdout.contains("at line"), "{finished:?}");
    place.refuse_connections(false).await;
    doctor(&place, &[]).await.passes("ok    database", &[]);
}

async fn a_user_who_may_not_make_tables_is_told(place: Place) {
    // Before version 15 everybody may.
    place.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC").await;
    // A role that every server has, and that has no right to anything here.
    let separator = if place.database_url().contains('?') { '&' } else { '?' };
    let url = format!("{}{separator}options[role]=pg_monitor", place.database_url());
    let variables = [("DATABASE_URL", &*url)];
    let said = [
        "may not make tables in the schema public",
        "GRANT USAGE, CREATE ON SCHEMA public",
    ];
    doctor(&place, &variables).await.fails("database", &said);
    let finished = place.vestibule_with(&["serve"], &variables, "").await.expect_failure();
    for said in said {
        assert!(finished.stderr.contains(said), "no {said} in {finished:?}");
    }
    doctor(&place, &[]).await.passes("ok    database", &[]);
}
