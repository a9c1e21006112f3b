//! Whether copying is right beside a hole: discs there are hidden, completed and compared.
//!
//! Nothing of the hole itself is made here. Invariant: yes only if every disc there was room for came
//! out far better than by the smooth fill, and there was room for enough.

use super::level::HALF;
use super::{AROUND, complete};
use crate::context::Context;
use crate::plane::{Gray, Plane, Rect, Rgb, distance2};
use crate::{Error, push_pull};

/// Radius of a disc that is hidden to try, and how many of eight there must be room for.
const DISC: usize = 10;
const TRIED: usize = 4;
/// How many times smaller the squared error of every disc must be than that of the smooth fill.
const BETTER: f32 = 2.5;
/// Mean squared error of the smooth fill, in levels, under which there is no pattern to continue.
const PATTERN: f32 = 40.0;

/// Whether discs beside the hole are won back far better than smoothly, every one.
pub(super) fn wins(
    ctx: &Context<'_>,
    picture: &Rgb,
    may: &Gray,
    hole: Rect,
) -> Result<bool, Error> {
    let (w, h) = (picture.w, picture.h);
    let gap = DISC + HALF + 2;
    let (middle_x, middle_y) = (hole.x + hole.w / 2, hole.y + hole.h / 2);
    let (low_x, high_x) = (hole.x.checked_sub(gap), hole.x + hole.w + gap);
    let (low_y, high_y) = (hole.y.checked_sub(gap), hole.y + hole.h + gap);
    let places = [
        (low_x, Some(middle_y)),
        (Some(high_x), Some(middle_y)),
        (Some(middle_x), low_y),
        (Some(middle_x), Some(high_y)),
        (low_x, low_y),
        (low_x, Some(high_y)),
        (Some(high_x), low_y),
        (Some(high_x), Some(high_y)),
    ];
    let mut tried = 0;
    for (x, y) in places {
        let (Some(x), Some(y)) = (x, y) else { continue };
        let reach = DISC + HALF;
        if x < reach || y < reach || x + reach >= w || y + reach >= h {
            continue;
        }
        let free =
            (y - reach..=y + reach).all(|y| (x - reach..=x + reach).all(|x| may.at(x, y) > 0.0));
        if !free {
            continue;
        }
        ctx.check()?;
        tried += 1;
        let room = Rect { x, y, w: 1, h: 1 }.grow(AROUND, w, h);
        let disc = Plane {
            w: room.w,
            h: room.h,
            data: (0..room.area())
                .map(|at| {
                    let (dx, dy) = (
                        (room.x + at % room.w).abs_diff(x),
                        (room.y + at / room.w).abs_diff(y),
                    );
                    dx * dx + dy * dy <= DISC * DISC
                })
                .collect(),
        };
        let mut open = may.crop(room);
        for (open, &hidden) in open.data.iter_mut().zip(&disc.data) {
            *open = if hidden { 0.0 } else { *open };
        }
        let truth = picture.crop(room);
        let smooth = push_pull::fill(&truth, &open);
        let made = complete(ctx, &smooth, &disc, &open)?;
        let error = |fill: &Rgb| {
            let hidden = (0..room.area()).filter(|&at| disc.data[at]);
            let squares = hidden.map(|at| distance2(fill.data[at], truth.data[at]) / 3.0);
            squares.sum::<f32>() / disc.data.iter().filter(|d| **d).count() as f32
        };
        if error(&smooth) < PATTERN || error(&made) * BETTER > error(&smooth) {
            return Ok(false);
        }
    }
    Ok(tried >= TRIED)
}
