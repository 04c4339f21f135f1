//! The pieces that pages are made of. Their markup is what `style/vestibule.css` speaks of.

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use leptos::{attr::custom::custom_attribute, context::Provider, prelude::*};

use super::flash::{Echo, Flash, Refused};

/// A form whose last sending its fields know of.
#[derive(Clone)]
struct Sent {
    /// The last part of the server function's path, by which the fields' ids begin.
    name: &'static str,
    refused: Option<Refused>,
    echo: Echo,
    /// Whether a field has the focus already: of the bad ones, the first gets it.
    has_focus: Arc<AtomicBool>,
}

impl Sent {
    fn to(action: &'static str) -> Self {
        let (refused, echo) = match use_context::<Flash>() {
            Some(Flash::Refused(refused)) if refused.form == action => {
                let echo = refused.echo.clone();
                (Some(refused), echo)
            }
            Some(Flash::Done { echo, .. }) => (None, echo),
            _ => (None, Echo::new()),
        };
        Self {
            name: action.rsplit('/').next().unwrap_or(action),
            refused,
            echo,
            has_focus: Arc::default(),
        }
    }

    fn field(&self, name: &'static str, focus: bool) -> SentField {
        let value_of = |pairs: &[(String, String)]| {
            let pair = pairs.iter().find(|(field, _)| field == name);
            pair.map(|(_, value)| value.clone())
        };
        let error = self.refused.as_ref().and_then(|refused| value_of(&refused.fields));
        let wants_focus = error.is_some() || (focus && self.refused.as_ref().is_none_or(|it| it.fields.is_empty()));
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

/// A form that is sent to a server function. Says above its fields why it came back, if it did.
#[component]
pub(super) fn Form(
    /// The server function's path.
    action: &'static str,
    children: Children,
) -> impl IntoView {
    let sent = Sent::to(action);
    let alert = sent.refused.clone().map(|refused| view! { <Alert refused/> });
    view! {
        {alert}
        <form method="post" action=action novalidate>
            <Provider value=sent>{children()}</Provider>
        </form>
    }
}

/// Why a form came back.
#[component]
fn Alert(refused: Refused) -> impl IntoView {
    let text = if refused.fields.is_empty() {
        refused.text()
    } else {
        "Look at the marked fields and try again.".to_owned()
    };
    view! { <div class="alert" role="alert"><p>{text}</p></div> }
}

/// What was just done, if anything: good news stands below the page's name.
#[component]
pub(super) fn Said() -> impl IntoView {
    match use_context::<Flash>() {
        Some(Flash::Done { notice, .. }) => {
            Some(view! { <div class="notice" role="status"><p>{notice.text()}</p></div> })
        }
        _ => None,
    }
}

/// Why one of the buttons of this page did not do what it says: forms without fields say it here.
#[component]
pub(super) fn ButtonAlert(
    /// The paths of their server functions.
    actions: Vec<&'static str>,
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
            Some(view! { <div class="alert" role="alert"><p>{text}</p></div> })
        }
        _ => None,
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
    /// For several lines.
    #[prop(optional)]
    long: bool,
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
    let input = if long {
        view! {
            <textarea id=id name=name rows="3" dir=direction required=required aria-describedby=described aria-invalid=bad autofocus=field.has_focus>
                {value}
            </textarea>
        }
        .into_any()
    } else {
        view! {
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
        }
        .into_any()
    };
    view! { <FieldFrame field label hint>{input}</FieldFrame> }
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
    let rules = format!(
        "minlength: {min_length}; maxlength: {};",
        crate::password::Policy::MAX_LENGTH
    );
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
    use_context().unwrap_or_else(|| Sent::to(""))
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

/// A part of a wide page, with its name on one side.
#[component]
pub(super) fn Section(
    id: &'static str,
    title: &'static str,
    #[prop(optional)] about: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    let title_id = format!("{id}-title");
    view! {
        <section class="card split" id=id aria-labelledby=title_id>
            <div>
                <h2 id=format!("{id}-title")>{title}</h2>
                {about.map(|text| view! { <p class="dim">{text}</p> })}
            </div>
            <div class="body">{children()}</div>
        </section>
    }
}

/// A field by which a list is searched.
#[component]
pub(super) fn Filter(
    id: &'static str,
    name: &'static str,
    label: &'static str,
    #[prop(default = "text")] kind: &'static str,
    value: String,
) -> impl IntoView {
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <input id=id name=name type=kind value=value autocomplete="off"/>
        </div>
    }
}

/// A choice by which a list is searched. The empty value is any.
#[component]
pub(super) fn Choice(
    id: &'static str,
    name: &'static str,
    label: &'static str,
    /// Each with what it is called.
    options: Vec<(&'static str, &'static str)>,
    chosen: String,
) -> impl IntoView {
    let options = options
        .into_iter()
        .map(|(value, text)| {
            let selected = value == chosen;
            view! { <option value=value selected=selected>{text}</option> }
        })
        .collect_view();
    view! {
        <div class="field">
            <label for=id>{label}</label>
            <select id=id name=name><option value="">"Any"</option>{options}</select>
        </div>
    }
}

/// A table that scrolls sideways where it does not fit, also by keyboard.
#[component]
pub(super) fn Table(
    /// The id of its heading.
    #[prop(optional)]
    labelled_by: Option<&'static str>,
    /// Its name, where the heading names what is around it.
    #[prop(optional)]
    label: Option<&'static str>,
    heads: Vec<&'static str>,
    children: Children,
) -> impl IntoView {
    let heads = heads
        .into_iter()
        .map(|head| match head {
            "" => view! { <td></td> }.into_any(),
            _ => view! { <th scope="col">{head}</th> }.into_any(),
        })
        .collect_view();
    view! {
        <div class="table" tabindex="0" role="region" aria-labelledby=labelled_by aria-label=label>
            <table>
                <thead><tr>{heads}</tr></thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}

/// A moment, which the script makes relative unless it is wanted exact.
#[component]
pub(super) fn Time<T: Display + Send + 'static>(
    /// Displays in RFC 3339.
    at: T,
    #[prop(optional)] exact: bool,
) -> impl IntoView {
    let machine = at.to_string();
    let person = in_words(&machine);
    view! { <time datetime=machine data-exact=exact>{person}</time> }
}

/// RFC 3339 to the minute, as people write it.
fn in_words(rfc_3339: &str) -> String {
    match (rfc_3339.get(..10), rfc_3339.get(11..16)) {
        (Some(day), Some(minute)) => format!("{day} {minute} UTC"),
        _ => rfc_3339.to_owned(),
    }
}

/// Where a list goes on.
#[component]
pub(super) fn Pages(
    /// The page without its cursor, with its filters.
    base: String,
    /// Whether this is not the first page.
    is_later: bool,
    #[prop(optional_no_strip)] next_cursor: Option<String>,
) -> impl IntoView {
    let with = |cursor: &str| {
        let separator = if base.contains('?') { '&' } else { '?' };
        format!("{base}{separator}cursor={cursor}")
    };
    let next = next_cursor.map(|cursor| view! { <a rel="next" href=with(&cursor)>"Next page"</a> });
    let first = is_later.then(|| view! { <a href=base.clone()>"First page"</a> });
    let is_needed = next.is_some() || first.is_some();
    is_needed.then(|| view! { <nav class="pages" aria-label="Pages">{first}{next}</nav> })
}
