//! `/products`: the worked example of a protected page.

use axum::{Router, extract::State, response::Response, routing::get};
use leptos::{prelude::*, server_fn::ServerFn};
use serde::Deserialize;

use super::{
    components::{Pages, Said, Section},
    fields::{Alert, Field, FormView, LongField},
    flash::Echo,
    form::{Desk, Done, Form, PageForm, form_route},
    list::{self, Found, asked},
    notice::Notice,
    shell::Head,
    visit::SignedInVisit,
};
use crate::{
    auth::Identity,
    id::ProductId,
    products::{NewProduct, Product, ProductChange, ProductQuery, Products},
    web::{
        AppState,
        params::{PathId, Query},
        problem::Problem,
    },
};

const PAGE: &str = "/products";

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route(PAGE, get(list_page))
        .route("/products/{id}", get(page))
        .route(CreateProduct::PATH, form_route())
        .route(UpdateProduct::PATH, form_route())
        .route(DeleteProduct::PATH, form_route())
}

#[derive(Deserialize)]
struct ListQuery {
    #[serde(default)]
    cursor: String,
}

async fn list_page(
    SignedInVisit { visit, identity }: SignedInVisit,
    State(products): State<Products>,
    Query(query): Query<ListQuery>,
) -> Result<Response, Problem> {
    let cursor = asked(&query.cursor);
    let is_later = cursor.is_some();
    let query = ProductQuery {
        cursor,
        ..ProductQuery::default()
    };
    let found = products.list(&identity, query).await;
    list::respond(&visit, "Products", found, |found| {
        view! { <ProductsPage identity found is_later/> }
    })
}

async fn page(
    SignedInVisit { visit, identity }: SignedInVisit,
    State(products): State<Products>,
    PathId(id): PathId<ProductId>,
) -> Result<Response, Problem> {
    let product = products.show(&identity, id).await?;
    let is_changeable = product.is_changeable_by(&identity);
    Ok(visit.show(Head::new(product.name.clone()).wide(), || {
        view! { <ProductPage product is_changeable/> }
    }))
}

fn path_of(id: &str) -> String {
    format!("{PAGE}/{id}")
}

fn parse_id(id: &str) -> Result<ProductId, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

/// Adds a product of the visitor's.
#[server(prefix = "/form", endpoint = "create_product", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn create_product(
    name: String,
    #[server(default)] description: Option<String>,
) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    let new = NewProduct { name, description };
    desk.products().create(&identity, new, &desk.client()).await?;
    Ok(Done::to(PAGE).saying(Notice::ProductCreated))
}

impl PageForm for CreateProduct {
    const PAGE: &'static str = PAGE;

    fn echo(&self) -> Echo {
        echo(&self.name, self.description.as_deref())
    }
}

/// Changes a product.
#[server(prefix = "/form", endpoint = "update_product", protocol = Form, input_derive = (Deserialize,))]
pub(super) async fn update_product(id: String, name: String, description: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    let change = ProductChange {
        name: Some(name),
        description: Some(Some(description)),
    };
    let product = parse_id(&id)?;
    desk.products()
        .update(&identity, product, change, &desk.client())
        .await?;
    Ok(Done::to(path_of(&id)).saying(Notice::ProductSaved))
}

impl PageForm for UpdateProduct {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }

    fn echo(&self) -> Echo {
        echo(&self.name, Some(&self.description))
    }
}

/// Deletes a product.
#[server(prefix = "/form", endpoint = "delete_product", protocol = Form, input_derive = (Deserialize,), impl_from = false, impl_deref = false)]
pub(super) async fn delete_product(id: String) -> Result<Done, Problem> {
    let mut desk = Desk::open()?;
    let identity = desk.identity().await?;
    let product = parse_id(&id)?;
    desk.products().delete(&identity, product, &desk.client()).await?;
    Ok(Done::to(PAGE).saying(Notice::ProductDeleted))
}

impl PageForm for DeleteProduct {
    const PAGE: &'static str = PAGE;

    fn page(&self) -> String {
        page_of(&self.id)
    }
}

/// Where a form with this hidden id stands. What is no id was written by somebody else, and leads nowhere.
fn page_of(id: &str) -> String {
    parse_id(id).map_or_else(|_| PAGE.to_owned(), |id| path_of(&id.to_string()))
}

fn echo(name: &str, description: Option<&str>) -> Echo {
    let description = description.map(|text| ("description".to_owned(), text.to_owned()));
    [("name".to_owned(), name.to_owned())]
        .into_iter()
        .chain(description)
        .collect()
}

#[component]
fn ProductsPage(identity: Identity, found: Found<Product>, is_later: bool) -> impl IntoView {
    let (list, next_cursor) = match found {
        Ok(page) => (
            view! { <ProductRows identity products=page.items/> }.into_any(),
            page.next_cursor,
        ),
        Err(faults) => {
            let texts: Vec<String> = faults.iter().map(|fault| list::in_words(fault).1).collect();
            (view! { <Alert text=texts.join(" ")/> }.into_any(), None)
        }
    };
    view! {
        <h1>"Products"</h1>
        <Said/>
        <section class="card" aria-label="All products">
            {list}
            <Pages path=PAGE is_later next_cursor/>
        </section>
        <Section id="add" title="Add a product" about="Everybody who is signed in sees it; you and admins can change it.">
            <FormView action=CreateProduct::PATH>
                <Field name="name" label="Name" prose=true required=true/>
                <LongField name="description" label="Description" />
                <button class="primary">"Add product"</button>
            </FormView>
        </Section>
    }
}

#[component]
fn ProductRows(identity: Identity, products: Vec<Product>) -> impl IntoView {
    if products.is_empty() {
        return view! { <p class="empty">"There is nothing here yet."</p> }.into_any();
    }
    let rows = products
        .into_iter()
        .map(|product| {
            let is_own = product.owner_id == identity.user.id;
            let is_changeable = product.is_changeable_by(&identity);
            view! { <ProductRow product is_own is_changeable/> }
        })
        .collect_view();
    view! { <ul class="rows">{rows}</ul> }.into_any()
}

#[component]
fn ProductRow(product: Product, is_own: bool, is_changeable: bool) -> impl IntoView {
    let edit = is_changeable.then(|| {
        let (href, label) = (path_of(&product.id.to_string()), format!("Edit {}", product.name));
        view! { <div class="actions"><a class="button" href=href aria-label=label>"Edit"</a></div> }
    });
    view! {
        <li class="row">
            <div>
                <strong><bdi>{product.name.clone()}</bdi></strong>
                {is_own.then(|| view! { " "<span class="badge plain">"Yours"</span> })}
                {product.description.clone().map(|text| view! { <span class="dim">{text}</span> })}
            </div>
            {edit}
        </li>
    }
}

#[component]
fn ProductPage(product: Product, is_changeable: bool) -> impl IntoView {
    let name = product.name.clone();
    view! {
        <p class="back"><a href=PAGE>"Products"</a></p>
        <h1><bdi>{name}</bdi></h1>
        <Said/>
        {if is_changeable {
            view! { <ChangeableProduct product/> }.into_any()
        } else {
            view! { <ForeignProduct product/> }.into_any()
        }}
    }
}

#[component]
fn ForeignProduct(product: Product) -> impl IntoView {
    let text = match product.description {
        Some(text) => view! { <p class="lines" dir="auto">{text}</p> }.into_any(),
        None => view! { <p class="dim">"There is no description."</p> }.into_any(),
    };
    view! { <section class="card" aria-label=product.name>{text}</section> }
}

#[component]
fn ChangeableProduct(product: Product) -> impl IntoView {
    let Product {
        id, name, description, ..
    } = product;
    view! {
        <Section id="details" title="Details" about="Everybody who is signed in sees them.">
            <FormView action=UpdateProduct::PATH>
                <input type="hidden" name="id" value=id.to_string()/>
                <Field name="name" label="Name" prose=true required=true value=Some(name)/>
                <LongField name="description" label="Description" value=description/>
                <button class="primary">"Save"</button>
            </FormView>
        </Section>
        <Section id="delete" title="Delete the product" about="It is gone at once.">
            <form method="post" action=DeleteProduct::PATH>
                <input type="hidden" name="id" value=id.to_string()/>
                <button class="danger">"Delete"</button>
            </form>
        </Section>
    }
}
