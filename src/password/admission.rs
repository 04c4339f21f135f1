//! Who may hash when: as many threads as there are cores, a bounded queue before them, and an immediate no beyond it.
//!
//! Tokio's blocking pool would queue without bound and run hundreds at once: a burst of log-ins would then take all the
//! memory, and every answer would come too late for anyone to be still waiting for it.

use std::{
    collections::VecDeque,
    fmt, io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use tokio::sync::oneshot;
use tracing::Span;

use super::{HashError, HashParameters, memory::Memory};

/// What the hashing threads have to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// How many passwords they are at.
    pub running: usize,
    /// How many wait for their turn.
    pub waiting: usize,
    /// How many there may be of both together.
    pub limit: usize,
}

/// The hashing threads. They finish what they are at and end when this is dropped.
pub(super) struct Threads(Arc<Queue>);

impl Threads {
    pub(super) fn start(threads: NonZeroUsize, queue: usize, parameters: HashParameters) -> io::Result<Self> {
        let pool = Self(Arc::new(Queue::new(threads.get().saturating_add(queue))));
        for number in 0..threads.get() {
            let queue = Arc::clone(&pool.0);
            let work = move || queue.serve(&mut Memory::kept_for(parameters));
            // Those already started end with `pool` should a later one fail.
            thread::Builder::new().name(format!("password-{number}")).spawn(work)?;
        }
        Ok(pool)
    }

    /// Does `work` on one of the threads, in the caller's span. The caller that drops this future before its turn has
    /// come is skipped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let answer = self.submit(work)?.await;
        // While `self` is there, so are its threads: an answer stays away only when one of them panicked at it.
        answer.map_err(|_| HashError::because("a password thread panicked"))
    }

    pub(super) fn load(&self) -> Load {
        let state = self.0.lock();
        Load {
            running: state.running,
            waiting: state.waiting.len(),
            limit: self.0.limit,
        }
    }

    fn submit<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, HashError> {
        let (reply, answer) = oneshot::channel();
        self.0.admit(Box::new(Call {
            work,
            reply,
            span: Span::current(),
        }))?;
        Ok(answer)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Threads")
    }
}

trait Job: Send {
    /// Whether nobody waits for the answer any more.
    fn is_abandoned(&self) -> bool;

    /// Does the work, gives its place back, and only then answers: a caller that comes back at once must not find its
    /// own last request in the way.
    fn run(self: Box<Self>, memory: &mut Memory, queue: &Queue);
}

struct Call<W, T> {
    work: W,
    reply: oneshot::Sender<T>,
    span: Span,
}

impl<W: FnOnce(&mut Memory) -> T + Send, T: Send> Job for Call<W, T> {
    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn run(self: Box<Self>, memory: &mut Memory, queue: &Queue) {
        let Self { work, reply, span } = *self;
        // After `reply`, so that a panic too drops it before.
        let place = Place(queue);
        let answer = span.in_scope(|| work(memory));
        drop(place);
        // The caller may have gone while it was at work: nothing is left to do for it.
        drop(reply.send(answer));
    }
}

/// A thread's being at work, given back on drop, so that a panic does not take the place with it.
struct Place<'queue>(&'queue Queue);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().running -= 1;
    }
}

struct Queue {
    /// How many jobs there may be, running and waiting together.
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<dyn Job>>,
    running: usize,
    closed: bool,
}

impl State {
    fn is_full(&self, limit: usize) -> bool {
        self.running + self.waiting.len() >= limit
    }

    fn take(&mut self) -> Option<Box<dyn Job>> {
        loop {
            let job = self.waiting.pop_front()?;
            if !job.is_abandoned() {
                self.running += 1;
                return Some(job);
            }
        }
    }
}

impl Queue {
    fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// No code that can panic runs under the lock, and were it to, the state would still be one that can be gone on with.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, job: Box<dyn Job>) -> Result<(), HashError> {
        let mut state = self.lock();
        if state.is_full(self.limit) {
            // Those who hung up must not keep out those who are still there.
            state.waiting.retain(|waiting| !waiting.is_abandoned());
        }
        if state.is_full(self.limit) {
            return Err(HashError::Busy);
        }
        state.waiting.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.changed.notify_all();
    }

    /// Works until the queue is closed.
    fn serve(&self, memory: &mut Memory) {
        while let Some(job) = self.next(memory) {
            // A thread that a panic ended would be missing until the next start. The answer's absence tells the caller,
            // and what was said in panic has been printed.
            drop(catch_unwind(AssertUnwindSafe(|| job.run(memory, self))));
        }
        memory.rest();
    }

    fn next(&self, memory: &mut Memory) -> Option<Box<dyn Job>> {
        // In two statements: the guard of a scrutinee would be held, with all the others waiting, through the wiping.
        let ready = self.lock().take();
        if ready.is_some() {
            return ready;
        }
        memory.rest();
        let mut state = self.lock();
        loop {
            let job = state.take();
            if job.is_some() || state.closed {
                return job;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Weak, mpsc},
        time::{Duration, Instant},
    };

    use tracing::span::Id;
    use tracing_subscriber::{
        Registry,
        layer::{Context, Layer, SubscriberExt as _},
    };

    use super::*;

    const CHEAP: HashParameters = HashParameters {
        memory_kib: 8,
        passes: 1,
    };

    fn one_thread(queue: usize) -> Threads {
        Threads::start(NonZeroUsize::MIN, queue, CHEAP).unwrap()
    }

    /// Keeps a thread at work until the sender is dropped; returns once it is.
    fn occupy(threads: &Threads) -> (mpsc::Sender<()>, oneshot::Receiver<()>) {
        let (release, released) = mpsc::channel::<()>();
        let (begun, has_begun) = mpsc::channel();
        let work = move |_: &mut Memory| {
            begun.send(()).unwrap();
            released.recv().unwrap_err();
        };
        let answer = threads.submit(work).unwrap();
        has_begun.recv().unwrap();
        (release, answer)
    }

    #[tokio::test]
    async fn a_full_queue_says_busy_at_once_and_recovers() {
        let threads = one_thread(2);
        let (release, _occupied) = occupy(&threads);
        let first = threads.submit(|_| 1).unwrap();
        let second = threads.submit(|_| 2).unwrap();
        assert!(matches!(threads.run(|_| 3).await, Err(HashError::Busy)));

        drop(release);
        assert_eq!((first.await, second.await), (Ok(1), Ok(2)));
        assert_eq!(threads.run(|_| 4).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn without_a_queue_one_request_after_another_is_served() {
        let threads = one_thread(0);
        for number in 0..200 {
            assert_eq!(threads.run(move |_| number).await.unwrap(), number);
        }
    }

    #[tokio::test]
    async fn an_abandoned_request_is_skipped() {
        let threads = one_thread(2);
        let (release, _occupied) = occupy(&threads);
        let (done, was_done) = mpsc::channel();
        drop(threads.submit(move |_| done.send(())).unwrap());
        let last = threads.submit(|_| ()).unwrap();

        drop(release);
        last.await.unwrap();
        assert_eq!(was_done.try_recv(), Err(mpsc::TryRecvError::Disconnected));
    }

    #[test]
    fn abandoned_requests_do_not_keep_others_out() {
        let threads = one_thread(1);
        let (_release, _occupied) = occupy(&threads);
        drop(threads.submit(|_| ()).unwrap());
        assert!(threads.submit(|_| ()).is_ok());
        assert!(threads.submit(|_| ()).is_ok(), "the one before was abandoned too");
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_request_only() {
        let threads = one_thread(0);
        let failed = threads.run::<()>(|_| panic!("on purpose")).await.unwrap_err();
        let cause = std::error::Error::source(&failed).unwrap().to_string();
        assert!(cause.contains("panicked"), "{cause}");
        assert_eq!(threads.run(|_| "still here").await.unwrap(), "still here");
    }

    #[test]
    fn the_threads_end_when_they_are_dropped() {
        let threads = Threads::start(NonZeroUsize::new(3).unwrap(), 1, CHEAP).unwrap();
        let queue: Weak<Queue> = Arc::downgrade(&threads.0);
        drop(threads);
        let patience = Instant::now() + Duration::from_secs(10);
        while queue.strong_count() > 0 {
            assert!(Instant::now() < patience, "a thread lives on");
            thread::yield_now();
        }
    }

    /// Sends the name of every thread that enters a span.
    struct Entered(mpsc::Sender<Option<String>>);

    impl Layer<Registry> for Entered {
        fn on_enter(&self, _: &Id, _: Context<'_, Registry>) {
            self.0.send(thread::current().name().map(str::to_owned)).unwrap();
        }
    }

    #[test]
    fn the_work_is_done_in_the_span_of_its_caller() {
        let (entered, threads_that_entered) = mpsc::channel();
        let threads = one_thread(1);
        let answer = tracing::subscriber::with_default(tracing_subscriber::registry().with(Entered(entered)), || {
            tracing::info_span!("log_in").in_scope(|| threads.submit(|_| ()).unwrap())
        });
        answer.blocking_recv().unwrap();
        let names: Vec<_> = threads_that_entered.try_iter().collect();
        assert_eq!(names.last(), Some(&Some("password-0".to_owned())), "{names:?}");
    }
}
