//! layerize: one flat image in, an ordered stack of RGBA layers out. Pure pixels: no files, no
//! network.
//!
//! Invariant: compositing the returned layers bottom first with straight-alpha *over*, in 8 bits,
//! gives the input back with a largest channel difference of 1.
#![warn(missing_docs)]

mod blob;
mod box_blur;
mod components;
mod context;
mod denoise;
mod finder;
mod ground;
mod guided;
mod image;
mod ink;
mod layer;
mod matte;
mod net;
mod options;
mod outline;
mod passes;
mod peel;
mod plane;
mod push_pull;
mod scene;
mod shadow;
mod shape_edge;

use std::time::{Duration, Instant};

use crate::context::Context;
use crate::scene::Scene;

pub use crate::image::RgbaImage;
pub use crate::layer::{Layer, LayerKind, composite};
pub use crate::net::warm_up;
pub use crate::options::{Cancel, Error, Options, Progress, TextLayers};

/// How long one pass of a split took, on the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassTime {
    /// The name of the pass, as in [`Progress::pass`].
    pub pass: &'static str,
    /// From its begin to its end.
    pub took: Duration,
}

/// Splits `image` into layers, bottom first; at least a background, at most `max_layers`.
///
/// # Errors
/// [`Error::Cancelled`] when `cancel` was raised, [`Error::BadImage`] for an impossible buffer.
pub fn split(
    image: &RgbaImage,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Vec<Layer>, Error> {
    split_timed(image, options, progress, cancel).map(|(layers, _)| layers)
}

/// Like [`split`], and tells how long each pass took.
///
/// # Errors
/// The same.
pub fn split_timed(
    image: &RgbaImage,
    options: &Options,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<(Vec<Layer>, Vec<PassTime>), Error> {
    image.check()?;
    let mut ctx = Context::new(options, progress, cancel);
    let mut times = Vec::new();
    ctx.enter("look", 0.0, 0.05)?;
    let begun = Instant::now();
    let mut scene = Scene::new(image);
    times.push(PassTime {
        pass: "look",
        took: begun.elapsed(),
    });
    let mut done = 0.05;
    for pass in passes::PASSES {
        if options.skip.contains(&pass.name) {
            continue;
        }
        let begun = Instant::now();
        ctx.enter(pass.name, done, done + pass.share)?;
        (pass.run)(&mut scene, &mut ctx)?;
        done += pass.share;
        times.push(PassTime {
            pass: pass.name,
            took: begun.elapsed(),
        });
    }
    ctx.enter("peel", done, 1.0)?;
    let begun = Instant::now();
    let layers = peel::peel(&scene, &mut ctx)?;
    times.push(PassTime {
        pass: "peel",
        took: begun.elapsed(),
    });
    ctx.reach(1.0)?;
    Ok((layers, times))
}
