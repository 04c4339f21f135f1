//! `vestibule openapi`: the API's description, for generators of clients.

use vestibule::{config::Config, web};

pub(crate) fn run(config: &Config) -> anyhow::Result<()> {
    super::say_json(&web::openapi(config))
}
