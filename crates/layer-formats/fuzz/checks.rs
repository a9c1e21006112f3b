//! What must hold of any stack: every writer's file can be read again, by short readers of its own, and holds the very pixels; the same stack gives
//! the same bytes. Compiled for tests and for the fuzz target, which makes stacks of any bytes.

use std::io;

use super::*;

const MOST_LAYERS: usize = 5;

/// Any bytes as a stack, written in every format and read again.
pub fn stack(data: &[u8]) {
    let mut input = Input(data);
    let (width, height) = (
        1 + u32::from(input.byte()) % 70,
        1 + u32::from(input.byte()) % 70,
    );
    let mut pictures = Vec::new();
    let nodes = nodes(&mut input, &mut pictures, 2);
    let stack = Stack {
        width,
        height,
        pixels_per_inch: 1.0 + f64::from(input.byte()),
        title: input.text(),
        recipe: None,
        nodes,
    };
    for format in Format::ALL {
        let file = written(format, &stack, &pictures);
        assert_eq!(file, written(format, &stack, &pictures), "{format:?} twice");
        match format {
            Format::Psd => check_psd(&file, &stack, &pictures),
            Format::Svg => check_svg(&file, &stack),
            Format::OpenRaster | Format::Pptx | Format::Zip => check_zip(&file),
            Format::Tiff => check_tiff(&file, &stack, &pictures),
            Format::Gif => check_gif(&file, &stack),
        }
    }
    let mut zipped = Vec::new();
    psd::write(&stack, &pictures, psd::Compression::Zip, &mut zipped).expect("it can be written");
    check_psd(&zipped, &stack, &pictures);
}

fn written(format: Format, stack: &Stack, pictures: &Vec<Vec<u8>>) -> Vec<u8> {
    let mut file = Vec::new();
    format
        .write(stack, pictures, &mut file)
        .expect("it can be written");
    file
}

struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    fn text(&mut self) -> String {
        let length = usize::from(self.byte()) % 40;
        let bytes: Vec<u8> = (0..length).map(|_| self.byte()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn nodes(input: &mut Input<'_>, pictures: &mut Vec<Vec<u8>>, depth: usize) -> Vec<Node> {
    let mut nodes_of = Vec::new();
    for _ in 0..input.byte() % 4 {
        if pictures.len() == MOST_LAYERS {
            break;
        }
        let kind = input.byte();
        if kind.is_multiple_of(4) && depth > 0 {
            nodes_of.push(Node::Group(Group {
                name: input.text(),
                opacity: input.byte(),
                visible: kind < 200,
                nodes: nodes(input, pictures, depth - 1),
            }));
            continue;
        }
        let place = |byte: u8| i32::from(byte) - 100;
        let (x, y) = (place(input.byte()), place(input.byte()));
        let (width, height) = (u32::from(input.byte()) % 140, u32::from(input.byte()) % 50);
        let mut layer = Layer::new(
            pictures.len(),
            input.text(),
            Bounds::new(x, y, width, height),
        );
        layer.opacity = input.byte();
        layer.visible = kind < 200;
        layer.blend = Blend::ALL[usize::from(input.byte()) % Blend::ALL.len()];
        // Runs and noise, from a few bytes.
        let (seed, run) = (input.byte(), 1 + usize::from(input.byte()) % 200);
        let count = width as usize * height as usize * 4;
        let sample = |at: usize| {
            ((at / run) as u8)
                .wrapping_mul(seed)
                .wrapping_add((at % run.min(5)) as u8)
        };
        pictures.push((0..count).map(sample).collect());
        nodes_of.push(Node::Layer(layer));
    }
    nodes_of
}

/// A big-endian file that is read from its start.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .expect("the file is long enough");
        self.0 = rest;
        taken
    }

    fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    /// A part with its length before it.
    fn part(&mut self) -> Reader<'a> {
        let length = self.u32() as usize;
        Reader(self.take(length))
    }
}

fn check_psd(file: &[u8], stack: &Stack, pictures: &[Vec<u8>]) {
    let mut file = Reader(file);
    assert_eq!(file.take(12), b"8BPS\0\x01\0\0\0\0\0\0");
    let channels = file.u16();
    assert_eq!((file.u32(), file.u32()), (stack.height, stack.width));
    assert_eq!((file.u16(), file.u16(), file.u32()), (8, 3, 0));
    let mut resources = file.part();
    while !resources.0.is_empty() {
        assert_eq!(resources.take(4), b"8BIM");
        resources.take(4);
        let length = resources.part().0.len();
        resources.take(length % 2);
    }
    let mut section = file.part();
    if !section.0.is_empty() {
        check_layers(&mut section.part(), stack, pictures);
        assert_eq!(section.0, [0; 4]);
    }
    assert_eq!(file.u16(), 1);
    let rows = usize::from(channels) * stack.height as usize;
    let lengths: Vec<usize> = (0..rows).map(|_| usize::from(file.u16())).collect();
    for length in lengths {
        assert_eq!(unpacked(file.take(length)).len(), stack.width as usize);
    }
    assert!(file.0.is_empty(), "nothing is left");
}

fn check_layers(info: &mut Reader<'_>, stack: &Stack, pictures: &[Vec<u8>]) {
    let count = (info.u16() as i16).unsigned_abs();
    let mut records = Vec::new();
    for _ in 0..count {
        let edges: [i32; 4] = std::array::from_fn(|_| info.u32() as i32);
        assert_eq!(info.u16(), 4);
        let lengths: [(u16, u32); 4] = std::array::from_fn(|_| (info.u16(), info.u32()));
        assert_eq!(info.take(4), b"8BIM");
        info.take(8);
        let mut further = info.part();
        assert_eq!((further.u32(), further.u32()), (0, 0));
        let old = usize::from(further.take(1)[0]);
        further.take((old + 1).next_multiple_of(4) - 1);
        let mut is_group = false;
        while !further.0.is_empty() {
            assert_eq!(further.take(4), b"8BIM");
            let key = further.take(4);
            let mut block = further.part();
            is_group |= key == b"lsct";
            if key == b"luni" {
                let units = block.u32() as usize;
                let units: Vec<u16> = (0..units).map(|_| block.u16()).collect();
                let name = String::from_utf16(&units).expect("it is Unicode");
                assert!(
                    !name.is_empty() && !name.chars().any(char::is_control),
                    "{name:?}"
                );
            }
        }
        records.push((edges, lengths, is_group));
    }
    let layers = stack.layers();
    let mut layers = layers.iter();
    for (edges, lengths, is_group) in records {
        let size = (
            (edges[3] - edges[1]) as usize,
            (edges[2] - edges[0]) as usize,
        );
        let parts = lengths.map(|(id, length)| (id as i16, info.take(length as usize)));
        if is_group {
            assert_eq!(size, (0, 0));
            continue;
        }
        let layer = layers.next().expect("there is a layer for it");
        if layer.bounds.is_empty() {
            assert_eq!(
                (size, parts.map(|(_, part)| part)),
                ((0, 0), [[0; 2].as_slice(); 4])
            );
            continue;
        }
        let bounds = layer.bounds;
        assert_eq!(edges, [bounds.y, bounds.x, bounds.bottom(), bounds.right()]);
        for (id, part) in parts {
            let place = if id < 0 { 3 } else { id as usize };
            let pixels = pictures[layer.source].as_chunks::<4>().0.iter();
            let expected: Vec<u8> = pixels
                .map(|pixel| if pixel[3] == 0 { 0 } else { pixel[place] })
                .collect();
            assert_eq!(
                samples(part, size),
                expected,
                "channel {id} of {}",
                layer.name
            );
        }
    }
    assert!(layers.next().is_none(), "all layers are there");
    assert!(info.0.len() < 4 && info.0.iter().all(|byte| *byte == 0));
}

fn samples(part: &[u8], (width, height): (usize, usize)) -> Vec<u8> {
    let mut part = Reader(part);
    match part.u16() {
        1 => {
            let lengths: Vec<usize> = (0..height).map(|_| usize::from(part.u16())).collect();
            let rows = lengths
                .into_iter()
                .map(|length| unpacked(part.take(length)));
            let all = rows.collect::<Vec<_>>().concat();
            assert!(part.0.is_empty());
            all
        }
        3 => {
            let mut all = Vec::new();
            let mut zip = flate2::read::ZlibDecoder::new(part.0);
            io::Read::read_to_end(&mut zip, &mut all).expect("it is zlib");
            for row in all.chunks_exact_mut(width) {
                for at in 1..row.len() {
                    row[at] = row[at].wrapping_add(row[at - 1]);
                }
            }
            all
        }
        other => panic!("compression {other}"),
    }
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut packed = Reader(packed);
    let mut row = Vec::new();
    while !packed.0.is_empty() {
        match packed.take(1)[0] {
            128 => {}
            count @ 0..128 => row.extend(packed.take(usize::from(count) + 1)),
            count => row.extend(std::iter::repeat_n(
                packed.take(1)[0],
                257 - usize::from(count),
            )),
        }
    }
    row
}

/// Walks the local entries, and holds each against its sum; names stay inside, and differ.
fn check_zip(file: &[u8]) {
    let mut names = std::collections::BTreeSet::new();
    let mut rest = file;
    let number = |bytes: &[u8]| {
        bytes
            .iter()
            .rev()
            .fold(0, |all, byte| all << 8 | usize::from(*byte))
    };
    while rest.starts_with(b"PK\x03\x04") {
        let (length, name) = (number(&rest[22..26]), number(&rest[26..28]));
        let data = &rest[30 + name..30 + name + length];
        assert_eq!(crc32fast::hash(data) as usize, number(&rest[14..18]));
        let name = std::str::from_utf8(&rest[30..30 + name]).expect("names are UTF-8");
        assert!(
            !name.starts_with('/') && !name.contains("..") && !name.contains('\\'),
            "{name}"
        );
        assert!(names.insert(name.to_lowercase()), "{name} twice");
        if name.ends_with(".png") {
            let mut png = png::Decoder::new(io::Cursor::new(data))
                .read_info()
                .expect("it is PNG");
            while png.next_row().expect("its rows are whole").is_some() {}
        } else if name.ends_with(".json") {
            serde_json::from_slice::<serde_json::Value>(data).expect("it is JSON");
        } else {
            assert!(
                data.iter().all(|byte| *byte >= b' ' || *byte == b'\n'),
                "{name}"
            );
        }
        rest = &rest[30 + name.len() + length..];
    }
    assert_eq!(number(&file[file.len() - 12..file.len() - 10]), names.len());
    assert_eq!(
        number(&file[file.len() - 6..file.len() - 2]),
        file.len() - rest.len()
    );
}

fn check_svg(file: &[u8], stack: &Stack) {
    let text = std::str::from_utf8(file).expect("it is UTF-8");
    let shown = stack
        .layers()
        .iter()
        .filter(|layer| !layer.bounds.is_empty())
        .count();
    assert_eq!(text.matches("<image ").count(), shown);
    assert_eq!(text.matches("<g ").count(), text.matches("</g>").count());
    assert!(
        !text
            .chars()
            .any(|letter| letter.is_control() && letter != '\n')
    );
}

/// A page for each layer that is drawn, with its very pixels where it is not faded.
fn check_tiff(file: &[u8], stack: &Stack, pictures: &[Vec<u8>]) {
    let number = |at: usize, count: usize| {
        let bytes = file[at..at + count].iter().rev();
        bytes.fold(0, |all, byte| all << 8 | usize::from(*byte))
    };
    assert_eq!(&file[..4], b"II*\0");
    let (mut at, mut pages) = (number(4, 4), 0);
    let layers = flat::drawn(stack);
    let mut end = 8;
    while at != 0 {
        let count = number(at, 2);
        let mut tags = std::collections::BTreeMap::new();
        let mut last = 0;
        end = at + 6 + count * 12;
        for entry in (at + 2..).step_by(12).take(count) {
            let (tag, kind) = (number(entry, 2), number(entry + 2, 2));
            assert!(tag > last, "tags are in order");
            last = tag;
            let bytes = number(entry + 4, 4) * [0, 1, 1, 2, 4, 8][kind];
            let place = if bytes > 4 {
                number(entry + 8, 4)
            } else {
                entry + 8
            };
            if bytes > 4 {
                assert!(place == end && place.is_multiple_of(2));
                end = place + bytes.next_multiple_of(2);
            }
            let size = [0, 1, 1, 2, 4, 4][kind];
            let values = (place..place + bytes).step_by(size);
            tags.insert(tag, values.map(|at| number(at, size)).collect::<Vec<_>>());
        }
        let (width, height) = (tags[&256][0], tags[&257][0]);
        let mut pixels = Vec::new();
        for (start, length) in tags[&273].iter().zip(&tags[&279]) {
            let mut zip = flate2::read::ZlibDecoder::new(&file[*start..start + length]);
            io::Read::read_to_end(&mut zip, &mut pixels).expect("it is zlib");
        }
        assert_eq!(pixels.len(), width * height * 4);
        for row in pixels.chunks_exact_mut(width * 4) {
            for at in 4..row.len() {
                row[at] = row[at].wrapping_add(row[at - 4]);
            }
        }
        if let Some(drawn) = layers.get(pages) {
            let (inside, bounds) = (drawn.inside, drawn.layer.bounds);
            assert_eq!(
                (width, height),
                (inside.width as usize, inside.height as usize)
            );
            let inches = |tag: usize| tags[&tag][0] as f64 / tags[&tag][1] as f64;
            for (tag, place) in [(286, inside.x), (287, inside.y)] {
                let found = inches(tag) * inches(282);
                assert!((found - f64::from(place)).abs() < 1e-6, "{found} {place}");
            }
            for (row, y) in pixels.chunks_exact(width * 4).zip(inside.y..) {
                for (pixel, x) in row.as_chunks::<4>().0.iter().zip(inside.x..) {
                    let from = (y - bounds.y) as usize * bounds.width as usize;
                    let from = (from + (x - bounds.x) as usize) * 4;
                    let own = &pictures[drawn.layer.source][from..from + 4];
                    let alpha = f64::from(own[3]) * f64::from(drawn.opacity) / 255.0;
                    assert!((f64::from(pixel[3]) - alpha).abs() <= 0.5);
                    assert!(pixel[3] == 0 || pixel[..3] == own[..3]);
                }
            }
        }
        pages += 1;
        at = number(at + 2 + count * 12, 4);
    }
    assert_eq!((pages, end), (layers.len().max(1), file.len()));
}

/// As many frames as there are, of the canvas's shape; the first shows what the stack does.
fn check_gif(file: &[u8], stack: &Stack) {
    let mut options = ::gif::DecodeOptions::new();
    options.set_color_output(::gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(file).expect("it is GIF");
    let longest = u32::from(decoder.width().max(decoder.height()));
    assert_eq!(longest, stack.width.max(stack.height).min(gif::SIDE));
    let mut frames = 0;
    while let Some(frame) = decoder.read_next_frame().expect("frames are whole") {
        assert!(
            frame
                .buffer
                .as_chunks::<4>()
                .0
                .iter()
                .all(|pixel| pixel[3] == 255)
        );
        frames += 1;
    }
    assert_eq!(frames, gif::FRAMES);
}
