//! Any document in the place of fal's public keys. What must hold is said in `fal-queue/webhook`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fal_queue::webhook::fuzzing::key_document(data));
