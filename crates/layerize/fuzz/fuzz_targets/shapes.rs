//! Any picture, any options, without the networks: no panic, and the stack gives the picture back.
#![no_main]

mod picture;

use libfuzzer_sys::fuzz_target;
use picture::Bytes;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut options = bytes.options();
    options.skip.extend(["text", "subject"]);
    picture::hold(&bytes.picture(1400, 24_000), &options);
});
