//! Any address of a file, and any change to a signed one. What must hold is said in `lamina`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lamina::fuzzing::link(data));
