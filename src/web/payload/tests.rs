use axum::http::{HeaderValue, StatusCode};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
struct Sample {
    name: String,
    age: Option<u32>,
}

fn json(text: &[u8]) -> Result<Sample, Problem> {
    read_json(text)
}

fn form(text: &[u8]) -> Result<Sample, Problem> {
    read_form(text)
}

fn errors(problem: &Problem) -> serde_json::Value {
    assert_eq!(problem.status(), StatusCode::UNPROCESSABLE_ENTITY);
    serde_json::to_value(problem.document(None)).unwrap()["errors"].clone()
}

fn encoding(content_type: &'static str) -> Option<Encoding> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    Encoding::of(&headers)
}

#[test]
fn unknown_fields_are_ignored() {
    let sample = Sample {
        name: "a".to_owned(),
        age: None,
    };
    assert_eq!(json(br#"{"name": "a", "roles": ["admin"]}"#).unwrap(), sample);
    assert_eq!(form(b"name=a&roles=admin").unwrap(), sample);
}

#[test]
fn a_missing_field_is_named() {
    let expected = serde_json::json!([{"field": "name", "code": "required", "message": "This field is required."}]);
    assert_eq!(errors(&json(b"{}").unwrap_err()), expected);
    assert_eq!(errors(&form(b"").unwrap_err()), expected);
}

#[test]
fn every_missing_field_is_named() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what is missing is asked for")]
    struct Demanding {
        first: String,
        #[serde(default)]
        left_out: Option<String>,
        second: bool,
        third: crate::web::secret::Secret,
    }
    let missing = |problem: Problem| -> Vec<String> {
        let errors = errors(&problem);
        let errors = errors.as_array().unwrap().iter();
        errors
            .map(|error| format!("{} {}", error["code"], error["field"]))
            .map(|text| text.replace('"', ""))
            .collect()
    };
    let all = ["required first", "required second", "required third"];
    for body in ["{}", r#"{"left_out": null, "unknown": {"first": 1}}"#] {
        assert_eq!(
            missing(read_json::<Demanding>(body.as_bytes()).unwrap_err()),
            all,
            "{body}"
        );
    }
    assert_eq!(missing(read_form::<Demanding>(b"unknown=1").unwrap_err()), all);
    let some = r#"{"second": true}"#;
    let [first, _, third] = all;
    assert_eq!(
        missing(read_json::<Demanding>(some.as_bytes()).unwrap_err()),
        [first, third]
    );
    // What is there and wrong is told by itself, and nothing that was filled in is taken for what was sent.
    let wrong = r#"{"second": "true"}"#;
    let told = missing(read_json::<Demanding>(wrong.as_bytes()).unwrap_err());
    assert_eq!(told, ["wrong_type second"]);
    let whole = r#"{"first": "", "second": false, "third": ""}"#;
    assert!(read_json::<Demanding>(whole.as_bytes()).is_ok());
}

#[test]
fn a_missing_field_of_an_inner_object_is_named_too() {
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only what is missing is asked for")]
    struct Nested {
        inner: Sample,
        other: String,
    }
    let problem = read_json::<Nested>(br#"{"inner": {}}"#).unwrap_err();
    assert_eq!(errors(&problem)[0]["field"], "name");
}

#[test]
fn a_field_of_the_wrong_type_is_named_and_its_value_is_not_repeated() {
    let errors = errors(&json(br#"{"name": 123456}"#).unwrap_err());
    assert_eq!(errors[0]["field"], "name");
    assert_eq!(errors[0]["code"], "wrong_type");
    assert_eq!(errors[0]["message"], "Must be a string.");
}

#[test]
fn what_is_expected_is_said_in_the_words_of_json() {
    #[derive(Debug, Deserialize)]
    struct Nested {
        #[expect(dead_code, reason = "only its type is asked for")]
        list: Option<Vec<Sample>>,
    }
    let message = |text: &str| {
        let problem = read_json::<Nested>(text.as_bytes()).unwrap_err();
        errors(&problem)[0]["message"].clone()
    };
    assert_eq!(message(r#"{"list": "x"}"#), "Must be a list.");
    assert_eq!(message(r#"{"list": [1]}"#), "Must be an object.");
    assert_eq!(
        message(r#"{"list": [{"name": "a", "age": "x"}]}"#),
        "Must be a whole number."
    );
}

#[test]
fn a_number_that_is_none_is_a_wrong_type_in_a_form_too() {
    assert_eq!(errors(&form(b"name=a&age=x").unwrap_err())[0]["field"], "age");
}

#[test]
fn a_doubled_field_is_refused() {
    assert_eq!(
        errors(&json(br#"{"name": "a", "name": "b"}"#).unwrap_err())[0]["code"],
        "duplicate"
    );
    assert_eq!(errors(&form(b"name=a&name=b").unwrap_err())[0]["code"], "duplicate");
}

#[test]
fn what_is_not_json_is_malformed() {
    for text in [
        "",
        "{",
        "{\"name\": \"a\"} x",
        "nul",
        "{\"name\": \"\\ud800\"}",
        "{\"name\": \"a\nb\"}",
    ] {
        assert_eq!(
            json(text.as_bytes()).unwrap_err().status(),
            StatusCode::BAD_REQUEST,
            "{text:?}"
        );
    }
}

#[test]
fn what_is_not_json_is_malformed_in_a_field_that_nobody_reads_too() {
    for value in ["\"\\ud800\"", "1e999", "01", "\"a\nb\""] {
        let text = format!("{{\"name\": \"a\", \"x\": {value}}}");
        assert_eq!(
            json(text.as_bytes()).unwrap_err().status(),
            StatusCode::BAD_REQUEST,
            "{text}"
        );
    }
}

#[test]
fn deep_json_is_malformed_and_does_not_overflow_the_stack() {
    let deep = format!(
        "{{\"name\": \"a\", \"x\": {}1{}}}",
        "[".repeat(30_000),
        "]".repeat(30_000)
    );
    assert_eq!(json(deep.as_bytes()).unwrap_err().status(), StatusCode::BAD_REQUEST);
}

#[test]
fn a_body_that_is_no_object_is_refused_even_if_its_items_would_fit() {
    for text in ["[\"a\", 1]", "\"a\"", "1", "null", " true"] {
        let expected = serde_json::json!([
            {"field": "", "code": "wrong_type", "message": "The body must be a JSON object."}
        ]);
        assert_eq!(errors(&json(text.as_bytes()).unwrap_err()), expected, "{text:?}");
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_rather_than_replaced() {
    for problem in [json(b"{\"name\": \"\xff\"}"), form(b"name=%FF"), form(b"name=\xff")] {
        assert_eq!(problem.unwrap_err().code(), "not_utf8");
    }
    assert_eq!(form("name=%C3%A9%zz%".as_bytes()).unwrap().name, "é%zz%");
}

#[test]
fn the_content_type_decides_how_a_body_is_read() {
    assert_eq!(encoding("application/json"), Some(Encoding::Json));
    assert_eq!(encoding("Application/JSON; charset=UTF-8"), Some(Encoding::Json));
    assert_eq!(encoding("application/x-www-form-urlencoded"), Some(Encoding::Form));
    for refused in [
        "text/plain",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "",
    ] {
        assert_eq!(encoding(refused), None, "{refused:?}");
    }
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() {
    let read = async |coding: &str| {
        let request = Request::builder().header(header::CONTENT_ENCODING, coding);
        read_body(request.body(Body::from("{}")).unwrap()).await
    };
    for plain in ["identity", "Identity", ""] {
        assert_eq!(read(plain).await.unwrap(), b"{}", "{plain:?}");
    }
    for coding in ["gzip", "identity, br", "x"] {
        let refused = read(coding).await.unwrap_err();
        assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{coding:?}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_and_one_at_it_is_read() {
    assert_eq!(
        collect(Body::from(vec![b' '; MAX_BODY_BYTES])).await.unwrap().len(),
        MAX_BODY_BYTES
    );
    let refused = collect(Body::from(vec![b' '; MAX_BODY_BYTES + 1])).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let refused = collect(Body::from(vec![b' '; MAX_DRAINED_BYTES + 1]))
        .await
        .unwrap_err();
    assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

/// Any text, and what the errors of the decoders are made of.
fn a_text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,20}",
        "(missing|duplicate|unknown) field `[a-z]{1,6}`.?",
        "\", expected [a-z]{1,6} at line [0-9]",
    ]
}

fn a_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        a_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((a_name(), inner), 0..4).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn a_name() -> impl Strategy<Value = String> {
    prop_oneof![Just("name".to_owned()), Just("age".to_owned()), a_text()]
}

/// Members as they were written, so that a name can be there twice.
fn an_object() -> impl Strategy<Value = String> {
    prop::collection::vec((a_name(), a_value()), 0..4).prop_map(|members| {
        let member = |(name, value): (String, Value)| format!("{}:{value}", Value::from(name));
        let members: Vec<String> = members.into_iter().map(member).collect();
        format!("{{{}}}", members.join(","))
    })
}

/// Bytes, and what looks like JSON.
fn a_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        r#"[{}\[\]:,"'\\ \n0-9.eE+-]{0,30}"#.prop_map(String::into_bytes),
        (an_object(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, at, byte)| {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            bytes
        }),
    ]
}

/// Of a refusal: which fields it blames, all of them this server's, and in words that are.
fn is_about_fields_of_ours(problem: &Problem) -> bool {
    const MESSAGES: [&str; 5] = [
        "This field is required.",
        "This field was sent more than once.",
        "This is not a valid value.",
        "Must be a string.",
        "Must be a whole number.",
    ];
    let blamed: Vec<_> = problem.field_messages().collect();
    problem.status() == StatusCode::UNPROCESSABLE_ENTITY
        && !blamed.is_empty()
        && blamed
            .iter()
            .all(|(field, message)| ["name", "age"].contains(field) && MESSAGES.contains(message))
}

proptest! {
    #[test]
    fn an_object_is_read_as_by_serde_and_what_it_holds_is_not_told(text in an_object()) {
        match (json(text.as_bytes()), serde_json::from_str::<Sample>(&text)) {
            (Ok(sample), Ok(expected)) => prop_assert_eq!(sample, expected),
            (Err(problem), Err(_)) => prop_assert!(is_about_fields_of_ours(&problem), "{:?}", problem),
            (read, expected) => prop_assert!(false, "{:?} rather than {:?}", read, expected),
        }
    }

    #[test]
    fn a_body_is_malformed_exactly_when_it_is_no_json(body in a_body()) {
        let is_json = serde_json::from_slice::<Value>(&body).is_ok();
        let read = json(&body);
        let malformed = read.as_ref().is_err_and(|problem| problem.status() == StatusCode::BAD_REQUEST);
        prop_assert_eq!(malformed, !is_json, "{:?}", read);
    }

    #[test]
    fn what_is_encoded_as_a_form_is_read_from_it(name: String, age: Option<u32>, others: Vec<(String, String)>) {
        let others = others.iter().filter(|(other, _)| !["name", "age"].contains(&other.as_str()));
        let age_text = age.map(|age| age.to_string());
        let text = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("name", &name)
            .extend_pairs(age_text.map(|age| ("age", age)))
            .finish();
        prop_assert_eq!(form(text.as_bytes()).unwrap(), Sample { name, age });
    }

    #[test]
    fn a_form_is_read_to_the_letter_or_refused(
        body in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "(name|age|[a-z])=([0-9+%a-fA-F]|%[0-9A-F]{2}){0,8}(&(name|age)=[0-9%+]{0,4}){0,2}".prop_map(String::into_bytes),
        ],
    ) {
        match form(&body) {
            Ok(sample) => {
                let pairs: Vec<_> = url::form_urlencoded::parse(&body).collect();
                let named = |wanted| pairs.iter().filter(move |(name, _)| name == wanted).map(|(_, value)| &**value);
                prop_assert_eq!(named("name").collect::<Vec<_>>(), [sample.name.as_str()]);
                let ages: Vec<Option<u32>> = named("age").map(|text| text.parse().ok()).collect();
                prop_assert!(ages.len() <= 1 && ages.first().copied().flatten() == sample.age);
                // What is no UTF-8 would have been replaced, and two passwords become one.
                prop_assert!(percent_encoding::percent_decode(&body).decode_utf8().is_ok());
            }
            Err(problem) => {
                let malformed = problem.status() == StatusCode::BAD_REQUEST;
                prop_assert!(malformed || is_about_fields_of_ours(&problem), "{:?}", problem);
            }
        }
    }

    #[test]
    fn only_two_media_types_are_read_in_whatever_way_they_are_written(
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[aA]pplication/(json|[a-z.]{0,6}\\+json|x-www-form-urlencoded|[a-z+]{0,10}) ?(; ?(charset|boundary)=\"?(utf-8|UTF-8|latin1)\"?)?"
                .prop_map(String::into_bytes),
        ],
    ) {
        let mut headers = HeaderMap::new();
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        headers.insert(header::CONTENT_TYPE, value.clone());
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        let essence = text.split(';').next().unwrap().trim();
        match Encoding::of(&headers) {
            Some(Encoding::Json) => prop_assert!(essence.starts_with("application/") && essence.ends_with("json")),
            Some(Encoding::Form) => prop_assert_eq!(essence, FORM),
            None => {}
        }
        prop_assert!(!text.contains("charset=latin1") || Encoding::of(&headers).is_none());
    }
}
