//! Any URL, under any settings, and any addresses of its name. What must hold is said in `safe-fetch`'s `fuzzing` module.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| safe_fetch::fuzzing::url(data));
