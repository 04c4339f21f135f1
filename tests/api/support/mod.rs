//! What the tests stand on: a place of their own to run in, the server that production starts, and the people and
//! programs that talk to it.

mod actors;
mod application;
mod certificate;
mod jar;
mod jwt;
mod mail;
mod metrics;
mod page;
mod place;
mod postgres;
mod process;
mod rank;
mod raw;
mod relay;
mod reply;
mod request;
mod server;
mod smtp;

pub(crate) use actors::{Actor, Admin, Anonymous, ApiClient, Browser};
pub(crate) use application::{Application, bcrypt};
pub(crate) use certificate::{Certificate, shown};
pub(crate) use jwt::{forge, hmac_sha256, hmac_sha384, jwt_claims, jwt_header};
pub(crate) use mail::mail_to;
pub(crate) use page::{HTML, field_value};
pub(crate) use place::{Engine, Place, both_engines, one_engine, run};
pub(crate) use postgres::PostgresServer;
pub(crate) use process::{Finished, Process, free_address};
pub(crate) use rank::{Times, rank_sum_z};
pub(crate) use raw::{send_bytes, send_unfinished};
pub(crate) use relay::Relay;
pub(crate) use reply::{Reply, SetCookie};
pub(crate) use request::Request;
pub(crate) use server::{SMTP_STEP_SECONDS, Server, settings};
pub(crate) use smtp::{MailServer, Security, Step, Trick};

/// Everybody's password here: long, and not guessable.
pub(crate) const PASSWORD: &str = "plum-Tractor-94-orbit";

/// What people change it to.
pub(crate) const NEW_PASSWORD: &str = "Copper7-lantern-vowel";

/// The origin that the servers under test are told they are reached at; the port is not the one they listen on, as
/// behind a proxy, so that nothing can be built from a request's Host unnoticed.
pub(crate) const PUBLIC_URL: &str = "http://localhost:8000";

/// A secret that may sign HS256 tokens.
pub(crate) const SECRET_KEY: &str = "b7Qv2rXk9LmPz4TnWc6YhJd8FsGa3UeR-0123456789";

pub(crate) const MINUTE: u64 = 60;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// Runs `count` copies of a request at the same time and gives their answers.
pub(crate) async fn in_parallel<F>(count: usize, request: impl Fn() -> F) -> Vec<Reply>
where
    F: Future<Output = Reply> + Send + 'static,
{
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..count {
        running.spawn(request());
    }
    running.join_all().await
}
