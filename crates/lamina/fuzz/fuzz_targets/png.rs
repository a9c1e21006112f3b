//! Any bytes as a PNG. What must hold is said in `lamina`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lamina::fuzzing::png(data));
