//! Whole examples of what is answered, put together from those of the fields, so that none can be out of date.

use serde_json::{Map, Value, json};

/// Gives every JSON answer of success, and every schema of an object, an example where it has none.
pub(super) fn complete(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let answers = document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(|paths| paths.values_mut())
        .filter_map(Value::as_object_mut)
        .flat_map(|item| item.values_mut())
        .filter_map(|operation| operation.get_mut("responses")?.as_object_mut())
        .flat_map(|answers| answers.iter_mut());
    for (_, answer) in answers.filter(|(status, _)| status.starts_with('2')) {
        if let Some(media) = answer.pointer_mut("/content/application~1json")
            && let Some(schema) = media.get("schema")
        {
            media["example"] = sample(&schemas, schema);
        }
    }
    let described = document["components"]["schemas"].as_object_mut();
    for schema in described.into_iter().flat_map(|schemas| schemas.values_mut()) {
        drop_empty_defaults(schema);
        if schema.get("examples").is_none() && schema.get("properties").is_some() {
            schema["examples"] = json!([sample(&schemas, schema)]);
        }
    }
}

/// `null` says only that a field may be left out, which is said already; and it may be no value of the field's type.
fn drop_empty_defaults(schema: &mut Value) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(|properties| properties.values_mut()) {
        if property.get("default").is_some_and(Value::is_null)
            && let Some(property) = property.as_object_mut()
        {
            property.remove("default");
        }
    }
}

/// The example of `schema`, or one made of those of its parts.
fn sample(schemas: &Value, schema: &Value) -> Value {
    if let Some(example) = schema.get("examples").and_then(|examples| examples.get(0)) {
        return example.clone();
    }
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.rsplit('/').next().unwrap_or_default();
        return sample(schemas, &schemas[name]);
    }
    if let Some(choice) = schema.get("anyOf").and_then(|choices| choices.get(0)) {
        return sample(schemas, choice);
    }
    match kind(schema) {
        "object" => {
            let fields = schema.get("properties").and_then(Value::as_object);
            let fields = fields.into_iter().flatten();
            let sampled: Map<String, Value> = fields
                .map(|(name, field)| (name.clone(), sample(schemas, field)))
                .collect();
            sampled.into()
        }
        "array" => json!([sample(schemas, &schema["items"])]),
        "boolean" => json!(true),
        "string" if schema["format"] == "uuid" => json!(UUID),
        _ => Value::Null,
    }
}

const UUID: &str = "0199c0de-8f00-7000-8000-000000000001";

/// The type; of one that may be null, `null`, unless it is an id, which a reader wants to see.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) if schema["format"] == "uuid" => kinds[0].as_str().unwrap_or_default(),
        _ => "null",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_put_together_from_the_examples_of_its_fields() {
        let user = json!({"type": "object", "properties": {
            "id": {"type": ["string", "null"], "format": "uuid"},
            "name": {"type": ["string", "null"]},
            "email": {"type": "string", "examples": ["mira@example.com", "other@example.com"]},
        }});
        let page = json!({"type": "object", "properties": {
            "items": {"type": "array", "items": {"$ref": "#/components/schemas/User"}},
            "more": {"type": "boolean"},
        }});
        let answer = |schema| json!({"content": {"application/json": {"schema": schema}}});
        let mut document = json!({
            "components": {"schemas": {"User": user}},
            "paths": {"/users": {"get": {"responses": {"200": answer(&page), "204": {}, "422": answer(&page)}}}},
        });
        complete(&mut document);

        let expected = json!({"id": UUID, "name": null, "email": "mira@example.com"});
        assert_eq!(document["components"]["schemas"]["User"]["examples"], json!([expected]));
        let answers = &document["paths"]["/users"]["get"]["responses"];
        let example = &answers["200"]["content"]["application/json"]["example"];
        assert_eq!(example, &json!({"items": [expected], "more": true}));
        assert_eq!(answers["422"], answer(&page));
    }
}
