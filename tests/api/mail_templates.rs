//! `MAIL_TEMPLATES`: an operator's own words and looks.

use std::fs;

use crate::support::{Actor, Place, Process, both_engines, one_engine};

both_engines![letters_are_in_the_operators_words_and_the_others_as_before];

one_engine![
    sqlite: Sqlite,
    a_mistake_stops_the_start_and_is_told_with_file_and_line,
    the_built_in_templates_can_be_written_out_and_used,
];

async fn letters_are_in_the_operators_words_and_the_others_as_before(place: Place) {
    let folder = place.directory().join("words");
    fs::create_dir(&folder).expect("a folder");
    let words = "{% set subject %}Willkommen bei {{ site }}{% endset %}\n\
                 {% set facts %}\nWann: {{ at }}\n{% if device %}\nGerät: {{ device }}\n{% endif %}\n{% endset %}\n";
    fs::write(folder.join("verify_email.jinja"), words).expect("a file");
    let variables = [
        ("MAIL_TEMPLATES", folder.to_str().expect("a path of text")),
        ("SITE_NAME", "Tom & <Jerry>"),
        ("SITE_ACCENT", "#b3261e"),
    ];
    let server = place.start_with(&variables).await;
    let evil = "Mozilla/5.0 (X11; Linux) Firefox/140.0 <img src=x> Bcc: all@example.com";
    server
        .anonymous()
        .post("/api/auth/register")
        .header("user-agent", evil)
        .json(serde_json::json!({"email": "ann@example.com", "password": crate::support::PASSWORD}))
        .await
        .expect(201);
    let mail = server.mails("ann@example.com", 1).await.remove(0);
    assert_eq!(mail.subject, "Willkommen bei Tom & <Jerry>");
    assert!(mail.text.contains("Gerät: Firefox on Linux\n"), "{}", mail.text);
    assert!(mail.text.contains("Wann: 2026-03-01T12:00:00Z\n"), "{}", mail.text);
    assert!(mail.html.contains("<h1 style=") && mail.html.contains("Willkommen bei Tom &amp; &lt;Jerry&gt;</h1>"));
    assert!(
        !mail.html.contains("<Jerry>") && !mail.html.contains("<img"),
        "{}",
        mail.html
    );
    assert!(mail.html.contains("background:#b3261e"), "{}", mail.html);
    assert!(mail.link_token("/verify-email").is_some());

    server.reset_link("ann@example.com").await;
    let mail = server.mails("ann@example.com", 2).await.remove(0);
    assert_eq!(mail.subject, "Reset your password for Tom & <Jerry>");
}

async fn a_mistake_stops_the_start_and_is_told_with_file_and_line(place: Place) {
    let folder = place.directory().join("words");
    fs::create_dir(&folder).expect("a folder");
    fs::write(
        folder.join("reset_password.jinja"),
        "{% set next %}\n{{ lnk }}{% endset %}",
    )
    .expect("a file");
    fs::write(folder.join("layout.html"), "<p>{{ button }}</p>\n{% if %}").expect("a file");
    let variables = [("MAIL_TEMPLATES", "words")];
    let finished = place.vestibule_with(&[], &variables, "").await.expect_failure();
    for said in [
        "MAIL_TEMPLATES cannot be used:",
        "\n  words/reset_password.jinja, line 2: `lnk` is not known here",
        "\n  words/layout.html, line 2: syntax error",
    ] {
        assert!(finished.stderr.contains(said), "no {said} in {}", finished.stderr);
    }
    // In the meantime an account can be shut out all the same.
    let create = ["user", "create", "--invite", "--email", "ann@example.com"];
    place.vestibule_with(&create, &variables, "").await.expect_success();
    let disable = ["user", "disable", "ann@example.com"];
    place.vestibule_with(&disable, &variables, "").await.expect_success();

    fs::remove_file(folder.join("reset_password.jinja")).expect("it was there");
    fs::write(folder.join("layout.html"), "<p>{{ button }}</p>").expect("a file");
    let finished = place.vestibule_with(&[], &variables, "").await.expect_failure();
    let said = "words/layout.html: the link of `verify_email` is missing: write {{ url }}";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

async fn the_built_in_templates_can_be_written_out_and_used(place: Place) {
    let finished = place.vestibule(&["mail", "templates", "words"]).await.expect_success();
    assert!(finished.stdout.contains("words/reset_password.jinja\n"), "{finished:?}");
    let finished = place.vestibule(&["mail", "templates", "words"]).await.expect_failure();
    assert!(finished.stderr.contains("is there already"), "{finished:?}");
    drop(Process::start(&place, &[("MAIL_TEMPLATES", "words")]).await);
}
