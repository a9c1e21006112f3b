//! Reading planes of the work size at places of the full size.
//!
//! Bilinear between the two nearest values on each axis, the last one carried on beyond the edge.
//! Invariant: where both sizes are the same, values come back as they are.

use crate::plane::{Plane, Sample};

/// A place between two neighbours on one axis of the work canvas.
#[derive(Clone, Copy)]
pub(super) struct Tap {
    near: usize,
    far: usize,
    /// How far towards `far`, 0 to 1.
    pub(super) share: f32,
}

impl Tap {
    pub(super) fn of(at: usize, small: usize, full: usize) -> Self {
        if small == full {
            return Self {
                near: at,
                far: at,
                share: 0.0,
            };
        }
        let place = ((at as f32 + 0.5) * small as f32 / full as f32 - 0.5).max(0.0);
        let near = (place as usize).min(small - 1);
        Self {
            near,
            far: (near + 1).min(small - 1),
            share: place - near as f32,
        }
    }

    /// The same place on a plane that begins at `from` and is `length` long.
    pub(super) fn inside(self, from: usize, length: usize) -> Self {
        let clamp = |at: usize| at.saturating_sub(from).min(length - 1);
        Self {
            near: clamp(self.near),
            far: clamp(self.far),
            share: self.share,
        }
    }
}

/// The value between the four nearest.
pub(super) fn bilinear<T: Sample>(plane: &Plane<T>, u: Tap, v: Tap) -> T {
    if u.share == 0.0 && v.share == 0.0 {
        return plane.at(u.near, v.near);
    }
    T::ZERO
        .add(plane.at(u.near, v.near), (1.0 - u.share) * (1.0 - v.share))
        .add(plane.at(u.far, v.near), u.share * (1.0 - v.share))
        .add(plane.at(u.near, v.far), (1.0 - u.share) * v.share)
        .add(plane.at(u.far, v.far), u.share * v.share)
}
