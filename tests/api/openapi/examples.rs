//! The examples: there where they are looked for, and what the schemas say.

use serde_json::{Value, json};

use super::{document, operations, resolve};
use crate::support::{Actor, Place, one_engine};

one_engine![
    sqlite: Sqlite,
    every_example_fits_its_schema,
    every_answer_of_success_has_an_example,
];

async fn every_example_fits_its_schema(place: Place) {
    let server = place.start().await;
    let document = document(&server).await;
    let mut seen = 0;
    let mut check = |name: &str, schema: &Value, examples: Vec<&Value>| {
        for example in examples {
            seen += 1;
            if let Err(why) = fits(&document, schema, example) {
                panic!("{name}: {example} does not fit: {why}");
            }
        }
    };
    for (name, schema) in document["components"]["schemas"].as_object().expect("schemas") {
        check(name, schema, examples_in(&document, schema));
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            check(&format!("{name}.{property}"), schema, examples_in(&document, schema));
        }
    }
    for (method, path, operation) in operations(&document) {
        let name = format!("{method} {path}");
        let body = resolve(&document, &operation["requestBody"]);
        let answers = operation["responses"].as_object().unwrap().values();
        let answers = answers.map(|answer| resolve(&document, answer));
        for (kind, media) in [body]
            .into_iter()
            .chain(answers)
            .filter_map(|part| part["content"].as_object())
            .flatten()
        {
            let schema = resolve(&document, &media["schema"]);
            check(&format!("{name} ({kind})"), schema, examples_in(&document, media));
        }
        if let Some(media) = body["content"].get("application/json") {
            let schema = resolve(&document, &media["schema"]);
            let example = example_of(&document, media).unwrap_or_else(|| panic!("{name}: the body has no example"));
            check(&name, schema, vec![&example]);
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let parameter = resolve(&document, parameter);
            let schema = resolve(&document, &parameter["schema"]);
            check(
                &format!("{name}: {}", parameter["name"]),
                schema,
                examples_in(&document, parameter),
            );
        }
    }
    assert!(seen > 100, "only {seen} examples");
}

async fn every_answer_of_success_has_an_example(place: Place) {
    let server = place.start().await;
    let document = document(&server).await;
    let example = |method: &str, path: &str, status: &str| {
        let answer = &document["paths"][path][method]["responses"][status];
        answer["content"]["application/json"]["example"].clone()
    };
    for (method, path, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let media = &answer["content"]["application/json"];
            if status.starts_with('2') && media["schema"].is_object() {
                assert!(!example(&method, &path, status).is_null(), "{method} {path} {status}");
            }
        }
    }
    let page = example("get", "/api/users", "200");
    assert_eq!(page["items"][0], example("get", "/api/auth/me", "200"));
    assert_eq!(example("get", "/users/", "200")[0], page["items"][0]);
    assert_eq!(example("post", "/token", "200")["expires_in"], 900);
    assert!(document["components"]["schemas"]["Problem"]["examples"][0]["code"].is_string());
    let report = &document["paths"]["/api/csp-report"]["post"]["requestBody"]["content"]["application/csp-report"];
    let report = example_of(&document, report).expect("an example of a report");
    let body = report.to_string();
    let sent = server
        .anonymous()
        .post("/api/csp-report")
        .body("application/csp-report", body);
    sent.await.expect(204);
}

/// The examples that stand in a schema, a media type or a parameter.
fn examples_in<'a>(document: &'a Value, of: &'a Value) -> Vec<&'a Value> {
    let mut examples: Vec<&Value> = of.get("example").into_iter().collect();
    examples.extend(of["examples"].as_array().into_iter().flatten());
    let named = of["examples"].as_object().into_iter().flat_map(|named| named.values());
    examples.extend(named.filter_map(|example| resolve(document, example).get("value")));
    examples
}

/// What Swagger UI offers to send: the body's example, or one put together from those of its fields.
pub(super) fn example_of(document: &Value, media: &Value) -> Option<Value> {
    let schema = resolve(document, &media["schema"]);
    let whole = examples_in(document, media)
        .into_iter()
        .chain(examples_in(document, schema))
        .next();
    whole.cloned().or_else(|| {
        let fields = schema["properties"].as_object()?.iter().filter_map(|(name, field)| {
            let example = examples_in(document, resolve(document, field)).first().copied()?;
            Some((name.clone(), example.clone()))
        });
        Some(Value::Object(fields.collect()))
    })
}

/// As much of JSON Schema as the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    let schema = resolve(document, schema);
    if schema == &json!(true) {
        return Ok(());
    }
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("unknown type {other}"),
    };
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(kind)) {
        return Err(format!("{value} is not {kinds:?}"));
    }
    if let Some(only) = schema.get("const")
        && only != value
    {
        return Err(format!("{value} is not {only}"));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{value} is none of {choices:?}"));
    }
    let length = value.as_str().map(|text| text.chars().count() as u64);
    if let (Some(length), Some(least)) = (length, schema["minLength"].as_u64())
        && length < least
    {
        return Err(format!("{value} is shorter than {least}"));
    }
    if let (Some(length), Some(most)) = (length, schema["maxLength"].as_u64())
        && length > most
    {
        return Err(format!("{value} is longer than {most}"));
    }
    if schema["format"] == "uuid"
        && let Some(text) = value.as_str()
    {
        text.parse::<uuid::Uuid>().map_err(|_| format!("{text} is no UUID"))?;
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if !object.contains_key(name) {
                return Err(format!("{name} is missing"));
            }
        }
        for (name, member) in object {
            match schema["properties"].get(name) {
                Some(property) => fits(document, property, member).map_err(|why| format!("{name}: {why}"))?,
                None if schema["additionalProperties"] == false => return Err(format!("{name} is unknown")),
                // An example that shows what its schema does not know is out of date.
                None if schema["properties"].is_object()
                    && schema.get("additionalProperties").is_none()
                    && schema.get("allOf").is_none() =>
                {
                    return Err(format!("{name} is not described"));
                }
                None => {}
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        if schema["items"].is_object() {
            fits(document, &schema["items"], item)?;
        }
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        fits(document, part, value)?;
    }
    for choices in ["anyOf", "oneOf"] {
        if let Some(parts) = schema[choices].as_array()
            && !parts.iter().any(|part| fits(document, part, value).is_ok())
        {
            return Err(format!("{value} fits none of {choices}"));
        }
    }
    Ok(())
}
