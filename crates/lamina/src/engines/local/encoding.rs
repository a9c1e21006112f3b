//! The layers of a split as PNGs of the whole canvas, encoded as they are made: beside the picture and the files no more
//! than some rows are in memory.

use bytes::Bytes;
use image_intake::{BoundingBox, ImageError, LayerEncoder};
use layerize::{LayerInfo, LayerSink};

use crate::engines::{LayerContent, LayerSource};
use crate::jobs::LayerLabels;

/// The layers so far.
pub(super) struct Encoding {
    canvas: (u32, u32),
    open: Option<(LayerLabels, LayerEncoder)>,
    /// The top one first.
    layers: Vec<LayerSource>,
    failed: Option<ImageError>,
}

impl Encoding {
    pub(super) fn of(width: u32, height: u32) -> Self {
        Self {
            canvas: (width, height),
            open: None,
            layers: Vec::new(),
            failed: None,
        }
    }

    /// The layers, bottom first.
    ///
    /// # Errors
    /// What the encoder said of a layer.
    pub(super) fn stack(mut self) -> Result<Vec<LayerSource>, ImageError> {
        self.layers.reverse();
        self.failed.map_or(Ok(self.layers), Err)
    }

    fn hold<T>(&mut self, done: Result<T, ImageError>) -> Option<T> {
        done.map_err(|error| self.failed = Some(error)).ok()
    }
}

impl LayerSink for Encoding {
    fn begin(&mut self, layer: LayerInfo) {
        let place = BoundingBox {
            x: layer.x,
            y: layer.y,
            width: layer.width,
            height: layer.height,
        };
        let encoder = LayerEncoder::new(self.canvas.0, self.canvas.1, place);
        let labels = LayerLabels {
            name: Some(layer.name),
            kind: Some(layer.kind.to_string()),
            text: layer.text,
            text_confidence: layer.text_confidence,
        };
        self.open = self.hold(encoder).map(|encoder| (labels, encoder));
    }

    fn rows(&mut self, rows: &[u8]) {
        if let Some((_, encoder)) = &mut self.open {
            let written = encoder.rows(rows);
            self.hold(written);
        }
    }

    fn end(&mut self, seen: bool) {
        let Some((labels, encoder)) = self.open.take().filter(|_| seen) else {
            return;
        };
        if let Some((file, measures)) = self.hold(encoder.finish()) {
            // Without the room that the encoder grew into: it may be as much again as the layer.
            let content = LayerContent::Measured(Bytes::from(file.into_boxed_slice()), measures);
            self.layers.push(LayerSource { labels, content });
        }
    }
}
