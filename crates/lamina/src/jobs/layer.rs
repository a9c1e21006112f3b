//! What is known of one finished layer, apart from its bytes.

use image_intake::{BoundingBox, MediaType};

/// What an engine says about a layer beside its pixels. All of it but the kind may be words of the
/// picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerLabels {
    /// What the engine calls it, such as `photo` or the words of a title; `None` when the engine gives
    /// no names.
    pub name: Option<String>,
    /// What it is, in one word of the engine: `text`, `shape`, `panel`, `subject`, `object`, `shadow` or
    /// `background`.
    pub kind: Option<String>,
    /// What is written in it, lines apart.
    pub text: Option<String>,
    /// How sure the engine is of that, 0.0 to 1.0.
    pub text_confidence: Option<f32>,
}

/// One layer of a completed job. Its public id is `layer_{order}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Place in the stack; 0 is the bottom.
    pub order: u32,
    /// Which of its job's files it is; its place, unless the job had other layers as well.
    pub file: u32,
    /// What the engine says about it.
    pub labels: LayerLabels,
    /// Format of the stored bytes.
    pub media_type: MediaType,
    /// Canvas width in pixels.
    pub width: u32,
    /// Canvas height in pixels.
    pub height: u32,
    /// Size of the stored file.
    pub bytes: u64,
    /// Lower-case hex SHA-256 of the stored file.
    pub sha256: String,
    /// `None` for a layer without a visible pixel.
    pub bbox: Option<BoundingBox>,
    /// Mean alpha over the canvas, 0.0 to 1.0.
    pub coverage: f32,
    /// A likeness of some 25 bytes, [ThumbHash](https://evanw.github.io/thumbhash/) in base64; none of layers that were stored by a
    /// version that made none.
    pub thumbhash: Option<String>,
    /// Size of the mask of what the source shows of it, for a layer that was raised to the source's size.
    pub fidelity_bytes: Option<u64>,
}
