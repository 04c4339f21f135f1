//! Vestibule, the room between the street and the house: a self-hosted sign-in server.
//!
//! Each module is a room with one purpose and a shut door. Requests travel one way through them, and nothing looks back:
//!
//! ```text
//! app       → all of them: where the house is put together
//! doctor    → all of them: what is wrong with it
//! web       → auth, products, metrics; and by name: config (the site's), mail (the built-in mailbox, devices in words),
//!             password (as it is typed and judged), token (the published keys, refresh tokens, sealing)
//! products  → auth, store
//! import    → auth (what a user is to an import), store (the tables of others)
//! auth      → store, mail, password, token, metrics
//! mail      → store, token, config
//! telemetry → config
//! listen    → tls, web
//! config    → password (for its limits), tls
//! fuzzing   → all whose parsers it tries; only for tests and `fuzz/`
//! ```
//!
//! [`store`], [`password`], [`metrics`], [`tls`] and [`token`] know no other room. [`causes`], [`clock`], [`id`],
//! [`quota`] and [`printable`] are open to all.

// No doc comments here: they would take the links in the rooms' own documentation out of their scope.

// What both `main` and the tests start: state, router, background work, graceful stop.
pub mod app;
// The domain: one method per operation on `auth::Auth`, each in a file named by its verb.
pub mod auth;
// Errors as people read them.
pub mod causes;
// Time as a dependency, so that nothing in the house reads a clock on the wall.
pub mod clock;
// The only reader of flags, environment and `.env`.
pub mod config;
// What is wrong with an installation, and what to do about it.
pub mod doctor;
// What `fuzz/` tries with whatever bytes come.
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
// Typed identifiers: a user's id cannot be passed where a session's is wanted.
pub mod id;
// Users of other applications: where they are read from, and what is made of their columns.
pub mod import;
// Connections: accepted, limited in time, with TLS or without, and ended in order.
mod listen;
// What is said by mail: messages, templates, the outbox worker and its transports.
pub mod mail;
// What is counted while the server runs, as Prometheus reads it.
pub mod metrics;
// Passwords: hashing, foreign formats, admission to the hashing threads, policy.
pub mod password;
// Text of strangers: what of it can be shown, and how to show the rest.
pub mod printable;
// Files and directories that only their owner can read.
mod private_file;
// The worked example of a protected resource, laid out as an application's own would be.
pub mod products;
// How much is let through, and how fast it comes back.
pub mod quota;
// All SQL, and no decisions.
pub mod store;
// Logging: one line per request, a request id on every line.
pub mod telemetry;
// The certificate of a server without a proxy, read again when it is renewed.
pub mod tls;
// Access tokens and their keys; opaque tokens and their hashes; sealing.
pub mod token;
// HTTP: the JSON API, the pages, and what the two share.
pub mod web;
