//! How well a job's layers give its picture back, as the API shows it.

use serde::Serialize;

use super::view::{BoxView, box_view};
use crate::jobs::{BoundingBox, DuplicateLayers, LayerQuality, Quality, SecondTry};

/// How well the layers give the picture back that the engine was given, and what is odd about them. By default nothing is done about it. Errors are of 0 to
/// 255, of a pixel the largest of its channels', alpha included.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Quality)]
pub(in crate::http) struct QualityView {
    /// Mean error of the layers, drawn over each other.
    mean_error: f64,
    /// No more than a hundredth of the pixels has a larger error.
    p99_error: u8,
    /// Of the colours, in decibels; null where they are the very same.
    #[schema(required = true)]
    psnr_db: Option<f64>,
    /// Where the mean error is largest.
    worst_tile: WorstTileView,
    /// Share of the picture that no layer covers, 0.0 to 1.0.
    uncovered: f64,
    /// 1.0 where no order of the layers that was tried gives the picture back clearly better; else the share of the error that is left in the
    /// better one.
    order_confidence: f64,
    /// That order, bottom first, as each layer's `order`; null without one.
    #[schema(required = true)]
    better_order: Option<Vec<u32>>,
    /// Pairs of layers that show the same.
    duplicates: Vec<DuplicateView>,
    /// Every layer, bottom first.
    layers: Vec<LayerQualityView>,
    /// What came of a second run with another seed (`QUALITY_RETRY`): `took_second`, these are its layers, or `kept_first`; null where none was
    /// tried.
    #[schema(required = true)]
    second_try: Option<SecondTry>,
}

/// A square of 64 pixels, smaller at the picture's edge.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = WorstTile)]
pub(in crate::http) struct WorstTileView {
    /// Where it is.
    bbox: BoxView,
    /// Its mean error.
    mean_error: f64,
}

/// Two layers that show the same.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = DuplicateLayers)]
pub(in crate::http) struct DuplicateView {
    /// `order` of the lower one.
    lower: u32,
    /// `order` of the upper one.
    upper: u32,
    /// Intersection over union of what they cover, 0.0 to 1.0.
    iou: f64,
    /// Mean difference of their colours where both are, 0 to 255.
    colour_difference: f64,
}

/// What is odd about one layer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = LayerQuality)]
pub(in crate::http) struct LayerQualityView {
    /// The layer's `order`.
    order: u32,
    /// Share of the canvas that is this layer's as it is seen from above, 0.0 to 1.0.
    visible: f64,
    /// Whether nothing on it is more than faint.
    empty: bool,
    /// Whether it is the whole picture once more.
    whole_picture: bool,
    /// How far colours of soft edges are from those of the solid pixels beside them, 0.0 to 1.0; a halo of the old background has 0.1 and more. Null
    /// without soft edges.
    #[schema(required = true)]
    fringe: Option<f64>,
}

impl QualityView {
    pub(super) fn of(quality: &Quality) -> Self {
        let tile = &quality.worst_tile;
        let place = BoundingBox {
            x: tile.x,
            y: tile.y,
            width: tile.width,
            height: tile.height,
        };
        Self {
            mean_error: hundredths(quality.mean_error),
            p99_error: quality.p99_error,
            psnr_db: quality.psnr_db.map(hundredths),
            worst_tile: WorstTileView {
                bbox: box_view(place),
                mean_error: hundredths(tile.mean_error),
            },
            uncovered: ten_thousandths(quality.uncovered),
            order_confidence: ten_thousandths(quality.order_confidence),
            better_order: quality.better_order.clone(),
            duplicates: quality.duplicates.iter().map(DuplicateView::of).collect(),
            layers: quality.layers.iter().map(LayerQualityView::of).collect(),
            second_try: quality.second_try,
        }
    }
}

impl DuplicateView {
    fn of(pair: &DuplicateLayers) -> Self {
        Self {
            lower: pair.lower,
            upper: pair.upper,
            iou: ten_thousandths(pair.iou),
            colour_difference: hundredths(pair.colour_difference),
        }
    }
}

impl LayerQualityView {
    fn of(layer: &LayerQuality) -> Self {
        Self {
            order: layer.order,
            visible: ten_thousandths(layer.visible),
            empty: layer.empty,
            whole_picture: layer.whole_picture,
            fringe: layer.fringe.map(ten_thousandths),
        }
    }
}

/// Rounded up, so that only what is nothing says 0.
fn hundredths(value: f32) -> f64 {
    let hundredths = (f64::from(value) * 100.0 - 1e-6).ceil().max(0.0);
    // A zero that was rounded up from below has a sign, which JSON would show.
    (hundredths + 0.0) / 100.0
}

/// The same, finer.
fn ten_thousandths(share: f32) -> f64 {
    let parts = (f64::from(share) * 10_000.0 - 1e-3).ceil().max(0.0);
    (parts + 0.0) / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_zero_without_a_sign_and_something_is_not_nothing() {
        let told = |value| serde_json::to_string(&(hundredths(value), ten_thousandths(value)));
        assert_eq!(told(0.0).unwrap(), "[0.0,0.0]");
        assert_eq!(told(0.000_01).unwrap(), "[0.01,0.0001]");
        assert_eq!(told(0.25).unwrap(), "[0.25,0.25]");
        assert_eq!(told(1.0).unwrap(), "[1.0,1.0]");
    }
}
