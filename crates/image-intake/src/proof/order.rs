//! Whether the layers in another order would give the picture back clearly better. By small likenesses: the order they came in, its reverse, and
//! from the better of both whatever exchange of two layers helps most, a few times. What is found is told and never applied.

use super::BetterOrder;
use crate::rgba::RgbaImage;

/// Exchanges, one after the other.
const STEPS: usize = 4;
/// Clearly better: by so many levels in the mean, and to no more than this share of the error.
const LEVELS: f32 = 1.0;
const SHARE: f32 = 0.7;
/// Pixels that are laid at once.
const BLOCK: usize = 64;

/// A likeness with colours multiplied by alpha, 0 to 1.
type Small = Vec<[f32; 4]>;

/// The better order of the layers, without those that are left out, which keep their places below the others.
pub(super) fn better(
    picture: &RgbaImage,
    layers: &[RgbaImage],
    left_out: &[bool],
) -> Option<BetterOrder> {
    let picture = halved(picture);
    let smalls: Vec<Small> = layers.iter().map(halved).collect();
    let counts = |place: &usize| !left_out[*place];
    let now: Vec<usize> = (0..layers.len()).filter(counts).collect();
    if now.len() < 2 {
        return None;
    }
    let error = |order: &[usize], most: f32| error(&picture, &smalls, order, most);
    let mean_now = error(&now, f32::INFINITY);
    if mean_now < LEVELS {
        return None;
    }
    let reversed: Vec<usize> = now.iter().rev().copied().collect();
    let mut best = (mean_now, now);
    let of_reversed = error(&reversed, best.0);
    if of_reversed < best.0 {
        best = (of_reversed, reversed);
    }
    for _ in 0..STEPS {
        let mut step = best.clone();
        for one in 0..best.1.len() {
            for other in one + 1..best.1.len() {
                let mut order = best.1.clone();
                order.swap(one, other);
                let mean = error(&order, step.0);
                if mean < step.0 {
                    step = (mean, order);
                }
            }
        }
        if step.0 >= best.0 {
            break;
        }
        best = step;
    }
    let (mean, found) = best;
    if mean_now - mean < LEVELS || mean > SHARE * mean_now {
        return None;
    }
    let order = (0..layers.len())
        .filter(|place| !counts(place))
        .chain(found);
    Some(BetterOrder {
        order: order.collect(),
        mean,
        mean_now,
    })
}

/// Mean of the largest errors of each pixel's channels, 0 to 255; some number that is not below `most` where it is not.
fn error(picture: &Small, layers: &[Small], order: &[usize], most: f32) -> f32 {
    let mean = |sum: f32| sum * 255.0 / picture.len().max(1) as f32;
    let mut sum = 0.0;
    for (block, meant) in picture.chunks(BLOCK).enumerate() {
        let mut laid = [[0.0_f32; 4]; BLOCK];
        for place in order {
            let above = layers[*place].iter().skip(block * BLOCK);
            for (below, above) in laid[..meant.len()].iter_mut().zip(above) {
                let through = 1.0 - above[3];
                *below = std::array::from_fn(|at| above[at] + below[at] * through);
            }
        }
        for (meant, found) in meant.iter().zip(laid) {
            let far: [f32; 4] = std::array::from_fn(|at| (meant[at] - found[at]).abs());
            sum += far.into_iter().fold(0.0, f32::max);
        }
        if mean(sum) >= most {
            break;
        }
    }
    mean(sum)
}

/// Every second pixel of every second row: likenesses are smooth.
fn halved(image: &RgbaImage) -> Small {
    let rows = image.pixels().chunks_exact(image.width() as usize * 4);
    let pixels = rows
        .step_by(2)
        .flat_map(|row| row.as_chunks::<4>().0.iter().step_by(2));
    pixels
        .map(|pixel| {
            let alpha = f32::from(pixel[3]) / 255.0;
            let with = |at: usize| f32::from(pixel[at]) / 255.0 * alpha;
            [with(0), with(1), with(2), alpha]
        })
        .collect()
}
