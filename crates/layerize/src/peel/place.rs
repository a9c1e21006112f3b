//! Where a cut lies at full size.
//!
//! Invariant: a place is never smaller than the cut it was made for, and lies on the canvas.

use crate::plane::Rect;
use crate::scene::{Cut, Scene};

/// The rectangle of a cut at full size.
pub(super) fn place(cut: &Cut, scene: &Scene) -> Rect {
    let span = |from: usize, length: usize, small: usize, full: usize| {
        let start = from * full / small;
        (
            start,
            ((from + length) * full).div_ceil(small).min(full) - start,
        )
    };
    let (x, w) = span(cut.rect.x, cut.rect.w, scene.work.w, scene.size.0);
    let (y, h) = span(cut.rect.y, cut.rect.h, scene.work.h, scene.size.1);
    Rect { x, y, w, h }
}
