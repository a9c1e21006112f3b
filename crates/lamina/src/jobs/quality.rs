//! How well a completed job's layers give its picture back, and what is odd about them. Measured when they are collected, told, and never acted
//! on: layers stay as the engine made and ordered them.

use serde::{Deserialize, Serialize};

/// Of one stack. Layers are named by their `order`. Errors are of 0 to 255, of a pixel the largest of its channels', alpha included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Mean error of the layers, drawn over each other, against the picture that the engine was given.
    pub mean_error: f32,
    /// A hundredth of the pixels has a larger error.
    pub p99_error: u8,
    /// Of the colours, in decibels; none where they are the very same.
    pub psnr_db: Option<f32>,
    /// The square of 64 pixels with the largest mean error.
    pub worst_tile: WorstTile,
    /// Share of the picture that no layer covers, 0 to 1.
    pub uncovered: f32,
    /// 1 where no order that was tried gives the picture back clearly better; else what the error falls to in the better one, 0 to 1.
    pub order_confidence: f32,
    /// That order, bottom first.
    pub better_order: Option<Vec<u32>>,
    /// Layers that show the same as one below them.
    pub duplicates: Vec<DuplicateLayers>,
    /// Every layer, bottom first.
    pub layers: Vec<LayerQuality>,
}

/// A square of the canvas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorstTile {
    pub x: u32,
    pub y: u32,
    pub width: u32,
    pub height: u32,
    pub mean_error: f32,
}

/// Two layers that show the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DuplicateLayers {
    pub lower: u32,
    pub upper: u32,
    /// Intersection over union of their shapes, 0 to 1.
    pub iou: f32,
    /// Mean difference of their colours where both are.
    pub colour_difference: f32,
}

/// What is odd about one layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerQuality {
    pub order: u32,
    /// Share of the canvas that is this layer's as it is seen, 0 to 1.
    pub visible: f32,
    /// Whether nothing on it is more than faint.
    pub empty: bool,
    /// Whether it is the whole picture once more.
    pub whole_picture: bool,
    /// How far the colours of its soft edges are from those of what they are the edge of, 0 to 1; none without soft edges.
    pub fringe: Option<f32>,
}
