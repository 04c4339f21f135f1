use std::path::PathBuf;

use tempfile::TempDir;

use super::{check::samples, *};
use crate::{clock::Timestamp, config::Config, mail::messages::Circumstances};

const NOON: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

fn link_of(message: &Message) -> Option<Link> {
    message.link_kind().map(|kind| Link {
        url: format!("https://auth.example.com{}?token=vst_lt_secret", kind.path()),
        life: Duration::from_mins(10),
    })
}

fn render_with(templates: &Templates, message: &Message, site: &str) -> Rendered {
    let site = Site {
        name: site,
        origin: "https://auth.example.com",
        accent: None,
    };
    templates.render(message, &site, link_of(message).as_ref()).unwrap()
}

fn render_for(message: &Message, site: &str) -> Rendered {
    render_with(&Templates::built_in(), message, site)
}

fn reset() -> Message {
    Message::ResetPassword(Circumstances::by_admin(NOON))
}

/// A folder of templates.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (file, source) in files {
            fs::write(folder.path(file), source).unwrap();
        }
        folder
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn templates(&self) -> Templates {
        Templates::read(self.0.path()).unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    fn mistakes(&self) -> Vec<String> {
        Templates::read(self.0.path())
            .err()
            .map(|mistakes| mistakes.0)
            .unwrap_or_default()
    }
}

#[test]
fn every_message_says_the_same_in_text_and_in_html() {
    for message in samples() {
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
            for open in ["{{", "{%", "{#"] {
                assert!(!part.contains(open), "{open} was left in {part}");
            }
        }
        assert!(subject.contains("Acme"), "{subject}");
        assert!(html.contains(&*escape(&subject)), "{html}");
        assert!(!html.contains("<img") && !html.contains("src="), "{html}");
        assert_eq!(html.matches("class=\"button\"").count(), 1, "{html}");
        let bare_links = text
            .lines()
            .filter(|line| line.starts_with("https://") && line.contains('/'));
        assert!(bare_links.count() >= 1, "the link has no line of its own in {text}");
        assert!(!text.contains("\n\n\n"), "{text}");
    }
}

#[test]
fn the_reader_is_told_the_device_and_the_network() {
    let circumstances = |user_agent| Circumstances::new(NOON, Some("203.0.113.7".parse().unwrap()), user_agent);
    let message = Message::SessionReused {
        session: circumstances(None),
        reuse: circumstances(Some("curl/8.14.1")),
    };
    let Rendered { text, html, .. } = render_for(&message, "Acme");
    for (label, value) in [
        ("Signed in from", "an unknown device, network address 203.0.113.7"),
        ("Key used again from", "curl, network address 203.0.113.7"),
    ] {
        assert!(text.contains(&format!("  {label}: {value}\n")), "{text}");
        assert!(html.contains(label) && html.contains(value), "{html}");
    }
}

#[test]
fn an_admin_is_not_shown_as_a_stranger() {
    let text = render_for(&Message::ResetPasswordByAdmin(Circumstances::by_admin(NOON)), "Acme").text;
    assert!(!text.contains("From:"), "{text}");
}

#[test]
fn a_name_is_shown_as_text_whatever_it_holds() {
    let name = "<b>\"Tom\" & 'Jerry'</b> {{ life }}{% if %}";
    for message in samples() {
        let Rendered { subject, text, html } = render_for(&message, name);
        assert!(subject.contains(name), "{subject}");
        assert!(text.contains(name), "{text}");
        assert!(!html.contains("<b>"), "{html}");
        let escaped = "&lt;b&gt;&quot;Tom&quot; &amp; &#39;Jerry&#39;&lt;/b&gt; {{ life }}{% if %}";
        assert!(html.contains(escaped), "{html}");
    }
}

#[test]
fn no_name_breaks_a_line() {
    for message in samples() {
        let Rendered { subject, text, .. } = render_for(&message, "Acme\r\nBcc: all@example.com\u{85}\0x");
        assert!(!subject.contains(char::is_control), "{subject:?}");
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
    }
}

#[test]
fn the_button_has_the_sites_own_colour_made_readable() {
    let config = Config::from_variables([("SITE_ACCENT", "#ffe000")]).unwrap();
    let site = Site {
        name: "Acme",
        origin: "https://auth.example.com",
        accent: config.site_accent,
    };
    let templates = Templates::built_in();
    let html = templates
        .render(&reset(), &site, link_of(&reset()).as_ref())
        .unwrap()
        .html;
    assert!(
        html.contains("background:#80"),
        "a yellow that white paper bears: {html}"
    );
    assert!(html.contains(".button { background: #ffe000 !important; }"), "{html}");
    assert!(html.contains(".button a { color: #000000 !important; }"), "{html}");
}

#[test]
fn the_built_in_templates_pass_as_an_operators() {
    let folder = Folder::with(&BUILT_IN);
    let own = folder.templates();
    for message in samples() {
        let (own, built_in) = (render_with(&own, &message, "Acme"), render_for(&message, "Acme"));
        assert_eq!(
            (own.subject, own.text, own.html),
            (built_in.subject, built_in.text, built_in.html)
        );
    }
}

#[test]
fn the_built_in_templates_are_written_out_and_replace_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/mail");
    let written = Templates::write_built_in(&path).unwrap();
    assert_eq!(written.len(), BUILT_IN.len());
    assert!(Templates::read(&path).is_ok());

    for file in &written[1..] {
        fs::remove_file(file).unwrap();
    }
    let error = Templates::write_built_in(&path).unwrap_err();
    assert!(
        error.to_string().contains("verify_email.jinja is there already"),
        "{error}"
    );
    assert!(!written[1].exists());
}

#[test]
fn an_operator_changes_one_part_of_one_message() {
    let source = "{# A comment. #}\n\
                  {% set _team = \"the Acme team\" %}\n\
                  {% set subject %}\n  Neues\u{a0}Passwort für\n  {{ site }}\n{% endset %}\n\
                  {% set next %}In {{ life_minutes }} Minuten, {{ at[:10] }}, grüßt {{ _team|upper }}.{% endset %}\n";
    let templates = Folder::with(&[("reset_password.jinja", source), (".DS_Store", "\0")]).templates();
    let Rendered { subject, text, html } = render_with(&templates, &reset(), "Acme");
    assert_eq!(subject, "Neues\u{a0}Passwort für Acme");
    for part in [&text, &html] {
        assert!(
            part.contains("In 10 Minuten, 2023-11-14, grüßt THE ACME TEAM."),
            "{part}"
        );
        assert!(part.contains("Choose a new password"), "the others stay: {part}");
    }
    let other = Message::PasswordChanged(Circumstances::by_admin(NOON));
    assert_eq!(
        render_with(&templates, &other, "Acme").html,
        render_for(&other, "Acme").html
    );
}

#[test]
fn an_operator_changes_how_all_messages_look() {
    let layout = "<h1>{{ subject }}</h1>{% for fact in facts %}<i>{{ fact.label }}={{ fact.value }}</i>{% endfor %}\
                  {% if message == 'reset_password' %}<hr>{% endif %}<a href='{{ url }}'>{{ button }}</a>";
    let templates = Folder::with(&[("layout.html", layout)]).templates();
    let Rendered { text, html, .. } = render_with(&templates, &reset(), "Tom & Jerry");
    assert_eq!(
        html,
        "<h1>Reset your password for Tom &amp; Jerry</h1><i>When=14 November 2023, 22:13 UTC</i><hr>\
         <a href='https://auth.example.com/reset-password?token=vst_lt_secret'>Choose a new password</a>"
    );
    assert_eq!(text, render_for(&reset(), "Tom & Jerry").text);
}

#[test]
fn nothing_a_template_says_lets_a_value_through_as_html() {
    let evil = "<script>\"'&";
    let device = Circumstances {
        device: Some(format!("{evil}\r\nForged: yes")),
        ..Circumstances::by_admin(NOON)
    };
    let words =
        "{% autoescape true %}{% set happened %}<b>{{ site }} {{ place or 'nowhere' }}{% endset %}{% endautoescape %}";
    let layouts = [
        "{{ site }}{{ happened }}",
        "{% autoescape false %}{{ site }}{{ happened }}{% endautoescape %}",
        "{% autoescape false %}{% set a %}{{ site }}{{ happened }}{% endset %}{{ a }}{% endautoescape %}",
        "{% set a %}{% autoescape false %}{{ site }}{{ happened }}{% endautoescape %}{% endset %}{{ a }}",
        "{{ [site, happened]|join('<b>'|escape) }}",
        "{{ (site ~ happened)|replace('<', '<') }}",
        "{{ '%s%s'|format(site, happened) }}",
    ];
    for layout in layouts {
        let layout = format!("{layout}<a href=\"{{{{ url }}}}\"></a>");
        let templates = Folder::with(&[("layout.html", &layout), ("reset_password.jinja", words)]).templates();
        let Rendered { text, html, .. } = render_with(&templates, &Message::ResetPassword(device.clone()), evil);
        assert!(!html.contains("<script>") && !html.contains("<b>"), "{layout}: {html}");
        assert!(html.contains("script"), "{layout}: {html}");
        assert!(text.contains(&format!("<b>{evil} {evil}")), "text is text: {text}");
        assert!(!text.lines().any(|line| line.trim().starts_with("Forged")), "{text}");
    }
    let mistakes = Folder::with(&[("layout.html", "{{ site|safe }}{{ url }}")]).mistakes();
    assert!(
        mistakes[0].contains("layout.html, line 1: unknown filter"),
        "{mistakes:?}"
    );
}

/// A file, what stands in it, and what is told of it.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "reset-password.jinja",
        "",
        "reset-password.jinja: is no template: did you mean reset_password.jinja?",
    ),
    (
        "signature.jinja",
        "",
        "signature.jinja: is no template: there are verify_email.jinja",
    ),
    ("reset_password.jinja~", "", "reset_password.jinja~: is no template"),
    (
        "reset_password.jinja",
        "\n{% set subject %}",
        "reset_password.jinja, line 2: syntax error",
    ),
    (
        "reset_password.jinja",
        "{% include 'layout.txt' %}",
        "line 1: syntax error: unknown statement include",
    ),
    (
        "reset_password.jinja",
        "\n\n{% set next %}{{ lnk }}{% endset %}",
        "line 3: `lnk` is not known here: there are at, ",
    ),
    (
        "session_reused.jinja",
        "{% set next %}{{ when }}{% endset %}",
        "line 1: `when` is not known here",
    ),
    (
        "session_reused.jinja",
        "{% set next %}{{ reuse.wen }}{% endset %}",
        "line 1: `reuse.wen` is not known here",
    ),
    (
        "password_changed.jinja",
        "{% set next %}{{ life }}{% endset %}",
        "line 1: `life` is not known here",
    ),
    (
        "layout.txt",
        "{{ url }}{{ when }}",
        "layout.txt, line 1: `when` is not known here: there are accent, ",
    ),
    (
        "layout.html",
        "{% if false %}{{ wen }}{% endif %}{{ url }}",
        "layout.html, line 1: `wen` is not known",
    ),
    (
        "layout.html",
        "{% for fact in facts %}\n{{ fact.lable }}{% endfor %}{{ url }}",
        "layout.html, line 2: undefined value",
    ),
    (
        "layout.txt",
        "{{ button }}",
        "layout.txt: the link of `verify_email` is missing: write {{ url }}",
    ),
    (
        "layout.html",
        "{{ button }}",
        "layout.html: the link of `reset_password` is missing: write {{ url }}",
    ),
    (
        "reset_password.jinja",
        "\nHello\n",
        "line 2: \"Hello\" stands outside of every part",
    ),
    (
        "reset_password.jinja",
        "{% set sbject %}x{% endset %}",
        "line 1: `sbject` is no part of a message",
    ),
    (
        "reset_password.jinja",
        "\n{% set button %} {% endset %}",
        "line 2: `button` says nothing",
    ),
    (
        "reset_password.jinja",
        "{% set facts %}x{% endset %}",
        "each line of `facts` must be `Label: value`, not \"x\"",
    ),
    (
        "reset_password.jinja",
        "{% set next %}\n{{ network }}{% endset %}",
        "line 2: invalid operation: this is not always known",
    ),
    (
        "reset_password.jinja",
        "{% set next %}{{ site|shout }}{% endset %}",
        "line 1: unknown filter: filter shout is unknown",
    ),
    (
        "reset_password.jinja",
        "{% set next %}{{ 1 // 0 }}{% endset %}",
        "reset_password.jinja, line 1: ",
    ),
    (
        "layout.txt",
        "{{ url }}{% for a in range(9999) %}{% for b in range(9999) %}.{% endfor %}{% endfor %}",
        "ran out of fuel",
    ),
];

#[test]
fn every_mistake_in_a_folder_is_told_with_its_place() {
    for (file, source, said) in MISTAKES.iter().copied() {
        let folder = Folder::with(&[(file, source)]);
        let mistakes = folder.mistakes();
        let found = mistakes.iter().find(|mistake| mistake.contains(said));
        let found = found.unwrap_or_else(|| panic!("nothing about {said} in {mistakes:#?}"));
        assert!(found.starts_with(folder.path(file).to_str().unwrap()), "{found}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_each_once() {
    let folder = Folder::with(&[
        ("reset_password.jinja", "{% set next %}{{ lnk }}{{ wen }}{% endset %}"),
        ("layout.txt", "{{ subjct }}"),
        ("verify_email.jinja", "{% endset %}"),
    ]);
    assert_eq!(folder.mistakes().len(), 4, "{:#?}", folder.mistakes());
    fs::write(folder.path("notes.md"), "").unwrap();
    fs::write(folder.path("layout.html"), [0xff]).unwrap();
    fs::write(folder.path("layout.txt"), vec![b' '; 300 * 1024]).unwrap();
    let mistakes = folder.mistakes();
    assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
    for (mistake, said) in mistakes
        .iter()
        .zip(["not text in UTF-8", "longer than", "is no template"])
    {
        assert!(mistake.contains(said), "{mistake}");
    }
}

#[test]
fn a_folder_without_templates_is_a_mistake() {
    let folder = Folder::with(&[]);
    assert!(folder.mistakes()[0].ends_with(": there is no template in it"));
    fs::create_dir(folder.path("layout.html")).unwrap();
    assert!(folder.mistakes()[0].contains("cannot be read"));
    let nowhere = Templates::read(Path::new("/nowhere")).unwrap_err();
    assert!(
        nowhere.to_string().starts_with("\n  /nowhere: cannot be read"),
        "{nowhere}"
    );
}
