//! The three ways to ask for the same, and how what comes of them is compared.

use std::sync::Arc;

use reqwest::Method;
use serde_json::Value;

use super::{
    operation::{Case, Done, Operation, Outcome, Refused},
    scene::Scene,
    state::State,
};
use crate::support::{Actor, Browser, Place, Reply};

/// What every browser here calls itself.
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// The session's cookies.
const COOKIES: [&str; 2] = ["access_token", "refresh_token"];

#[derive(Clone, Copy, Debug)]
enum Way {
    /// The JSON API.
    Api,
    /// A program that calls the form's server function.
    Program,
    /// A browser that sends the form.
    Page,
}

/// What came of one way.
struct Trace {
    answer: Reply,
    /// The page that a browser is on in the end.
    page: Option<Reply>,
    state: State,
    /// Which of the session's cookies the browser has afterwards.
    kept: Vec<&'static str>,
}

/// Tries `case` each way and compares what comes of it.
pub(super) async fn compare(scene: &Scene, copies: &[Place; 3], operation: &Operation, case: &Case) {
    let what = format!("{} {}", operation.form, case.name);
    let [api, program, page] = [Way::Api, Way::Program, Way::Page].map(|way| {
        let (original, copy) = (scene.place.clone(), copies[way as usize].clone());
        let attempt = Attempt::new(scene, operation, case, way);
        tokio::spawn(async move {
            copy.copy_again(&original).await;
            attempt.made_in(copy).await
        })
    });
    let (api, program, page) = tokio::join!(api, program, page);
    let [api, program, page] = [api, program, page].map(|trace| trace.expect("it goes on"));
    check_answer(&what, case.outcome, &api.answer);
    check_answer(&what, case.outcome, &program.answer);
    if case.outcome.is_done() {
        assert_ne!(api.state, *scene.before, "{what}: nothing happens");
    } else {
        let mut problem = api.answer.json();
        let errors = problem.get_mut("errors").and_then(Value::as_array_mut);
        for error in errors.into_iter().flatten() {
            if let Some((_, form)) = operation.called.filter(|(api, _)| error["field"] == *api) {
                error["field"] = form.into();
            }
        }
        // Token endpoints say besides what RFC 6749 calls it.
        for member in ["error", "error_description"] {
            problem.as_object_mut().expect("an object").remove(member);
        }
        assert_eq!(
            program.answer.json(),
            problem,
            "{what}: the form's problem and the API's"
        );
        let (before, after) = (&scene.before.things, &api.state.things);
        assert_eq!(differences(before, after), "", "{what}: a refusal changes something");
    }
    for (way, trace) in [(Way::Program, &program), (Way::Page, &page)] {
        let things = differences(&api.state.things, &trace.state.things);
        assert_eq!(things, "", "{what}: what the API and {way:?} store");
        let events = differences(&api.state.events, &trace.state.events);
        assert_eq!(events, "", "{what}: what the API and {way:?} record");
        assert_eq!(
            session_cookies(&trace.answer),
            session_cookies(&api.answer),
            "{what}: the cookies of {way:?} and of the API"
        );
        assert_eq!(
            trace.kept, api.kept,
            "{what}: the cookies left to {way:?} and by the API"
        );
    }
    check_page(&what, operation, case, &program.answer, page);
}

/// One try, with all that it needs.
struct Attempt {
    way: Way,
    browser: Browser,
    form: &'static str,
    method: Method,
    path: String,
    to_api: Value,
    to_form: Value,
    fields: Vec<(&'static str, String)>,
    variables: &'static [(&'static str, &'static str)],
    before: Arc<State>,
}

impl Attempt {
    fn new(scene: &Scene, operation: &Operation, case: &Case, way: Way) -> Self {
        Self {
            way,
            browser: scene.browser(case.who).clone(),
            form: operation.form,
            method: operation.method.clone(),
            path: case.place(operation.api),
            to_api: (operation.body)(case),
            to_form: case.json(&[]),
            fields: case.fields.clone(),
            variables: case.variables,
            before: Arc::clone(&scene.before),
        }
    }

    async fn made_in(self, place: Place) -> Trace {
        let server = place.start_with(self.variables).await;
        let browser = self.browser.moved_to(server.anonymous());
        let request = match self.way {
            Way::Api => browser.request(self.method, &self.path).json(self.to_api),
            Way::Program => {
                let request = browser.post(self.form).header("accept", "application/json");
                request.json(self.to_form)
            }
            Way::Page => {
                let fields: Vec<_> = self.fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
                browser.submit(self.form, &fields)
            }
        };
        let answer = request.header("user-agent", AGENT).await;
        let kept = COOKIES
            .into_iter()
            .filter(|name| browser.jar.get(name).is_some())
            .collect();
        let page = match (self.way, answer.status) {
            (Way::Page, 303) => Some(browser.follow(answer.clone()).await),
            _ => None,
        };
        let state = State::of(&server, Some(&self.before)).await;
        server.database().close().await;
        server.stop().await;
        Trace {
            answer,
            page,
            state,
            kept,
        }
    }
}

/// What only one of them has.
fn differences(expected: &[String], found: &[String]) -> String {
    let missing = expected
        .iter()
        .filter(|line| count(expected, line) > count(found, line));
    let added = found.iter().filter(|line| count(found, line) > count(expected, line));
    let lines = missing
        .map(|line| format!("- {line}"))
        .chain(added.map(|line| format!("+ {line}")));
    lines.collect::<Vec<_>>().join("\n")
}

fn count(lines: &[String], line: &str) -> usize {
    lines.iter().filter(|other| *other == line).count()
}

#[track_caller]
fn check_answer(what: &str, outcome: Outcome, answer: &Reply) {
    match outcome {
        Done(_) => assert!(
            (200..300).contains(&answer.status),
            "{what}: {} {}",
            answer.status,
            answer.text()
        ),
        Refused(status, code) => {
            assert_eq!(answer.status, status, "{what}: {}", answer.text());
            answer.expect_problem(status, code);
        }
    }
}

/// The session's cookies as an answer sets them or takes them back, with their attributes but without their secrets.
fn session_cookies(answer: &Reply) -> Vec<String> {
    let cookies = answer.cookies().into_iter();
    let mut cookies: Vec<String> = cookies
        .filter(|cookie| COOKIES.contains(&cookie.name.as_str()))
        .map(|cookie| {
            let attributes = ["HttpOnly", "SameSite", "Path", "Max-Age", "Secure", "Domain"];
            let attributes = attributes.map(|name| cookie.attribute(name).map(str::to_owned));
            format!("{} removed={} {attributes:?}", cookie.name, cookie.is_removal())
        })
        .collect();
    cookies.sort();
    cookies
}

/// What a browser is answered, and what is then on the page.
fn check_page(what: &str, operation: &Operation, case: &Case, program: &Reply, trace: Trace) {
    let answer = trace.answer;
    let page = case.place(operation.page);
    match case.outcome {
        Done(words) => {
            let next = answer.expect_see_other();
            assert_eq!(program.json()["next"], next.as_str(), "{what}: where it leads");
            let page = trace.page.expect("a page");
            assert!(!page.text().contains("role=\"alert\""), "{what}: {}", page.page_text());
            assert_eq!(
                page.text().contains("class=\"notice\""),
                !words.is_empty(),
                "{what}: {}",
                page.page_text()
            );
            page.says(words);
        }
        Refused(401, code) if code != "invalid_credentials" => {
            let signed_out = operation.signed_out.map(str::to_owned);
            let asked = || format!("/login?next={}", page.replace('/', "%2F"));
            assert_eq!(
                answer.expect_see_other(),
                signed_out.unwrap_or_else(asked),
                "{what}: it asks to sign in"
            );
        }
        Refused(status, code) if can_be_mended(status, code) => {
            assert_eq!(answer.expect_see_other(), page, "{what}: back to its page");
            let problem = program.json();
            let errors = problem["errors"].as_array().cloned().unwrap_or_default();
            let mut said: Vec<&str> = errors.iter().filter_map(|error| error["message"].as_str()).collect();
            if said.is_empty() {
                said.push(words_of(code));
            }
            let page = trace.page.expect("a page");
            let html = page.text();
            assert!(html.contains("<title>Error: "), "{what}: {html}");
            assert_eq!(html.matches("role=\"alert\"").count(), 1, "{what}: {html}");
            for words in said {
                assert!(
                    page.page_text().contains(words),
                    "{what}: no {words:?} in {}",
                    page.page_text()
                );
            }
        }
        Refused(status, code) => {
            answer.expect_page(status).says(words_of(code));
        }
    }
}

/// Whether the form comes back, since something can be done about it there.
fn can_be_mended(status: u16, code: &str) -> bool {
    let codes = [
        "invalid_credentials",
        "inactive_user",
        "email_not_verified",
        "link_invalid",
    ];
    matches!(status, 409 | 422 | 429) || codes.contains(&code)
}

/// What a page says of a code.
fn words_of(code: &str) -> &'static str {
    match code {
        "invalid_credentials" => "Wrong username, address or password.",
        "inactive_user" => "This account is disabled. Ask whoever runs this site.",
        "email_not_verified" => "Verify your email address first.",
        "email_taken" => "There is an account with this address already.",
        "username_taken" => "This username is taken.",
        "link_invalid" => "This link is not valid any more.",
        "sign_up_closed" => "Nobody can make an account here at the moment.",
        "last_admin" => "This is the last active admin: somebody has to administer the site.",
        "forbidden" => "Your account does not have the role that this takes, or it belongs to somebody else.",
        "too_many_requests" => "This was tried too often. Wait 60 seconds, and try again.",
        "not_found" => "There is nothing at this address, or nothing any more.",
        _ => panic!("no page has words for {code}"),
    }
}
