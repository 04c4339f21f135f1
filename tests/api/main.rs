//! Vestibule as its clients see it: HTTP over real sockets, against what production starts, on both engines.
//!
//! A file holds one operation or one promise. At its head stands the list of its scenarios, each of which becomes two
//! tests, `scenario::sqlite` and `scenario::postgres`; `make test` brings the PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on has failed"
)]

mod support;

// Signing up, in and out.
mod log_in;
mod log_out;
mod new_device;
mod refresh;
mod sign_up;

// A user's own account.
mod account;
mod change_email;
mod change_password;
mod sessions;

// Mailed links.
mod finish_reset;
mod invite;
mod request_reset;
mod verify_email;

// Mail on its way.
mod mail_kill;
mod mail_secrecy;
mod mail_server;
mod mail_templates;

// Administration.
mod audit;
mod last_admin;
mod list_users;
mod manage_users;
mod outbox;

// The worked example.
mod products;

// Tokens, keys and cookies.
mod access_tokens;
mod cookies;
mod forward;
mod key_rotation;
mod renewal;

// Pages: what a browser and an attacker see of them, and that they do what the API does.
mod pages;
mod parity;

// What holds everywhere.
mod bad_input;
mod clock_jumps;
mod connections;
mod enumeration;
mod exposure;
mod headers;
mod limits;
mod openapi;
mod origin;
mod problems;
mod rehash;
mod stolen_database;
mod timing;
mod trusted_proxies;

// What the documents say of it.
mod asvs;
mod readme;

// Clients that were written for something else, the users that they had, and programs that work with Vestibule.
mod import;
mod moving_in;
mod reverse_proxies;
mod templates;
mod verification;

// The server as its operator sees it.
mod backup;
mod command_line;
mod configuration;
mod databases;
mod doctor;
mod faults;
mod health;
mod kills;
mod logs;
mod metrics;
mod processes;
mod repository;
mod small_disk;
mod sweep;
mod tls;
mod tour;
