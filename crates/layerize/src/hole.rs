//! What was cut from a photo and is still there in the rest: places to be completed.
//!
//! Things are noted by the pass that finds them and completed by the one that fills, all at once,
//! so that no hole is filled from another thing. Here the smooth completion is made, with the shadows
//! taken off; texture is laid on by the pass. Invariant: what is seen and unshaded comes
//! back as it is.

use crate::Error;
use crate::context::Context;
use crate::plane::{Gray, Plane, Rgb};
use crate::{matte, push_pull};

/// Coverage of a shadow above which too little of the ground shows to be brought back.
const GUESSED: f32 = 0.4;

/// Places of the rest that cuts lie over.
pub(crate) struct Hole {
    /// Above 0 where a cut, a shadow too, hides or changes what lies under it.
    pub(crate) cut: Gray,
    /// Above 0 where nothing may be carried on from: things and their outskirts.
    pub(crate) covered: Gray,
    /// Coverage of all shadows together.
    pub(crate) shade: Gray,
}

/// A completion with what it was made from.
pub(crate) struct Smooth {
    /// The rest with the shadows taken off.
    pub(crate) lit: Rgb,
    /// 1 where `lit` is what was seen, 0 where it had to be completed.
    pub(crate) known: Gray,
    /// `lit`, completed.
    pub(crate) under: Rgb,
}

impl Hole {
    pub(crate) fn new(w: usize, h: usize) -> Self {
        let none = Plane::filled(w, h, 0.0);
        Self {
            cut: none.clone(),
            covered: none.clone(),
            shade: none,
        }
    }

    /// Notes a thing with the coverage `alpha`; nothing is to be carried on from where `covered` is
    /// above 0 either.
    pub(crate) fn add_thing(&mut self, alpha: &Gray, covered: &Gray) {
        raise(&mut self.cut, alpha);
        raise(&mut self.covered, alpha);
        raise(&mut self.covered, covered);
    }

    /// Notes a shadow of the coverage `shade`.
    pub(crate) fn add_shadow(&mut self, shade: &Gray) {
        raise(&mut self.cut, shade);
        for (sum, &a) in self.shade.data.iter_mut().zip(&shade.data) {
            *sum += a * (1.0 - *sum);
        }
    }

    /// `rest` without the things and shadows noted, colours carried on smoothly.
    pub(crate) fn smooth(&self, ctx: &Context<'_>, rest: &Rgb) -> Result<Smooth, Error> {
        let (w, h) = (rest.w, rest.h);
        let pairs = rest.data.iter().zip(&self.shade.data);
        let lifted = |value: f32, a: f32| (value / (1.0 - a)).min(255.0);
        let lit = Plane {
            w,
            h,
            data: pairs.map(|(c, &a)| c.map(|v| lifted(v, a))).collect(),
        };
        ctx.check()?;
        // The rim of a thing still holds some of its colour.
        let near = matte::dilate(&self.covered, rim(w, h));
        let pairs = near.data.iter().zip(&self.shade.data);
        let seen = |(&near, &shade): (&f32, &f32)| near <= 0.0 && shade <= GUESSED;
        let known = Plane {
            w,
            h,
            data: pairs.map(|pair| f32::from(u8::from(seen(pair)))).collect(),
        };
        ctx.check()?;
        let under = push_pull::fill(&lit, &known);
        ctx.check()?;
        Ok(Smooth { lit, known, under })
    }
}

/// How far beyond its coverage a thing may still be seen, in pixels of a canvas `w` by `h`.
pub(crate) fn rim(w: usize, h: usize) -> usize {
    2 + w.max(h) / 200
}

fn raise(values: &mut Gray, by: &Gray) {
    for (value, &other) in values.data.iter_mut().zip(&by.data) {
        *value = value.max(other);
    }
}
