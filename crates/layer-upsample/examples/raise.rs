//! `raise photo.png out layer_0.png layer_1.png …`: small layers, bottom first, to the photo's size, as `out/layer_N.png` and, what is
//! seen of each in the photo, `out/seen_N.png`.

#![expect(clippy::print_stdout, reason = "it says what it found")]

use std::error::Error;
use std::path::Path;

use image::ColorType::{L8, Rgba8};
use layer_upsample::{Band, Sink, SmallLayer, Source, raise};

/// Pixels and what is seen of them, for each layer.
struct Kept(Vec<(Vec<u8>, Vec<u8>)>);

impl Sink for Kept {
    fn band(&mut self, band: Band<'_>) -> std::io::Result<()> {
        for (index, (pixels, seen)) in self.0.iter_mut().enumerate() {
            pixels.extend_from_slice(band.layer(index));
            seen.extend_from_slice(band.seen(index));
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [photo, folder, files @ ..] = arguments.as_slice() else {
        return Err("give a photo, a folder, and layers from the bottom up".into());
    };
    let photo = image::open(photo)?.into_rgba8();
    let small = files
        .iter()
        .map(|file| Ok(image::open(file)?.into_rgba8()))
        .collect::<Result<Vec<_>, image::ImageError>>()?;
    let layers = small
        .iter()
        .map(|l| SmallLayer::new(l.width(), l.height(), l))
        .collect::<Result<Vec<_>, _>>()?;
    let (w, h) = photo.dimensions();
    let mut kept = Kept(vec![Default::default(); layers.len()]);
    let report = raise(
        &Source::new(w, h, &photo)?,
        &layers,
        &mut |_| {},
        &|| false,
        &mut kept,
    )?;
    for (index, (pixels, seen)) in kept.0.iter().enumerate() {
        let file = |word: &str| Path::new(folder).join(format!("{word}_{index}.png"));
        image::save_buffer(file("layer"), pixels, w, h, Rgba8)?;
        image::save_buffer(file("seen"), seen, w, h, L8)?;
    }
    println!("{report:?}");
    Ok(())
}
