//! Mail on its way to a mail server, good ones and bad.

use serde_json::json;

use crate::support::{
    Actor, MailServer, NEW_PASSWORD, PASSWORD, Place, Process, SMTP_STEP_SECONDS, Security, Server, Step, Trick,
    both_engines, one_engine,
};

both_engines![
    letters_leave_encrypted_and_by_log_in,
    a_server_without_starttls_is_told_nothing,
    an_answer_that_somebody_slips_in_before_the_encryption_takes_no_letter_for_sent,
    a_certificate_that_nobody_vouches_for_is_refused_unless_trusted,
    a_letter_that_is_put_off_twice_arrives_at_the_third_try,
    a_reader_who_is_refused_fails_at_once_with_the_servers_words,
    what_the_server_has_against_us_waits,
    a_server_that_hangs_holds_up_neither_the_outbox_nor_the_stop,
    a_server_that_dies_in_the_middle_of_a_letter_gets_it_again,
    an_answer_that_is_lost_repeats_the_letter_with_another_link_that_works,
    an_address_beyond_ascii_goes_to_a_server_that_takes_it,
    mail_waits_for_a_server_that_nobody_runs,
    one_connection_takes_many_letters,
    a_mail_server_takes_the_place_of_the_built_in_mailbox,
];

one_engine![
    sqlite: Sqlite,
    the_log_says_why_a_letter_did_not_leave_and_to_nobody_whom_it_was_for,
];

const FROM: (&str, &str) = ("MAIL_FROM", "Acme <no-reply@acme.example>");

async fn start(place: &Place, mail: &MailServer) -> Server {
    place.start_with(&[("SMTP_URL", &mail.url("")), FROM]).await
}

async fn ask_for_reset(server: &Server, email: &str) {
    server
        .anonymous()
        .post("/api/auth/forgot-password")
        .json(json!({"email": email}))
        .await
        .expect(200);
}

async fn verify(server: &Server, token: &str) {
    let body = json!({"token": token});
    server
        .anonymous()
        .post("/api/auth/verify-email")
        .json(body)
        .await
        .expect(200);
}

async fn letters_leave_encrypted_and_by_log_in(place: Place) {
    let login = Some(("ann@acme", "p:ä/ss"));
    for (number, (security, mechanisms)) in [
        (Security::Implicit, "PLAIN LOGIN"),
        (Security::StartTls, "LOGIN"),
        (Security::Plain, "XOAUTH2 PLAIN"),
    ]
    .into_iter()
    .enumerate()
    {
        let mail = MailServer::start_with(&place, security, mechanisms, login).await;
        let url = mail.url("ann%40acme:p%3A%C3%A4%2Fss@");
        let server = place
            .start_with(&[("SMTP_URL", &url), ("SMTP_CA_FILE", mail.certificate()), FROM])
            .await;
        let email = format!("ann{number}@example.com");
        server.sign_up(&email).await;
        let letter = mail.letters(&email, 1).await.remove(0);
        assert_eq!(letter.from, "no-reply@acme.example");
        assert!(
            letter.raw.contains("From: Acme <no-reply@acme.example>"),
            "{}",
            letter.raw
        );
        let token = letter.mail().link_token("/verify-email").expect("a link");
        verify(&server, &token).await;
        assert_eq!(server.message_is(&email, "sent", 1).await, "");
        server.stop().await;
        let heard = mail.heard();
        assert_eq!(heard[0], "EHLO localhost");
        assert_eq!(heard.last().unwrap(), "QUIT", "it takes its leave: {heard:?}");
    }
}

async fn a_server_without_starttls_is_told_nothing(place: Place) {
    // As it looks to the client when somebody between the two has taken the offer out.
    let mail = MailServer::start_with(&place, Security::Plain, "PLAIN", Some(("ann", "hunter2"))).await;
    let url = mail.url("ann:hunter2@") + "?tls=required";
    let server = place
        .start_with(&[("SMTP_URL", &url), ("SMTP_CA_FILE", mail.certificate()), FROM])
        .await;
    server.sign_up("ann@example.com").await;
    let error = server.message_is("ann@example.com", "waiting", 1).await;
    assert!(error.contains("STARTTLS"), "{error}");
    assert_eq!(mail.heard(), ["EHLO localhost"]);
}

async fn an_answer_that_somebody_slips_in_before_the_encryption_takes_no_letter_for_sent(place: Place) {
    let mail = MailServer::start(&place, Security::StartTls).await;
    let url = mail.url("");
    let server = place
        .start_with(&[("SMTP_URL", &url), ("SMTP_CA_FILE", mail.certificate()), FROM])
        .await;
    mail.play(Step::StartTls, Trick::Say("220 go ahead\r\n250 slipped in"));
    server.sign_up("ann@example.com").await;
    let error = server.message_is("ann@example.com", "waiting", 1).await;
    assert!(error.contains("250 where it asks for the message"), "{error}");
    assert!(mail.received().is_empty());
}

async fn a_certificate_that_nobody_vouches_for_is_refused_unless_trusted(place: Place) {
    for security in [Security::StartTls, Security::Implicit] {
        let mail = MailServer::start_with(&place, security, "PLAIN", Some(("ann", "hunter2"))).await;
        let url = mail.url("ann:hunter2@");
        let email = format!("{security:?}@example.com");
        let server = place.start_with(&[("SMTP_URL", &url), FROM]).await;
        server.sign_up(&email).await;
        let error = server.message_is(&email, "waiting", 1).await;
        assert!(error.contains("certificate"), "{error}");
        let heard = mail.heard().join(" ");
        assert!(!heard.contains("AUTH") && !heard.contains("MAIL"), "{heard}");
        server.stop().await;

        let server = place
            .start_with(&[("SMTP_URL", &url), ("SMTP_CA_FILE", mail.certificate()), FROM])
            .await;
        server.advance_mail(10);
        mail.letters(&email, 1).await;
        server.message_is(&email, "sent", 2).await;
        server.stop().await;
    }
}

async fn a_letter_that_is_put_off_twice_arrives_at_the_third_try(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let server = start(&place, &mail).await;
    mail.play(Step::Rcpt, Trick::Say("451 4.7.1 Greylisted, come back later"));
    mail.play(Step::End, Trick::Say("451-4.3.0 The queue\r\n451 4.3.0 is full"));
    server.sign_up("ann@example.com").await;
    let error = server.message_is("ann@example.com", "waiting", 1).await;
    assert_eq!(
        error,
        "the mail server answered 451 to the recipient: 4.7.1 Greylisted, come back later"
    );
    // Not before its time.
    server.advance_mail(9);
    ask_for_reset(&server, "nobody@example.com").await;
    server.message_is("", "dropped", 1).await;
    server.message_is("ann@example.com", "waiting", 1).await;
    server.advance_mail(1);
    let error = server.message_is("ann@example.com", "waiting", 2).await;
    assert!(
        error.ends_with("451 to the message: 4.3.0 The queue is full"),
        "{error}"
    );
    assert!(mail.received().is_empty());
    server.advance_mail(30);
    let letter = mail.letters("ann@example.com", 1).await.remove(0);
    assert_eq!(server.message_is("ann@example.com", "sent", 3).await, "");
    // The link is made when its letter leaves: its day starts now.
    server.advance(24 * 3600 - 10);
    let token = letter.mail().link_token("/verify-email").expect("a link");
    verify(&server, &token).await;
}

async fn a_reader_who_is_refused_fails_at_once_with_the_servers_words(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let server = start(&place, &mail).await;
    let admin = server.admin("admin@example.com").await;
    server.message_is("admin@example.com", "sent", 1).await;
    for (email, step, said, told) in [
        (
            "ann@example.com",
            Step::Rcpt,
            "550 5.1.1 <ann@example.com>: no\x07such\tuser",
            "the mail server answered 550 to the recipient: 5.1.1 <ann@example.com>: no such user",
        ),
        (
            "bob@example.com",
            Step::End,
            "554 5.7.1 No https://a.example/?token=vst_lt_abc here",
            "the mail server answered 554 to the message: 5.7.1 No https://a.example/?token=… here",
        ),
    ] {
        mail.play(step, Trick::Say(said));
        server.sign_up(email).await;
        assert_eq!(server.message_is(email, "failed", 1).await, told);
        let failed = admin.get("/api/mail?state=failed").await.items();
        assert_eq!(
            (&failed[0]["address"], &failed[0]["last_error"]),
            (&json!(email), &json!(told))
        );
        // Whatever was wrong with the mailbox has been put right.
        let path = format!("/api/mail/{}/resend", failed[0]["id"].as_str().unwrap());
        admin.post(&path).await.expect_success();
        mail.letters(email, 1).await;
        server.message_is(email, "sent", 1).await;
    }
}

async fn the_log_says_why_a_letter_did_not_leave_and_to_nobody_whom_it_was_for(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let mut process = Process::start(&place, &[("SMTP_URL", &mail.url("")), FROM]).await;
    // What is given up first: it is not tried again meanwhile.
    for (email, said, line, told) in [
        (
            "bob@example.com",
            "550 5.1.1 <bob@example.com>: no such user",
            "a message is given up",
            ["ERROR", "kind=\"verify_email\"", "answered 550 5.1.1 to the recipient"],
        ),
        (
            "ann@example.com",
            "451 4.7.1 <ann@example.com> is greylisted",
            "a message has to wait for another try",
            ["WARN", "next_try=", "answered 451 4.7.1 to the recipient"],
        ),
    ] {
        mail.play(Step::Rcpt, Trick::Say(said));
        let body = json!({"email": email, "password": PASSWORD});
        process.anonymous().post("/register").json(body).await.expect(201);
        let line = process.says(line).await;
        for said in told {
            assert!(line.contains(said), "no {said} in {line}");
        }
    }
    process.terminate();
    process.ended();
    let output = process.output();
    assert!(
        !output.contains("@example.com") && !output.contains("Failed"),
        "{output}"
    );
}

async fn what_the_server_has_against_us_waits(place: Place) {
    let mail = MailServer::start_with(&place, Security::Plain, "PLAIN", Some(("ann", "new"))).await;
    let url = mail.url("ann:old@");
    let server = place.start_with(&[("SMTP_URL", &url), FROM]).await;
    server.sign_up("ann@example.com").await;
    let error = server.message_is("ann@example.com", "waiting", 1).await;
    assert_eq!(
        error,
        "the mail server answered 535 to the connection: 5.7.8 wrong user or password"
    );
    server.stop().await;

    let server = place.start_with(&[("SMTP_URL", &mail.url("")), FROM]).await;
    server.advance_mail(10);
    let error = server.message_is("ann@example.com", "waiting", 2).await;
    assert!(error.contains("530 to the sender"), "{error}");
    server.stop().await;

    let server = place.start_with(&[("SMTP_URL", &mail.url("ann:new@")), FROM]).await;
    for (attempts, (step, said)) in [
        (Step::Greeting, "554 5.3.2 no mail today"),
        (Step::Mail, "553 5.7.1 not your address"),
        (Step::Rcpt, "554 5.7.1 <ann@example.com>: Relay access denied"),
        (Step::Data, "421 4.3.2 going down"),
    ]
    .into_iter()
    .enumerate()
    {
        mail.play(step, Trick::Say(said));
        server.advance_mail(8 * 3600);
        let attempts = i64::try_from(attempts).unwrap() + 3;
        let error = server.message_is("ann@example.com", "waiting", attempts).await;
        assert!(error.contains(&said[..3]), "{error}");
    }
    server.advance_mail(8 * 3600);
    mail.letters("ann@example.com", 1).await;
}

async fn a_server_that_hangs_holds_up_neither_the_outbox_nor_the_stop(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let variables = [("SMTP_URL", &*mail.url("")), FROM, (SMTP_STEP_SECONDS, "1")];
    let server = place.start_with(&variables).await;
    let mut attempts = 0;
    for step in [Step::Greeting, Step::Rcpt, Step::Data] {
        mail.play(step, Trick::Hold);
        if attempts == 0 {
            server.sign_up("ann@example.com").await;
        } else {
            server.advance_mail(600);
        }
        attempts += 1;
        let error = server.message_is("ann@example.com", "waiting", attempts).await;
        assert!(
            error.contains("did not answer") && error.ends_with("within 1 s"),
            "{error}"
        );
    }
    // What comes after it is not behind it.
    server.sign_up("bob@example.com").await;
    mail.letters("bob@example.com", 1).await;
    server.stop().await;

    // For longer than a supervisor waits.
    let server = place
        .start_with(&[("SMTP_URL", &mail.url("")), FROM, (SMTP_STEP_SECONDS, "600")])
        .await;
    mail.play(Step::Mail, Trick::Hold);
    server.advance_mail(600);
    mail.holds(4).await;
    let began = std::time::Instant::now();
    server.stop().await;
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());

    // The message is given back when its lease is over.
    let server = start(&place, &mail).await;
    server.advance_mail(300);
    mail.letters("ann@example.com", 1).await;
}

async fn a_server_that_dies_in_the_middle_of_a_letter_gets_it_again(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let server = start(&place, &mail).await;
    mail.play(Step::Content, Trick::Die);
    mail.play(Step::Data, Trick::Die);
    server.sign_up("ann@example.com").await;
    server.message_is("ann@example.com", "waiting", 1).await;
    server.advance_mail(10);
    let error = server.message_is("ann@example.com", "waiting", 2).await;
    assert!(error.starts_with("the mail server cannot be talked to"), "{error}");
    assert!(mail.received().is_empty());
    server.advance_mail(30);
    server.message_is("ann@example.com", "sent", 3).await;
    assert_eq!(mail.letters("ann@example.com", 1).await.len(), 1);
}

async fn an_answer_that_is_lost_repeats_the_letter_with_another_link_that_works(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let server = start(&place, &mail).await;
    server.sign_up("ann@example.com").await;
    server.message_is("ann@example.com", "sent", 1).await;
    mail.play(Step::End, Trick::Die);
    ask_for_reset(&server, "ann@example.com").await;
    server.message_is("ann@example.com", "waiting", 1).await;
    server.advance_mail(10);
    let letters = mail.letters("ann@example.com", 3).await;
    let tokens = letters[1..].iter();
    let tokens: Vec<_> = tokens
        .map(|letter| letter.mail().link_token("/reset-password").expect("a link"))
        .collect();
    assert_ne!(tokens[0], tokens[1]);
    // Either works, until one is used.
    let reset = async |token: &str| {
        let body = json!({"token": token, "new_password": NEW_PASSWORD});
        server.anonymous().post("/api/auth/reset-password").json(body).await
    };
    reset(&tokens[0]).await.expect(200);
    reset(&tokens[1]).await.expect_refusal();
}

async fn an_address_beyond_ascii_goes_to_a_server_that_takes_it(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let server = start(&place, &mail).await;
    server.sign_up("jürgen@example.com").await;
    let error = server.message_is("jürgen@example.com", "failed", 1).await;
    assert!(error.contains("SMTPUTF8"), "{error}");
    assert!(mail.received().is_empty());
    server.stop().await;

    let mail = MailServer::start(&place, Security::Plain).await;
    mail.play(
        Step::Ehlo,
        Trick::Say("250-mail.example.com\r\n250-SMTPUTF8\r\n250 8BITMIME"),
    );
    let server = start(&place, &mail).await;
    server.sign_up("zoë@müller.example").await;
    // Domains have a form in ASCII; what stands before them has none (RFC 6531).
    let letter = mail.letters("zoë@xn--mller-kva.example", 1).await.remove(0);
    let heard = mail.heard();
    let from = heard.iter().find(|line| line.starts_with("MAIL FROM")).unwrap();
    assert!(from.contains(" SMTPUTF8"), "{from}");
    let token = letter.mail().link_token("/verify-email").expect("a link");
    verify(&server, &token).await;
}

async fn mail_waits_for_a_server_that_nobody_runs(place: Place) {
    let mut mail = MailServer::start(&place, Security::Plain).await;
    mail.vanish();
    let server = start(&place, &mail).await;
    server.sign_up("ann@example.com").await;
    server.sign_up("bob@example.com").await;
    for email in ["ann@example.com", "bob@example.com"] {
        let error = server.message_is(email, "waiting", 1).await;
        assert!(error.contains("refused"), "{error}");
    }
    server.advance_mail(10);
    // Each of them: a try that time overtakes puts the next one off into a future that never comes here.
    for email in ["ann@example.com", "bob@example.com"] {
        server.message_is(email, "waiting", 2).await;
    }
    mail.appear().await;
    server.advance_mail(3600);
    for email in ["ann@example.com", "bob@example.com"] {
        mail.letters(email, 1).await;
    }
}

async fn one_connection_takes_many_letters(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let server = start(&place, &mail).await;
    for name in ["ann", "bob", "cleo"] {
        let email = format!("{name}@example.com");
        server.sign_up(&email).await;
        server.message_is(&email, "sent", 1).await;
    }
    assert_eq!(mail.connections(), 1);
    // One that a refusal has cut short is not used again, nor one that the server has left.
    mail.play(Step::Rcpt, Trick::Say("550 5.1.1 no"));
    server.sign_up("dan@example.com").await;
    server.message_is("dan@example.com", "failed", 1).await;
    server.sign_up("eve@example.com").await;
    server.message_is("eve@example.com", "sent", 1).await;
    assert_eq!(mail.connections(), 2);
}

async fn a_mail_server_takes_the_place_of_the_built_in_mailbox(place: Place) {
    let mail = MailServer::start(&place, Security::Plain).await;
    let server = start(&place, &mail).await;
    for path in ["/dev/mail", "/dev/mail.json"] {
        server.anonymous().get(path).await.expect_problem(404, "not_found");
    }
    server.sign_up("ann@example.com").await;
    ask_for_reset(&server, "ann@example.com").await;
    let letters = mail.letters("ann@example.com", 2).await;
    let token = letters[1].mail().link_token("/reset-password").expect("a link");
    let body = json!({"token": token, "new_password": NEW_PASSWORD});
    server
        .anonymous()
        .post("/api/auth/reset-password")
        .json(body)
        .await
        .expect(200);
    server.refuses_log_in("ann@example.com", PASSWORD).await;
    let told = mail.letters("ann@example.com", 3).await.remove(2).mail();
    assert!(told.subject.contains("password"), "{}", told.subject);
}
