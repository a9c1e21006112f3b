//! Any delivery, and any change to a signed one. What must hold is said in `fal-queue/webhook`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fal_queue::webhook::fuzzing::delivery(data));
