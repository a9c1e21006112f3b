//! How long each format takes for layers of this machine, and the most memory: `cargo run --release -p layer-formats --example measure -- LAYERS SIDE
//! [FORMAT …]`. One line of JSON for each format: milliseconds (the median of five), those of the processor (their mean) and bytes; last the peak of this process in kB (Linux).
//!
//! Layers are given from memory as rows, so that no decoder is measured; `zip` gets files that exist already.

use std::io;
use std::time::Instant;

use layer_formats::{Bounds, Format, Layer, Node, Pictures, PngFile, Rows, Stack};

/// One soft disc that every layer shows at another place.
struct Disc {
    pixels: Vec<u8>,
    file: Vec<u8>,
    side: u32,
}

impl Pictures for Disc {
    fn open(&self, _: usize) -> io::Result<Box<dyn Rows + '_>> {
        Ok(Box::new(self.pixels.as_slice()))
    }

    fn file(&self, _: usize) -> io::Result<Option<PngFile>> {
        let bounds = Bounds::new(0, 0, self.side, self.side);
        Ok(Some(PngFile {
            bytes: self.file.clone(),
            bounds,
        }))
    }
}

/// Colours with some grain, and half of it clear with a soft edge.
fn disc(side: u32) -> Vec<u8> {
    let half = f64::from(side) / 2.0;
    let mut pixels = Vec::with_capacity(side as usize * side as usize * 4);
    let mut noise = 1_u32;
    for y in 0..side {
        for x in 0..side {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (noise >> 29) as u8;
            let away = (f64::from(x) - half).hypot(f64::from(y) - half) / half;
            let alpha = ((0.8 - away) * 20.0).clamp(0.0, 1.0) * 255.0;
            pixels.extend([
                (x / 5) as u8 ^ grain,
                (y / 5) as u8 + grain / 2,
                ((x + y) / 9) as u8,
                alpha as u8,
            ]);
        }
    }
    pixels
}

#[expect(clippy::print_stdout, reason = "it is what the program is for")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(layers), Some(side)) = (arguments.next(), arguments.next()) else {
        return Err("LAYERS SIDE [FORMAT …]: two numbers at least".into());
    };
    let (layers, side): (usize, u32) = (layers.parse()?, side.parse()?);
    let words: Vec<String> = arguments.collect();
    let pixels = disc(side);
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::Fast);
    encoder.write_header()?.write_image_data(&pixels)?;
    let pictures = Disc { pixels, file, side };
    let bounds = Bounds::new(0, 0, side, side);
    let stack = Stack {
        width: side,
        height: side,
        pixels_per_inch: 72.0,
        title: "Measured".into(),
        recipe: None,
        nodes: (0..layers)
            .map(|place| Node::Layer(Layer::new(place, format!("Layer {place}"), bounds)))
            .collect(),
    };
    for format in Format::ALL {
        if !words.is_empty() && !words.iter().any(|word| word == format.word()) {
            continue;
        }
        let mut times = Vec::new();
        let cpu = cpu_ms();
        let mut count = Count(0);
        for _ in 0..5 {
            count = Count(0);
            let begun = Instant::now();
            format.write(&stack, &pictures, &mut count)?;
            times.push(begun.elapsed());
        }
        times.sort();
        println!(
            "{{\"format\":\"{}\",\"ms\":{:.1},\"cpu_ms\":{:.1},\"bytes\":{}}}",
            format.word(),
            times[2].as_secs_f64() * 1000.0,
            (cpu_ms() - cpu) / 5.0,
            count.0
        );
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!(
        "{{\"peak_kb\":{}}}",
        peak.and_then(|peak| peak.split_whitespace().next())
            .unwrap_or("null")
    );
    Ok(())
}

/// Processor time of this thread so far (Linux), which other work on the machine does not lengthen.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text
        .split_whitespace()
        .next()
        .and_then(|first| first.parse().ok());
    nanoseconds.unwrap_or(0.0_f64) / 1e6
}

struct Count(u64);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
