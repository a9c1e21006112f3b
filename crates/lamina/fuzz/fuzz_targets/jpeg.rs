//! Any bytes as a JPEG. What must hold is said in `image-intake`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| image_intake::fuzzing::jpeg(data));
