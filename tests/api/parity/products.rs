//! The worked example.

use reqwest::Method;

use super::{
    operation::{Done, INVALID, Operation, Refused, Who},
    scene::Scene,
};

pub(super) fn operations(scene: &Scene) -> Vec<Operation> {
    vec![create_product(), update_product(scene), delete_product(scene)]
}

fn create_product() -> Operation {
    const ADDED: &str = "The product is added.";
    let of = |name: &'static str, description: &'static str| [("name", name), ("description", description)];
    Operation::new("/form/create_product", "/products", Method::POST, "/api/products")
        .case(
            "with a description",
            Who::Ann,
            &of(" Lamp ", "Two\r\nlines"),
            Done(ADDED),
        )
        .case("without a description", Who::Ann, &of("Lamp", ""), Done(ADDED))
        .case("with a name alone", Who::Ann, &[("name", "Lamp")], Done(ADDED))
        .case("without a name", Who::Ann, &of(" ", ""), INVALID)
        .case("with bad texts", Who::Ann, &of("a\u{1}", "b\u{1b}"), INVALID)
        .for_users()
}

fn update_product(scene: &Scene) -> Operation {
    const SAVED: &str = "The product is saved.";
    let of = |id, name, description| [("id", id), ("name", name), ("description", description)];
    let (own, foreign) = (scene.ann_product.as_str(), scene.bob_product.as_str());
    Operation::new(
        "/form/update_product",
        "/products/{id}",
        Method::PATCH,
        "/api/products/{id}",
    )
    .case("of one's own", Who::Ann, &of(own, "Lamp", "Steel"), Done(SAVED))
    .case("to no description", Who::Ann, &of(own, "Lamp", " "), Done(SAVED))
    .case("as an admin", Who::Admin, &of(foreign, "Lamp", "Steel"), Done(SAVED))
    .case(
        "of somebody else",
        Who::Ann,
        &of(foreign, "Lamp", "Steel"),
        Refused(403, "forbidden"),
    )
    .case("without a name", Who::Ann, &of(own, "", "Steel"), INVALID)
    .for_users()
    .by_id()
}

fn delete_product(scene: &Scene) -> Operation {
    const DELETED: &str = "The product is deleted.";
    let (own, foreign) = (scene.ann_product.as_str(), scene.bob_product.as_str());
    Operation::new(
        "/form/delete_product",
        "/products/{id}",
        Method::DELETE,
        "/api/products/{id}",
    )
    .case("of one's own", Who::Ann, &[("id", own)], Done(DELETED))
    .case("as an admin", Who::Admin, &[("id", foreign)], Done(DELETED))
    .case(
        "of somebody else",
        Who::Ann,
        &[("id", foreign)],
        Refused(403, "forbidden"),
    )
    .for_users()
    .by_id()
}
