//! An unpacked bundle (`manifest.json` and its PNG files) to other formats:
//! `cargo run -p layer-formats --example export -- FOLDER/manifest.json OUT psd ora …`. Without formats, all of them.
//!
//! Shows how layers that lie compressed in files are given row by row, so that none is ever held whole.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use layer_formats::{
    Blend, Bounds, ExportError, Format, Group, Layer, Node, Pictures, PngFile, Rows, Stack, psd,
    write_png,
};
use serde_json::Value;

struct Files {
    paths: Vec<(PathBuf, Bounds)>,
}

struct PngRows(png::Reader<BufReader<File>>);

impl Pictures for Files {
    fn open(&self, source: usize) -> io::Result<Box<dyn Rows + '_>> {
        let file = BufReader::new(File::open(&self.paths[source].0)?);
        let reader = png::Decoder::new(file).read_info()?;
        if reader.output_color_type() != (png::ColorType::Rgba, png::BitDepth::Eight) {
            return Err(io::Error::other("only PNG of RGBA, 8 bits a sample"));
        }
        Ok(Box::new(PngRows(reader)))
    }

    fn file(&self, source: usize) -> io::Result<Option<PngFile>> {
        let (path, bounds) = &self.paths[source];
        Ok(Some(PngFile {
            bytes: std::fs::read(path)?,
            bounds: Bounds::new(0, 0, bounds.width, bounds.height),
        }))
    }
}

impl Rows for PngRows {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        let row_bytes = self.0.info().width as usize * 4;
        for row in rows.chunks_exact_mut(row_bytes) {
            let decoded = self.0.next_row()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            row.copy_from_slice(decoded.data());
        }
        Ok(())
    }
}

fn nodes(values: &[Value], folder: &Path, files: &mut Files) -> Vec<Node> {
    let opacity = |value: &Value| (value["opacity"].as_f64().unwrap_or(1.0) * 255.0).round() as u8;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut nodes_of = Vec::new();
    for value in values {
        let name = text(&value["name"]).unwrap_or_default();
        let visible = value["visible"].as_bool().unwrap_or(true);
        if value["type"] == "group" {
            let inside = value["nodes"].as_array().map_or(&[][..], Vec::as_slice);
            nodes_of.push(Node::Group(Group {
                name,
                opacity: opacity(value),
                visible,
                nodes: nodes(inside, folder, files),
            }));
            continue;
        }
        let number = |key: &str| value[key].as_i64().unwrap_or(0) as i32;
        let (width, height) = (number("width") as u32, number("height") as u32);
        let bounds = Bounds::new(number("x"), number("y"), width, height);
        let path = folder.join(value["file"].as_str().unwrap_or_default());
        files.paths.push((path, bounds));
        let mut layer = Layer::new(files.paths.len() - 1, name, bounds);
        layer.id = text(&value["id"]).unwrap_or(layer.id);
        layer.kind = text(&value["kind"]);
        layer.text = text(&value["text"]);
        layer.opacity = opacity(value);
        layer.visible = visible;
        let blend = value["blend_mode"].as_str().and_then(Blend::from_name);
        layer.blend = blend.unwrap_or_default();
        nodes_of.push(Node::Layer(layer));
    }
    nodes_of
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(manifest), Some(out)) = (arguments.next(), arguments.next()) else {
        return Err("MANIFEST OUT [FORMAT …]: two arguments at least".into());
    };
    let words: Vec<String> = arguments.collect();
    let manifest = Path::new(&manifest);
    let folder = manifest.parent().unwrap_or(Path::new("."));
    let value: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
    let mut files = Files { paths: Vec::new() };
    let listed = value["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let stack = Stack {
        width: u32::try_from(value["width"].as_u64().unwrap_or(0))?,
        height: u32::try_from(value["height"].as_u64().unwrap_or(0))?,
        pixels_per_inch: value["pixels_per_inch"].as_f64().unwrap_or(72.0),
        title: value["title"].as_str().unwrap_or_default().to_owned(),
        recipe: value.get("recipe").cloned(),
        nodes: nodes(listed, folder, &mut files),
    };
    let out = Path::new(&out);
    std::fs::create_dir_all(out)?;
    let wanted = |word: &str| words.is_empty() || words.iter().any(|other| other == word);
    let write = |name: String, write: &dyn Fn(&mut dyn Write) -> Result<(), ExportError>| {
        let mut file = BufWriter::new(File::create(out.join(name))?);
        write(&mut file)?;
        file.flush().map_err(ExportError::from)
    };
    for format in Format::ALL {
        if wanted(format.word()) {
            let name = format!("picture.{}", format.extension(&stack));
            write(name, &|file| format.write(&stack, &files, file))?;
        }
    }
    if wanted("psd-zip") {
        write("zipped.psd".into(), &|file| {
            psd::write(&stack, &files, psd::Compression::Zip, file)
        })?;
    }
    if wanted("png") {
        write("picture.png".into(), &|file| {
            write_png(&stack, &files, file)
        })?;
    }
    Ok(())
}
