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

/// The library this process has opened. It can hold only one, and that allows one environment.
static OPENED: Mutex<Option<(PathBuf, Environment)>> = Mutex::new(None);

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
            // Threads that wait for work in a loop would take the cores from the rest of a service.
            .with_config_entry("session.intra_op.allow_spinning", "0")
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
    if let Some((other, environment)) = opened.as_ref() {
        return if *other == library {
            Ok(environment.clone())
        } else {
            let other = other.display();
            Err(refused(format!("this process has already opened {other}")))
        };
    }
    let builder = ort::init_from(&library).map_err(|error| refused(error.to_string()))?;
    let environment = builder
        .with_name("layerize")
        .build()
        .map_err(|error| refused(error.to_string()))?;
    *opened = Some((library, environment.clone()));
    Ok(environment)
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::rten::Embedded;
    use super::*;
    use crate::Options;

    /// The library that `LAMINA_ONNXRUNTIME` names, else the one in the wheel that `.ci/run` installs.
    fn library() -> Option<PathBuf> {
        if let Some(named) = std::env::var_os("LAMINA_ONNXRUNTIME") {
            return Some(named.into());
        }
        let folder = |path: &Path| {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect::<Vec<_>>()
        };
        let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.ci/.venv/lib");
        let wheels = folder(&venv).into_iter();
        wheels
            .flat_map(|python| folder(&python.join("site-packages/onnxruntime/capi")))
            .find(|file| file.to_string_lossy().contains("libonnxruntime.so"))
    }

    /// The library, open; `None`, said aloud, where there is none.
    fn open() -> Option<Loaded> {
        let Some(library) = library() else {
            let text = "LEFT OUT: no ONNX Runtime; name one in LAMINA_ONNXRUNTIME";
            assert_ne!(
                std::env::var("LAMINA_REQUIRE_ALL").as_deref(),
                Ok("1"),
                "{text}"
            );
            // Past the test harness, which would swallow it.
            writeln!(std::io::stderr(), "{text}").expect("standard error");
            return None;
        };
        Some(Loaded::open(&library, NonZero::new(2)).expect("it opens"))
    }

    /// Dark strokes and a bright disc.
    fn input(w: usize, h: usize) -> Input {
        let data = (0..3 * w * h).map(|at| {
            let (x, y) = (at % w, at / w % h);
            let disc = (x as f32 - w as f32 / 2.0).hypot(y as f32 - h as f32 * 0.7);
            match (x / 4 % 2 == 0 && (12..26).contains(&(y % 64)), disc) {
                (true, _) => -0.9,
                (_, near) if near < w as f32 / 5.0 => 1.8,
                _ => 0.4,
            }
        });
        let data = data.collect();
        Input { w, h, data }
    }

    #[test]
    fn both_runtimes_see_the_same_masks() {
        let Some(loaded) = open() else { return };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        for (net, w, h) in [
            (Net::Saliency, 320, 320),
            (Net::Text, 320, 192),
            (Net::Text, 960, 960),
        ] {
            let theirs = loaded.run(&ctx, net, input(w, h)).expect("it runs");
            let ours = Embedded.run(&ctx, net, input(w, h)).expect("it runs");
            assert!(
                ours.data.iter().any(|value| *value > 0.1),
                "a mask of nothing"
            );
            let off = ours.data.iter().zip(&theirs.data);
            let worst = off.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 0.001, "{}: off by {worst}", net.name());
        }
    }

    #[test]
    fn a_raised_flag_ends_a_run_and_the_next_one_works() {
        let Some(loaded) = open() else { return };
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        let answer = std::thread::scope(|scope| {
            let flag = cancel.clone();
            let raise = scope.spawn(move || flag.cancel());
            // However early or late the flag is seen, nothing but "cancelled" may come of it.
            let mut answer = Ok(());
            while answer.is_ok() {
                answer = loaded.run(&ctx, Net::Saliency, input(320, 320)).map(drop);
            }
            raise.join().expect("it only raises a flag");
            answer
        });
        assert!(matches!(answer, Err(Error::Cancelled)));
        let unraised = Cancel::default();
        let ctx = Context::new(&options, &mut heard, &unraised);
        loaded
            .run(&ctx, Net::Saliency, input(320, 320))
            .expect("it runs again");
    }

    #[test]
    fn a_file_that_is_no_library_is_refused_by_name() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let refused = Loaded::open(Path::new(file), None).err();
        let sentence = refused.expect("no library").to_string();
        assert!(sentence.contains("Cargo.toml"), "{sentence}");
        assert!(Loaded::open(Path::new("/nowhere/libonnxruntime.so"), None).is_err());
    }
}
