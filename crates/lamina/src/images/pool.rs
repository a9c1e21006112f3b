//! The bounded place where pictures are decoded, scaled and encoded.
//!
//! Work is counted in megapixels, because memory follows them; the number of threads and the
//! length of the queue are bounded too. It keeps nothing waiting without bound: when the queue is
//! full the caller learns so at once. It does not know what the work is.
//!
//! It has threads of its own, few and always the same. The system's allocator keeps what a thread
//! freed for that thread, tens of megabytes after a picture, so pictures that are decoded wherever a
//! thread happens to be free cost that many times over.
//!
//! Invariant: permits live as long as the work, not as long as the caller's interest, so a caller
//! that goes away never lets more run than was promised.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How much a [`Pool`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Pieces of work that run at once. At least 1.
    pub threads: usize,
    /// Megapixels being worked on at once. At least 1.
    pub megapixels: u32,
    /// Pieces of work that may wait for their turn.
    pub queue: usize,
}

impl Default for PoolSize {
    /// One thread a core, room for two of the largest pictures, and 64 waiting.
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            megapixels: 100,
            queue: 64,
        }
    }
}

/// Why work did not run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The queue is full.
    #[error("as much image work is running and waiting as the pool takes; try again later")]
    Busy,
    /// The work panicked; the panic was caught and the pool is unharmed.
    #[error("image work panicked; this is a fault in lamina: report it")]
    Panicked,
    /// It has no threads.
    #[error("lamina is stopping and takes no more image work; try again once it is back")]
    Stopped,
}

/// A bounded pool of blocking image work. Clones share the same bounds.
#[derive(Debug, Clone)]
pub struct Pool {
    places: Arc<Semaphore>,
    megapixels: Arc<Semaphore>,
    threads: Arc<Semaphore>,
    capacity: u32,
    threads_in_all: usize,
    waiting: Arc<AtomicUsize>,
    crew: Crew,
}

/// The threads. They end with the last clone of the pool.
#[derive(Debug, Clone)]
struct Crew(mpsc::Sender<Work>);

type Work = Box<dyn FnOnce() + Send>;

impl Crew {
    fn of(threads: usize) -> Self {
        let (give, take) = mpsc::channel::<Work>();
        let take = Arc::new(Mutex::new(take));
        for _ in 0..threads {
            let take = Arc::clone(&take);
            let at_work = move || {
                loop {
                    let next = take.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    match next {
                        Ok(work) => work(),
                        Err(_) => return,
                    }
                }
            };
            let thread = std::thread::Builder::new().name("images".to_owned());
            // Without any thread, work is answered with [`PoolError::Stopped`].
            if let Err(error) = thread.spawn(at_work) {
                tracing::error!(%error, "a thread for pictures could not be started");
            }
        }
        Self(give)
    }
}

/// What a pool is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolLoad {
    /// Pieces of work that run.
    pub running: usize,
    /// Pieces of work that wait for their turn.
    pub waiting: usize,
    /// Megapixels being worked on, or reserved for work that waits for a thread.
    pub megapixels: usize,
}

/// Counts a piece of work as waiting, until it is dropped.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pool {
    /// A pool of this size; zeros are raised to 1 where nothing could run otherwise.
    #[must_use]
    pub fn new(size: PoolSize) -> Self {
        let threads = size.threads.clamp(1, 1024);
        let capacity = size.megapixels.clamp(1, 1_000_000);
        let queue = size.queue.min(1_000_000);
        Self {
            places: Arc::new(Semaphore::new(threads + queue)),
            megapixels: Arc::new(Semaphore::new(capacity as usize)),
            threads: Arc::new(Semaphore::new(threads)),
            capacity,
            threads_in_all: threads,
            waiting: Arc::default(),
            crew: Crew::of(threads),
        }
    }

    /// What it is doing now.
    #[must_use]
    pub fn load(&self) -> PoolLoad {
        PoolLoad {
            running: self.threads_in_all - self.threads.available_permits(),
            waiting: self.waiting.load(Ordering::Relaxed),
            megapixels: self.capacity as usize - self.megapixels.available_permits(),
        }
    }

    /// Runs `work` on a thread of the pool when its turn comes; turns are first come, first served.
    ///
    /// `megapixels` is what the work weighs ([`super::Header::cost_megapixels`]), counted as at
    /// least 1 and at most the whole pool. When the caller's future is dropped, waiting work is
    /// forgotten and running work finishes unseen, still counted.
    ///
    /// # Errors
    /// [`PoolError::Busy`] at once when the queue is full.
    pub async fn run<T, F>(&self, megapixels: u32, work: F) -> Result<T, PoolError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let place = Arc::clone(&self.places)
            .try_acquire_owned()
            .map_err(|_| PoolError::Busy)?;
        self.run_in_turn(megapixels, move || {
            let result = work();
            drop(place);
            result
        })
        .await
    }

    /// Like [`Pool::run`], but waits however long the queue is and takes no place in it: for
    /// callers whose number is bounded already, so that they cannot crowd out the others.
    ///
    /// # Errors
    /// [`PoolError`], never [`PoolError::Busy`].
    pub async fn run_in_turn<T, F>(&self, megapixels: u32, work: F) -> Result<T, PoolError>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let permits = self.enter(megapixels).await?;
        let (tell, told) = oneshot::channel();
        let work = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(permits);
            // Nobody may want to know any more.
            let _ = tell.send(result);
        });
        self.crew.0.send(work).map_err(|_| PoolError::Stopped)?;
        match told.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(PoolError::Panicked),
            Err(_) => Err(PoolError::Stopped),
        }
    }

    async fn enter(&self, megapixels: u32) -> Result<[OwnedSemaphorePermit; 2], PoolError> {
        let weight = megapixels.clamp(1, self.capacity);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(Arc::clone(&self.waiting));
        // The semaphores are never closed, and a thread is asked for last, so that work waiting
        // for megapixels never keeps a thread from work that already has them.
        let memory = Arc::clone(&self.megapixels)
            .acquire_many_owned(weight)
            .await
            .map_err(|_| PoolError::Stopped)?;
        let thread = Arc::clone(&self.threads)
            .acquire_owned()
            .await
            .map_err(|_| PoolError::Stopped)?;
        Ok([memory, thread])
    }
}
