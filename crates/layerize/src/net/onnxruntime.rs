//! ONNX Runtime as the runtime, from a shared library that the user names.
//!
//! The library is loaded and called through the `ort` crate; nothing is downloaded. A run cannot be
//! cut into stages, but it can be told to end: a thread looks at the flag meanwhile. A session
//! serves one run at a time, so as many are kept as ran at once.
//! Invariant: one library a process, the first that opened.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ort::environment::Environment;
use ort::session::{RunOptions, Session};
use ort::value::TensorRef;

use super::{Input, Net, Runtime, mask};
use crate::context::Context;
use crate::plane::Gray;
use crate::{Cancel, Error};

/// How often a raised flag is looked for during a run.
const LOOK: Duration = Duration::from_millis(10);

/// The library this process has opened; the dynamic loader can hold only one.
static OPENED: Mutex<Option<PathBuf>> = Mutex::new(None);

/// An open library with both networks loaded.
pub(super) struct Loaded {
    environment: Environment,
    threads: usize,
    saliency: Mutex<Vec<Session>>,
    text: Mutex<Vec<Session>>,
}

impl Loaded {
    pub(super) fn open(library: &Path, threads: Option<NonZero<usize>>) -> Result<Self, Error> {
        let threads = threads
            .or_else(|| std::thread::available_parallelism().ok())
            .map_or(1, NonZero::get);
        let loaded = Self {
            environment: environment(library)?,
            threads,
            saliency: Mutex::default(),
            text: Mutex::default(),
        };
        loaded.warm_up()?;
        Ok(loaded)
    }

    fn idle(&self, net: Net) -> MutexGuard<'_, Vec<Session>> {
        let idle = match net {
            Net::Saliency => &self.saliency,
            Net::Text => &self.text,
        };
        idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self, net: Net) -> Result<Session, Error> {
        if let Some(session) = self.idle(net).pop() {
            return Ok(session);
        }
        Session::builder(&self.environment)
            .map_err(|error| net.error(&error))?
            .with_intra_threads(self.threads)
            .map_err(|error| net.error(&error))?
            .commit_from_memory(net.bytes())
            .map_err(|error| net.error(&error))
    }
}

impl Runtime for Loaded {
    fn name(&self) -> &'static str {
        "ONNX Runtime"
    }

    fn warm_up(&self) -> Result<(), Error> {
        for net in [Net::Saliency, Net::Text] {
            let session = self.session(net)?;
            self.idle(net).push(session);
        }
        Ok(())
    }

    fn run(&self, ctx: &Context<'_>, net: Net, input: Input) -> Result<Gray, Error> {
        let mut session = self.session(net)?;
        let answer = infer(&mut session, ctx.flag(), net, &input);
        ctx.watched();
        // A raised flag ends the run with an error of its own, which is not worth telling.
        ctx.check()?;
        let answer = answer?;
        self.idle(net).push(session);
        Ok(answer)
    }
}

fn environment(library: &Path) -> Result<Environment, Error> {
    let refused = |reason: String| Error::Library {
        path: library.display().to_string(),
        reason,
    };
    let library = library
        .canonicalize()
        .map_err(|error| refused(error.to_string()))?;
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(other) = opened.as_ref().filter(|other| **other != library) {
        return Err(refused(format!(
            "this process has already opened {}",
            other.display()
        )));
    }
    let builder = ort::init_from(&library).map_err(|error| refused(error.to_string()))?;
    *opened = Some(library);
    builder
        .with_name("layerize")
        .build()
        .map_err(|error| refused(error.to_string()))
}

/// One run, ended early when the flag is raised.
fn infer(session: &mut Session, flag: &Cancel, net: Net, input: &Input) -> Result<Gray, Error> {
    let options = RunOptions::new().map_err(|error| net.error(&error))?;
    let shape = [1_usize, 3, input.h, input.w];
    let tensor = TensorRef::from_array_view((shape, input.data.as_slice()))
        .map_err(|error| net.error(&error))?;
    std::thread::scope(|scope| {
        let (ended, running) = mpsc::channel::<()>();
        let (options, watched) = (&options, &options);
        scope.spawn(move || {
            while running.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                // Raised again and again: a run that has not begun yet forgets it.
                if flag.is_cancelled() && watched.terminate().is_err() {
                    break;
                }
            }
        });
        let outputs = session
            .run_with_options(ort::inputs![tensor], options)
            .map_err(|error| net.error(&error))?;
        drop(ended);
        let answer = outputs
            .get(net.output())
            .ok_or_else(|| net.error(&"no output"))?;
        let (shape, data) = answer
            .try_extract_tensor::<f32>()
            .map_err(|error| net.error(&error))?;
        let shape: Vec<usize> = shape.iter().map(|&side| side.max(0) as usize).collect();
        mask(net, &shape, data.to_vec())
    })
}
