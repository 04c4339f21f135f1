//! `/api/products`: wire types and handlers.

use aide::axum::routing::{ApiMethodRouter, delete_with, get_with, patch_with, post_with};
use axum::{Json, extract::State, http::Uri, response::NoContent};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{
    listing::{Created, Listing, PageQuery, translate},
    openapi::{PRODUCTS, answers, for_users, named, refuses},
    wire::{DateTime, given, present},
};
use crate::{
    auth,
    clock::Timestamp,
    id::{ProductId, UserId},
    products::{NewProduct, Product, ProductChange, ProductQuery, Products},
    web::{
        AppState,
        caller::Caller,
        identity::SignedInUser,
        params::{PathId, Query},
        payload::Payload,
        problem::Problem,
    },
};

/// A product.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Product")]
pub(super) struct ProductResponse {
    #[schemars(with = "Uuid")]
    id: ProductId,
    #[schemars(example = &"Desk lamp")]
    name: String,
    #[schemars(example = &"Brass, with a green shade")]
    description: Option<String>,
    #[schemars(with = "Uuid")]
    owner_id: UserId,
    #[schemars(with = "DateTime")]
    created_at: Timestamp,
    #[schemars(with = "DateTime")]
    updated_at: Timestamp,
}

impl From<Product> for ProductResponse {
    fn from(product: Product) -> Self {
        Self {
            id: product.id,
            name: product.name,
            description: product.description,
            owner_id: product.owner_id,
            created_at: product.created_at,
            updated_at: product.updated_at,
        }
    }
}

/// A product to add.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"name": "Desk lamp", "description": "Brass, with a green shade"}))]
struct CreateProductRequest {
    /// 1 to 100 characters.
    name: String,
    /// At most 2000 characters.
    #[serde(default)]
    description: Option<String>,
}

impl From<CreateProductRequest> for NewProduct {
    fn from(request: CreateProductRequest) -> Self {
        Self {
            name: request.name,
            description: request.description,
        }
    }
}

/// What to change; a field that is left out stays, `null` clears the description.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(example = json!({"description": "Brass, with a white shade"}))]
struct UpdateProductRequest {
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "String")]
    name: Option<String>,
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "Option<String>")]
    description: Option<Option<String>>,
}

impl From<UpdateProductRequest> for ProductChange {
    fn from(request: UpdateProductRequest) -> Self {
        Self {
            name: request.name,
            description: request.description,
        }
    }
}

pub(super) fn list_route<L: Listing<ProductResponse> + 'static>() -> ApiMethodRouter<AppState> {
    get_with(list::<L, false>, |docs| {
        docs.with(named("listProducts", PRODUCTS, "All products"))
            .description("Oldest first.")
            .with(for_users)
            .with(answers::<200, L>("A page of products."))
    })
}

pub(super) fn list_own_route<L: Listing<ProductResponse> + 'static>() -> ApiMethodRouter<AppState> {
    get_with(list::<L, true>, |docs| {
        docs.with(named("listOwnProducts", PRODUCTS, "My products"))
            .with(for_users)
            .with(answers::<200, L>("A page of the caller's products."))
    })
}

async fn list<L: Listing<ProductResponse>, const OWN: bool>(
    State(products): State<Products>,
    SignedInUser(identity): SignedInUser,
    uri: Uri,
    Query(PageQuery { limit, cursor }): Query<PageQuery>,
) -> Result<L, Problem> {
    let query = ProductQuery {
        own: OWN,
        limit: limit.or(L::LIMIT),
        cursor,
    };
    let page = products.list(&identity, query).await?;
    Ok(L::of(translate(page), &uri))
}

pub(super) fn create_route() -> ApiMethodRouter<AppState> {
    post_with(create, |docs| {
        docs.with(named("createProduct", PRODUCTS, "Add a product"))
            .description("It is the caller's.")
            .with(for_users)
            .with(answers::<201, Created<ProductResponse>>("The new product."))
    })
}

async fn create(
    State(products): State<Products>,
    SignedInUser(identity): SignedInUser,
    Caller(client): Caller,
    Payload(request): Payload<CreateProductRequest>,
) -> Result<Created<ProductResponse>, Problem> {
    let product = products.create(&identity, request.into(), &client).await?;
    Ok(Created(product.into()))
}

pub(super) fn show_route() -> ApiMethodRouter<AppState> {
    get_with(show, |docs| {
        docs.with(named("showProduct", PRODUCTS, "One product"))
            .with(for_users)
            .with(answers::<200, Json<ProductResponse>>("The product."))
            .with(refuses([auth::Error::NotFound]))
    })
}

async fn show(
    State(products): State<Products>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<ProductId>,
) -> Result<Json<ProductResponse>, Problem> {
    let product = products.show(&identity, id).await?;
    Ok(Json(product.into()))
}

pub(super) fn update_route() -> ApiMethodRouter<AppState> {
    patch_with(update, |docs| {
        docs.with(named("updateProduct", PRODUCTS, "Change a product"))
            .description("For its owner and for admins.")
            .with(for_users)
            .with(answers::<200, Json<ProductResponse>>("The product as it is now."))
            .with(refuses([auth::Error::NotFound, auth::Error::Forbidden]))
    })
}

async fn update(
    State(products): State<Products>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<ProductId>,
    Caller(client): Caller,
    Payload(request): Payload<UpdateProductRequest>,
) -> Result<Json<ProductResponse>, Problem> {
    let product = products.update(&identity, id, request.into(), &client).await?;
    Ok(Json(product.into()))
}

pub(super) fn delete_route() -> ApiMethodRouter<AppState> {
    delete_with(delete, |docs| {
        docs.with(named("deleteProduct", PRODUCTS, "Delete a product"))
            .description("For its owner and for admins.")
            .with(for_users)
            .with(answers::<204, NoContent>("The product is gone."))
            .with(refuses([auth::Error::NotFound, auth::Error::Forbidden]))
    })
}

async fn delete(
    State(products): State<Products>,
    SignedInUser(identity): SignedInUser,
    PathId(id): PathId<ProductId>,
    Caller(client): Caller,
) -> Result<NoContent, Problem> {
    products.delete(&identity, id, &client).await?;
    Ok(NoContent)
}
