//! Small RGBA layers of a large picture to the picture's own size.
//!
//! A model splits a photo of twelve megapixels into layers of 640 pixels. [`raise`] makes layers of the photo's size of them: their alpha
//! is told by the photo's colours, their own colours are the photo's where they are seen, and the model's, carried on smoothly, where they
//! are hidden. Put over each other, the raised layers give the photo back.
//!
//! Plain computations over whole buffers on the current [`rayon`] pool: nothing here opens a file, asks for the time or for chance, and
//! the same input gives the same bytes on any number of threads. The README says by what formulas, how well, and what is not done.
//!
//! ```
//! use layer_upsample::{Band, Sink, SmallLayer, Source, raise};
//!
//! /// Takes all rows of the top layer.
//! struct Top(Vec<u8>);
//!
//! impl Sink for Top {
//!     fn band(&mut self, band: Band<'_>) -> std::io::Result<()> {
//!         self.0.extend_from_slice(band.layer(1));
//!         Ok(())
//!     }
//! }
//!
//! // Four white columns and four red ones; a model saw two pixels of it.
//! let picture = [[255; 4].repeat(4), [200, 0, 0, 255].repeat(4)].concat().repeat(4);
//! let (white, red) = ([255; 4].repeat(2), [0, 0, 0, 0, 200, 0, 0, 255]);
//! let layers = [SmallLayer::new(2, 1, &white)?, SmallLayer::new(2, 1, &red)?];
//! let mut top = Top(Vec::new());
//! let report = raise(&Source::new(8, 4, &picture)?, &layers, &mut |_| {}, &|| false, &mut top)?;
//! assert_eq!(top.0[3 * 4..5 * 4], [0, 0, 0, 0, 200, 0, 0, 255]);
//! assert!(report.drift_mean < 1.0 && report.uncovered == 0.0);
//! # Ok::<(), layer_upsample::Error>(())
//! ```

#![warn(missing_docs)]

mod cubic;
mod edge;
mod error;
mod paint;
mod peel;
mod plane;
mod push_pull;
mod raise;
mod report;
mod shrink;
mod source;
mod stack;

pub use error::Error;
pub use raise::{Band, Sink, raise};
pub use report::Report;
pub use source::{MAX_LAYERS, SmallLayer, Source};

/// The README's examples are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
