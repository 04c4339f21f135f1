//! `POST /api/csp-report`

use std::borrow::Cow;

use aide::{
    OperationInput,
    axum::routing::{ApiMethodRouter, post_with},
    generate::GenContext,
    openapi::Operation,
};
use axum::{
    extract::{FromRequest, Request},
    http::header,
    response::NoContent,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use url::Url;

use super::openapi::{SERVICES, answers, for_anyone, named};
use crate::web::{
    AppState,
    payload::{describe_body, read_body},
    problem::Problem,
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

async fn csp_report(Report(report): Report) -> NoContent {
    for violation in violations(&report) {
        tracing::warn!(
            directive = violation.directive,
            blocked = violation.blocked,
            document = violation.document,
            "content security policy violated"
        );
    }
    NoContent
}

/// A report as it came.
struct Report(Value);

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
        let report = serde_json::from_slice(&body);
        report
            .map(Self)
            .map_err(|_| Problem::malformed("malformed_json", "The body is not valid JSON"))
    }
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
                        "properties": {"type": text, "body": body},
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
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    directive: String,
    blocked: String,
    document: String,
}

fn violations(report: &Value) -> Vec<Violation> {
    let many = report
        .as_array()
        .map_or(&[] as &[Value], Vec::as_slice)
        .iter()
        .filter_map(|entry| entry.get("body"));
    let one = report.get("csp-report");
    many.chain(one)
        .filter(|body| body.is_object())
        .take(MAX_REPORTS)
        .map(violation)
        .collect()
}

fn violation(body: &Value) -> Violation {
    let text = |names: [&str; 2]| {
        names
            .iter()
            .find_map(|name| body.get(name)?.as_str())
            .unwrap_or_default()
    };
    Violation {
        directive: word(text(["effectiveDirective", "effective-directive"])),
        blocked: address(text(["blockedURL", "blocked-uri"])),
        document: address(text(["documentURL", "document-uri"])),
    }
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
    use super::*;

    #[test]
    fn both_forms_of_a_report_are_read_and_no_query_is_kept() {
        let expected = [Violation {
            directive: "script-src".to_owned(),
            blocked: "inline".to_owned(),
            document: "https://example.com/reset-password".to_owned(),
        }];
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
        let found = violations(&Value::Array(vec![entry; 1000]));
        assert_eq!(found.len(), MAX_REPORTS);
        assert!(
            found
                .iter()
                .all(|violation| violation.directive.len() <= MAX_WORD_CHARS)
        );
        assert!(!found.iter().any(|violation| violation.directive.contains('\n')));
    }

    #[test]
    fn what_is_no_report_reports_nothing() {
        for value in [json!(null), json!([]), json!([1]), json!({"csp-report": 1}), json!("x")] {
            assert!(violations(&value).is_empty(), "{value}");
        }
    }
}
