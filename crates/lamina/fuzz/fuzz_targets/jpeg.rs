//! Any bytes as a JPEG. What must hold is said in `lamina`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lamina::fuzzing::jpeg(data));
