//! The words of each message, and its rendering as text and HTML.
//!
//! A message has a file of words, in Jinja's language, that sets the parts which every message has: what happened, when
//! and where, what can be done about it, and what if it was not the reader. Two layouts make text and HTML of the parts.
//! The built-in files are part of the program; an operator's folder may replace each.

mod check;
mod values;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use minijinja::{
    Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value, context, syntax::SyntaxConfig,
};

use self::values::Palette;
use super::messages::Message;
use crate::config::Colour;

/// The files, as they are built in. Those of words are named after the message; the layouts are for all.
const BUILT_IN: [(&str, &str); 17] = [
    ("verify_email.jinja", include_str!("built_in/verify_email.jinja")),
    (
        "verify_new_email.jinja",
        include_str!("built_in/verify_new_email.jinja"),
    ),
    ("reset_password.jinja", include_str!("built_in/reset_password.jinja")),
    (
        "reset_password_by_admin.jinja",
        include_str!("built_in/reset_password_by_admin.jinja"),
    ),
    ("invitation.jinja", include_str!("built_in/invitation.jinja")),
    ("account_exists.jinja", include_str!("built_in/account_exists.jinja")),
    (
        "account_unverified.jinja",
        include_str!("built_in/account_unverified.jinja"),
    ),
    (
        "password_changed.jinja",
        include_str!("built_in/password_changed.jinja"),
    ),
    ("email_changed.jinja", include_str!("built_in/email_changed.jinja")),
    ("new_sign_in.jinja", include_str!("built_in/new_sign_in.jinja")),
    (
        "username_changed.jinja",
        include_str!("built_in/username_changed.jinja"),
    ),
    ("roles_changed.jinja", include_str!("built_in/roles_changed.jinja")),
    (
        "account_disabled.jinja",
        include_str!("built_in/account_disabled.jinja"),
    ),
    ("account_enabled.jinja", include_str!("built_in/account_enabled.jinja")),
    ("session_reused.jinja", include_str!("built_in/session_reused.jinja")),
    (TEXT_LAYOUT, include_str!("built_in/layout.txt")),
    (HTML_LAYOUT, include_str!("built_in/layout.html")),
];

const TEXT_LAYOUT: &str = "layout.txt";
const HTML_LAYOUT: &str = "layout.html";

/// The parts that a file of words sets.
const PARTS: [&str; 6] = ["subject", "happened", "facts", "next", "button", "not_you"];

/// How many steps a template may take; the built-in ones take some hundred. A loop without an end would hold up the outbox.
const FUEL: u64 = 50_000;

/// The templates of all messages. Clones share them.
#[derive(Clone)]
pub struct Templates(Arc<Inner>);

struct Inner {
    /// Where the operator's own files came from.
    folder: PathBuf,
    own: BTreeMap<&'static str, String>,
    text: Environment<'static>,
    html: Environment<'static>,
}

/// Without the texts.
impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Templates").field(&self.0.own.keys()).finish()
    }
}

/// A template cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub(super) struct TemplateError {
    file: String,
    line: Option<usize>,
    complaint: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.complaint)
    }
}

/// Everything that is wrong with a folder of templates; there is at least one mistake. Displayed one per line, each with
/// its file, and with its line where it has one.
#[derive(Debug)]
pub struct TemplateMistakes(Vec<String>);

impl fmt::Display for TemplateMistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for TemplateMistakes {}

/// A message in words. Holds the link, so it is neither stored nor logged, and has no `Debug`.
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// Who speaks.
pub(super) struct Site<'a> {
    pub(super) name: &'a str,
    pub(super) origin: &'a str,
    pub(super) accent: Option<Colour>,
}

/// A link that is good once, for a while.
pub(super) struct Link {
    pub(super) url: String,
    pub(super) life: Duration,
}

/// What a file of words says. A part that an operator's file leaves out stays as it is built in.
#[derive(Default)]
struct Words(BTreeMap<&'static str, String>);

impl Words {
    /// The part as one paragraph: mail programs wrap it to the reader's window, and lines wrapped here would be wrapped a
    /// second time on a phone. Only the white space of a file's lines goes; a no-break space is typography.
    fn paragraph(&self, part: &str) -> String {
        let text = self.0.get(part).map(String::as_str).unwrap_or_default();
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        one_line(&words.join(" "))
    }

    /// The lines of the part `facts`, each as a label and a value.
    fn facts(&self) -> Result<Vec<(String, String)>, String> {
        let text = self.0.get("facts").map(String::as_str).unwrap_or_default();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines
            .map(|line| match line.split_once(": ") {
                Some((label, value)) => Ok((one_line(label), one_line(value.trim()))),
                None => Err(format!("each line of `facts` must be `Label: value`, not {line:?}")),
            })
            .collect()
    }
}

impl Templates {
    /// The built-in ones.
    #[must_use]
    pub fn built_in() -> Self {
        Self::with_own(PathBuf::new(), BTreeMap::new())
    }

    /// Those of `folder`, and the built-in ones for what it lacks; or everything that is wrong with it.
    pub fn read(folder: &Path) -> Result<Self, TemplateMistakes> {
        let own = check::read_files(folder).map_err(TemplateMistakes)?;
        let templates = Self::with_own(folder.to_owned(), own);
        let mistakes = templates.mistakes();
        if mistakes.is_empty() {
            Ok(templates)
        } else {
            Err(TemplateMistakes(mistakes))
        }
    }

    /// Writes the built-in ones into `folder`, for an operator to change; none that is there already is replaced.
    pub fn write_built_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::create_dir_all(folder)?;
        let paths: Vec<PathBuf> = BUILT_IN.iter().map(|(file, _)| folder.join(file)).collect();
        if let Some(taken) = paths.iter().find(|path| path.exists()) {
            let taken = format!("{} is there already", taken.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, taken));
        }
        for (path, (_, source)) in paths.iter().zip(BUILT_IN) {
            fs::File::create_new(path)?.write_all(source.as_bytes())?;
        }
        Ok(paths)
    }

    fn with_own(folder: PathBuf, own: BTreeMap<&'static str, String>) -> Self {
        let environment = |formatter: Formatter| {
            let own = own.clone();
            let mut environment = Environment::new();
            // Only delimiters can be wrong, and these are the usual ones.
            let syntax = SyntaxConfig::builder()
                .trim_blocks(true)
                .lstrip_blocks(true)
                .keep_trailing_newline(true)
                .build();
            environment.set_syntax(syntax.unwrap_or_default());
            environment.set_undefined_behavior(UndefinedBehavior::Strict);
            environment.set_fuel(Some(FUEL));
            // What would print every variable, the link among them, and what would let HTML through.
            environment.remove_global("debug");
            environment.remove_filter("safe");
            environment.set_formatter(formatter);
            environment.set_loader(move |name| Ok(source(&own, name)));
            environment
        };
        Self(Arc::new(Inner {
            text: environment(write_text),
            html: environment(write_html),
            folder,
            own,
        }))
    }

    /// Puts `message` into words. `link` is the one that [`Message::link_kind`] asks for.
    pub(super) fn render(
        &self,
        message: &Message,
        site: &Site<'_>,
        link: Option<&Link>,
    ) -> Result<Rendered, TemplateError> {
        let words = self.words(&words_file(message), &values::of(message, site, link))?;
        let sheet = self.sheet(message, site, link, &words)?;
        Ok(Rendered {
            text: self.lay_out(&self.0.text, TEXT_LAYOUT, sheet.clone())?,
            html: self.lay_out(&self.0.html, HTML_LAYOUT, sheet)?,
            subject: words.paragraph("subject"),
        })
    }

    /// The variables of the layouts.
    fn sheet(
        &self,
        message: &Message,
        site: &Site<'_>,
        link: Option<&Link>,
        words: &Words,
    ) -> Result<Value, TemplateError> {
        let facts = words.facts();
        let facts = facts.map_err(|complaint| self.error(&words_file(message), None, complaint))?;
        let facts = facts.into_iter().map(|(label, value)| context! { label, value });
        let palette = Palette::of(site.accent);
        Ok(context! {
            message => values::name(message),
            site => one_line(site.name),
            origin => site.origin,
            url => link.map_or_else(|| format!("{}{}", site.origin, values::page(message)), |link| link.url.clone()),
            subject => words.paragraph("subject"),
            happened => words.paragraph("happened"),
            facts => facts.collect::<Value>(),
            next => words.paragraph("next"),
            button => words.paragraph("button"),
            not_you => words.paragraph("not_you"),
            accent => palette.accent.to_string(),
            on_accent => palette.on_accent.to_string(),
            accent_dark => palette.accent_dark.to_string(),
            on_accent_dark => palette.on_accent_dark.to_string(),
        })
    }

    /// The parts that the built-in file sets, and over them those of the operator's.
    fn words(&self, file: &str, values: &Value) -> Result<Words, TemplateError> {
        let mut words = self.words_of(&built_in(file), values)?;
        if self.0.own.contains_key(file) {
            words.0.extend(self.words_of(file, values)?.0);
        }
        Ok(words)
    }

    fn words_of(&self, file: &str, values: &Value) -> Result<Words, TemplateError> {
        let render = || {
            let spoken = self.0.text.get_template(file)?.render_captured(values.clone())?;
            let parts = PARTS.iter().filter_map(|part| {
                let text = spoken.state().lookup(part)?;
                Some((*part, text.to_string()))
            });
            Ok(Words(parts.collect()))
        };
        render().map_err(|error| self.explain(file, &error))
    }

    fn lay_out(&self, environment: &Environment<'_>, file: &str, sheet: Value) -> Result<String, TemplateError> {
        let file = self.layout(file);
        let rendered = environment.get_template(&file).and_then(|layout| layout.render(sheet));
        rendered.map_err(|error| self.explain(&file, &error))
    }

    /// The name of the layout in use.
    fn layout<'a>(&self, file: &'a str) -> Cow<'a, str> {
        if self.0.own.contains_key(file) {
            Cow::Borrowed(file)
        } else {
            Cow::Owned(built_in(file))
        }
    }

    fn explain(&self, file: &str, error: &Error) -> TemplateError {
        let complaint = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        self.error(file, error.line(), complaint)
    }

    fn error(&self, file: &str, line: Option<usize>, complaint: String) -> TemplateError {
        let file = match file.strip_prefix(BUILT_IN_PREFIX) {
            Some(_) => file.to_owned(),
            None => self.0.folder.join(file).display().to_string(),
        };
        TemplateError { file, line, complaint }
    }
}

fn words_file(message: &Message) -> String {
    format!("{}.jinja", values::name(message))
}

/// What tells a built-in file's name from that of an operator's.
const BUILT_IN_PREFIX: &str = "built-in ";

fn built_in(file: &str) -> String {
    format!("{BUILT_IN_PREFIX}{file}")
}

fn source(own: &BTreeMap<&'static str, String>, name: &str) -> Option<String> {
    match name.strip_prefix(BUILT_IN_PREFIX) {
        None => own.get(name).cloned(),
        Some(name) => BUILT_IN
            .iter()
            .find(|(file, _)| *file == name)
            .map(|(_, source)| (*source).to_owned()),
    }
}

type Formatter = fn(&mut Output<'_>, &mut State<'_, '_>, &Value) -> Result<(), Error>;

fn write_text(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    refuse_none(value)?;
    Ok(write!(out, "{value}")?)
}

/// Whatever a template says of escaping: only what was escaped already, as a part that the template itself has put
/// together, passes as it is.
fn write_html(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    refuse_none(value)?;
    match value.as_str() {
        Some(text) if value.is_safe() => Ok(out.write_str(text)?),
        _ => Ok(out.write_str(&escape(&value.to_string()))?),
    }
}

/// Or the reader would be told that it happened from "none".
fn refuse_none(value: &Value) -> Result<(), Error> {
    if value.is_none() {
        let complaint = "this is not always known: write it inside of {% if … %} … {% endif %}";
        return Err(Error::new(ErrorKind::InvalidOperation, complaint));
    }
    Ok(())
}

/// Without control characters: a line break in a site's name would end a header, or forge a line of the text.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// `text` as HTML, in an element or between quotes.
fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests;
