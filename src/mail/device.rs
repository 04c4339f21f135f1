//! A user agent in words that nobody outside can choose.

/// Products by their mark in a user agent. Order matters: nearly every browser also claims to be those below it.
const PROGRAMS: [(&str, &str); 13] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("PostmanRuntime/", "Postman"),
    ("python", "a Python program"),
    ("Python", "a Python program"),
];

/// Systems by their mark in a user agent. An iPhone says that it is like Mac OS X, Android that it is Linux.
const SYSTEMS: [(&str, &str); 9] = [
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
    ("FreeBSD", "FreeBSD"),
];

/// What kind of device sent `user_agent`, as in "Firefox on Linux"; `None` when nothing in it is known.
///
/// The words come from a closed vocabulary and never from the header itself: whoever asks for a password reset in
/// another's name also chooses the user agent, and must not get a sentence of their own into the owner's mail.
pub(crate) fn device_in_words(user_agent: &str) -> Option<String> {
    let find = |marks: &[(&str, &'static str)]| {
        marks
            .iter()
            .find(|(mark, _)| user_agent.contains(mark))
            .map(|(_, words)| *words)
    };
    match (find(&PROGRAMS), find(&SYSTEMS)) {
        (Some(program), Some(system)) => Some(format!("{program} on {system}")),
        (Some(program), None) => Some(program.to_owned()),
        (None, Some(system)) => Some(format!("a program on {system}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_by_program_and_system() {
        let cases = [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 \
                 Safari/537.36 Edg/140.0.0.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/18.5 Mobile/15E148 Safari/604.1",
                "Safari on an iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile \
                 Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.14.1", "curl"),
            ("python-requests/2.32", "a Python program"),
            ("Something/1 (Linux)", "a program on Linux"),
        ];
        for (user_agent, words) in cases {
            assert_eq!(device_in_words(user_agent).as_deref(), Some(words), "{user_agent}");
        }
    }

    #[test]
    fn what_a_stranger_writes_into_a_user_agent_stays_there() {
        assert_eq!(
            device_in_words("Your account is at risk, go to https://evil.example"),
            None
        );
        let disguised = "Firefox/1 Linux <a href=https://evil.example>click</a>\r\nBcc: all@example.com";
        assert_eq!(device_in_words(disguised).as_deref(), Some("Firefox on Linux"));
    }
}
