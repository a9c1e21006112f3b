//! Pictures of as many pixels as are taken, three at once, by the real binary: they cost what docs/images.md
//! says, and none more than the whole service may have. WebP and GIF are not among them.

use bytes::Bytes;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use reqwest::Client;

use crate::support::{Process, files, left_out};

/// The square of it is what is taken: 50 megapixels.
const SIDE: u32 = 7_070;
/// The most memory that the process may ever have had: 450 MB.
const MOST_MEMORY_KIB: u64 = 450_000_000 / 1024;

/// Rows of these values, made by moving one of them: quick in a test that nobody optimised.
fn pixels(channels: usize, value: fn(usize) -> usize) -> Vec<u8> {
    let side = SIDE as usize;
    let row: Vec<u8> = (0..side * channels)
        .map(|at| value(at / channels) as u8)
        .collect();
    let mut all = Vec::with_capacity(row.len() * side);
    for number in 0..side {
        let (right, left) = row.split_at(number / 3 * channels % row.len());
        all.extend_from_slice(left);
        all.extend_from_slice(right);
    }
    all
}

/// As a photo looks to a coder.
fn busy(at: usize) -> usize {
    (at * at / 977) % 97 + at % 150
}

/// As a drawing looks to one.
fn calm(at: usize) -> usize {
    at / 32
}

fn jpeg() -> Vec<u8> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, 60)
        .encode(&pixels(3, busy), SIDE, SIDE, ExtendedColorType::Rgb8)
        .unwrap();
    file
}

fn progressive() -> Vec<u8> {
    let mut compress = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    compress.set_fastest_defaults();
    compress.set_size(SIDE as usize, SIDE as usize);
    compress.set_quality(60.0);
    compress.set_progressive_mode();
    let mut compress = compress.start_compress(Vec::new()).unwrap();
    compress.write_scanlines(&pixels(3, busy)).unwrap();
    compress.finish().unwrap()
}

fn png() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, SIDE, SIDE);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&pixels(4, calm)).unwrap();
    writer.finish().unwrap();
    file
}

/// Makes a file.
type Make = fn() -> Vec<u8>;

/// How much memory three such uploads at once cost the service.
async fn costs(name: &str, file: Vec<u8>) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let service = Process::start(&[("DATABASE_PATH", &database), ("PORT", "0")]).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let (url, file) = (format!("{}/api/upload", service.base), Bytes::from(file));
    let uploads = (0..3).map(|_| {
        let upload = client.post(&url).header("content-type", "image/png");
        upload.body(file.clone()).send()
    });
    for answer in futures_util::future::join_all(uploads).await {
        let answer = answer.unwrap();
        let status = answer.status();
        assert_eq!(status, 201, "{name}: {}", answer.text().await.unwrap());
    }
    assert_eq!(files(&folder.path().join("blobs/uploads")).len(), 3);
    let peak = service.peak_memory_kib();
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
    peak
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_pictures_of_each_format_cost_a_stated_amount_of_memory() {
    let formats: [(&str, Make); 3] = [
        ("JPEG, baseline", jpeg),
        ("JPEG, progressive", progressive),
        ("PNG with alpha", png),
    ];
    for (name, make) in formats {
        let file = make();
        assert!(file.len() < 20 << 20, "{name}: {} bytes", file.len());
        let megabytes = file.len() as f64 / 1e6;
        let Some(peak) = costs(name, file).await else {
            return left_out("memory of large pictures; only Linux says it");
        };
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!(
                "{name}: three of 50 megapixels and {megabytes:.1} MB at once, peak {} MB\n",
                peak * 1024 / 1_000_000
            ),
        );
        assert!(peak < MOST_MEMORY_KIB, "{name}: {peak} KiB");
    }
}
