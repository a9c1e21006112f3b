//! Any text as base64, and any bytes in any spelling. What must hold is said in `lamina`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lamina::fuzzing::base64(data));
