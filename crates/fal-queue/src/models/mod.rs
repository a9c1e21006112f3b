//! Typed inputs and outputs of models; the client itself takes any serde type.

pub mod qwen_image_layered;
