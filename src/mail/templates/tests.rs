use super::*;
use crate::config::Config;

fn circumstances(user_agent: Option<&str>) -> Circumstances {
    Circumstances::new(
        Timestamp::from_unix_seconds(1_700_000_000),
        Some("203.0.113.7".parse().unwrap()),
        user_agent,
    )
}

fn all_messages() -> Vec<Message> {
    let told = || {
        circumstances(Some(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ))
    };
    vec![
        Message::VerifyEmail(told()),
        Message::VerifyNewEmail(told()),
        Message::ResetPassword(told()),
        Message::ResetPasswordByAdmin(Circumstances::by_admin(Timestamp::from_unix_seconds(1_700_000_000))),
        Message::AccountExists(told()),
        Message::PasswordChanged(told()),
        Message::EmailChanged(told()),
        Message::SessionReused {
            session: told(),
            reuse: circumstances(Some("curl/8.14.1")),
        },
    ]
}

fn render_for(message: &Message, site: &str) -> Rendered {
    let config = Config::from_variables([("PUBLIC_URL", "https://auth.example.com")]).unwrap();
    let link = message.link_kind().map(|kind| Link {
        url: config.public_url.link(&format!("{}?token=vst_lt_secret", kind.path())),
        life: Duration::from_mins(10),
    });
    render(
        message,
        &Site {
            name: site,
            public_url: &config.public_url,
        },
        link.as_ref(),
    )
}

#[test]
fn every_message_says_the_same_in_text_and_in_html() {
    for message in all_messages() {
        let Rendered { subject, text, html } = render_for(&message, "Acme");
        let link = if message.link_kind().is_some() {
            "?token=vst_lt_secret"
        } else {
            "https://auth.example.com/"
        };
        for part in [&text, &html] {
            for expected in ["Acme", "14 November 2023, 22:13 UTC", link] {
                assert!(part.contains(expected), "{expected} is not in {part}");
            }
            assert!(
                !part.contains(['{', '}']) || part.contains(STYLE),
                "a blank was left open in {part}"
            );
        }
        assert!(subject.contains("Acme"), "{subject}");
        assert!(html.contains(&*escape(&subject)), "{html}");
        assert!(!html.contains("<img") && !html.contains("src="), "{html}");
        let bare_links = text
            .lines()
            .filter(|line| line.starts_with("https://") && line.contains('/'))
            .count();
        assert!(bare_links >= 1, "the link has no line of its own in {text}");
    }
}

#[test]
fn the_reader_is_told_the_device_and_the_network() {
    let message = Message::SessionReused {
        session: circumstances(None),
        reuse: circumstances(Some("curl/8.14.1")),
    };
    let text = render_for(&message, "Acme").text;
    assert!(
        text.contains("Signed in from: an unknown device, network address 203.0.113.7"),
        "{text}"
    );
    assert!(
        text.contains("Key came back from: curl, network address 203.0.113.7"),
        "{text}"
    );
}

#[test]
fn an_admin_is_not_shown_as_a_stranger() {
    let at = Timestamp::from_unix_seconds(1_700_000_000);
    let text = render_for(&Message::ResetPasswordByAdmin(Circumstances::by_admin(at)), "Acme").text;
    assert!(!text.contains("From:"), "{text}");
}

#[test]
fn a_name_is_shown_as_text_whatever_it_holds() {
    let name = "<b>\"Tom\" & 'Jerry'</b> {life}";
    for message in all_messages() {
        let Rendered { subject, text, html } = render_for(&message, name);
        assert!(subject.contains(name), "{subject}");
        assert!(text.contains(name), "{text}");
        assert!(!html.contains("<b>"), "{html}");
        assert!(
            html.contains("&lt;b&gt;&quot;Tom&quot; &amp; &#39;Jerry&#39;&lt;/b&gt; {life}"),
            "{html}"
        );
    }
}

#[test]
fn no_name_breaks_a_line() {
    for message in all_messages() {
        let Rendered { subject, text, .. } = render_for(&message, "Acme\r\nBcc: all@example.com\u{85}\0x");
        assert!(!subject.contains(char::is_control), "{subject:?}");
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    }
}

#[test]
fn lives_are_told_in_the_largest_whole_unit() {
    let cases = [
        (600, "10 minutes"),
        (60, "1 minute"),
        (61, "2 minutes"),
        (3600, "1 hour"),
        (86_400, "24 hours"),
    ];
    for (seconds, words) in cases {
        assert_eq!(in_words(Duration::from_secs(seconds)), words);
    }
}
