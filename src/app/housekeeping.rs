//! What is done beside the requests, again and again, until the server stops.

use std::time::Duration;

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use crate::auth::{Auth, BATCH_PAUSE};

/// How often housekeeping runs: as often as a replay window closes, and soon enough after a command beside this server
/// has replaced a key that leaked.
const HOUSEKEEPING_PAUSE: Duration = Duration::from_secs(10);

/// How often what is over is swept.
const SWEEP_PAUSE: Duration = Duration::from_mins(1);

/// Starts both, side by side: a long sweep must not keep a used successor from being erased.
pub(super) fn start(auth: Auth, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        tokio::join!(keep_house(&auth, stopped.clone()), sweep_up(&auth, stopped));
    })
}

/// What must be done soon, whoever calls.
async fn keep_house(auth: &Auth, mut stopped: watch::Receiver<bool>) {
    let mut ticks = interval(HOUSEKEEPING_PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick comes at once, and start-up has just done all of this.
    ticks.tick().await;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = auth.erase_successors().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot erase used successors");
        }
        if let Err(error) = auth.load_signing_keys().await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "cannot look at the signing keys"
            );
        }
    }
}

/// Sweeps what is over, a batch of each kind at a time.
async fn sweep_up(auth: &Auth, mut stopped: watch::Receiver<bool>) {
    let mut pause = SWEEP_PAUSE;
    let mut put_right = Instant::now();
    loop {
        tokio::select! {
            () = sleep(pause) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let is_more = sweep(auth).await;
        pause = if is_more { BATCH_PAUSE } else { SWEEP_PAUSE };
        // However long there is more: neither of these waits for that.
        if put_right.elapsed() >= SWEEP_PAUSE {
            put_right = Instant::now();
            put_in_order(auth).await;
        }
    }
}

/// Whether there is more to sweep.
async fn sweep(auth: &Auth) -> bool {
    auth.sweep().await.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot sweep what is over");
        false
    })
}

/// What is of the future, and the limits, which strangers can make faster than any batch of a sweep.
async fn put_in_order(auth: &Auth) {
    if let Err(error) = auth.follow_the_clock().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "cannot put right what is of the future"
        );
    }
    if let Err(error) = auth.sweep_limits().await {
        tracing::warn!(error = &error as &dyn std::error::Error, "cannot sweep limits");
    }
}
