//! Whether a smooth region waves, as a sky, a wall and what is out of focus do: a drawn ground is flat or a gradient.
//!
//! Nothing is cut here. Invariant: a flat region and a linear gradient do not wave at all.

use crate::components::Components;
use crate::plane::{Rect, Rgb, max_difference};

/// How far a ground may bend within a fortieth of the canvas, in levels beside the noise, and in what share of it.
pub(crate) const WAVE: f32 = 1.5;
pub(crate) const WAVY: f32 = 0.25;
const SPAN: usize = 40;
/// Fewest places that say anything.
const PLACES: usize = 150;

/// Share of the region `label` within `rect` that differs by more than `within` levels from the mean of four places a span
/// away, all of the region; `None` where it is too narrow to say.
pub(crate) fn waves(
    regions: &Components,
    label: u32,
    rect: Rect,
    smooth: &Rgb,
    within: f32,
) -> Option<f32> {
    let (w, h) = (smooth.w, smooth.h);
    let span = (w.max(h) / SPAN).max(2);
    let (mut wavy, mut all) = (0_usize, 0_usize);
    let (right, bottom) = (rect.x + rect.w, rect.y + rect.h);
    for y in (rect.y.max(span)..bottom.min(h.saturating_sub(span))).step_by(2) {
        for x in (rect.x.max(span)..right.min(w.saturating_sub(span))).step_by(2) {
            let around = [(x - span, y), (x + span, y), (x, y - span), (x, y + span)];
            let own = |&(x, y): &(usize, usize)| regions.labels.at(x, y) == label;
            if !own(&(x, y)) || !around.iter().all(own) {
                continue;
            }
            let mean = [0, 1, 2]
                .map(|c| around.map(|(x, y)| smooth.at(x, y)[c]).iter().sum::<f32>() / 4.0);
            all += 1;
            wavy += usize::from(max_difference(smooth.at(x, y), mean) > within);
        }
    }
    (all >= PLACES).then(|| wavy as f32 / all as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::components;
    use crate::plane::Plane;

    #[test]
    fn flat_grounds_and_gradients_do_not_wave_and_a_cloudy_sky_does() {
        let (w, h) = (400, 300);
        let share = |level: &dyn Fn(f32, f32) -> f32, rect: Rect| {
            let data = (0..w * h).map(|at| [level((at % w) as f32, (at / w) as f32); 3]);
            let smooth = Plane {
                w,
                h,
                data: data.collect(),
            };
            let regions = components::label(w, h, |_| true);
            waves(&regions, 1, rect, &smooth, WAVE)
        };
        let all = Rect { x: 0, y: 0, w, h };
        assert_eq!(share(&|_, _| 90.0, all), Some(0.0));
        assert_eq!(share(&|x, y| 20.0 + 0.3 * x + 0.2 * y, all), Some(0.0));
        let disc = |x: f32, y: f32| (x - 200.0).hypot(y - 150.0);
        assert!(share(&|x, y| 220.0 - 0.5 * disc(x, y), all) < Some(0.1));
        let cloudy = |x: f32, y: f32| 120.0 + 20.0 * (x / 9.0).sin() * (y / 12.0).cos();
        assert!(share(&cloudy, all) > Some(0.5));
        let corner = Rect {
            x: 0,
            y: 0,
            w: 20,
            h: 20,
        };
        assert_eq!(share(&cloudy, corner), None);
    }
}
