//! Lists: which page of one, and the two forms in which it is written.

use aide::{
    OperationOutput,
    generate::GenContext,
    openapi::{Operation, Response as ResponseDocs},
};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{auth::Page, web::paths::with_query};

/// Which page of a list.
#[derive(Debug, Deserialize, JsonSchema)]
pub(super) struct PageQuery {
    /// How many at most: 1 to 200. When not said, 50, or 200 where the list is a plain array.
    #[schemars(range(min = 1, max = 200))]
    pub(super) limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub(super) cursor: Option<String>,
}

/// A page of the domain's things as a page of the wire's.
pub(super) fn translate<T, R: From<T>>(page: Page<T>) -> Page<R> {
    Page {
        items: page.items.into_iter().map(R::from).collect(),
        next_cursor: page.next_cursor,
    }
}

/// How a list is written: one handler, mounted once for each form.
pub(super) trait Listing<T>: OperationOutput + IntoResponse {
    /// How many items a page has when the query does not say; the domain's own number when there is none.
    const LIMIT: Option<u32>;

    /// The answer that shows `page` of the list at `uri`.
    fn of(page: Page<T>, uri: &Uri) -> Self;
}

/// The canonical form.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub(super) struct Paged<T> {
    items: Vec<T>,
    /// What to send as `cursor` to get the next page; `null` on the last.
    next_cursor: Option<String>,
}

impl<T> Listing<T> for Paged<T>
where
    T: Serialize + JsonSchema,
{
    const LIMIT: Option<u32> = None;

    fn of(page: Page<T>, _: &Uri) -> Self {
        Self {
            items: page.items,
            next_cursor: page.next_cursor,
        }
    }
}

impl<T: Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Paged<T> {
    type Inner = Self;

    fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<ResponseDocs> {
        Json::<Self>::operation_response(context, operation)
    }
}

/// The templates' form: a plain array, with the next page in a `Link` header (RFC 8288) for whoever wants it.
#[derive(Debug)]
pub(super) struct PlainArray<T> {
    items: Vec<T>,
    next: Option<HeaderValue>,
}

impl<T> Listing<T> for PlainArray<T>
where
    T: Serialize + JsonSchema,
{
    /// As many as there can be: the templates' clients know no pages, and expect everything.
    const LIMIT: Option<u32> = Some(200);

    fn of(page: Page<T>, uri: &Uri) -> Self {
        let next = page
            .next_cursor
            .and_then(|cursor| next_link(uri.query().unwrap_or_default(), &cursor));
        Self {
            items: page.items,
            next,
        }
    }
}

/// Relative to the request, whose host and prefix a proxy may have changed.
fn next_link(query: &str, cursor: &str) -> Option<HeaderValue> {
    let kept = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "cursor");
    let next = with_query("", kept.chain([("cursor".into(), cursor.into())]));
    HeaderValue::try_from(format!("<{next}>; rel=\"next\"")).ok()
}

impl<T: Serialize> IntoResponse for PlainArray<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.items).into_response();
        if let Some(next) = self.next {
            response.headers_mut().insert(header::LINK, next);
        }
        response
    }
}

impl<T: JsonSchema> OperationOutput for PlainArray<T> {
    type Inner = Vec<T>;

    fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<ResponseDocs> {
        Json::<Vec<T>>::operation_response(context, operation)
    }
}

/// An answer of status 201.
#[derive(Debug)]
pub(super) struct Created<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        (StatusCode::CREATED, Json(self.0)).into_response()
    }
}

impl<T: JsonSchema> OperationOutput for Created<T> {
    type Inner = T;

    fn operation_response(context: &mut GenContext, operation: &mut Operation) -> Option<ResponseDocs> {
        Json::<T>::operation_response(context, operation)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_link_to_the_next_page_keeps_the_filters() {
        let link = next_link("role=admin&cursor=old&q=a%26b", "new").unwrap();
        assert_eq!(link, "<?role=admin&q=a%26b&cursor=new>; rel=\"next\"");
    }

    proptest! {
        #[test]
        fn whatever_was_asked_for_is_asked_for_again_with_the_new_cursor(
            fields in prop::collection::vec(("q|role|cursor|.{0,6}", ".{0,10}"), 0..4),
        ) {
            let asked = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let link = next_link(&asked, "new").unwrap();
            let link = link.to_str().unwrap().strip_prefix("<?").unwrap().strip_suffix(">; rel=\"next\"").unwrap();
            let again: Vec<(String, String)> = url::form_urlencoded::parse(link.as_bytes()).into_owned().collect();
            let kept = fields.into_iter().filter(|(name, _)| name != "cursor");
            prop_assert_eq!(again, kept.chain([("cursor".to_owned(), "new".to_owned())]).collect::<Vec<_>>());
        }
    }
}
