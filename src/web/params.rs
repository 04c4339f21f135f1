//! What a request's address says: ids in its path, fields in its query.

use std::{collections::HashMap, str::FromStr};

use aide::{
    OperationInput,
    generate::GenContext,
    openapi::Operation,
    operation::{ParamLocation, add_parameters, parameters_from_schema},
};
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use schemars::{JsonSchema, json_schema};
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{payload::read_form, problem::Problem};

/// The `{id}` of a path. What is not an id names nothing, so it is answered as an id that names nothing: 404.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PathId<T>(pub(crate) T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, state).await;
        let Path(parameters) = path.map_err(|_| Problem::not_found())?;
        let id = parameters.get("id").and_then(|text| text.parse().ok());
        id.map(Self).ok_or_else(Problem::not_found)
    }
}

impl<T> OperationInput for PathId<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let id = json!({"type": "string", "format": "uuid", "examples": ["0199c0de-8f00-7000-8000-000000000001"]});
        let schema = json_schema!({"type": "object", "properties": {"id": id}, "required": ["id"]});
        let parameters = parameters_from_schema(context, schema, ParamLocation::Path);
        add_parameters(context, operation, parameters);
    }
}

/// The fields of a query, read as a form is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// PostgreSQL's text cannot hold NUL, and no filter has a use for one.
fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    if query.contains("%00") {
        return Err(Problem::malformed("nul_in_query", "The query contains a NUL character"));
    }
    read_form(query.as_bytes())
}

impl<T: JsonSchema> OperationInput for Query<T> {
    fn operation_input(context: &mut GenContext, operation: &mut Operation) {
        let schema = context.schema.subschema_for::<T>();
        let parameters = parameters_from_schema(context, schema, ParamLocation::Query);
        add_parameters(context, operation, parameters);
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        limit: Option<u32>,
        q: Option<String>,
    }

    #[test]
    fn a_query_is_read_as_a_form_is() {
        let sample: Sample = read_query("limit=5&q=a%20b&more=1").unwrap();
        assert_eq!((sample.limit, sample.q.as_deref()), (Some(5), Some("a b")));
        assert!(read_query::<Sample>("").unwrap().limit.is_none());
    }

    #[test]
    fn a_bad_query_is_a_problem_and_not_an_empty_one() {
        for query in ["limit=x", "limit=-1", "limit=99999999999", "limit=1&limit=2"] {
            assert_eq!(
                read_query::<Sample>(query).unwrap_err().status(),
                StatusCode::UNPROCESSABLE_ENTITY,
                "{query}"
            );
        }
        for query in ["q=%00", "q=%FF"] {
            assert_eq!(
                read_query::<Sample>(query).unwrap_err().status(),
                StatusCode::BAD_REQUEST,
                "{query}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_query_is_read_to_the_letter_or_refused(query in "((q|limit|[a-z]{1,2})=([a-z0-9+-]|%[0-9A-Fa-f]{0,2}){0,6}&?){0,3}") {
            if let Ok(sample) = read_query::<Sample>(&query) {
                let pairs: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
                let named = |wanted| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| &**value);
                prop_assert_eq!(sample.q.as_deref(), named("q"));
                prop_assert_eq!(sample.limit, named("limit").and_then(|text| text.parse().ok()));
                let is_whole = !sample.q.is_some_and(|text| text.contains(['\0', char::REPLACEMENT_CHARACTER]));
                prop_assert!(is_whole);
            }
        }

        #[test]
        fn whatever_is_asked_for_is_read_as_it_was_meant(text in "[^\0]{0,20}") {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", &text).finish();
            prop_assert_eq!(read_query::<Sample>(&query).unwrap().q, Some(text));
        }
    }
}
