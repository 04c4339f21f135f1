//! Requests by route, method and status, and how long they took.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::text::{Kind, Text};

/// Upper bounds, as they are compared and as they are written: from what a page takes to what only a password does on a
/// machine that has too much to do.
const BOUNDS: [(Duration, &str); 13] = [
    (Duration::from_micros(500), "0.0005"),
    (Duration::from_millis(1), "0.001"),
    (Duration::from_micros(2500), "0.0025"),
    (Duration::from_millis(5), "0.005"),
    (Duration::from_millis(10), "0.01"),
    (Duration::from_millis(25), "0.025"),
    (Duration::from_millis(50), "0.05"),
    (Duration::from_millis(100), "0.1"),
    (Duration::from_millis(250), "0.25"),
    (Duration::from_millis(500), "0.5"),
    (Duration::from_secs(1), "1"),
    (Duration::from_millis(2500), "2.5"),
    (Duration::from_secs(10), "10"),
];

/// The methods that are told apart; a client may invent others without end.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// What was answered so far.
#[derive(Debug, Default)]
pub struct Requests(Mutex<Routes>);

/// By the template of the route; so there are only as many as there are routes.
type Routes = BTreeMap<Box<str>, Vec<Series>>;

/// The requests of one route with one method.
#[derive(Clone, Debug)]
struct Series {
    method: &'static str,
    statuses: Vec<(u16, u64)>,
    /// How many took no longer than each bound and longer than the one before; the last, longer than any.
    latencies: [u64; BOUNDS.len() + 1],
    total: Duration,
}

impl Requests {
    /// Counts an answer. Only the first of a route, a method or a status allocates.
    pub(crate) fn count(&self, route: &str, method: &str, status: u16, latency: Duration) {
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        let mut routes = self.lock();
        let series = match routes.get_mut(route) {
            Some(series) => series,
            None => routes.entry(route.into()).or_default(),
        };
        match series.iter_mut().find(|series| series.method == method) {
            Some(series) => series.add(status, latency),
            None => series.push(Series::begun(method, status, latency)),
        }
    }

    pub(crate) fn write(&self, text: &mut Text) {
        // Formatting takes longer than a request may be kept waiting.
        let routes = self.lock().clone();
        let all = || {
            routes
                .iter()
                .flat_map(|(route, series)| series.iter().map(move |series| (&**route, series)))
        };
        text.family(
            "vestibule_http_requests_total",
            Kind::Counter,
            "Answers by route, method and status",
        );
        for (route, series) in all() {
            for (status, count) in &series.statuses {
                let labels = [
                    ("route", route),
                    ("method", series.method),
                    ("status", &status.to_string()),
                ];
                text.sample("", &labels, count);
            }
        }
        text.family(
            "vestibule_http_request_duration_seconds",
            Kind::Histogram,
            "Time until the head of the answer, by route and method",
        );
        for (route, series) in all() {
            series.write_latencies(route, text);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Routes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn begun(method: &'static str, status: u16, latency: Duration) -> Self {
        let mut series = Self {
            method,
            statuses: Vec::new(),
            latencies: [0; BOUNDS.len() + 1],
            total: Duration::ZERO,
        };
        series.add(status, latency);
        series
    }

    fn add(&mut self, status: u16, latency: Duration) {
        match self.statuses.iter_mut().find(|(known, _)| *known == status) {
            Some((_, count)) => *count += 1,
            None => self.statuses.push((status, 1)),
        }
        let bucket = BOUNDS.iter().position(|(bound, _)| latency <= *bound);
        self.latencies[bucket.unwrap_or(BOUNDS.len())] += 1;
        self.total += latency;
    }

    /// Each bucket holds those before it too.
    fn write_latencies(&self, route: &str, text: &mut Text) {
        let bounds = BOUNDS.iter().map(|(_, bound)| *bound).chain(["+Inf"]);
        let mut sum = 0;
        for (bound, count) in bounds.zip(self.latencies) {
            sum += count;
            text.sample(
                "_bucket",
                &[("route", route), ("method", self.method), ("le", bound)],
                sum,
            );
        }
        let labels = [("route", route), ("method", self.method)];
        text.sample("_sum", &labels, self.total.as_secs_f64());
        text.sample("_count", &labels, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(requests: &Requests) -> String {
        let mut text = Text::default();
        requests.write(&mut text);
        text.into_string()
    }

    #[test]
    fn a_bucket_holds_what_took_as_long_as_its_bound_and_those_before_it() {
        let requests = Requests::default();
        for micros in [1, 1000, 1001, 20_000_000] {
            requests.count("/login", "GET", 200, Duration::from_micros(micros));
        }
        let text = written(&requests);
        for (bound, count) in [("0.0005", 1), ("0.001", 2), ("0.0025", 3), ("10", 3), ("+Inf", 4)] {
            let line = format!("_bucket{{route=\"/login\",method=\"GET\",le=\"{bound}\"}} {count}\n");
            assert!(text.contains(&line), "no {line} in {text}");
        }
        assert!(
            text.contains("_sum{route=\"/login\",method=\"GET\"} 20.002002\n"),
            "{text}"
        );
        assert!(text.contains("_count{route=\"/login\",method=\"GET\"} 4\n"), "{text}");
    }

    #[test]
    fn the_bounds_are_written_as_they_are_compared_and_grow() {
        for (bound, written) in BOUNDS {
            assert_eq!(bound.as_secs_f64().to_string(), written);
        }
        assert!(BOUNDS.is_sorted());
    }

    #[test]
    fn methods_that_clients_invent_are_one() {
        let requests = Requests::default();
        for method in ["BREW", "WHEN", "get"] {
            requests.count("-", method, 405, Duration::ZERO);
        }
        let text = written(&requests);
        let line = "vestibule_http_requests_total{route=\"-\",method=\"other\",status=\"405\"} 3\n";
        assert!(text.contains(line), "{text}");
        assert!(!text.contains("BREW"), "{text}");
    }
}
