//! How well a completed job's layers give its picture back, and what is odd about them. Measured when they are collected, and told. Layers stay as the engine
//! made and ordered them; by an operator's wish, empty ones are left out and a poor stack has a second run.

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
    /// What came of a second run; none where none was tried.
    #[serde(default)]
    pub second_try: Option<SecondTry>,
}

/// What a second run came to, which is tried where the first one's layers give the picture back poorly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecondTry {
    /// It gave no better layers, or none: these are the first one's.
    KeptFirst,
    /// These are its layers.
    TookSecond,
}

/// What is looked at of a layer that was fetched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LayerCheck {
    /// Every pixel: that the file decodes, what shows, a likeness, and how well the stack gives its picture back.
    #[default]
    Full,
    /// That the file is whole, by its checksums, and its size.
    Checksums,
}

/// What an operator wants done about stacks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StackRules {
    /// A second run is tried, once, where the first has a lower peak signal-to-noise ratio than so many decibels.
    pub retry_below_db: Option<f32>,
    /// Whether empty layers are left out.
    pub drop_empty: bool,
    /// What is looked at before a layer is kept.
    pub layer_check: LayerCheck,
}

impl Quality {
    /// Whether the picture comes back with less noise: by the peak signal-to-noise ratio, or, where one is the very same, by that.
    #[must_use]
    pub fn is_better_than(&self, other: &Self) -> bool {
        let decibels = |quality: &Self| quality.psnr_db.unwrap_or(f32::INFINITY);
        decibels(self) > decibels(other)
    }

    /// Tells the same of a stack from which other layers than these were taken out; what is left is numbered anew.
    pub fn retain(&mut self, kept: &[u32]) {
        let place = |order: &mut u32| {
            let found = kept.iter().position(|one| one == order);
            found.is_some_and(|found| {
                *order = found as u32;
                true
            })
        };
        if let Some(order) = &mut self.better_order {
            order.retain_mut(place);
        }
        self.duplicates
            .retain_mut(|pair| place(&mut pair.lower) && place(&mut pair.upper));
        self.layers.retain_mut(|layer| place(&mut layer.order));
    }
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

#[cfg(test)]
impl Quality {
    /// Of four layers; there is nothing on the second.
    pub(crate) fn example(psnr_db: Option<f32>) -> Self {
        let layer = |order| LayerQuality {
            order,
            visible: 0.25,
            empty: order == 1,
            whole_picture: false,
            fringe: None,
        };
        let pair = |lower, upper| DuplicateLayers {
            lower,
            upper,
            iou: 1.0,
            colour_difference: 0.0,
        };
        Self {
            mean_error: 1.0,
            p99_error: 3,
            psnr_db,
            worst_tile: WorstTile {
                x: 0,
                y: 0,
                width: 64,
                height: 64,
                mean_error: 2.0,
            },
            uncovered: 0.0,
            order_confidence: 0.5,
            better_order: Some(vec![0, 3, 1, 2]),
            duplicates: vec![pair(1, 2), pair(2, 3)],
            layers: (0..4).map(layer).collect(),
            second_try: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_very_same_picture_is_better_than_any_other_and_no_better_than_itself() {
        let (same, close, far) = (
            Quality::example(None),
            Quality::example(Some(40.0)),
            Quality::example(Some(12.0)),
        );
        assert!(same.is_better_than(&close) && close.is_better_than(&far));
        assert!(!far.is_better_than(&close) && !same.is_better_than(&same));
        assert!(!close.is_better_than(&close));
    }

    #[test]
    fn what_is_left_of_a_stack_is_told_by_its_new_numbers() {
        let mut told = Quality::example(None);
        told.retain(&[0, 2, 3]);
        assert_eq!(told.better_order, Some(vec![0, 2, 1]));
        assert_eq!((told.duplicates[0].lower, told.duplicates[0].upper), (1, 2));
        assert_eq!(told.duplicates.len(), 1);
        let orders: Vec<u32> = told.layers.iter().map(|layer| layer.order).collect();
        assert_eq!(orders, [0, 1, 2]);
        assert!(told.layers.iter().all(|layer| !layer.empty));
    }
}
