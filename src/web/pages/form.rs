//! How forms are sent: the protocol that the server functions of the pages speak.
//!
//! A browser's form is always answered by a redirect (303): onwards when the operation did what was asked, back to its
//! page when what was typed has to be typed again, with what there is to say in a [flash](super::flash). What no typing
//! can mend (a page that does not exist, a database that is away) is an error page. A program that sends the same form,
//! or JSON, is answered in JSON, with the statuses and codes of the API.
//!
//! Of a server function with one argument Leptos would make that argument's type and the form's one and the same, by
//! `From` and `Deref`; `impl_from = false, impl_deref = false` keep a form from being taken for a text.

use axum::{
    Json,
    extract::{FromRequest, Request, State},
    http::{HeaderMap, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, post},
};
use leptos::{
    prelude::{provide_context, use_context},
    server_fn::{
        Bytes, ContentType, Decodes, Encodes, FormatType, Protocol, ServerFn,
        axum::AxumServerFnBackend,
        client::Client,
        error::{FromServerFnError, ServerFnErrorErr},
    },
};
use serde::{Serialize, de::DeserializeOwned};
use tower_cookies::Cookies;

use super::{
    flash::{Echo, Flash, Refused},
    next,
    notice::Notice,
};
use crate::{
    auth::{self, Auth, Identity},
    products::Products,
    web::{
        AppState, accepts_html, caller, cookies::SessionCookies, identity::SignedInUser, paths::login_path,
        payload::JsonOrForm, problem::Problem,
    },
};

/// A form, by the server function that takes it.
pub(super) trait PageForm: ServerFn {
    /// The page on which it stands.
    const PAGE: &'static str;

    /// The codes of refusals that are about one field without saying so, and that field.
    const BLAMED: &'static [(&'static str, &'static str)] = &[];

    /// The same with the query that this form was shown under.
    fn page(&self) -> String {
        Self::PAGE.to_owned()
    }

    /// What becomes of it when nobody is signed in: to sign in, and back to `page`.
    fn without_session(page: &str) -> Done {
        Done::to(login_path(Some(page)))
    }

    /// What may be shown again if it comes back: never a password.
    fn echo(&self) -> Echo {
        Echo::new()
    }
}

/// What comes of a form that did what was asked.
#[derive(Debug)]
pub(super) struct Done {
    next: String,
    notice: Option<Notice>,
    echo: Echo,
}

impl Done {
    /// Go on to the page at this path, or to a URL that [`next::parse`] let through.
    pub(super) fn to(next: impl Into<String>) -> Self {
        Self {
            next: next.into(),
            notice: None,
            echo: Echo::new(),
        }
    }

    /// Say this there.
    pub(super) fn saying(self, notice: Notice) -> Self {
        Self {
            notice: Some(notice),
            ..self
        }
    }

    /// Fill a field of the form there.
    pub(super) fn filling(self, field: &str, value: String) -> Self {
        Self {
            echo: vec![(field.to_owned(), value)],
            ..self
        }
    }
}

/// What a program is told: where a browser would be now.
#[derive(Serialize)]
struct DoneResponse {
    next: String,
}

/// What a server function works with, taken from the request that called it.
pub(super) struct Desk {
    state: AppState,
    parts: Parts,
}

impl Desk {
    /// The desk of the request that is being answered.
    pub(super) fn open() -> Result<Self, Problem> {
        let lacking = || Problem::internal("a server function was called outside of a request");
        Ok(Self {
            state: use_context().ok_or_else(lacking)?,
            parts: use_context().ok_or_else(lacking)?,
        })
    }

    pub(super) fn auth(&self) -> &Auth {
        &self.state.auth
    }

    pub(super) fn products(&self) -> &Products {
        &self.state.products
    }

    /// Who sent the form.
    pub(super) fn client(&self) -> auth::Client {
        caller::Caller::of(&self.parts, &self.state.site).0
    }

    /// The session's cookies, as they came and as they go.
    pub(super) fn cookies(&self) -> Result<SessionCookies, Problem> {
        Ok(SessionCookies::of(&self.parts, &self.state)?)
    }

    /// Who is signed in; a refusal when nobody is. A browser whose account was disabled is sent to sign in like any other,
    /// where it is told why it cannot: the page of the form would send it there too.
    pub(super) async fn identity(&mut self) -> Result<Identity, Problem> {
        let identified = SignedInUser::identify(&mut self.parts, &self.state).await;
        let is_browser = matches!(self.parts.extensions.get(), Some(Wants::Page));
        identified.map_err(|error| match error {
            auth::Error::InactiveUser if is_browser => auth::Error::NotAuthenticated.into(),
            other => other.into(),
        })
    }

    /// Where to go after signing in.
    pub(super) fn next(&self, text: &str) -> String {
        next::parse(&self.state.site, text).unwrap_or_else(|| super::AFTER_LOG_IN.to_owned())
    }

    fn leave(&self, flash: Flash) -> Result<(), Problem> {
        let cookies = self.parts.extensions.get::<Cookies>();
        let cookies = cookies.ok_or_else(|| Problem::internal("no cookie manager around this route"))?;
        self.state.flash.leave(cookies, flash)
    }

    /// Onwards.
    fn go_on(&self, done: Done) -> Result<Response, Problem> {
        let Done { next, notice, echo } = done;
        if let Some(notice) = notice {
            self.leave(Flash::Done { notice, echo })?;
        }
        Ok(Redirect::to(&next).into_response())
    }

    /// Back to the page of the form, if something can be done about it there.
    fn send_back<F: PageForm>(&self, page: &str, echo: Echo, problem: &Problem) -> Result<Response, Problem> {
        self.leave(Flash::Refused(Refused::new::<F>(page, problem, echo)))?;
        Ok(Redirect::to(page).into_response())
    }
}

/// The protocol of the pages' server functions.
pub(super) struct Form;

impl<F, C> Protocol<F, Done, C, AxumServerFnBackend, Problem> for Form
where
    F: PageForm + DeserializeOwned,
    C: Client<Problem>,
{
    const METHOD: axum::http::Method = axum::http::Method::POST;

    async fn run_server<Run, Running>(request: Request, run: Run) -> Result<Response, Problem>
    where
        Run: Fn(F) -> Running + Send,
        Running: Future<Output = Result<Done, Problem>> + Send,
    {
        let desk = Desk::open()?;
        let wants = request.extensions().get::<Wants>().copied().unwrap_or(Wants::Json);
        let (page, echo, outcome) = match JsonOrForm::<F>::from_request(request, &()).await {
            Ok(JsonOrForm(form)) => (form.page(), form.echo(), run(form).await),
            Err(problem) => (F::PAGE.to_owned(), Echo::new(), Err(problem)),
        };
        let answer = match (wants, outcome) {
            (Wants::Page, Ok(done)) => desk.go_on(done),
            (Wants::Page, Err(problem)) if problem.wants_sign_in() => desk.go_on(F::without_session(&page)),
            (Wants::Page, Err(problem)) if problem.can_be_mended() => desk.send_back::<F>(&page, echo, &problem),
            (Wants::Json, Ok(Done { next, .. })) => Ok(Json(DoneResponse { next }).into_response()),
            (_, Err(problem)) => Err(problem),
        };
        Ok(answer.unwrap_or_else(IntoResponse::into_response))
    }

    /// The pages bring no program of their own that could call.
    async fn run_client(_: &str, _: F) -> Result<Done, Problem> {
        Err(Problem::internal("server functions are called by forms"))
    }
}

/// How the sender reads the answer.
#[derive(Clone, Copy)]
enum Wants {
    Page,
    Json,
}

impl Wants {
    fn of(headers: &HeaderMap) -> Self {
        if accepts_html(headers) { Self::Page } else { Self::Json }
    }
}

/// The route of a form's server function, at [`ServerFn::PATH`].
pub(super) fn form_route() -> MethodRouter<AppState> {
    post(run_server_function)
}

async fn run_server_function(State(state): State<AppState>, mut request: Request) -> Response {
    let wants = Wants::of(request.headers());
    request.extensions_mut().insert(wants);
    // Leptos would take a sender that accepts HTML back to its Referer, whatever the answer is.
    request.headers_mut().remove(header::ACCEPT);
    let context = move || provide_context(state.clone());
    leptos_axum::handle_server_fns_with_context(context, request)
        .await
        .into_response()
}

/// What the trait of Leptos asks of an error. None is ever written or read in this form: [`Form`] turns each into an
/// answer itself.
impl FromServerFnError for Problem {
    type Encoder = Never;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        Self::internal(error)
    }
}

/// The encoding of an error that is never encoded.
#[derive(Debug)]
pub enum Never {}

impl ContentType for Never {
    const CONTENT_TYPE: &'static str = crate::web::problem::MEDIA_TYPE;
}

impl FormatType for Never {
    const FORMAT_TYPE: leptos::server_fn::Format = leptos::server_fn::Format::Text;
}

impl Encodes<Problem> for Never {
    type Error = serde_json::Error;

    fn encode(problem: &Problem) -> Result<Bytes, Self::Error> {
        serde_json::to_vec(&problem.document(None)).map(Bytes::from)
    }
}

impl Decodes<Problem> for Never {
    type Error = std::convert::Infallible;

    fn decode(_: Bytes) -> Result<Problem, Self::Error> {
        Ok(Problem::internal("an answer of this server came back to it"))
    }
}
