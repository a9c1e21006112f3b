//! Any text as base64, and any bytes in any spelling. What must hold is said in `image-intake`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_intake::fuzzing::base64(data));
