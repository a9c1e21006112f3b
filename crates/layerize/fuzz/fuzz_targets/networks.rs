//! Any picture, any options, with the networks: no panic, and the stack gives the picture back.
//! The saliency network takes a second a call here, so only some inputs meet it.
#![no_main]

mod picture;

use libfuzzer_sys::fuzz_target;
use picture::Bytes;

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let mut options = bytes.options();
    if bytes.next() % 16 > 0 {
        options.skip.push("subject");
    }
    picture::hold(&bytes.picture(1100, 12_000), &options);
});
