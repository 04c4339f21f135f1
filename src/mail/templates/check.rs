//! Whether an operator's templates can be used. This is asked when the server starts: a mistake that shows when a letter
//! is to leave is a person locked out.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Read as _,
    path::Path,
    time::Duration,
};

use minijinja::Value;

use super::{
    BUILT_IN, HTML_LAYOUT, Link, PARTS, Rendered, Site, TEXT_LAYOUT, TemplateError, Templates, escape, values,
    words_file,
};
use crate::{
    clock::Timestamp,
    mail::messages::{Circumstances, Message},
};

/// Longer than any letter; a file that is longer is none.
const MAX_BYTES: u64 = 256 * 1024;

/// The parts without which a letter is none.
const NEEDED: [&str; 3] = ["subject", "happened", "button"];

/// The files of `folder` that are templates; or everything that stands in the way of reading them. Hidden files are
/// passed over: file managers and container orchestrators leave theirs.
pub(super) fn read_files(folder: &Path) -> Result<BTreeMap<&'static str, String>, Vec<String>> {
    let unreadable = |error| vec![format!("{}: cannot be read: {error}", folder.display())];
    let mut files = BTreeMap::new();
    let mut mistakes = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        let read = match BUILT_IN.iter().find(|(file, _)| *file == name) {
            Some((file, _)) => read_file(&path).map(|source| files.insert(*file, source)),
            None => Err(match nearest(name) {
                Some(file) => format!("is no template: did you mean {file}?"),
                None => format!(
                    "is no template: there are {}",
                    BUILT_IN.map(|(file, _)| file).join(", ")
                ),
            }),
        };
        if let Err(complaint) = read {
            mistakes.push(format!("{}: {complaint}", path.display()));
        }
    }
    if files.is_empty() && mistakes.is_empty() {
        mistakes.push(format!("{}: there is no template in it", folder.display()));
    }
    mistakes.sort();
    if mistakes.is_empty() { Ok(files) } else { Err(mistakes) }
}

/// The template that somebody meant who named a file so, if a slip makes the one of the other.
fn nearest(name: &str) -> Option<&'static str> {
    let distances = BUILT_IN.map(|(file, _)| (strsim::osa_distance(name, file), file));
    let near = distances.into_iter().filter(|(distance, _)| *distance <= 3);
    near.min().map(|(_, file)| file)
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(format!("is longer than {MAX_BYTES} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not text in UTF-8".to_owned())
}

/// Mistakes, each once.
#[derive(Default)]
struct Mistakes(Vec<String>);

impl Mistakes {
    fn add(&mut self, mistake: &TemplateError) {
        let mistake = mistake.to_string();
        if !self.0.contains(&mistake) {
            self.0.push(mistake);
        }
    }
}

impl Templates {
    /// What is wrong with the operator's files.
    pub(super) fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Mistakes::default();
        for sample in samples() {
            self.look_into(&words_file(&sample), &sample_values(&sample), &mut mistakes);
            if let Ok(sheet) = self.sample_sheet(&sample) {
                self.look_into(TEXT_LAYOUT, &sheet, &mut mistakes);
                self.look_into(HTML_LAYOUT, &sheet, &mut mistakes);
            }
        }
        // A file that cannot be read as a template, or asks for what there is not, would only be complained of again.
        if mistakes.0.is_empty() {
            for sample in samples() {
                self.try_out(&sample, &mut mistakes);
            }
        }
        mistakes.0
    }

    /// Looks for what is wrong with a file whatever comes: also in what is said only on condition.
    fn look_into(&self, file: &str, values: &Value, mistakes: &mut Mistakes) {
        let Some(source) = self.0.own.get(file) else { return };
        let environment = if file == HTML_LAYOUT {
            &self.0.html
        } else {
            &self.0.text
        };
        let template = match environment.get_template(file) {
            Ok(template) => template,
            Err(error) => return mistakes.add(&self.explain(file, &error)),
        };
        let known = names(values);
        let functions: Vec<&str> = environment.globals().map(|(name, _)| name).collect();
        let mut unknown: Vec<String> = template.undeclared_variables(true).into_iter().collect();
        unknown.retain(|name| !known.contains(name) && !functions.contains(&name.as_str()));
        unknown.sort();
        for name in unknown {
            let complaint = format!("`{name}` is not known here: there are {}", known.join(", "));
            mistakes.add(&self.error(file, line_of(source, &name), complaint));
        }
    }

    /// Writes a letter.
    fn try_out(&self, sample: &Message, mistakes: &mut Mistakes) {
        let file = words_file(sample);
        if let Some(source) = self.0.own.get(file.as_str()) {
            for (word, complaint) in self.misplaced(&file, sample) {
                mistakes.add(&self.error(&file, line_of(source, &word), complaint));
            }
        }
        let link = link(sample);
        let rendered = match self.render(sample, &SITE, link.as_ref()) {
            Ok(rendered) => rendered,
            Err(error) => return mistakes.add(&error),
        };
        let Some(link) = link else { return };
        let Rendered { text, html, .. } = rendered;
        let escaped = escape(&link.url);
        for (layout, says) in [
            (TEXT_LAYOUT, text.contains(&link.url)),
            (HTML_LAYOUT, html.contains(&*escaped)),
        ] {
            if !says {
                let complaint = format!("the link of `{}` is missing: write {{{{ url }}}}", values::name(sample));
                mistakes.add(&self.error(layout, None, complaint));
            }
        }
    }

    /// What a file of words says beside the parts or leaves empty, by a word of the line that says it.
    fn misplaced(&self, file: &str, sample: &Message) -> Vec<(String, String)> {
        let Ok(template) = self.0.text.get_template(file) else {
            return Vec::new();
        };
        let Ok(spoken) = template.render_captured(sample_values(sample)) else {
            return Vec::new();
        };
        let state = spoken.state();
        let mut complaints = Vec::new();
        for name in state.exports().into_iter().filter(|name| !PARTS.contains(name)) {
            let parts = PARTS.join(", ");
            let complaint = format!(
                "`{name}` is no part of a message: there are {parts}; a name of your own must begin with an underscore"
            );
            complaints.push((name.to_owned(), complaint));
        }
        for part in NEEDED {
            if state
                .lookup(part)
                .is_some_and(|text| text.to_string().trim().is_empty())
            {
                complaints.push((part.to_owned(), format!("`{part}` says nothing")));
            }
        }
        if let Some(line) = spoken.output().lines().map(str::trim).find(|line| !line.is_empty()) {
            let complaint = format!("{line:?} stands outside of every part: write it inside of {{% set … %}}");
            complaints.push((line.to_owned(), complaint));
        }
        complaints
    }

    fn sample_sheet(&self, sample: &Message) -> Result<Value, TemplateError> {
        let words = self.words_of(&super::built_in(&words_file(sample)), &sample_values(sample))?;
        self.sheet(sample, &SITE, link(sample).as_ref(), &words)
    }
}

const SITE: Site<'static> = Site {
    name: "Example",
    origin: "https://login.example.com",
    accent: None,
};

fn link(sample: &Message) -> Option<Link> {
    sample.link_kind().map(|kind| Link {
        url: format!("{}{}?token=vst_lt_sample", SITE.origin, kind.path()),
        life: Duration::from_mins(10),
    })
}

fn sample_values(sample: &Message) -> Value {
    values::of(sample, &SITE, link(sample).as_ref())
}

/// Every message, with all that may be known and with all that may not.
pub(super) fn samples() -> Vec<Message> {
    let device = Some("Firefox on Linux".to_owned());
    let network = "203.0.113.7".parse().ok();
    let mut circumstances = Vec::new();
    for (device, network) in [(device.clone(), network), (device, None), (None, network), (None, None)] {
        circumstances.push(Circumstances {
            at: Timestamp::from_unix_seconds(1_700_000_000),
            network,
            device,
        });
    }
    let mut samples = Vec::new();
    for told in &circumstances {
        samples.extend([
            Message::VerifyEmail(told.clone()),
            Message::VerifyNewEmail {
                asked: told.clone(),
                taken: false,
            },
            Message::ResetPassword(told.clone()),
            Message::ResetPasswordByAdmin(told.clone()),
            Message::Invitation(told.clone()),
            Message::AccountExists(told.clone()),
            Message::AccountUnverified(told.clone()),
            Message::PasswordChanged(told.clone()),
            Message::EmailChanged(told.clone()),
            Message::NewSignIn(told.clone()),
            Message::UsernameChanged(told.clone()),
            Message::RolesChanged(told.clone()),
            Message::AccountDisabled(told.clone()),
            Message::AccountEnabled(told.clone()),
        ]);
        samples.extend(circumstances.iter().map(|reuse| Message::SessionReused {
            session: told.clone(),
            reuse: reuse.clone(),
        }));
    }
    samples
}

/// The names in `values`, and, behind a dot, those in what they name.
fn names(values: &Value) -> Vec<String> {
    let keys = |value: &Value| -> Vec<String> {
        let is_map = value.kind() == minijinja::value::ValueKind::Map;
        let keys = value.try_iter().ok().filter(|_| is_map).into_iter().flatten();
        keys.map(|key| key.to_string()).collect()
    };
    let mut names = Vec::new();
    for name in keys(values) {
        let inner = values.get_attr(&name).map(|value| keys(&value)).unwrap_or_default();
        names.extend(inner.iter().map(|inner| format!("{name}.{inner}")));
        names.push(name);
    }
    names.sort();
    names
}

/// The line on which `word` stands first.
fn line_of(source: &str, word: &str) -> Option<usize> {
    let belongs = |c: char| c.is_alphanumeric() || c == '_';
    let stands_in = |line: &str| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + word.len()..].chars().next();
            !before.is_some_and(belongs) && !after.is_some_and(belongs)
        })
    };
    source.lines().position(stands_in).map(|index| index + 1)
}
