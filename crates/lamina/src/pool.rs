//! The bounded place where pictures are decoded, scaled and encoded.
//!
//! Work is counted in megapixels, because memory follows them; the number of threads and the
//! length of the queue are bounded too. It keeps nothing waiting without bound: when the queue is
//! full the caller learns so at once. It does not know what the work is.
//!
//! Turns are fair by owner ([`Pool::of`]), and so are places in the queue: however much work one owner has,
//! another's is next.
//!
//! It has threads of its own, few and always the same. The system's allocator keeps what a thread
//! freed for that thread, tens of megabytes after a picture, so pictures that are decoded wherever a
//! thread happens to be free cost that many times over.
//!
//! Invariant: permits live as long as the work, not as long as the caller's interest, so a caller
//! that goes away never lets more run than was promised.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crossbeam_channel::{Sender, unbounded};
use image_intake::ImageError;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::fair::{Gate, Place};
use crate::jobs::{OwnerId, Shares};

/// How much a [`Pool`] takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSize {
    /// Pieces of work that run at once. At least 1.
    pub threads: usize,
    /// Megapixels of four bytes that are held at once. At least 1.
    pub megapixels: u32,
    /// Pieces of work that may wait for their turn.
    pub queue: usize,
}

impl Default for PoolSize {
    /// One thread a core, room for one of the largest pictures beside ordinary ones, and 64 waiting. Two of
    /// the largest would hold 400 MB of pixels alone, and a whole service may have 450.
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            megapixels: 90,
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

/// Why work on a picture gave nothing: the picture's own fault, or the pool's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The picture cannot be used; the same bytes never can.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The pool took no more work.
    #[error("lamina is decoding as many images as it can at once; try again in a few seconds")]
    Busy,
}

impl PictureError {
    /// The code of [`Self::Busy`], beside those of [`ImageError`].
    pub const BUSY: &'static str = "image_busy";

    /// Whether the picture has more bytes or pixels than are taken.
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        use ImageError::{TooLarge, TooManyBytes};
        matches!(self, Self::Image(TooManyBytes { .. } | TooLarge { .. }))
    }

    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Image(error) => error.code(),
            Self::Busy => Self::BUSY,
        }
    }
}

impl From<PoolError> for PictureError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy | PoolError::Stopped => Self::Busy,
            PoolError::Panicked => Self::Image(ImageError::Internal),
        }
    }
}

/// A bounded pool of blocking image work. Clones share the same bounds.
#[derive(Debug, Clone)]
pub struct Pool {
    queue: Arc<Mutex<Shares>>,
    /// A place is a thread, and weight is megapixels.
    turns: Gate<Option<OwnerId>>,
    crew: Crew,
    /// Whose work this handle brings.
    owner: Option<OwnerId>,
}

/// Megapixels that are counted as in use until this is dropped.
#[derive(Debug)]
pub struct Reserved(Place<Option<OwnerId>>);

impl Reserved {
    /// Gives back what is above so many megapixels of four bytes.
    pub fn lower(&mut self, megapixels: u32) {
        self.0.lower(megapixels);
    }
}

/// A place in the queue, until it is dropped.
struct Queued {
    queue: Arc<Mutex<Shares>>,
    owner: Option<OwnerId>,
}

/// The threads. They end with the last clone of the pool.
#[derive(Debug, Clone)]
struct Crew(Sender<Work>);

type Work = Box<dyn FnOnce() + Send>;

impl Crew {
    fn of(threads: usize) -> Self {
        let (give, take) = unbounded::<Work>();
        for _ in 0..threads {
            let take = take.clone();
            let at_work = move || take.into_iter().for_each(|work| work());
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
    /// Megapixels being worked on.
    pub megapixels: usize,
}

impl Queued {
    /// None when the queue is full, or the owner has its share of it.
    fn enter(queue: &Arc<Mutex<Shares>>, owner: &Option<OwnerId>) -> Option<Self> {
        let mut shares = queue.lock();
        let free = match owner {
            Some(owner) => shares.may_take(owner.as_str()),
            None => shares.free() > 0,
        };
        if !free {
            return None;
        }
        shares.take(owner.as_ref().map_or("", OwnerId::as_str));
        drop(shares);
        Some(Self {
            queue: Arc::clone(queue),
            owner: owner.clone(),
        })
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut shares = self.queue.lock();
        shares.give_back(self.owner.as_ref().map_or("", OwnerId::as_str));
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
            queue: Arc::new(Mutex::new(Shares::of(threads + queue))),
            turns: Gate::new(threads, capacity),
            crew: Crew::of(threads),
            owner: None,
        }
    }

    /// The same pool, for work of `owner`.
    #[must_use]
    pub fn of(&self, owner: &OwnerId) -> Self {
        Self {
            owner: Some(owner.clone()),
            ..self.clone()
        }
    }

    /// What it is doing now.
    #[must_use]
    pub fn load(&self) -> PoolLoad {
        let (running, megapixels, waiting) = self.turns.load();
        PoolLoad {
            running,
            waiting,
            megapixels: megapixels as usize,
        }
    }

    /// Runs `work` on a thread of the pool when its turn comes; turns of one owner are first come, first
    /// served.
    ///
    /// `megapixels` is what the work weighs ([`image_intake::Header::cost_megapixels`]), counted as at
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
        let place = Queued::enter(&self.queue, &self.owner).ok_or(PoolError::Busy)?;
        self.run_in_turn(megapixels, move || {
            let result = work();
            drop(place);
            result
        })
        .await
    }

    /// Megapixels of the pool for work that runs elsewhere and for long, until they are dropped. What does not
    /// fit beside them waits for that, in the queue or in turn; everything else goes on.
    pub async fn reserve(&self, megapixels: u32) -> Reserved {
        Reserved(self.turns.reserve(self.owner.clone(), megapixels).await)
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
        let place = self.turns.enter(self.owner.clone(), megapixels).await;
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move || {
            let result = catch_unwind(AssertUnwindSafe(work));
            drop(place);
            // Nobody may want to know any more.
            let _ = answer.send(result);
        });
        self.crew.0.send(work).map_err(|_| PoolError::Stopped)?;
        match answered.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => Err(PoolError::Panicked),
            Err(_) => Err(PoolError::Stopped),
        }
    }
}

#[cfg(test)]
mod tests;
