//! How a rate is taken: workers in a closed loop, counted while a window is open, and medians over rounds.

use std::time::{Duration, Instant};

use anyhow::ensure;
use tokio::{task::JoinSet, time::timeout};

/// How much longer than its window a measurement may take before something must be stuck.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is measured: one of several that do the same at the same time.
pub(crate) trait Work: Send + 'static {
    /// Gets ready, uncounted.
    fn begin(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Does it once.
    fn once(&mut self) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// When to count. What is completed before it opens warms caches up; what is still under way when it closes is
/// finished, so that chains of tokens are not torn, but no longer counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// From the start to the opening.
    pub(crate) warm_up: Duration,
    /// From the opening to the closing.
    pub(crate) length: Duration,
}

impl Window {
    pub(crate) const fn of_millis(length: u64) -> Self {
        Self {
            warm_up: Duration::from_millis(200),
            length: Duration::from_millis(length),
        }
    }

    /// When it opens and when it closes, if the measurement starts now.
    pub(crate) fn bounds(self) -> (Instant, Instant) {
        let opens = Instant::now() + self.warm_up;
        (opens, opens + self.length)
    }
}

/// What one round of one measurement gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Round {
    /// Completions in a second.
    pub(crate) rate: f64,
    /// The median time that one took.
    pub(crate) p50: Duration,
    /// The time that one in a hundred exceeded.
    pub(crate) p99: Duration,
}

impl Round {
    /// The round in which these were the times of what was completed while the window was open.
    pub(crate) fn new(mut times: Vec<Duration>, window: Window) -> anyhow::Result<Self> {
        ensure!(!times.is_empty(), "nothing was completed in {:?}", window.length);
        times.sort_unstable();
        let at = |percent: usize| times[(times.len() - 1) * percent / 100];
        let count = u32::try_from(times.len())?;
        Ok(Self {
            rate: f64::from(count) / window.length.as_secs_f64(),
            p50: at(50),
            p99: at(99),
        })
    }
}

/// Keeps all workers busy for the length of a window. In the next round they go on where they stopped in this one.
pub(crate) async fn run<W: Work>(workers: &mut Vec<W>, window: Window) -> anyhow::Result<Round> {
    for worker in workers.iter_mut() {
        worker.begin().await?;
    }
    let (opens, closes) = window.bounds();
    let mut running = JoinSet::new();
    for mut worker in workers.drain(..) {
        running.spawn(async move {
            let times = repeat(&mut worker, opens, closes).await?;
            anyhow::Ok((worker, times))
        });
    }
    let mut all = Vec::new();
    let collected = timeout(window.warm_up + window.length + PATIENCE, async {
        while let Some(finished) = running.join_next().await {
            let (worker, times) = finished??;
            workers.push(worker);
            all.extend(times);
        }
        anyhow::Ok(())
    });
    collected.await??;
    Round::new(all, window)
}

async fn repeat<W: Work>(worker: &mut W, opens: Instant, closes: Instant) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    let mut started = Instant::now();
    while started < closes {
        worker.once().await?;
        let finished = Instant::now();
        if (opens..closes).contains(&finished) {
            times.push(finished - started);
        }
        started = finished;
    }
    Ok(times)
}

/// The one in the middle; the lower of two.
pub(crate) fn median<T: PartialOrd + Copy>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values: Vec<T> = values.into_iter().collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len().checked_sub(1)? / 2).copied()
}
