//! No bytes make the intake panic, and what it accepts stays accepted.

use proptest::prelude::*;

use super::samples::*;
use crate::decode_base64;
use crate::fuzzing::picture;

fn valid_files() -> Vec<Vec<u8>> {
    let image = gradient(19, 11);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    vec![
        png(&image),
        with_chunk(&png(&image), b"iCCP", &iccp(&profile)),
        with_chunk(&png(&image), b"eXIf", &exif(6, true)),
        jpeg(&image),
        with_segment(&jpeg(&image), 0xE1, &exif_segment(7, false)),
        webp(&image),
        extended_webp(
            &webp(&image),
            (19, 11),
            0x18,
            &[riff_chunk(b"EXIF", &exif(5, false))],
        ),
        gif(&[image.clone(), image]),
        file("formats/cmyk_icc.jpg").to_vec(),
        file("formats/ycck.jpg").to_vec(),
        file("formats/progressive.jpg").to_vec(),
        file("formats/lossy_alpha.webp").to_vec(),
        file("formats/animated.webp").to_vec(),
    ]
}

#[derive(Debug, Clone)]
enum Mutation {
    Set(prop::sample::Index, u8),
    Flip(prop::sample::Index, u8),
    Remove(prop::sample::Index, usize),
    Insert(prop::sample::Index, Vec<u8>),
    Copy(prop::sample::Index, prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<prop::sample::Index>;
    let byte = prop_oneof![Just(0), Just(0xFF), Just(0x7F), Just(0x80), any::<u8>()];
    prop_oneof![
        4 => (at(), byte).prop_map(|(at, byte)| Mutation::Set(at, byte)),
        4 => (at(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        1 => (at(), 1_usize..40).prop_map(|(at, count)| Mutation::Remove(at, count)),
        1 => (at(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        1 => (at(), at(), 1_usize..60).prop_map(|(from, to, count)| Mutation::Copy(from, to, count)),
        1 => at().prop_map(Mutation::Cut),
    ]
}

fn mutate(file: &mut Vec<u8>, mutation: &Mutation) {
    if file.is_empty() {
        return;
    }
    let length = file.len();
    match mutation {
        Mutation::Set(at, byte) => file[at.index(length)] = *byte,
        Mutation::Flip(at, bit) => file[at.index(length)] ^= 1 << bit,
        Mutation::Remove(at, count) => {
            let at = at.index(length);
            file.drain(at..(at + count).min(length));
        }
        Mutation::Insert(at, bytes) => {
            let at = at.index(length);
            file.splice(at..at, bytes.iter().copied());
        }
        Mutation::Copy(from, to, count) => {
            let from = from.index(length);
            let piece = file[from..(from + count).min(length)].to_vec();
            let to = to.index(length);
            file.splice(to..to, piece);
        }
        Mutation::Cut(at) => file.truncate(at.index(length)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_never_panic_and_what_is_accepted_is_stable(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let files = valid_files();
        let mut file = files[which.index(files.len())].clone();
        for mutation in &mutations {
            mutate(&mut file, mutation);
        }
        picture(&file);
    }

    #[test]
    fn noise_behind_a_magic_number_never_panics(
        magic in prop::sample::select(vec![
            b"\xFF\xD8\xFF".to_vec(),
            b"\x89PNG\r\n\x1a\n".to_vec(),
            b"RIFF\x40\0\0\0WEBPVP8X".to_vec(),
            b"RIFF\x40\0\0\0WEBPVP8L".to_vec(),
            b"GIF89a".to_vec(),
            b"\0\0\0\x18ftyp".to_vec(),
            Vec::new(),
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        picture(&[magic, noise].concat());
    }

    #[test]
    fn text_never_makes_base64_panic_or_exceed_its_limit(text in ".{0,80}", max in 0_u64..60) {
        if let Ok(bytes) = decode_base64(&text, max) {
            prop_assert!(bytes.len() as u64 <= max);
        }
    }
}
