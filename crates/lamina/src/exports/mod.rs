//! A job's layers as the files of `layer-formats`: what lies where, whose pixels come from where, and how much that takes.
//!
//! Plain computations on threads that may block; it opens nothing itself. The same layers and the same title give the same bytes, which is why an
//! export has a strong tag before it is made.

mod arranged;
mod flat;
mod plan;
mod stop;
mod stored;
mod variant;

use std::fs::File;
use std::io::{BufWriter, Seek as _, SeekFrom, Write as _};

pub use layer_formats::{ExportError, Format};
pub use variant::VariantPlan;

use plan::Kind;
pub use plan::Plan;
pub use stop::{Stop, StopOnDrop};
pub use stored::StoredLayers;

/// Writes an export from its start; gives the file back with its length.
///
/// # Errors
/// [`ExportError`]; one of kind `BrokenPipe` once it was stopped.
pub fn write(
    plan: &Plan,
    layers: &StoredLayers,
    mut file: File,
    stop: &Stop,
) -> Result<(File, u64), ExportError> {
    let mut out = BufWriter::with_capacity(1 << 18, stop.watched(&mut file));
    match plan.kind {
        Kind::Layers(format) => format.write(&plan.stack, layers, &mut out)?,
        Kind::Flat(format, side) => flat::write(&plan.stack, layers, format, side, &mut out)?,
    }
    out.flush()?;
    drop(out);
    let length = file.stream_position()?;
    file.seek(SeekFrom::Start(0))?;
    Ok((file, length))
}

/// The formats' words, in the order in which they are listed.
#[must_use]
pub fn words() -> Vec<&'static str> {
    Format::ALL.into_iter().map(Format::word).collect()
}
