//! What the file says of the picture as a whole: resolution, colour space, that its merged picture is real, and a small picture.

use std::io;

use crate::error::ExportError;
use crate::stack::Stack;
use crate::thumbnail::Thumbnail;
use crate::written::Written;

/// sRGB, as the ICC profile that Little CMS makes of it, which says of itself that it has no copyright.
const SRGB: &[u8] = include_bytes!("srgb.icc");
const WRITER: &str = "layer-formats";
const THUMBNAIL_QUALITY: u8 = 85;

pub(super) fn write(
    stack: &Stack,
    thumbnail: &Thumbnail,
    out: &mut Written<'_>,
) -> Result<(), ExportError> {
    let mut all = Vec::new();
    resource(&mut all, 1005, &resolution(stack))?;
    resource(&mut all, 1036, &small(thumbnail)?)?;
    resource(&mut all, 1039, SRGB)?;
    resource(&mut all, 1057, &version())?;
    out.u32(all.len() as u32)?;
    out.bytes(&all)?;
    Ok(())
}

fn resource(all: &mut Vec<u8>, id: u16, data: &[u8]) -> io::Result<()> {
    let mut out = Written::new(all);
    out.bytes(b"8BIM")?;
    out.u16(id)?;
    // Without a name.
    out.u16(0)?;
    out.u32(data.len() as u32)?;
    out.bytes(data)?;
    out.bytes(&[0][..data.len() % 2])
}

/// Pixels an inch, in sixteenths of a bit, shown as such; sizes shown in inches.
fn resolution(stack: &Stack) -> Vec<u8> {
    let fixed = (stack.pixels_per_inch * 65_536.0).round() as u32;
    let mut data = Vec::new();
    for _ in 0..2 {
        data.extend(fixed.to_be_bytes());
        data.extend([0, 1, 0, 1]);
    }
    data
}

fn small(thumbnail: &Thumbnail) -> Result<Vec<u8>, ExportError> {
    let (width, height) = thumbnail.size();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, THUMBNAIL_QUALITY);
    encoder
        .encode(
            &thumbnail.on_white(),
            width as u16,
            height as u16,
            jpeg_encoder::ColorType::Rgb,
        )
        .map_err(io::Error::other)?;
    let row_bytes = (width * 24).div_ceil(32) * 4;
    let mut data = Vec::new();
    // JPEG of RGB.
    for number in [
        1,
        width,
        height,
        row_bytes,
        row_bytes * height,
        jpeg.len() as u32,
    ] {
        data.extend(number.to_be_bytes());
    }
    data.extend([0, 24, 0, 1]);
    data.extend(jpeg);
    Ok(data)
}

/// The merged picture is real; who wrote it, and who can read it.
fn version() -> Vec<u8> {
    let mut data = vec![0, 0, 0, 1, 1];
    for _ in 0..2 {
        let units: Vec<u16> = WRITER.encode_utf16().collect();
        data.extend((units.len() as u32).to_be_bytes());
        data.extend(units.iter().flat_map(|unit| unit.to_be_bytes()));
    }
    data.extend(1_u32.to_be_bytes());
    data
}
