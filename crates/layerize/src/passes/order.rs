//! Leaves out what is no layer to a person, merges what belongs together when there are more cuts than asked for or than a
//! list shows, and has what remains named, bottom first.
//!
//! The same merging where layers that are kept would take too much memory together, which only large pictures reach.
//! Two cuts may merge only if nothing between them in the stack overlaps the one that moves, so
//! the picture stays the same. A cut that is left out stays on what lies below it, for it is not peeled
//! off. Invariant: no cut is invented, and with the background no more remain than the options allow.

use super::belong::Member;
use super::compared::compared;
use super::{crumbs, figures, names};
use crate::Error;
use crate::context::Context;
use crate::scene::{Cut, Scene, join};

/// Part of the cost of another pair that a pair must stay under to be joined in its place.
const CHEAPER: f32 = 0.97;

pub(crate) fn run(scene: &mut Scene, ctx: &mut Context<'_>) -> Result<(), Error> {
    crumbs::sweep(scene, ctx)?;
    let found = scene.cuts.len();
    let canvas = (scene.work.w, scene.work.h);
    let keep = usize::from(ctx.options.most_layers()) - 1;
    if keep == 0 {
        // A cut that is not peeled simply stays in the background.
        scene.cuts.clear();
    }
    if ctx.options.is_list() {
        figures::join_parts(&mut scene.cuts, ctx)?;
    }
    merge(
        &mut scene.cuts,
        |cuts| cuts.len() <= keep.max(1),
        canvas,
        ctx,
    )?;
    if let Some(most) = scene.most_pixels {
        let scale = (scene.size.0 * scene.size.1) as f64 / (canvas.0 * canvas.1) as f64;
        let fits = |cuts: &[Cut]| {
            let spread: usize = cuts.iter().map(|cut| cut.rect.area()).sum();
            spread as f64 * scale <= most as f64
        };
        merge(&mut scene.cuts, fits, canvas, ctx)?;
    }
    if ctx.options.is_list() {
        crumbs::join_small_print(&mut scene.cuts, canvas, ctx)?;
    }
    scene.merged += found - scene.cuts.len();
    names::give(scene);
    Ok(())
}

/// Joins the cheapest neighbours until it is `enough`.
fn merge(
    cuts: &mut Vec<Cut>,
    enough: impl Fn(&[Cut]) -> bool,
    canvas: (usize, usize),
    ctx: &Context<'_>,
) -> Result<(), Error> {
    if enough(cuts) {
        return Ok(());
    }
    let mut members = Member::all(cuts, ctx)?;
    let mut costs: Vec<Vec<f32>> = Vec::new();
    for high in 0..members.len() {
        ctx.check()?;
        let lower = members[..high].iter();
        costs.push(
            lower
                .map(|low| Member::cost(low, &members[high], canvas))
                .collect(),
        );
    }
    while cuts.len() > 1 && !enough(cuts) {
        ctx.check()?;
        let Some((low, high, down)) = cheapest(&members, &costs, ctx)? else {
            return Ok(());
        };
        let mut cut = join(&cuts[low], &cuts[high]);
        if members[low].carries(&members[high]) {
            cut.name = names::of_button(&cuts[low], &cuts[high], canvas).unwrap_or_default();
        }
        let (kept, gone) = if down { (low, high) } else { (high, low) };
        let (top, bottom) = (members.remove(high), members.remove(low));
        cuts.remove(gone);
        costs.remove(gone);
        for row in costs.iter_mut().skip(gone) {
            row.remove(gone);
        }
        let at = if gone < kept { kept - 1 } else { kept };
        members.insert(at, Member::join(bottom, top, &cut));
        cuts[at] = cut;
        for other in 0..members.len() {
            let (low, high) = (other.min(at), other.max(at));
            if low < high {
                costs[high][low] = Member::cost(&members[low], &members[high], canvas);
            }
        }
    }
    Ok(())
}

/// The two that cost least, and whether the upper one goes down to the lower, or that up: nothing in between may overlap
/// the one that moves.
fn cheapest(
    members: &[Member],
    costs: &[Vec<f32>],
    ctx: &Context<'_>,
) -> Result<Option<(usize, usize, bool)>, Error> {
    let mut best = (f32::MAX, None);
    for low in 0..members.len() {
        ctx.check()?;
        for high in low + 1..members.len() {
            compared();
            // The first of those that cost about the same, whichever is cheaper by a trifle.
            if costs[high][low] >= best.0 * CHEAPER {
                continue;
            }
            ctx.check()?;
            let between = &members[low + 1..high];
            let moves = |one: &Member| between.iter().all(|member| !member.meets(one));
            let down = moves(&members[high]);
            if down || moves(&members[low]) {
                best = (costs[high][low], Some((low, high, down)));
            }
        }
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::words::Words;
    use crate::plane::{Plane, Rect};
    use crate::scene::Edge;
    use crate::{Cancel, LayerKind, Options, RgbaImage};

    const INK: [f32; 3] = [30.0, 30.0, 40.0];

    fn thing(kind: LayerKind, place: (usize, usize, usize, usize), colour: [f32; 3]) -> Cut {
        let (x, y, w, h) = place;
        Cut {
            kind,
            confidence: 0.9,
            name: String::new(),
            words: None,
            rect: Rect { x, y, w, h },
            alpha: Plane::filled(w, h, 1.0),
            paint: Plane::filled(w, h, colour),
            edge: Edge::Unmix,
        }
    }

    fn text(place: (usize, usize, usize, usize), said: &str) -> Cut {
        let words = Words {
            text: said.into(),
            sure: 0.9,
        };
        Cut {
            words: Some(words),
            alpha: Plane::filled(place.2, place.3, 0.5),
            ..thing(LayerKind::Text, place, INK)
        }
    }

    fn listed(cuts: Vec<Cut>, most: u8) -> Vec<String> {
        let image = RgbaImage {
            width: 600,
            height: 900,
            pixels: vec![255; 600 * 900 * 4],
        };
        let options = Options {
            max_layers: Some(most),
            ..Options::default()
        };
        let (cancel, mut heard) = (Cancel::default(), |_| {});
        let mut ctx = Context::new(&options, &mut heard, &cancel);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        scene.cuts = cuts;
        run(&mut scene, &mut ctx).expect("not cancelled");
        scene.cuts.iter().map(|cut| cut.name.clone()).collect()
    }

    /// A page of settings: its bar, its list with switches, a button and what is written on all of them.
    fn page() -> Vec<Cut> {
        let (dark, red) = ([20.0, 40.0, 80.0], [210.0, 40.0, 50.0]);
        let mut cuts = vec![
            thing(LayerKind::Shape, (0, 0, 600, 90), dark),
            thing(LayerKind::Panel, (30, 120, 540, 480), [240.0; 3]),
            thing(LayerKind::Shape, (180, 690, 240, 66), red),
        ];
        cuts.extend((0..5).map(|row| {
            let place = (480, 150 + 90 * row, 60, 36);
            thing(LayerKind::Shape, place, red)
        }));
        cuts.push(text((220, 710, 160, 34), "Sign out"));
        cuts.push(text((200, 20, 200, 46), "Settings"));
        let rows = [
            ("Sound", 60),
            ("Network", 84),
            ("Privacy", 76),
            ("Language", 96),
            ("Storage", 80),
        ];
        for (row, (said, wide)) in rows.into_iter().enumerate() {
            let tail = if said.contains(['y', 'g']) { 5 } else { 0 };
            cuts.push(text((60, 155 + 90 * row, wide, 18 + tail), said));
        }
        cuts.push(text((180, 840, 240, 14), "Version 4.2 of today"));
        cuts
    }

    #[test]
    fn rows_of_a_list_become_one_and_what_has_meaning_alone_stays_alone() {
        let names = listed(page(), 9);
        let wanted = [
            "blue shape",
            "white panel",
            "red shape bottom",
            "red shape right",
            "Sign out",
            "Settings",
            "Sound Network Privacy Language Storage",
            "Version 4.2 of today",
        ];
        assert_eq!(names, wanted);
        let names = listed(page(), 8);
        assert!(names.contains(&"button Sign out".to_owned()), "{names:?}");
        assert!(names.contains(&"Settings".to_owned()), "{names:?}");
    }

    /// Most comparisons between two looks at the stop flag: some milliseconds.
    const BETWEEN_LOOKS: u128 = 1_000_000;

    /// Things of every kind, strewn over each other, so that few may move.
    fn crowd(count: usize) -> Vec<Cut> {
        let mut dice = 1_u64;
        let mut below = |most: u64| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((dice >> 33) % most) as usize
        };
        let mut cuts = Vec::new();
        for index in 0..count {
            let (w, h) = (42 + below(40), 42 + below(40));
            let place = (below(600 - w as u64), below(900 - h as u64), w, h);
            let tone = below(4) as f32 * 60.0;
            cuts.push(match index % 4 {
                0 => text(place, "Some words"),
                1 => thing(LayerKind::Panel, place, [tone; 3]),
                _ => thing(LayerKind::Shape, place, [tone, 80.0, 90.0]),
            });
        }
        cuts
    }

    /// Most comparisons between two looks while `work` is done.
    fn between_looks(work: impl FnOnce(&mut Scene, &mut Context<'_>)) -> u128 {
        let options = Options {
            clock: crate::passes::compared::count,
            ..Options::default()
        };
        let (cancel, mut heard) = (Cancel::default(), |_| {});
        let mut ctx = Context::new(&options, &mut heard, &cancel);
        let image = RgbaImage::transparent(600, 900);
        let mut scene = Scene::new(&image, &ctx).expect("not cancelled");
        ctx.enter("order", 0.0, 1.0).expect("not cancelled");
        work(&mut scene, &mut ctx);
        ctx.leave().expect("not cancelled").deaf.as_nanos()
    }

    #[test]
    fn merging_a_list_of_many_hundred_things_looks_at_the_flag_often() {
        let between = between_looks(|scene, ctx| {
            scene.cuts = crowd(700);
            run(scene, ctx).expect("not cancelled");
            assert_eq!(scene.cuts.len(), 11);
        });
        assert!(between <= BETWEEN_LOOKS, "{between} comparisons");
    }

    #[test]
    fn looking_for_a_pair_where_almost_nothing_may_move_looks_at_the_flag_often() {
        // Things lie in twos, one over the other. The lower one of one pair and the upper one of another would be cheap to
        // join, but neither may move.
        let pair = |at: usize| {
            let (x, y) = (at % 20 * 30, at / 20 * 40);
            [y, y + 10].map(|y| thing(LayerKind::Shape, (x, y, 20, 20), INK))
        };
        let cuts: Vec<Cut> = (0..400).flat_map(pair).collect();
        let cost = |low: usize, high: usize| match (low % 2, high % 2) {
            (0, 1) if low + 1 < high => 1.0,
            _ => 9.0,
        };
        let row = |high| (0..high).map(|low| cost(low, high)).collect();
        let costs: Vec<Vec<f32>> = (0..cuts.len()).map(row).collect();
        let between = between_looks(|_, ctx| {
            let members = Member::all(&cuts, ctx).expect("not cancelled");
            let found = cheapest(&members, &costs, ctx).expect("not cancelled");
            assert!(found.is_some());
        });
        assert!(between <= BETWEEN_LOOKS, "{between} comparisons");
    }

    #[test]
    fn a_few_words_in_small_print_have_no_line_of_the_list_each() {
        let cuts = || {
            vec![
                text((40, 40, 400, 60), "The harbour"),
                text((40, 700, 30, 12), "left"),
                text((120, 700, 30, 12), "middle"),
                text((500, 860, 40, 12), "far"),
                text((40, 400, 300, 20), "A line as wide as this"),
            ]
        };
        let names = listed(cuts(), 12);
        let wanted = [
            "The harbour",
            "left middle",
            "far",
            "A line as wide as this",
        ];
        assert_eq!(names, wanted);
        assert_eq!(listed(cuts(), 13).len(), 5, "a longer list has them apart");
    }

    #[test]
    fn no_more_than_asked_for_remain_however_few_these_are() {
        for most in 1..=17 {
            let names = listed(page(), most);
            assert_eq!(names.len(), usize::from(most) - 1, "{names:?}");
        }
    }
}
