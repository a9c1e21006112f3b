//! Figures drawn in outline: an animal or a thing whose dark lines run around all its colours. To the search the lines are a
//! silhouette and the colours lie on it; to a person that is one thing.
//!
//! Only for the list that a person reads. Invariant: lettering that was read stays apart, and nothing moves past what it meets.

use super::blocks::mean_colour;
use crate::context::Context;
use crate::plane::lightness;
use crate::scene::{Cut, join};
use crate::{Error, LayerKind};

/// Lightness above which an outline is no dark line.
const DARK: f32 = 80.0;
/// Share of its rectangle that a silhouette fills at most: less than an ellipse, so that no disc and no panel is one.
const RAGGED: f32 = 0.75;
/// Share of a silhouette that its colours cover at least, so that what is seen of it are lines.
const COVERED: f32 = 0.5;
/// Share of a colour that lies on the silhouette, and of what was taken for a shadow on it, such as a gradient of its black.
const WITHIN: f32 = 0.9;
const SHADED: f32 = 0.5;

/// Joins each silhouette with what lies on it.
pub(super) fn join_parts(cuts: &mut Vec<Cut>, ctx: &Context<'_>) -> Result<(), Error> {
    let mut low = 0;
    while low < cuts.len() {
        ctx.check()?;
        if is_silhouette(&cuts[low]) {
            let parts = parts(cuts, low, ctx)?;
            if share_covered(cuts, low, &parts) >= COVERED {
                take_in(cuts, low, &parts);
            }
        }
        low += 1;
    }
    Ok(())
}

fn is_silhouette(cut: &Cut) -> bool {
    let solid = matches!(cut.kind, LayerKind::Shape | LayerKind::Panel);
    solid && weight(cut) < RAGGED * cut.rect.area() as f32 && lightness(mean_colour(cut)) < DARK
}

/// The cuts that lie on a silhouette and may go down to it, from below.
fn parts(cuts: &[Cut], low: usize, ctx: &Context<'_>) -> Result<Vec<usize>, Error> {
    let mut parts = Vec::new();
    for (high, cut) in cuts.iter().enumerate().skip(low + 1) {
        ctx.check()?;
        let least = if cut.kind == LayerKind::Shadow {
            SHADED
        } else {
            WITHIN
        };
        let stays =
            |between: &usize| !parts.contains(between) && cuts[*between].rect.overlaps(cut.rect);
        if cut.words.is_none()
            && cuts[low].rect.overlaps(cut.rect)
            && overlap(&cuts[low], cut) >= least * weight(cut)
            && !(low + 1..high).any(|between| stays(&between))
        {
            parts.push(high);
        }
    }
    Ok(parts)
}

/// The share of a silhouette that these cover; shadows are darker lines of it.
fn share_covered(cuts: &[Cut], low: usize, parts: &[usize]) -> f32 {
    let colours = parts.iter().map(|&part| &cuts[part]);
    let colours = colours.filter(|cut| cut.kind != LayerKind::Shadow);
    // What lies on another colour is counted twice, which a few lines within an eye or a button are not worth avoiding.
    let covered: f32 = colours.map(|cut| overlap(&cuts[low], cut)).sum();
    covered / weight(&cuts[low]).max(1.0)
}

fn take_in(cuts: &mut Vec<Cut>, low: usize, parts: &[usize]) {
    for (gone, part) in parts.iter().enumerate() {
        let top = cuts.remove(part - gone);
        cuts[low] = join(&cuts[low], &top);
    }
    cuts[low].kind = LayerKind::Object;
}

fn weight(cut: &Cut) -> f32 {
    cut.alpha.data.iter().sum()
}

/// How much of both is at the same places, in pixels.
fn overlap(one: &Cut, other: &Cut) -> f32 {
    let (a, b) = (one.rect, other.rect);
    let (left, right) = (a.x.max(b.x), (a.x + a.w).min(b.x + b.w));
    let (top, bottom) = (a.y.max(b.y), (a.y + a.h).min(b.y + b.h));
    let places = (top..bottom).flat_map(|y| (left..right).map(move |x| (x, y)));
    let both = places.map(|(x, y)| {
        let own = one.alpha.at(x - a.x, y - a.y);
        own.min(other.alpha.at(x - b.x, y - b.y))
    });
    both.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::words::Words;
    use crate::plane::{Plane, Rect};
    use crate::scene::Edge;
    use crate::{Cancel, Options};

    fn cut(
        x: usize,
        y: usize,
        (w, h): (usize, usize),
        colour: f32,
        has: fn(usize, usize) -> bool,
    ) -> Cut {
        let mut alpha = Plane::filled(w, h, 0.0);
        for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
            alpha.set(x, y, f32::from(u8::from(has(x, y))));
        }
        Cut {
            kind: LayerKind::Panel,
            confidence: 0.9,
            name: String::new(),
            words: None,
            rect: Rect { x, y, w, h },
            alpha,
            paint: Plane::filled(w, h, [colour; 3]),
            edge: Edge::Unmix,
        }
    }

    /// A triangle in a colour, and two colours and a word on it.
    fn figure(colour: f32) -> Vec<Cut> {
        let all = |_: usize, _: usize| true;
        let mut word = cut(90, 160, (20, 8), 20.0, all);
        (word.kind, word.words) = (
            LayerKind::Text,
            Some(Words {
                text: "Rex".into(),
                sure: 0.9,
            }),
        );
        vec![
            cut(0, 0, (200, 200), colour, |x, y| x.abs_diff(100) * 2 < y),
            cut(20, 0, (160, 190), 220.0, |x, y| x.abs_diff(80) * 2 + 16 < y),
            word,
            cut(95, 100, (10, 10), 40.0, all),
        ]
    }

    fn kinds(mut cuts: Vec<Cut>) -> Vec<LayerKind> {
        let (options, cancel, mut heard) = (Options::default(), Cancel::default(), |_| {});
        let ctx = Context::new(&options, &mut heard, &cancel);
        join_parts(&mut cuts, &ctx).expect("not cancelled");
        cuts.iter().map(|cut| cut.kind).collect()
    }

    #[test]
    fn dark_lines_and_the_colours_within_them_are_one_and_a_word_on_them_is_not() {
        assert_eq!(kinds(figure(10.0)), [LayerKind::Object, LayerKind::Text]);
    }

    #[test]
    fn a_silhouette_whose_colour_lies_over_a_word_takes_nothing_in() {
        let mut badge = figure(10.0);
        badge.truncate(3);
        badge.swap(1, 2);
        let (panel, text) = (LayerKind::Panel, LayerKind::Text);
        assert_eq!(kinds(badge), [panel, text, panel]);
    }

    #[test]
    fn a_light_shape_a_full_panel_and_one_that_carries_little_keep_their_things_apart() {
        assert_eq!(kinds(figure(160.0)).len(), 4, "light");
        let mut panel = figure(10.0);
        panel[0] = cut(0, 0, (200, 200), 10.0, |_, _| true);
        assert_eq!(kinds(panel).len(), 4, "a rectangle");
        let mut little = figure(10.0);
        little.remove(1);
        assert_eq!(kinds(little).len(), 3, "it is seen itself");
    }
}
