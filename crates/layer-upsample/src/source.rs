//! What is given: the picture at its own size, and the small layers made of it.

use super::error::Error;

/// Most layers of a stack.
pub const MAX_LAYERS: usize = 64;

/// The picture that the layers were made of: upright, straight-alpha RGBA, 8 bits a sample.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pixels: &'a [[u8; 4]],
}

impl<'a> Source<'a> {
    /// Takes pixels in R, G, B, A order, row after row, without padding.
    ///
    /// # Errors
    /// [`Error::Source`] unless there are exactly `width * height * 4` bytes and neither side is 0.
    pub fn new(width: u32, height: u32, pixels: &'a [u8]) -> Result<Self, Error> {
        match whole(width, height, pixels) {
            Some(pixels) => Ok(Self {
                width: width as usize,
                height: height as usize,
                pixels,
            }),
            None => Err(Error::Source {
                width,
                height,
                bytes: pixels.len(),
            }),
        }
    }

    pub(crate) fn row(&self, y: usize) -> &'a [[u8; 4]] {
        &self.pixels[y * self.width..][..self.width]
    }
}

/// A layer as a model gave it: straight-alpha RGBA of the whole canvas, scaled down. Colours below alpha 0 may be anything.
#[derive(Clone, Copy)]
pub struct SmallLayer<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: &'a [[u8; 4]],
}

impl<'a> SmallLayer<'a> {
    /// Takes pixels in R, G, B, A order, row after row, without padding.
    ///
    /// # Errors
    /// [`Error::Layer`] unless there are exactly `width * height * 4` bytes and neither side is 0.
    pub fn new(width: u32, height: u32, pixels: &'a [u8]) -> Result<Self, Error> {
        match whole(width, height, pixels) {
            Some(pixels) => Ok(Self {
                width: width as usize,
                height: height as usize,
                pixels,
            }),
            None => Err(Error::Layer {
                width,
                height,
                bytes: pixels.len(),
            }),
        }
    }
}

fn whole(width: u32, height: u32, pixels: &[u8]) -> Option<&[[u8; 4]]> {
    let expected = u64::from(width) * u64::from(height);
    let (pixels, rest) = pixels.as_chunks::<4>();
    (expected > 0 && pixels.len() as u64 == expected && rest.is_empty()).then_some(pixels)
}

/// The one size of all layers, no larger than the source's.
pub(crate) fn common_size(
    source: &Source<'_>,
    layers: &[SmallLayer<'_>],
) -> Result<(usize, usize), Error> {
    let Some(first) = layers.first().filter(|_| layers.len() <= MAX_LAYERS) else {
        return Err(Error::Count(layers.len()));
    };
    let size = (first.width, first.height);
    if layers
        .iter()
        .any(|layer| (layer.width, layer.height) != size)
    {
        return Err(Error::Sizes);
    }
    if size.0 > source.width || size.1 > source.height {
        return Err(Error::Larger);
    }
    Ok(size)
}
