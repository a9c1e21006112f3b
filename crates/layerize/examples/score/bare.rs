//! The baseline of all times: the two networks alone, run by rten as they are, without layerize.
//!
//! Inputs are those of a square picture of 1024 pixels a side. Nothing is kept of the answers.

use rten::Model;
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::run::processor_time;

/// Processor time in ms of one call, the least of three, on the threads rten takes by itself.
pub(crate) fn times() -> (f32, f32) {
    let text = include_bytes!("../../models/ppocrv4_det.onnx");
    let saliency = include_bytes!("../../models/u2netp.onnx");
    (once(text, 960), once(saliency, 320))
}

fn once(file: &'static [u8], side: usize) -> f32 {
    let model = Model::load_static_slice(file).expect("a model");
    let input = NdTensor::<f32, 4>::zeros([1, 3, side, side]);
    let output = model.output_ids()[0];
    let call = || {
        let begun = processor_time();
        let input = (model.input_ids()[0], input.view().into());
        model.run(vec![input], &[output], None).expect("runs");
        (processor_time() - begun).as_secs_f32() * 1000.0
    };
    (0..3).map(|_| call()).fold(f32::MAX, f32::min)
}
