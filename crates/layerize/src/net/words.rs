//! What is written in a line of lettering, by the small recogniser.
//!
//! A line is shown to the network at the height it was made for, in pieces no wider than it answers
//! quickly, cut where nothing is written. What it answers is read by the rule of CTC (Graves et al.,
//! 2006): the likeliest sign a step, repeats and blanks dropped. Always run by the built-in runtime,
//! also where ONNX Runtime runs the masks. Without the feature `words` nothing is read.
//! Invariant: between two looks at the stop flag at most one stage of the network runs.

#[cfg(feature = "words")]
use std::sync::OnceLock;

#[cfg(feature = "words")]
use rten_tensor::prelude::*;

#[cfg(feature = "words")]
use super::{Input, network::Network, stages};
use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Rect, Rgb};

/// Words that were read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Words {
    pub(crate) text: String,
    /// Mean certainty of the signs, 0 to 1.
    pub(crate) sure: f32,
}

impl Words {
    /// Two parts of one text, in this order.
    pub(crate) fn joined(self, next: &Self, between: &str) -> Self {
        let (own, other) = (self.text.chars().count(), next.text.chars().count());
        let all = (own + other).max(1) as f32;
        Self {
            sure: (self.sure * own as f32 + next.sure * other as f32) / all,
            text: format!("{}{between}{}", self.text, next.text),
        }
    }
}

/// Height of a line for the network, and the widest that is read in one go.
const HEIGHT: usize = 48;
const WIDE: usize = 448;
/// Least width the network takes.
#[cfg(feature = "words")]
const NARROW: usize = 320;
/// Least width, at that height, of a gap in the lettering that is a space.
const SPACE: usize = 8;
/// Most pieces of one line: longer ones are no line a person reads.
const PIECES: usize = 6;

/// Reads the line in `rect` of `picture`; `ink` is its lettering's coverage over `rect`. `None` if
/// there is nothing to be read.
pub(crate) fn read(
    ctx: &Context<'_>,
    picture: &Rgb,
    rect: Rect,
    ink: &Gray,
) -> Result<Option<Words>, Error> {
    if !cfg!(feature = "words") {
        return Ok(None);
    }
    let grown = rect.grow((rect.w.min(rect.h) * 12 / 100).max(2), picture.w, picture.h);
    let mut line = picture.crop(grown);
    let upright = line.h * 2 <= line.w * 3;
    if !upright {
        line = turned(&line);
    }
    ctx.check()?;
    let width = (line.w * HEIGHT).div_ceil(line.h).max(8);
    if width > PIECES * WIDE {
        return Ok(None);
    }
    let line = line.resize(width, HEIGHT);
    ctx.check()?;
    let empty = empty_columns(ink, rect, grown, width, upright);
    let cuts = if width <= WIDE {
        Vec::new()
    } else {
        cuts(&empty, width)
    };
    let mut words: Option<Words> = None;
    let (mut from, mut between) = (0, "");
    for (at, space) in cuts.into_iter().chain([(width, false)]) {
        let piece = Rect {
            x: from,
            y: 0,
            w: at - from,
            h: HEIGHT,
        };
        if let Some(signs) = recognised(ctx, &line.crop(piece))? {
            let next = signs.spaced(&empty[from..at]);
            words = Some(match words {
                Some(words) => words.joined(&next, between),
                None => next,
            });
        }
        (from, between) = (at, if space { " " } else { "" });
    }
    Ok(words)
}

/// A line that runs upwards, lying.
fn turned(picture: &Rgb) -> Rgb {
    let (w, h) = (picture.h, picture.w);
    let data = (0..w * h).map(|at| picture.at(picture.w - 1 - at / w, at % w));
    Rgb {
        w,
        h,
        data: data.collect(),
    }
}

/// Which columns of the line, `width` of them, no ink crosses.
fn empty_columns(ink: &Gray, rect: Rect, grown: Rect, width: usize, upright: bool) -> Vec<bool> {
    if !upright {
        return vec![false; width];
    }
    let seen = |x: usize| (0..ink.h).any(|y| ink.at(x, y) > 0.25);
    let columns: Vec<bool> = (0..ink.w).map(seen).collect();
    (0..width)
        .map(|x| {
            let at = grown.x + x * grown.w / width;
            at.checked_sub(rect.x)
                .and_then(|at| columns.get(at))
                .is_none_or(|inked| !inked)
        })
        .collect()
}

/// Where a line is cut into pieces, and whether there is a space.
fn cuts(empty: &[bool], width: usize) -> Vec<(usize, bool)> {
    let count = width.div_ceil(WIDE * 4 / 5);
    let slack = width / count / 5;
    (1..count)
        .map(|k| {
            let target = k * width / count;
            let (mut best, mut run) = ((0, target), 0);
            for at in target - slack..=(target + slack).min(width) {
                let free = empty.get(at).copied().unwrap_or(false);
                if free {
                    run += 1;
                } else {
                    run = 0;
                }
                if run > best.0 {
                    best = (run, at - run / 2);
                }
            }
            (best.1, best.0 >= SPACE)
        })
        .collect()
}

/// Loads the recogniser if it is not.
///
/// # Errors
/// [`Error::Model`] if it does not load.
pub(crate) fn warm_up() -> Result<(), Error> {
    #[cfg(feature = "words")]
    READER.load()?;
    Ok(())
}

#[cfg(not(feature = "words"))]
fn recognised(_: &Context<'_>, _: &Rgb) -> Result<Option<Signs>, Error> {
    Ok(None)
}

/// Signs as they were read, each with the column in which the network is surest of it.
struct Signs {
    each: Vec<(&'static str, usize)>,
    sure: f32,
}

/// Least width of a gap, in columns, that may be a space the network overlooked, and how much wider than
/// the next narrower one it must be: this many times, and so many columns.
const GAP: usize = 5;
const WIDER: f32 = 1.6;
const AND: f32 = 2.0;
/// Letters of a word on average, at least: where more gaps are wide, it is the narrow ones that are odd, as between letters that
/// lean towards each other.
const LETTERS: usize = 3;
/// Part of the narrowest gap that was read as a space that it must have too.
const LIKE: f32 = 0.6;

impl Signs {
    /// The words, with spaces where letters stand clearly farther apart than the others: outlined and
    /// tightly set lettering leaves too little between words for the network. `empty` tells the columns
    /// that no ink crosses.
    fn spaced(self, empty: &[bool]) -> Words {
        let gap = |from: usize, to: usize| {
            let (mut most, mut run) = (0, 0);
            for &free in empty.get(from..to).unwrap_or_default() {
                run = if free { run + 1 } else { 0 };
                most = most.max(run);
            }
            most
        };
        let letter = |text: &str| {
            let sign = text.chars().next().filter(|sign| sign.is_alphanumeric());
            // Latin, Greek, Cyrillic and what lies between: the scripts that set spaces.
            sign.filter(|sign| u32::from(*sign) < 0x0600)
        };
        let mut gaps: Vec<(usize, usize)> = Vec::new();
        for (index, pair) in self.each.windows(2).enumerate() {
            if let (Some(a), Some(b)) = (letter(pair[0].0), letter(pair[1].0))
                && !(a.is_ascii_digit() && b.is_ascii_digit())
            {
                gaps.push((gap(pair[0].1, pair[1].1), index));
            }
        }
        let told = self.each.windows(3).filter(|signs| signs[1].0 == " ");
        let spaces = told.map(|signs| gap(signs[0].1, signs[2].1)).min();
        let least = spaces.map_or(GAP, |space| GAP.max((space as f32 * LIKE) as usize));
        gaps.sort_unstable();
        let few = (gaps.len() + 1) / LETTERS;
        let break_at = gaps.windows(2).enumerate().find(|(index, pair)| {
            let (near, far) = (pair[0].0 as f32, pair[1].0);
            let is_few = gaps.len() - index - 1 <= few;
            is_few && far >= least && far as f32 >= near * WIDER + AND
        });
        let limit = break_at.map_or(usize::MAX, |(_, pair)| pair[1].0);
        let far: Vec<usize> = gaps
            .into_iter()
            .filter(|&(gap, _)| gap >= limit)
            .map(|(_, index)| index)
            .collect();
        let mut text = String::new();
        for (index, (sign, _)) in self.each.iter().enumerate() {
            text.push_str(sign);
            if far.contains(&index) {
                text.push(' ');
            }
        }
        Words {
            text: text.trim().to_owned(),
            sure: self.sure,
        }
    }
}

#[cfg(feature = "words")]
pub(super) static READER: Network = Network::new(
    "words",
    include_bytes!("../../models/ppocrv6_rec_small.onnx"),
    "x",
    stages::WORDS,
);

/// The sign of a class: 0 is a blank, then the lines of the dictionary, then a space.
#[cfg(feature = "words")]
fn sign(class: usize) -> Option<&'static str> {
    static SIGNS: OnceLock<Vec<&'static str>> = OnceLock::new();
    let file: &'static str = include_str!("../../models/ppocrv6_dict.txt");
    let signs = SIGNS.get_or_init(|| file.trim_end_matches('\n').split('\n').collect());
    match class.checked_sub(1)? {
        at if at < signs.len() => Some(signs[at]),
        _ => Some(" "),
    }
}

/// One piece, `HEIGHT` pixels high.
#[cfg(feature = "words")]
fn recognised(ctx: &Context<'_>, piece: &Rgb) -> Result<Option<Signs>, Error> {
    ctx.check()?;
    let width = piece.w.max(NARROW).next_multiple_of(8);
    let mut data = vec![0.0_f32; 3 * HEIGHT * width];
    for (k, c) in [2, 1, 0].into_iter().enumerate() {
        for y in 0..HEIGHT {
            for x in 0..piece.w {
                data[(k * HEIGHT + y) * width + x] = piece.at(x, y)[c] / 127.5 - 1.0;
            }
        }
    }
    let input = Input {
        w: width,
        h: HEIGHT,
        data,
    };
    let answer = READER.run(ctx, input)?;
    let classes = answer.size(answer.ndim() - 1);
    let values = answer.into_data();
    Ok(decoded(&values, classes, width))
}

/// Reads the steps of an answer over `width` columns, each with as many values as there are classes.
#[cfg(feature = "words")]
fn decoded(values: &[f32], classes: usize, width: usize) -> Option<Signs> {
    let (mut each, mut sum, mut last) = (Vec::new(), 0.0, 0);
    let steps = values.len() / classes.max(1);
    for (at, step) in values.chunks_exact(classes.max(1)).enumerate() {
        let best = step.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        let Some((class, &sure)) = best else { continue };
        if class != last
            && let Some(sign) = sign(class)
        {
            each.push((sign, (2 * at + 1) * width / (2 * steps)));
            sum += sure;
        }
        last = class;
    }
    let written = each.iter().any(|(sign, _)| !sign.trim().is_empty());
    let sure = sum / each.len().max(1) as f32;
    written.then_some(Signs { each, sure })
}

#[cfg(all(test, feature = "words"))]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_blanks_are_dropped_and_the_last_class_is_a_space() {
        let of = |wanted: &str| {
            let at = (1..18_709).find(|&class| sign(class) == Some(wanted));
            at.expect("a sign of the dictionary")
        };
        let classes = 18_710;
        let steps = [of("a"), of("a"), 0, of("a"), 18_709, of("b"), 0];
        let mut values = vec![0.0; steps.len() * classes];
        for (step, class) in steps.into_iter().enumerate() {
            values[step * classes + class] = 0.8;
        }
        let words = decoded(&values, classes, 56).expect("words").spaced(&[]);
        assert_eq!(words.text, "aa b");
        assert!((words.sure - 0.8).abs() < 1e-6);
        assert!(decoded(&vec![0.0; classes], classes, 8).is_none());
    }

    /// Letters of eight columns with gaps between them, read as `text`.
    fn set(text: &'static str, gaps: &[usize]) -> String {
        let (mut empty, mut each) = (Vec::new(), Vec::new());
        let mut letters = 0;
        for (at, _) in text.char_indices() {
            let sign = &text[at..=at];
            if sign == " " {
                each.push((sign, empty.len().saturating_sub(2)));
                continue;
            }
            each.push((sign, empty.len() + 4));
            empty.extend([false; 8]);
            let gap = gaps.get(letters).copied().unwrap_or(0);
            empty.extend(vec![true; gap]);
            letters += 1;
        }
        Signs { each, sure: 0.9 }.spaced(&empty).text
    }

    #[test]
    fn a_space_is_set_only_where_letters_stand_clearly_farther_apart() {
        assert_eq!(set("NIGHTFAIR", &[1, 0, 1, 1, 7, 0, 1, 1]), "NIGHT FAIR");
        assert_eq!(set("ABCDEF", &[1, 9, 2, 10, 1]), "AB CD EF");
        // Wide spacing, a loose pair, digits, and a gap narrower than the space that was read.
        assert_eq!(set("NIGHT", &[9, 10, 9, 11]), "NIGHT");
        assert_eq!(set("Whiskers", &[6, 6, 5, 6, 1, 6, 2]), "Whiskers");
        assert_eq!(set("LTAVA", &[2, 4, 3, 2]), "LTAVA");
        assert_eq!(set("10111", &[1, 9, 1, 1]), "10111");
        assert_eq!(set("to DAYS", &[2, 20, 1, 7, 1]), "to DAYS");
    }

    #[test]
    fn a_long_line_is_cut_where_nothing_is_written() {
        let width = 900;
        let mut empty = vec![false; width];
        empty[310..330].fill(true);
        empty[590..594].fill(true);
        let cuts = cuts(&empty, width);
        assert_eq!(cuts.len(), 2);
        assert!((310..330).contains(&cuts[0].0) && cuts[0].1, "{cuts:?}");
        assert!((590..595).contains(&cuts[1].0) && !cuts[1].1, "{cuts:?}");
    }
}
