//! The pages and their forms, as a browser sees them, and as an attacker does.

mod assets;
mod bad_forms;
mod documents;
mod errors;
mod escaping;
mod flash;
mod forms;
mod links;
mod lists;
mod sessions;
