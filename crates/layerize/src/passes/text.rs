//! Lines of text, found by the detector and cut out by colour.
//!
//! The detector says where text is; the cut itself trusts colours: one ink over a ground
//! that is known between and around the letters, and where that does not fit several inks, if what
//! they draw can be read. What the recogniser finds nothing to read in is no text, unless the
//! detector is so sure that it may be a script the recogniser does not know. Invariant: what is cut
//! is explained by one ink, or was read.

use super::{blocks, glows};
use crate::components;
use crate::context::Context;
use crate::glow::{self, Ground, Letters};
use crate::ink::{self, Ink};
use crate::inks::{self, Inks};
use crate::net::words::{self, Words};
use crate::plane::{Gray, Plane, Rect, Rgb, max_difference};
use crate::reading_order::reading_order;
use crate::scene::{Cut, Edge, Scene};
use crate::{Error, LayerKind, TextLayers, glowing_letters, matte, net, outlined, push_pull};

/// Longest side shown to the detector.
const LONGEST: usize = 960;
/// Probability from which a place counts as text.
const LIKELY: f32 = 0.3;
/// Least mean probability of a box.
const SURE: f32 = 0.55;
/// Most lines that are read, which takes about 50 ms of processor time each.
pub(super) const READ: usize = 24;
/// Certainty of the words below which there are none, that of a single sign, and from which lettering of several inks is
/// believed.
const NONSENSE: f32 = 0.4;
const NONSENSE_ALONE: f32 = 0.8;
const LEGIBLE: f32 = 0.7;
/// Fewest letters and digits of such lettering: whiskers and branches are read as one or two.
const SIGNS: usize = 3;
/// Share of the signs that must be read again in what was cut.
const SAME: f32 = 0.6;
/// Mean probability of a box from which it may be text though nothing can be read: the recogniser
/// knows no Hangul, Arabic or Thai.
const ALIEN: f32 = 0.88;

/// How far from letters compression leaves traces in pixels: a block of JPEG, how many times the ringing they are strong, and
/// at most so many levels.
const BLOCK: usize = 8;
const RINGS: f32 = 4.0;
const FAINT: f32 = 28.0;

pub(crate) fn run(scene: &mut Scene, ctx: &mut Context<'_>) -> Result<(), Error> {
    let (w, h) = (scene.rest.w, scene.rest.h);
    if w.min(h) < 16 {
        return Ok(());
    }
    let longest = LONGEST.min(w.max(h) * 3 / 2);
    let likely = net::text(ctx, &scene.rest, longest)?;
    ctx.reach(0.8)?;
    let found = merge(boxes(&likely), ctx)?;
    let rects: Vec<Rect> = found.iter().map(|found| found.rect).collect();
    let order = reading_order(&rects, (w, h));
    let boxes: Vec<TextBox> = order.into_iter().map(|at| found[at]).collect();
    // The largest are read, should there be too many.
    let mut sizes: Vec<usize> = boxes.iter().map(|found| found.rect.area()).collect();
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let least = sizes.get(READ).copied().unwrap_or(0);
    for (index, found) in boxes.iter().enumerate() {
        let read = found.rect.area() > least;
        if let Some(Line { cut, under, glows }) = line(scene, &boxes, index, read, ctx)? {
            let (rect, letters) = (cut.rect, cut.alpha.clone());
            scene.take(cut, &under);
            if scene.ringing > 0.0 && !glows {
                calm(scene, rect, &letters);
            }
        }
        ctx.check()?;
    }
    if ctx.options.text == TextLayers::Blocks {
        blocks::blocks(&mut scene.cuts);
    }
    glows::glows(scene, &boxes, ctx)
}

/// Takes off what compression left around letters that were cut: else it would be found as crumbs. What stands off more
/// is something else.
fn calm(scene: &mut Scene, rect: Rect, letters: &Gray) {
    let solid = letters.map(|a| f32::from(u8::from(a > 0.3)));
    let near = matte::dilate(&solid, BLOCK);
    let part = scene.rest.crop(rect);
    let free = near.map(|near| if near > 0.0 { 0.0 } else { 1.0 });
    if free.data.iter().all(|&free| free == 0.0) {
        return;
    }
    let plain = push_pull::fill(&part, &free);
    let most = (RINGS * scene.ringing).min(FAINT);
    for y in 0..rect.h {
        for x in 0..rect.w {
            let (seen, calm) = (part.at(x, y), plain.at(x, y));
            if near.at(x, y) > 0.0 && max_difference(seen, calm) <= most {
                scene.rest.set(rect.x + x, rect.y + y, calm);
            }
        }
    }
}

/// A line of lettering, and what lies under it.
struct Line {
    cut: Cut,
    under: Rgb,
    /// Whether there is a glow around it, which comes off after all lines were cut.
    glows: bool,
}

impl Line {
    fn plain(cut: Cut, under: Rgb) -> Self {
        Self {
            cut,
            under,
            glows: false,
        }
    }
}

/// The line in one box.
fn line(
    scene: &Scene,
    boxes: &[TextBox],
    index: usize,
    read: bool,
    ctx: &Context<'_>,
) -> Result<Option<Line>, Error> {
    let found = boxes[index];
    let others = boxes.iter().enumerate().filter(|(at, _)| *at != index);
    let others: Vec<Rect> = others.map(|(_, other)| other.rect).collect();
    let on = Ground {
        picture: &scene.rest,
        painted: &scene.painted,
        others: &others,
    };
    if let Some(ink) = ink::extract(&scene.rest, boxes, index, ctx)? {
        let under = ink.under.clone();
        let mut cut = to_cut(ink, found.sure);
        if read {
            cut.words = words_of(scene, &cut, ctx)?;
            if cfg!(feature = "words") && is_nonsense(cut.words.as_ref()) && found.sure < ALIEN {
                return Ok(None);
            }
        }
        let enclosed = inks::enclosed(&scene.rest, cut.rect, &cut.alpha, ctx)?;
        // A glow is no outline, and what an outline encloses is no glow.
        let tall = bounds(&cut.alpha).map_or(0, |own| own.w.min(own.h));
        let letters = Letters {
            rect: cut.rect,
            alpha: &cut.alpha,
            tall,
        };
        if read && enclosed.is_none() && glow::around(&on, &letters, ctx)?.is_some() {
            cut.edge = Edge::Soft;
            return Ok(Some(Line {
                cut,
                under,
                glows: true,
            }));
        }
        let inks = match enclosed {
            None => outlined::outlined(&scene.rest, cut.rect, &cut.alpha, ctx)?,
            found => found,
        };
        if let Some(inks) = inks {
            (cut.alpha, cut.paint, cut.edge) = (inks.alpha, inks.paint, Edge::Soft);
            return Ok(Some(Line::plain(cut, inks.under)));
        }
        return Ok(Some(Line::plain(cut, under)));
    }
    if !read || !cfg!(feature = "words") {
        return Ok(None);
    }
    if let Some(inks) = glowing_letters::extract(&on, found.rect, ctx)?
        && let Some((cut, under)) = believed(scene, found.sure, inks, ctx)?
    {
        return Ok(Some(Line {
            cut,
            under,
            glows: true,
        }));
    }
    let Some(inks) = inks::extract(&scene.rest, found.rect, ctx)? else {
        return Ok(None);
    };
    let Some((mut cut, under)) = believed(scene, found.sure, inks, ctx)? else {
        return Ok(None);
    };
    // An outline in a colour that much of the ground has is no ink.
    if let Some(inks) = outlined::outlined(&scene.rest, cut.rect, &cut.alpha, ctx)? {
        (cut.alpha, cut.paint) = (inks.alpha, inks.paint);
        return Ok(Some(Line::plain(cut, inks.under)));
    }
    Ok(Some(Line::plain(cut, under)))
}

/// Lettering and what lies under it, if it can be read, and what was cut says the same.
fn believed(
    scene: &Scene,
    sure: f32,
    inks: Inks,
    ctx: &Context<'_>,
) -> Result<Option<(Cut, Rgb)>, Error> {
    let mut cut = Cut {
        kind: LayerKind::Text,
        confidence: sure,
        name: String::new(),
        words: None,
        rect: inks.rect,
        alpha: inks.alpha,
        paint: inks.paint,
        edge: Edge::Soft,
    };
    cut.words = words_of(scene, &cut, ctx)?;
    let legible = |words: &Words| {
        let signs = words.text.chars().filter(|sign| sign.is_alphanumeric());
        words.sure >= LEGIBLE && signs.count() >= SIGNS
    };
    if !cut.words.as_ref().is_some_and(legible) {
        return Ok(None);
    }
    // What was cut must say what is seen: else half of the lettering would stay.
    ctx.check()?;
    let drawn = cut.alpha.map(|a| [230.0 - 210.0 * a; 3]);
    let whole = Rect {
        x: 0,
        y: 0,
        ..cut.rect
    };
    let own = bounds(&cut.alpha).unwrap_or(whole);
    let again = words::read(ctx, &drawn, own, &cut.alpha.crop(own))?;
    let told = cut.words.as_ref().zip(again.as_ref());
    let same = told.is_some_and(|(seen, drawn)| alike(&seen.text, &drawn.text) >= SAME);
    Ok(same.then_some((cut, inks.under)))
}

/// Whether what was read is no writing.
fn is_nonsense(words: Option<&Words>) -> bool {
    words.is_none_or(|words| {
        let alone = words.text.chars().nth(1).is_none();
        words.sure < if alone { NONSENSE_ALONE } else { NONSENSE }
    })
}

/// How many signs two texts have in common, as a share of the longer, whatever their order and case.
fn alike(one: &str, other: &str) -> f32 {
    let signs = |text: &str| -> Vec<char> {
        let signs = text.to_lowercase();
        let mut signs: Vec<char> = signs.chars().filter(|sign| !sign.is_whitespace()).collect();
        signs.sort_unstable();
        signs
    };
    let (one, mut other) = (signs(one), signs(other));
    let all = one.len().max(other.len()).max(1);
    let common = one.iter().filter(|sign| {
        let found = other.iter().position(|near| near == *sign);
        found.map(|at| other.remove(at)).is_some()
    });
    common.count() as f32 / all as f32
}

/// What is written in the letters of a cut.
fn words_of(scene: &Scene, cut: &Cut, ctx: &Context<'_>) -> Result<Option<Words>, Error> {
    let Some(own) = bounds(&cut.alpha) else {
        return Ok(None);
    };
    let place = Rect {
        x: cut.rect.x + own.x,
        y: cut.rect.y + own.y,
        ..own
    };
    words::read(ctx, &scene.rest, place, &cut.alpha.crop(own))
}

/// The rectangle of what is drawn rather than haze.
pub(super) fn bounds(alpha: &Gray) -> Option<Rect> {
    components::bounds(&alpha.map(|a| if a > 0.3 { 1.0 } else { 0.0 }))
}

/// A place the detector marked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TextBox {
    /// The letters, as far as known.
    pub(crate) rect: Rect,
    pub(crate) sure: f32,
}

/// The detector marks a shrunken core of each line; grown back to the size of the letters.
fn boxes(likely: &Gray) -> Vec<TextBox> {
    let (w, h) = (likely.w, likely.h);
    let found = components::label(w, h, |at| likely.data[at] > LIKELY);
    let mut sums = vec![0.0_f32; found.pieces.len()];
    for (&label, &value) in found.labels.data.iter().zip(&likely.data) {
        if label > 0 {
            sums[label as usize - 1] += value;
        }
    }
    let mut boxes = Vec::new();
    for (piece, sum) in found.pieces.iter().zip(sums) {
        let short = piece.rect.w.min(piece.rect.h);
        let sure = sum / piece.area as f32;
        if short >= 3 && sure >= SURE {
            let by = (short as f32 * 0.7).ceil() as usize + 1;
            boxes.push(TextBox {
                rect: piece.rect.grow(by, w, h),
                sure,
            });
        }
    }
    boxes
}

/// Joins boxes that overlap along one line.
fn merge(mut boxes: Vec<TextBox>, ctx: &Context<'_>) -> Result<Vec<TextBox>, Error> {
    let mut a = 0;
    while a < boxes.len() {
        ctx.check()?;
        let partner = (a + 1..boxes.len()).find(|&b| one_line(boxes[a].rect, boxes[b].rect));
        if let Some(b) = partner {
            let other = boxes.swap_remove(b);
            boxes[a].rect = boxes[a].rect.union(other.rect);
            boxes[a].sure = boxes[a].sure.max(other.sure);
            a = 0;
        } else {
            a += 1;
        }
    }
    Ok(boxes)
}

fn one_line(a: Rect, b: Rect) -> bool {
    let (tall, low) = (a.h.max(b.h) as f32, a.h.min(b.h) as f32);
    let shared = (a.y + a.h).min(b.y + b.h) as f32 - a.y.max(b.y) as f32;
    let gap = a.x.max(b.x) as f32 - (a.x + a.w).min(b.x + b.w) as f32;
    shared > 0.6 * low && low > 0.55 * tall && gap < 0.5 * tall
}

fn to_cut(ink: Ink, sure: f32) -> Cut {
    let paint = Plane::filled(ink.rect.w, ink.rect.h, ink.colour);
    Cut {
        kind: LayerKind::Text,
        confidence: sure.min(ink.fit),
        name: String::new(),
        words: None,
        rect: ink.rect,
        alpha: ink.alpha,
        paint,
        edge: Edge::Unmix,
    }
}
