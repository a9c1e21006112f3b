//! Any bytes as a stack of layers. What must hold is said in `layer-formats`' `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| layer_formats::fuzzing::stack(data));
