//! Stacks of RGBA layers to the files that people open: PSD and PSB, OpenRaster, PowerPoint, SVG, TIFF, a ZIP with a
//! manifest, and an animation of their depth.
//!
//! A [`Stack`] says what lies where, and [`Pictures`] gives rows of pixels as a writer asks for them. Each writer goes to any
//! [`Write`](std::io::Write), never back, and holds at most one layer's file and one of the whole at a time, however
//! many layers there are. Nothing here opens a file or a socket, starts a thread, asks for the time or for chance: the same stack
//! gives the same bytes.
//!
//! Names are strangers' words here; what each format gets is made safe for it ([`name`]).
//!
//! ```
//! use layer_formats::{Bounds, Format, Layer, Node, Stack};
//!
//! // A white sheet, and a red dot on it.
//! let pictures = vec![vec![255; 4 * 2 * 4], vec![200, 0, 0, 255]];
//! let stack = Stack {
//!     width: 4,
//!     height: 2,
//!     pixels_per_inch: 72.0,
//!     title: "A dot".into(),
//!     recipe: None,
//!     nodes: vec![
//!         Node::Layer(Layer::new(0, "Sheet", Bounds::new(0, 0, 4, 2))),
//!         Node::Layer(Layer::new(1, "Dot", Bounds::new(1, 0, 1, 1))),
//!     ],
//! };
//! for format in Format::ALL {
//!     let mut file = Vec::new();
//!     format.write(&stack, &pictures, &mut file)?;
//!     println!("picture.{}: {} bytes of {}", format.extension(&stack), file.len(), format.media_type(&stack));
//! }
//! # Ok::<(), layer_formats::ExportError>(())
//! ```

#![warn(missing_docs)]

mod archive;
mod blend;
pub mod bundle;
mod composite;
mod error;
mod flat;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
#[path = "../fuzz/checks.rs"]
pub mod fuzzing;
pub mod gif;
mod image;
pub mod name;
pub mod openraster;
mod packbits;
mod pictures;
pub mod pptx;
pub mod psd;
mod stack;
pub mod svg;
mod thumbnail;
pub mod tiff;
mod written;

pub use composite::composite;
pub use error::ExportError;
pub use format::Format;
pub use image::{encode_jpeg, write_png};
pub use pictures::{Pictures, PngFile, Rows};
pub use stack::{Blend, Bounds, Group, Layer, MAX_DEPTH, MAX_NODES, MAX_SIDE, Node, Stack};

/// The README's examples are compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests;
