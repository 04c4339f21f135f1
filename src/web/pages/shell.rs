//! The document around every page, and the answer around every document.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use leptos::{attr::custom::custom_attribute, prelude::*, server_fn::ServerFn};

use super::{flash::Flash, log_out::LogOut, visit::Visit};
use crate::{
    auth::User,
    web::{Site, problem::Problem},
};

/// What phones paint around the page: the page's own ground, as the sheet has it.
pub(super) const THEME_COLOURS: [(&str, &str); 2] = [
    ("(prefers-color-scheme: light)", "#f1f4f4"),
    ("(prefers-color-scheme: dark)", "#0c1214"),
];

/// What a page says about itself.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent properties, not the states of anything"
)]
pub(super) struct Head {
    title: String,
    description: Option<&'static str>,
    is_wide: bool,
    holds_token: bool,
    frames: bool,
    is_refused: bool,
}

impl Head {
    /// A page of this name, narrow, and for no search engine.
    pub(super) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// May be found by search engines, which show this.
    pub(super) fn described(self, description: &'static str) -> Self {
        Self {
            description: Some(description),
            ..self
        }
    }

    /// With room for lists and tables.
    pub(super) fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }

    /// Its address holds the secret of a mailed link, which no other request may carry on as its Referer.
    pub(super) fn holding_token(self) -> Self {
        Self {
            holds_token: true,
            ..self
        }
    }

    /// Shows what is wrong with the question that it answers.
    pub(super) fn refused(self) -> Self {
        Self {
            is_refused: true,
            ..self
        }
    }

    /// Shows a page of this site in a frame.
    pub(super) fn framing(self) -> Self {
        Self { frames: true, ..self }
    }
}

/// Answers a visit with a page, which says what was left for it.
pub(super) fn respond<V: IntoView>(
    visit: &Visit,
    flash: Option<&Flash>,
    head: Head,
    page: impl FnOnce() -> V,
) -> Response {
    let document = Document {
        site: &visit.site,
        user: visit.identity.as_ref().map(|identity| &identity.user),
        path: visit.path(),
        flash,
    };
    document.respond(head, page)
}

/// Answers with a page that depends on nobody: for refusals, which may come from a server that cannot even tell who asks.
/// What was refused may be a page whose address holds a token.
pub(super) fn respond_to_anyone<V: IntoView>(site: &Site, head: Head, page: impl FnOnce() -> V) -> Response {
    let head = head.holding_token();
    let document = Document {
        site,
        user: None,
        path: "",
        flash: None,
    };
    document.respond(head, page)
}

struct Document<'a> {
    site: &'a Site,
    user: Option<&'a User>,
    path: &'a str,
    flash: Option<&'a Flash>,
}

impl Document<'_> {
    fn respond<V: IntoView>(&self, head: Head, page: impl FnOnce() -> V) -> Response {
        let nonce = match new_nonce() {
            Ok(nonce) => nonce,
            Err(problem) => return problem.into_response(),
        };
        let policy = content_security_policy(self.site, &nonce, head.frames);
        let holds_token = head.holds_token;
        let html = render(|| {
            if let Some(flash) = self.flash {
                provide_context(flash.clone());
            }
            self.view(head, nonce, page)
        });
        let mut response = Html(html).into_response();
        let headers = response.headers_mut();
        if let Ok(policy) = HeaderValue::try_from(policy) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        let (name, value) = REPORTING_ENDPOINTS;
        headers.insert(name, value);
        if holds_token {
            // Forms are still sent with an Origin, which `no-referrer` would make `null`.
            headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
        }
        response
    }

    fn view<V, P>(&self, head: Head, nonce: String, page: P) -> impl IntoView + use<V, P>
    where
        V: IntoView,
        P: FnOnce() -> V,
    {
        let assets = &self.site.assets;
        let (style, script, logo) = (assets.style_path(), assets.script_path(), assets.logo_path());
        let site = self.site.name.clone();
        let Head {
            title,
            description,
            is_wide,
            is_refused,
            ..
        } = head;
        let is_refused = is_refused || matches!(self.flash, Some(Flash::Refused(_)));
        let prefix = if is_refused { "Error: " } else { "" };
        let title = format!("{prefix}{title} · {site}");
        let theme = THEME_COLOURS.map(|(media, colour)| {
            view! { <meta name="theme-color" content=colour/> }.add_any_attr(custom_attribute("media", media))
        });
        let robots = description
            .is_none()
            .then(|| view! { <meta name="robots" content="noindex"/> });
        let description = description.map(|text| view! { <meta name="description" content=text/> });
        let bar = self.user.map(|user| signed_in_bar(user, self.path, self.site.products));
        let is_private = self.user.is_some();
        let content = page();
        view! {
            <!DOCTYPE html>
            <html lang="en">
                <head>
                    <meta charset="utf-8"/>
                    <meta name="viewport" content="width=device-width, initial-scale=1"/>
                    <meta name="color-scheme" content="light dark"/>
                    {theme}
                    <title>{title}</title>
                    {description}
                    {robots}
                    <link rel="icon" href=logo.clone()/>
                    // The columns of a table depend on all its rows: the page is drawn once they are there, not as they come.
                    <link rel="expect" href="#main" blocking="render"/>
                    <link rel="stylesheet" href=style/>
                    <script type="module" nonce=nonce src=script></script>
                </head>
                <body data-private=is_private>
                    <a class="skip" href="#main">"Skip to content"</a>
                    <header class="bar">
                        <a class="brand" href="/">
                            <img src=logo alt="" width="32" height="32"/>
                            <span>{site}</span>
                        </a>
                        {bar}
                    </header>
                    <main id="main" class=if is_wide { "wide" } else { "narrow" }>
                        {content}
                    </main>
                </body>
            </html>
        }
    }
}

/// Where somebody who is signed in can go.
fn signed_in_bar(user: &User, path: &str, products: bool) -> impl IntoView + use<> {
    const ADMIN: [(&str, &str); 3] = [
        ("/admin/users", "Users"),
        ("/admin/audit", "Audit log"),
        ("/admin/mail", "Mail"),
    ];
    let mut links = vec![("/profile", "Profile")];
    links.extend(products.then_some(("/products", "Products")));
    links.extend(ADMIN.into_iter().filter(|_| user.is_admin()));
    let items = links
        .into_iter()
        .map(|(href, text)| {
            let is_inside = path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'));
            let current = if path == href {
                Some("page")
            } else {
                is_inside.then_some("true")
            };
            view! { <li><a href=href aria-current=current>{text}</a></li> }
        })
        .collect_view();
    view! {
        <nav aria-label="Main"><ul>{items}</ul></nav>
        <form class="sign-out" method="post" action=LogOut::PATH>
            <button class="quiet">"Sign out"</button>
        </form>
    }
}

/// What the page may load and where its forms may lead: nothing but what it needs. The script is allowed by its nonce
/// alone, so that not even a file of this site can be made to run as one.
///
/// A form's redirect has to pass `form-action` too, and log-in leads back to allowed origins.
fn content_security_policy(site: &Site, nonce: &str, frames: bool) -> String {
    let frame = if frames { " frame-src 'self';" } else { "" };
    let origins: Vec<&str> = std::iter::once("'self'")
        .chain(site.allowed_origins.iter().map(String::as_str))
        .collect();
    let origins = origins.join(" ");
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self';{frame} \
         form-action {origins}; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'; report-uri /api/csp-report; report-to csp"
    )
}

/// Where browsers that know `report-to` send what the policy stopped.
const REPORTING_ENDPOINTS: (HeaderName, HeaderValue) = (
    HeaderName::from_static("reporting-endpoints"),
    HeaderValue::from_static("csp=\"/api/csp-report\""),
);

fn new_nonce() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Problem::internal("no randomness for a nonce"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Renders a page that waits for nothing.
pub(super) fn render<V: IntoView>(page: impl FnOnce() -> V) -> String {
    // Leptos keeps what a view makes in an owner, and drops it with that.
    let owner = Owner::new();
    let html = owner.with(|| page().into_view().to_html());
    owner.cleanup();
    // Leptos marks with `<!>` where its own script would put what is not there yet, and these pages do without it. What
    // was typed is escaped, in attributes too, and so never looks like a mark.
    html.replace("<!>", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_sent_for_a_script_that_these_pages_do_not_have() {
        let nothing: Option<&str> = None;
        let html = render(|| view! { <p>{nothing}"a"{nothing}"b \"c"</p><ul>{Vec::<&str>::new()}</ul> });
        assert_eq!(html, "<p>ab \"c</p><ul></ul>");
    }

    #[test]
    fn what_was_typed_stays_as_it_was_typed() {
        let typed = "\"<!>' > <!>";
        let html = render(|| view! { <input value=typed/><p>{typed}</p> });
        assert_eq!(
            html,
            "<input value=\"&quot;&lt;!&gt;' &gt; &lt;!&gt;\"><p>\"&lt;!&gt;' &gt; &lt;!&gt;</p>"
        );
    }
}
