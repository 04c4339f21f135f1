//! Forms and their fields, which know what came of their form when it was last sent.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use leptos::{attr::custom::custom_attribute, context::Provider, prelude::*};

use super::{
    flash::{Echo, Flash},
    words,
};
use crate::{auth, password::Policy};

/// A form whose last sending its fields know of.
#[derive(Clone)]
struct Sent {
    /// The name of the form, by which the fields' ids begin.
    name: &'static str,
    /// The fields that were refused, each with why.
    faults: Vec<(String, String)>,
    echo: Echo,
    /// Whether a field has the focus already: of the bad ones, the first gets it.
    has_focus: Arc<AtomicBool>,
}

impl Sent {
    fn new(name: &'static str, faults: Vec<(String, String)>, echo: Echo) -> Self {
        Self {
            name,
            faults,
            echo,
            has_focus: Arc::default(),
        }
    }

    fn field(&self, name: &'static str, focus: bool) -> SentField {
        let value_of = |pairs: &[(String, String)]| {
            let pair = pairs.iter().find(|(field, _)| field == name);
            pair.map(|(_, value)| value.clone())
        };
        let faults = self.faults.iter().filter(|(field, _)| field == name);
        // A password can be short and guessable at once.
        let faults: Vec<&str> = faults.map(|(_, message)| message.as_str()).collect();
        let error = (!faults.is_empty()).then(|| faults.join(" "));
        let wants_focus = error.is_some() || (focus && self.faults.is_empty());
        SentField {
            id: format!("{}-{name}", self.name),
            echo: value_of(&self.echo),
            error,
            has_focus: wants_focus && !self.has_focus.swap(true, Ordering::Relaxed),
        }
    }
}

/// What became of one field.
struct SentField {
    id: String,
    echo: Option<String>,
    error: Option<String>,
    has_focus: bool,
}

/// What is said above a form of which some fields are marked.
const LOOK: &str = "Look at the marked fields and try again.";

/// A form that is sent to a server function. Says above its fields why it came back, if it did.
#[component]
pub(super) fn FormView(
    /// The server function's path.
    action: &'static str,
    children: Children,
) -> impl IntoView {
    let (refused, echo) = match use_context::<Flash>() {
        Some(Flash::Refused(refused)) if refused.form == action => {
            let echo = refused.echo.clone();
            (Some(refused), echo)
        }
        Some(Flash::Done { echo, .. }) => (None, echo),
        _ => (None, Echo::new()),
    };
    let alert = refused.as_ref().map(|refused| {
        let text = if refused.fields.is_empty() {
            refused.text()
        } else {
            LOOK.to_owned()
        };
        view! { <Alert text/> }
    });
    let faults = refused.map(|refused| refused.fields).unwrap_or_default();
    let sent = Sent::new(action.rsplit('/').next().unwrap_or(action), faults, echo);
    view! {
        {alert}
        <form method="post" action=action novalidate>
            <Provider value=sent>{children()}</Provider>
        </form>
    }
}

/// A form by which a list is searched. It is sent by GET, so that the question stands in the address, where it can be
/// kept and sent on; its fields hold it still, and say what is wrong with it.
#[component]
pub(super) fn SearchForm(
    name: &'static str,
    asked: Echo,
    /// What is wrong, by field.
    faults: Vec<(String, String)>,
    children: Children,
) -> impl IntoView {
    let is_marked = |(field, _): &&(String, String)| asked.iter().any(|(name, _)| name == field);
    let (marked, others): (Vec<_>, Vec<_>) = faults.iter().partition(is_marked);
    let texts = others.into_iter().map(|(_, message)| message.as_str());
    let texts: Vec<&str> = (!marked.is_empty()).then_some(LOOK).into_iter().chain(texts).collect();
    let alert = (!texts.is_empty()).then(|| view! { <Alert text=texts.join(" ")/> });
    let sent = Sent::new(name, faults, asked);
    view! {
        {alert}
        <form class="filters" method="get" role="search">
            <Provider value=sent>{children()}</Provider>
            <button class="quiet">"Search"</button>
        </form>
    }
}

/// Why a form came back.
#[component]
pub(super) fn Alert(text: String) -> impl IntoView {
    view! { <div class="alert" role="alert"><p>{text}</p></div> }
}

/// Why one of the buttons of this page did not do what it says: forms without fields say it here.
#[component]
pub(super) fn ButtonAlert(
    /// The paths of their server functions.
    actions: &'static [&'static str],
) -> impl IntoView {
    match use_context::<Flash>() {
        Some(Flash::Refused(refused)) if actions.contains(&refused.form.as_str()) => {
            let messages = refused.fields.iter().map(|(_, message)| message.as_str());
            let text: Vec<&str> = messages.collect();
            let text = if text.is_empty() {
                refused.text()
            } else {
                text.join(" ")
            };
            Some(view! { <Alert text/> })
        }
        _ => None,
    }
}

/// Why the link that leads to this page is of no use: as its form was told if it was sent, or as was seen when it was opened.
#[component]
pub(super) fn BadLink(
    /// The paths of the form's server function.
    actions: &'static [&'static str],
) -> impl IntoView {
    match use_context::<Flash>() {
        Some(Flash::Refused(refused)) if actions.contains(&refused.form.as_str()) => {
            view! { <ButtonAlert actions/> }.into_any()
        }
        _ => {
            let error = auth::Error::LinkInvalid;
            let text = words::refusal(error.code(), &error.to_string()).to_owned();
            view! { <Alert text/> }.into_any()
        }
    }
}

/// A labelled line to type into.
#[component]
pub(super) fn Field(
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    /// What browsers and password managers may fill it with; a token of HTML's `autocomplete`.
    #[prop(default = "off")]
    autocomplete: &'static str,
    #[prop(optional)] inputmode: Option<&'static str>,
    #[prop(optional, into)] hint: Option<String>,
    /// Whether it is somebody's own words, in whatever script.
    #[prop(optional)]
    prose: bool,
    /// What stands in it unless something was just typed.
    #[prop(optional_no_strip)]
    value: Option<String>,
    #[prop(optional)] required: bool,
    /// Whether typing starts here.
    #[prop(optional)]
    focus: bool,
) -> impl IntoView {
    let field = sent().field(name, focus);
    let value = field.echo.clone().or(value);
    let described = described_by(&field, hint.is_some());
    let bad = field.error.is_some().then_some("true");
    let id = field.id.clone();
    let direction = prose.then_some("auto");
    // What is no prose is not to be corrected.
    let capital = matches!(autocomplete, "username" | "email").then_some("none");
    let spelling = matches!(autocomplete, "username" | "email").then_some("false");
    let input = view! {
        <input
            id=id
            name=name
            type=kind
            autocomplete=autocomplete
            inputmode=inputmode
            autocapitalize=capital
            spellcheck=spelling
            dir=direction
            value=value
            required=required
            aria-describedby=described
            aria-invalid=bad
            autofocus=field.has_focus
        />
    };
    view! { <FieldFrame field label hint>{input}</FieldFrame> }
}

/// A labelled choice by which a list is searched. The empty value is any.
#[component]
pub(super) fn Choice(
    name: &'static str,
    label: &'static str,
    /// Each with what it is called.
    options: Vec<(&'static str, &'static str)>,
) -> impl IntoView {
    let field = sent().field(name, false);
    let chosen = field.echo.clone().unwrap_or_default();
    let options = options
        .into_iter()
        .map(|(value, text)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{text}</option> }
        })
        .collect_view();
    let described = described_by(&field, false);
    let bad = field.error.is_some().then_some("true");
    let (id, has_focus) = (field.id.clone(), field.has_focus);
    let input = view! {
        <select id=id name=name aria-describedby=described aria-invalid=bad autofocus=has_focus>
            <option value="">"Any"</option>
            {options}
        </select>
    };
    view! { <FieldFrame field label>{input}</FieldFrame> }
}

/// A labelled box for several lines of somebody's own words.
#[component]
pub(super) fn LongField(
    name: &'static str,
    label: &'static str,
    /// What stands in it unless something was just typed.
    #[prop(optional_no_strip)]
    value: Option<String>,
) -> impl IntoView {
    let field = sent().field(name, false);
    let value = field.echo.clone().or(value);
    let described = described_by(&field, false);
    let bad = field.error.is_some().then_some("true");
    let id = field.id.clone();
    let has_focus = field.has_focus;
    let text = value.map(|text| textarea_content(&text));
    let input = view! {
        <textarea
            id=id
            name=name
            rows="3"
            dir="auto"
            aria-describedby=described
            aria-invalid=bad
            autofocus=has_focus
            inner_html=text
        ></textarea>
    };
    view! { <FieldFrame field label>{input}</FieldFrame> }
}

/// `text` as what stands between the tags of a `textarea`.
///
/// Leptos writes the children of this one element as they are, so that a `</textarea>` in somebody's words would end it,
/// and what follows could be a form of an admin's that they wrote. So the text is escaped here, and handed over as the
/// HTML that it then is. The first line break after the tag is not part of the text (HTML, section 4.10.11).
fn textarea_content(text: &str) -> String {
    format!("\n{}", html_escape::encode_text(text))
}

/// A password that the account has.
#[component]
pub(super) fn PasswordField(name: &'static str, label: &'static str, #[prop(optional)] focus: bool) -> impl IntoView {
    let field = sent().field(name, focus);
    let described = described_by(&field, false);
    let bad = field.error.is_some().then_some("true");
    let id = field.id.clone();
    let input = view! {
        <input
            id=id
            name=name
            type="password"
            autocomplete="current-password"
            required
            aria-describedby=described
            aria-invalid=bad
            autofocus=field.has_focus
        />
    };
    view! { <FieldFrame field label is_password=true>{input}</FieldFrame> }
}

/// A password that the account is to have.
#[component]
pub(super) fn NewPasswordField(
    name: &'static str,
    label: &'static str,
    /// `PASSWORD_MIN_LENGTH`.
    min_length: usize,
    /// Words that the password must not be made of, where the form does not ask for them.
    #[prop(optional, into)]
    email: Option<String>,
    #[prop(optional, into)] username: Option<String>,
    #[prop(optional)] focus: bool,
) -> impl IntoView {
    let field = sent().field(name, focus);
    let hint = Some(format!(
        "At least {min_length} characters. A few unrelated words make a good one."
    ));
    let described = described_by(&field, true);
    let bad = field.error.is_some().then_some("true");
    // Password managers make one by these rules; there are no others.
    let rules = format!("minlength: {min_length}; maxlength: {};", Policy::MAX_LENGTH);
    let id = field.id.clone();
    let input = view! {
        <input
            id=id
            name=name
            type="password"
            autocomplete="new-password"
            required
            aria-describedby=described
            aria-invalid=bad
            autofocus=field.has_focus
        />
    };
    let input = input.add_any_attr(custom_attribute("passwordrules", rules));
    view! { <FieldFrame field label hint is_password=true is_new=true email username>{input}</FieldFrame> }
}

/// A box to tick.
#[component]
pub(super) fn Check(name: &'static str, label: &'static str) -> impl IntoView {
    let field = sent().field(name, false);
    let checked = field.echo.is_some();
    view! {
        <label class="check">
            <input id=field.id type="checkbox" name=name value="true" checked=checked/>
            <span>{label}</span>
        </label>
    }
}

/// The label, the hint and the error around an input.
#[component]
fn FieldFrame(
    field: SentField,
    label: &'static str,
    #[prop(optional_no_strip)] hint: Option<String>,
    /// Whether the script may offer to show what is typed.
    #[prop(optional)]
    is_password: bool,
    /// Whether the script may ask the server how strong it is.
    #[prop(optional)]
    is_new: bool,
    #[prop(optional_no_strip)] email: Option<String>,
    #[prop(optional_no_strip)] username: Option<String>,
    children: Children,
) -> impl IntoView {
    let class = if field.error.is_some() { "field bad" } else { "field" };
    let hint = hint.map(|text| view! { <p class="hint" id=hint_id(&field.id)>{text}</p> });
    let error = field
        .error
        .map(|text| view! { <p class="error" id=error_id(&field.id)>{text}</p> });
    view! {
        <div class=class data-password=is_password data-strength=is_new data-email=email data-username=username>
            <label for=field.id>{label}</label>
            {hint}
            {children()}
            {error}
        </div>
    }
}

fn sent() -> Sent {
    // Outside of a form there is nothing that could have been sent.
    use_context().unwrap_or_else(|| Sent::new("", Vec::new(), Echo::new()))
}

fn hint_id(id: &str) -> String {
    format!("{id}-hint")
}

fn error_id(id: &str) -> String {
    format!("{id}-error")
}

fn described_by(field: &SentField, has_hint: bool) -> Option<String> {
    let hint = has_hint.then(|| hint_id(&field.id));
    let error = field.error.is_some().then(|| error_id(&field.id));
    let ids: Vec<String> = hint.into_iter().chain(error).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// For password managers: the form is about the account of this name (a form with a password but no username is a riddle
/// to them).
#[component]
pub(super) fn TypedUsername(username: String) -> impl IntoView {
    view! { <input type="text" autocomplete="username" value=username hidden/> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::shell::render;

    #[test]
    fn nothing_that_is_typed_ends_the_box_that_it_is_typed_into() {
        let typed = "\n</textarea><script>\"&amp;\"<!></form>\n";
        let html = render(|| view! { <LongField name="text" label="Text" value=Some(typed.to_owned())/> });
        let (_, content) = html.split_once("<textarea").unwrap();
        let (_, content) = content.split_once('>').unwrap();
        let (content, rest) = content.split_once("</textarea>").unwrap();
        assert_eq!(
            content,
            "\n\n&lt;/textarea&gt;&lt;script&gt;\"&amp;amp;\"&lt;!&gt;&lt;/form&gt;\n"
        );
        assert_eq!(rest, "</div>");
    }
}
