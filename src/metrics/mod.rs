//! What is counted while the server runs, and the text in which Prometheus reads it.
//!
//! Written by hand: the format is a page long, and what stands in a request's way is a lock, two look-ups and three
//! additions, without a label that has to be made first. All labels are of closed sets: routes by their templates, never by
//! a path, and nothing of anybody.

mod requests;
mod text;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub use self::requests::Requests;
pub(crate) use self::text::{Kind, Text};

/// How often each outcome of an operation came.
#[derive(Debug)]
pub(crate) struct Tally(Mutex<BTreeMap<&'static str, u64>>);

impl Tally {
    /// One that knows these outcomes from the start: a monitor sees the first of each only if it has seen none before.
    pub(crate) fn of<const N: usize>(outcomes: [&'static str; N]) -> Self {
        Self(Mutex::new(outcomes.map(|outcome| (outcome, 0)).into()))
    }

    pub(crate) fn count(&self, outcome: &'static str) {
        *self.lock().entry(outcome).or_default() += 1;
    }

    pub(crate) fn so_far(&self) -> BTreeMap<&'static str, u64> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
