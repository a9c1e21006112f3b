//! How shapes that touch lie on each other, and what of the lower one is hidden.
//!
//! At the ends of a shared border the outline of the upper shape runs on smoothly while that of
//! the lower one turns (a T-junction). The lower outline is then continued under the upper: as
//! the ellipse its free part fits, else by its straight ends up to where they meet.
//! Invariant: a shape only grows, and only under the other.

use crate::Error;
use crate::blob::Blob;
use crate::context::Context;
use crate::ellipse::Ellipse;
use crate::plane::Rect;

/// Rows between two looks at the stop flag.
const ROWS: usize = 64;

/// How far along an outline a turn is looked at, in pixels, from near to far.
const SIGHTS: [i64; 3] = [12, 20, 32];

/// A place, x and y.
pub(crate) type Point = (f32, f32);

/// How much the outline of `own` turns where it begins to follow `other`, in radians: the smallest
/// turn, since the shape in front may have a corner of its own at one end, and a tenth of the mean
/// to part ties. Small for the shape in front; `None` if they do not touch.
pub(crate) fn turning(own: &Blob, other: &Blob) -> Option<f32> {
    let path = own.outline();
    let runs = contacts(&path, other);
    if runs.is_empty() || path.len() < 24 {
        return None;
    }
    let turns: Vec<f32> = runs
        .iter()
        .flat_map(|&(from, to)| [from, to])
        .map(|at| turn(&path, at))
        .collect();
    let least = turns.iter().copied().fold(f32::MAX, f32::min);
    Some(least + 0.1 * turns.iter().sum::<f32>() / turns.len() as f32)
}

/// How much a path turns at `at`, in radians: the median of what is seen at three scales, since a corner
/// that JPEG has gnawed at looks like another one from near, and from far other corners are in sight.
fn turn(path: &[(i64, i64)], at: usize) -> f32 {
    let mut turns = SIGHTS.map(|sight| {
        // Of a short path no more than a sixteenth, but for the nearest look.
        let far = sight.min((path.len() as i64 / 16).max(SIGHTS[0]));
        let (before, after) = (heading(path, at, -far), heading(path, at, far));
        let cross = before.0 * after.1 - before.1 * after.0;
        // `before` looks back along the path, so straight on means opposite.
        let dot = -(before.0 * after.0 + before.1 * after.1);
        cross.abs().atan2(dot)
    });
    turns.sort_by(f32::total_cmp);
    turns[1]
}

/// Unit direction in which a path leaves `at` towards the point `far` steps on: from the middle of the
/// nearer half of the points in between to that of the farther half, without the first quarter.
fn heading(path: &[(i64, i64)], at: usize, far: i64) -> Point {
    let n = path.len() as i64;
    let (steps, sign) = (far.abs(), far.signum());
    let (first, half) = (steps / 4, steps * 5 / 8);
    let middle = |from: i64, to: i64| {
        let (mut x, mut y) = (0.0, 0.0);
        for step in from..to {
            let point = path[(at as i64 + sign * step).rem_euclid(n) as usize];
            x += point.0 as f32;
            y += point.1 as f32;
        }
        let count = (to - from).max(1) as f32;
        (x / count, y / count)
    };
    let (a, b) = (middle(first, half), middle(half, steps + 1));
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy).max(1e-6);
    (dx / length, dy / length)
}

/// `own` with its likely hidden part under `other`.
pub(crate) fn completed(own: &Blob, other: &Blob, ctx: &Context<'_>) -> Result<Blob, Error> {
    let path = own.outline();
    let runs = contacts(&path, other);
    if runs.is_empty() || path.len() < 24 {
        return Ok(own.clone());
    }
    let touched = |at: usize| {
        runs.iter()
            .any(|&(from, to)| between(at, from, to, path.len()))
    };
    let free: Vec<Point> = (0..path.len())
        .filter(|&at| !touched(at))
        .map(|at| (path[at].0 as f32, path[at].1 as f32))
        .collect();
    let rect = own.rect.union(other.rect);
    if let Some(ellipse) = Ellipse::fit(&free) {
        return grown(own, other, rect, ctx, |y| ellipse.crossings(y));
    }
    let mut result = own.clone();
    for &(from, to) in &runs {
        let corners = continued(&path, from, to);
        result = grown(&result, other, rect, ctx, |y| crossings(&corners, y))?;
    }
    Ok(result)
}

/// `own` and what of `other` (and next to it) lies within an outline, of which `crossings` tells
/// where a row crosses it.
fn grown(
    own: &Blob,
    other: &Blob,
    rect: Rect,
    ctx: &Context<'_>,
    crossings: impl Fn(f32) -> Vec<f32>,
) -> Result<Blob, Error> {
    let near = |x: usize, y: usize| {
        (y.saturating_sub(1)..=y + 1)
            .any(|ny| (x.saturating_sub(1)..=x + 1).any(|nx| other.has(nx, ny)))
    };
    let mut bits = Vec::with_capacity(rect.area());
    for y in rect.y..rect.y + rect.h {
        if y % ROWS == 0 {
            ctx.check()?;
        }
        let crossed = crossings(y as f32);
        let inside = |x: usize| crossed.iter().filter(|&&at| at > x as f32).count() % 2 == 1;
        bits.extend((rect.x..rect.x + rect.w).map(|x| own.has(x, y) || (inside(x) && near(x, y))));
    }
    let all = Blob { rect, bits };
    ctx.check()?;
    let tight = bounds(&all).unwrap_or(rect);
    ctx.check()?;
    Ok(Blob::from_fn(tight, |x, y| all.has(x, y)))
}

fn bounds(blob: &Blob) -> Option<Rect> {
    let places = (0..blob.bits.len()).filter(|&at| blob.bits[at]);
    places
        .map(|at| Rect {
            x: blob.rect.x + at % blob.rect.w,
            y: blob.rect.y + at / blob.rect.w,
            w: 1,
            h: 1,
        })
        .reduce(Rect::union)
}

/// Stretches of the path that run along `other`, as first and last index (which may wrap).
fn contacts(path: &[(i64, i64)], other: &Blob) -> Vec<(usize, usize)> {
    let n = path.len();
    let touches: Vec<bool> = path
        .iter()
        .map(|&(x, y)| (-2..=2).any(|dy| (-2..=2).any(|dx| other.holds(x + dx, y + dy))))
        .collect();
    let Some(free) = touches.iter().position(|touch| !touch) else {
        return Vec::new();
    };
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    for step in 0..=n {
        let at = (free + step) % n;
        if touches[at] && step < n {
            open = Some(open.map_or((at, at), |(from, _)| (from, at)));
        } else if let Some(run) = open.take() {
            runs.push(run);
        }
    }
    runs.retain(|&(from, to)| (to + n - from) % n >= 4);
    runs
}

fn between(at: usize, from: usize, to: usize, n: usize) -> bool {
    (at + n - from) % n <= (to + n - from) % n
}

/// Unit direction from the path point at `at + near` to the one at `at + far`.
fn direction(path: &[(i64, i64)], at: usize, near: i64, far: i64) -> Point {
    let n = path.len() as i64;
    let point = |offset: i64| path[(at as i64 + offset).rem_euclid(n) as usize];
    let (a, b) = (point(near), point(far));
    let (dx, dy) = ((b.0 - a.0) as f32, (b.1 - a.1) as f32);
    let length = dx.hypot(dy).max(1e-6);
    (dx / length, dy / length)
}

/// The corners of what the straight ends of the free outline enclose beyond a contact run.
fn continued(path: &[(i64, i64)], from: usize, to: usize) -> Vec<Point> {
    let n = path.len() as i64;
    let point = |at: usize, offset: i64| {
        let (x, y) = path[(at as i64 + offset).rem_euclid(n) as usize];
        (x as f32, y as f32)
    };
    // Two pixels before the contact the outline is still untouched by the other's soft edge.
    let (p, q) = (point(from, -2), point(to, 2));
    let (back, ahead) = (direction(path, from, -3, -28), direction(path, to, 3, 28));
    let (u, v) = ((-back.0, -back.1), (-ahead.0, -ahead.1));
    let cross = u.0 * v.1 - u.1 * v.0;
    let mut corners = vec![p];
    if cross.abs() > 0.08 {
        let (dx, dy) = (q.0 - p.0, q.1 - p.1);
        let s = (dx * v.1 - dy * v.0) / cross;
        let t = (dx * u.1 - dy * u.0) / cross;
        let reach = 2.5 * (dx.hypot(dy) + 20.0);
        if s > 0.0 && t > 0.0 && s < reach && t < reach {
            corners.push((p.0 + u.0 * s, p.1 + u.1 * s));
        }
    }
    corners.push(q);
    let first = from as i64;
    let steps = (to as i64 - first).rem_euclid(n);
    corners.extend((0..=steps).rev().map(|step| point(from, step)));
    corners
}

/// Where a row crosses a closed outline.
fn crossings(corners: &[Point], y: f32) -> Vec<f32> {
    let ahead = corners.iter().skip(1).chain(corners.first());
    let sides = corners.iter().zip(ahead);
    sides
        .filter(|(a, b)| (a.1 > y) != (b.1 > y))
        .map(|(a, b)| (b.0 - a.0) * (y - a.1) / (b.1 - a.1) + a.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancel, Options};

    fn whole_again(own: &Blob, other: &Blob) -> Blob {
        let (options, cancel) = (Options::default(), Cancel::default());
        let mut heard = |_| {};
        let ctx = Context::new(&options, &mut heard, &cancel);
        completed(own, other, &ctx).expect("not cancelled")
    }

    const CANVAS: Rect = Rect {
        x: 0,
        y: 0,
        w: 200,
        h: 200,
    };

    fn disc(cx: f32, cy: f32, r: f32) -> Blob {
        Blob::from_fn(CANVAS, |x, y| (x as f32 - cx).hypot(y as f32 - cy) <= r)
    }

    fn agreement(a: &Blob, b: &Blob) -> f32 {
        let both = Blob::from_fn(CANVAS, |x, y| a.has(x, y) && b.has(x, y)).area();
        let either = Blob::from_fn(CANVAS, |x, y| a.has(x, y) || b.has(x, y)).area();
        both as f32 / either as f32
    }

    #[test]
    fn a_disc_behind_a_square_is_made_round_again() {
        let (whole, front) = (
            disc(80.0, 80.0, 50.0),
            Blob::from_fn(CANVAS, |x, y| {
                (90..180).contains(&x) && (70..170).contains(&y)
            }),
        );
        let back = Blob::from_fn(CANVAS, |x, y| whole.has(x, y) && !front.has(x, y));
        assert!(turning(&front, &back) < turning(&back, &front));
        assert!(agreement(&whole_again(&back, &front), &whole) > 0.98);
    }

    #[test]
    fn a_square_behind_a_disc_gets_its_corner_back() {
        let whole = Blob::from_fn(CANVAS, |x, y| {
            (20..120).contains(&x) && (20..120).contains(&y)
        });
        let front = disc(120.0, 120.0, 45.0);
        let back = Blob::from_fn(CANVAS, |x, y| whole.has(x, y) && !front.has(x, y));
        assert!(turning(&front, &back) < turning(&back, &front));
        assert!(agreement(&whole_again(&back, &front), &whole) > 0.98);
    }
}
