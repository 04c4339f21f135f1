//! `POST /api/csp-report`

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use aide::{
    OperationInput,
    axum::routing::{ApiMethodRouter, post_with},
    generate::GenContext,
    openapi::Operation,
};
use axum::{
    extract::{FromRequest, Request, State},
    http::header,
    response::NoContent,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};
use url::Url;

use super::openapi::{SERVICES, answers, for_anyone, named};
use crate::web::{
    AppState,
    payload::{describe_body, read_body},
    problem::{FieldProblem, Problem},
};

/// What browsers send by `report-uri`, and by `report-to` (Reporting API).
const MEDIA_TYPES: [&str; 2] = ["application/csp-report", "application/reports+json"];

/// One request cannot fill the log.
const MAX_REPORTS: usize = 10;
const MAX_WORD_CHARS: usize = 100;

pub(super) fn route() -> ApiMethodRouter<AppState> {
    post_with(csp_report, |docs| {
        docs.with(named(
            "cspReport",
            SERVICES,
            "Report a violation of the content security policy",
        ))
        .description("Sent by browsers, as `application/csp-report` or `application/reports+json`.")
        .with(for_anyone)
        .with(answers::<204, NoContent>("Noted."))
    })
}

async fn csp_report(State(state): State<AppState>, Report(report): Report) -> NoContent {
    for violation in report {
        if state.site.violations.is_news(&violation) {
            tracing::warn!(
                directive = violation.directive,
                blocked = violation.blocked,
                document = violation.document,
                "content security policy violated"
            );
        }
    }
    NoContent
}

/// Violations that are in the log. Each is told once, and only so many are: nobody has to be who they say to report one, and
/// whoever makes them up would else write as much into the log as they like.
#[derive(Debug, Default)]
pub(crate) struct ToldViolations(Mutex<BTreeSet<Violation>>);

impl ToldViolations {
    const MOST: usize = 256;

    fn is_news(&self, violation: &Violation) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < Self::MOST && told.insert(violation.clone())
    }
}

/// What a request reports.
struct Report(Vec<Violation>);

impl<S: Sync> FromRequest<S> for Report {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let essence = content_type
            .and_then(|text| text.split(';').next())
            .unwrap_or_default()
            .trim();
        let is_known = MEDIA_TYPES.iter().any(|known| known.eq_ignore_ascii_case(essence));
        let body = read_body(request).await?;
        if !is_known {
            return Err(Problem::unsupported_media_type("application/csp-report"));
        }
        let report = serde_json::from_slice(&body)
            .map_err(|_| Problem::malformed("malformed_json", "The body is not valid JSON"))?;
        violations(&report).map(Self).ok_or_else(no_report)
    }
}

fn no_report() -> Problem {
    let message = "The body must be a report of a violation.";
    Problem::fields(vec![FieldProblem::new("", "wrong_type", message)])
}

impl OperationInput for Report {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        describe_body::<ReportSchema>(context, operation, &MEDIA_TYPES, true);
    }
}

/// The two forms of a report, as far as they are read.
struct ReportSchema;

impl JsonSchema for ReportSchema {
    fn schema_name() -> Cow<'static, str> {
        "CspReport".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = json!({"type": "string"});
        let by_uri = json!({"effective-directive": text, "blocked-uri": text, "document-uri": text});
        let by_endpoint = json!({"effectiveDirective": text, "blockedURL": text, "documentURL": text});
        let body = json!({"type": "object", "properties": by_endpoint, "additionalProperties": true});
        json_schema!({
            "description": "A violation as `report-uri` has it, or several as the Reporting API has them. \
                            Other members are ignored.",
            "anyOf": [
                {
                    "type": "object",
                    "properties": {
                        "csp-report": {"type": "object", "properties": by_uri, "additionalProperties": true},
                    },
                    "required": ["csp-report"],
                },
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"body": body},
                        "required": ["body"],
                        "additionalProperties": true,
                    },
                },
            ],
            "examples": [
                {"csp-report": {
                    "effective-directive": "script-src-elem",
                    "blocked-uri": "https://evil.example/script.js",
                    "document-uri": "https://login.example.com/login",
                }},
                [{"type": "csp-violation", "body": {
                    "effectiveDirective": "script-src-elem",
                    "blockedURL": "inline",
                    "documentURL": "https://login.example.com/login",
                }}],
            ],
        })
    }
}

/// What the log keeps of a report: where, what, and by which rule. A stranger wrote it, and a page's address may hold a
/// link token, so that nothing is kept of an address but its origin and path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    directive: String,
    blocked: String,
    document: String,
}

/// The names of what is read of a report, which differ between its two forms.
const BY_URI: [&str; 3] = ["effective-directive", "blocked-uri", "document-uri"];
const BY_ENDPOINT: [&str; 3] = ["effectiveDirective", "blockedURL", "documentURL"];

/// None when `report` has neither of the two forms.
fn violations(report: &Value) -> Option<Vec<Violation>> {
    if let Value::Array(entries) = report {
        let body_of = |entry: &Value| violation(entry.as_object()?.get("body")?, BY_ENDPOINT);
        let mut found: Vec<Violation> = entries.iter().map(body_of).collect::<Option<_>>()?;
        found.truncate(MAX_REPORTS);
        return Some(found);
    }
    let one = violation(report.as_object()?.get("csp-report")?, BY_URI)?;
    Some(vec![one])
}

fn violation(body: &Value, [directive, blocked, document]: [&str; 3]) -> Option<Violation> {
    let body = body.as_object()?;
    Some(Violation {
        directive: word(text(body, directive)?),
        blocked: address(text(body, blocked)?),
        document: address(text(body, document)?),
    })
}

/// What is not said is blank; what is said otherwise than in words is none.
fn text<'report>(body: &'report Map<String, Value>, name: &str) -> Option<&'report str> {
    body.get(name).map_or(Some(""), Value::as_str)
}

fn address(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.has_host() => word(&format!("{}{}", url.origin().ascii_serialization(), url.path())),
        // A keyword such as `inline` or `eval`, or a `data:` address of any length.
        _ => word(text.split(':').next().unwrap_or_default()),
    }
}

fn word(text: &str) -> String {
    text.chars()
        .filter(|char| !char.is_control())
        .take(MAX_WORD_CHARS)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Anything, with the names that are read among those in it.
    fn anything() -> impl Strategy<Value = Value> {
        let names = BY_URI.into_iter().chain(BY_ENDPOINT).chain(["csp-report", "body"]);
        let name = prop_oneof![
            prop::sample::select(names.collect::<Vec<_>>()).prop_map(str::to_owned),
            ".{0,8}"
        ];
        let text = prop_oneof![
            ".{0,200}",
            "(https?|data|blob)://[a-z.@:]{0,20}/[ -~]{0,20}[?#][ -~]{0,20}"
        ];
        let leaf = prop_oneof![4 => text.prop_map(Value::from), 1 => Just(json!(null)), 1 => any::<i32>().prop_map(Value::from)];
        leaf.prop_recursive(3, 40, 12, move |inner| {
            let members = prop::collection::vec((name.clone(), inner.clone()), 0..6);
            prop_oneof![
                prop::collection::vec(inner, 0..12).prop_map(Value::from),
                members.prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    #[test]
    fn a_violation_is_told_once_and_only_so_many_are() {
        let told = ToldViolations::default();
        let violation = |number: usize| Violation {
            directive: "script-src".to_owned(),
            blocked: format!("https://{number}.example/"),
            document: "https://login.example.com/login".to_owned(),
        };
        assert!(told.is_news(&violation(0)));
        assert!(!told.is_news(&violation(0)));
        let news = (0..1000).filter(|number| told.is_news(&violation(*number)));
        assert_eq!(news.count(), ToldViolations::MOST - 1);
    }

    #[test]
    fn both_forms_of_a_report_are_read_and_no_query_is_kept() {
        let expected = vec![Violation {
            directive: "script-src".to_owned(),
            blocked: "inline".to_owned(),
            document: "https://example.com/reset-password".to_owned(),
        }];
        let expected = Some(expected);
        let document = "https://example.com/reset-password?token=vst_lt_secret#x";
        let old = json!({"csp-report": {
            "effective-directive": "script-src", "blocked-uri": "inline", "document-uri": document,
        }});
        let new = json!([{"type": "csp-violation", "body": {
            "effectiveDirective": "script-src", "blockedURL": "inline", "documentURL": document,
        }}]);
        assert_eq!(violations(&old), expected);
        assert_eq!(violations(&new), expected);
    }

    #[test]
    fn a_report_cannot_fill_or_forge_the_log() {
        let entry = json!({"body": {"effectiveDirective": "a\nb".repeat(1000)}});
        let found = violations(&Value::Array(vec![entry; 1000])).unwrap();
        assert_eq!(found.len(), MAX_REPORTS);
        assert!(
            found
                .iter()
                .all(|violation| violation.directive.len() <= MAX_WORD_CHARS)
        );
        assert!(!found.iter().any(|violation| violation.directive.contains('\n')));
    }

    #[test]
    fn what_is_no_report_is_refused() {
        let no_reports = [
            json!(null),
            json!("x"),
            json!({}),
            json!({"csp-report": 1}),
            json!({"csp-report": {"blocked-uri": null}}),
            json!([1]),
            json!([{}]),
            json!([[["script-src", "inline", "https://example.com"]]]),
            json!([{"body": {}}, {"body": {"blockedURL": 1}}]),
        ];
        for value in no_reports {
            assert_eq!(violations(&value), None, "{value}");
        }
        assert_eq!(violations(&json!([])), Some(vec![]));
    }

    proptest! {
        #[test]
        fn whatever_is_reported_little_of_it_is_kept_and_no_query(
            report in prop_oneof![
                anything(),
                anything().prop_map(|body| json!({"csp-report": body})),
                prop::collection::vec(anything(), 0..20)
                    .prop_map(|bodies| bodies.into_iter().map(|body| json!({"body": body})).collect()),
            ],
        ) {
            for Violation { directive, blocked, document } in violations(&report).into_iter().flatten() {
                for kept in [&directive, &blocked, &document] {
                    prop_assert!(kept.chars().count() <= MAX_WORD_CHARS && !kept.contains(char::is_control));
                }
                for address in [&blocked, &document] {
                    prop_assert!(!address.contains("://") || !address.contains(['?', '#']), "{}", address);
                }
            }
            prop_assert!(violations(&report).is_none_or(|found| found.len() <= MAX_REPORTS));
        }
    }
}
