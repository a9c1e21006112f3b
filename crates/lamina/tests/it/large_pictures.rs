//! Pictures of as many pixels as are taken, three at once, by the real binary: they cost what crates/image-intake/NOTES.md
//! says, and none more than the whole service may have. Kinds that hold more for a pixel are taken up to fewer.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::{ExtendedColorType, ImageEncoder as _};
use reqwest::Client;
use serde_json::json;
use tokio::time::interval;

use crate::support::{Process, emulator, fal_options, files, json_of, left_out, until};

/// The square of it is what is taken: 50 megapixels.
const SIDE: u32 = 7_070;
/// The square of it is what is taken of the kinds that hold most: 30 megapixels, at 12 bytes each.
const LEAST_SIDE: u32 = 5_470;
/// The most memory that the process may ever have had: 450 MB.
const MOST_MEMORY_KIB: u64 = 450_000_000 / 1024;
/// The same beside the pages of its binary.
const MOST_BESIDE_BINARY_KIB: u64 = 425_000_000 / 1024;
/// The most memory of `lamina split` of a photo of 1024² beside the pages of its binary, of which the one that is shipped has 60 MB: 320 MB with those.
const MOST_OF_SPLIT_KIB: u64 = 260_000_000 / 1024;

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

fn webp() -> Vec<u8> {
    let mut file = Vec::new();
    WebPEncoder::new_lossless(&mut file)
        .write_image(&pixels(3, calm), SIDE, SIDE, ExtendedColorType::Rgb8)
        .unwrap();
    file
}

/// One colour: each code of LZW stands for a run that is longer by one than the last.
fn gif() -> Vec<u8> {
    const CLEAR: u32 = 4;
    const END: u32 = 5;
    let (mut bits, mut count, mut packed) = (0_u64, 0, Vec::new());
    let mut write = |code: u32, width: u32, packed: &mut Vec<u8>| {
        bits |= u64::from(code) << count;
        count += width;
        while count >= 8 {
            packed.push(bits as u8);
            bits >>= 8;
            count -= 8;
        }
    };
    let mut left = u64::from(SIDE) * u64::from(SIDE);
    let mut width = 3;
    write(CLEAR, width, &mut packed);
    // The code that is written, the run that it stands for, and the next that the reader will know.
    let (mut code, mut run, mut next) = (1, 1, END + 1);
    let mut first = true;
    while left > 0 {
        if run > left {
            // What is left is shorter: begin again with single pixels.
            write(CLEAR, width, &mut packed);
            (code, run, next, width, first) = (1, 1, END + 1, 3, true);
        }
        write(code, width, &mut packed);
        left -= run;
        if !first {
            // The reader has added the run of the code before and one more.
            next += 1;
        }
        first = false;
        if next == 4_095 {
            write(CLEAR, width, &mut packed);
            (code, run, next, width, first) = (1, 1, END + 1, 3, true);
            continue;
        }
        if next == 1 << width && width < 12 {
            width += 1;
        }
        (code, run) = (next, run + 1);
    }
    write(END, width, &mut packed);
    write(0, 7, &mut packed);
    let side = u16::try_from(SIDE).unwrap().to_le_bytes();
    let size = [side, side].concat();
    let mut file = b"GIF89a".to_vec();
    file.extend_from_slice(&size);
    file.extend_from_slice(&[0x81, 0, 0]);
    file.extend_from_slice(&[10, 20, 30, 200, 100, 50, 0, 0, 0, 0, 0, 0]);
    file.extend_from_slice(&[0x2C, 0, 0, 0, 0]);
    file.extend_from_slice(&size);
    file.extend_from_slice(&[0, 2]);
    for block in packed.chunks(255) {
        file.push(block.len() as u8);
        file.extend_from_slice(block);
    }
    file.extend_from_slice(&[0, 0x3B]);
    file
}

/// The same with alpha, framed as the only picture of an animation.
fn animated() -> Vec<u8> {
    let still = {
        let side = LEAST_SIDE as usize;
        let row: Vec<u8> = (0..side * 4).map(|at| calm(at / 4) as u8).collect();
        let mut file = Vec::new();
        WebPEncoder::new_lossless(&mut file)
            .write_image(
                &row.repeat(side),
                LEAST_SIDE,
                LEAST_SIDE,
                ExtendedColorType::Rgba8,
            )
            .unwrap();
        file
    };
    let chunk = |kind: &[u8; 4], body: &[u8]| {
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let padding = &[0][..body.len() % 2];
        [kind, &length[..], body, padding].concat()
    };
    let size = (LEAST_SIDE - 1).to_le_bytes();
    let size = [&size[..3], &size[..3]].concat();
    let flags = [0x12, 0, 0, 0];
    let place = [0; 6];
    let frame = [&place[..], &size, &[0; 4], &still[12..]].concat();
    let body = [
        b"WEBP".to_vec(),
        chunk(b"VP8X", &[&flags[..], &size].concat()),
        chunk(b"ANIM", &[0; 6]),
        chunk(b"ANMF", &frame),
    ];
    chunk(b"RIFF", &body.concat())
}

/// Lossy ones were written by libwebp, of one colour.
fn written(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../../testdata/formats/{name}.webp.gz",
        env!("CARGO_MANIFEST_DIR")
    );
    let mut file = Vec::new();
    let packed = std::fs::File::open(path).unwrap();
    GzDecoder::new(packed).read_to_end(&mut file).unwrap();
    file
}

fn lossy() -> Vec<u8> {
    written("lossy_50_megapixels")
}

fn lossy_alpha() -> Vec<u8> {
    written("lossy_alpha_32_megapixels")
}

/// 16 bits a sample.
fn deep() -> Vec<u8> {
    let side = LEAST_SIDE as usize;
    let row: Vec<u8> = (0..side * 8).map(|at| calm(at / 8) as u8).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, LEAST_SIDE, LEAST_SIDE);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().unwrap();
    let mut stream = writer.stream_writer().unwrap();
    for _ in 0..side {
        stream.write_all(&row).unwrap();
    }
    stream.finish().unwrap();
    writer.finish().unwrap();
    file
}

/// As a phone held upright writes it: the picture lies on its side, and Exif says so.
fn on_its_side() -> Vec<u8> {
    let file = jpeg();
    let exif = b"\xFF\xE1\x00\x22Exif\0\0II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    [&file[..2], exif, &file[2..]].concat()
}

/// Makes a file.
type Make = fn() -> Vec<u8>;

/// Three uploads of the file at once.
async fn upload_three(client: &Client, base: &str, name: &str, file: Vec<u8>) {
    let (url, file) = (format!("{base}/api/upload"), Bytes::from(file));
    let uploads = (0..3).map(|_| {
        let upload = client.post(&url).header("content-type", "image/png");
        upload.body(file.clone()).send()
    });
    for answer in futures_util::future::join_all(uploads).await {
        let answer = answer.unwrap();
        let status = answer.status();
        assert_eq!(status, 201, "{name}: {}", answer.text().await.unwrap());
    }
}

/// How much memory three such uploads at once cost the service.
async fn costs(name: &str, file: Vec<u8>) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let service = Process::start(&[("DATABASE_PATH", &database), ("PORT", "0")]).await;
    let client = Client::builder().no_proxy().build().unwrap();
    upload_three(&client, &service.base, name, file).await;
    assert_eq!(files(&folder.path().join("blobs/uploads")).len(), 3);
    let peak = service.peak_memory_kib();
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
    peak
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_largest_pictures_of_each_format_cost_a_stated_amount_of_memory() {
    let formats: [(&str, Make); 10] = [
        ("JPEG, baseline", jpeg),
        ("JPEG, turned by Exif", on_its_side),
        ("JPEG, progressive", progressive),
        ("PNG with alpha", png),
        ("PNG of 16 bits", deep),
        ("WebP, lossless", webp),
        ("WebP, lossy", lossy),
        ("WebP, lossy with alpha", lossy_alpha),
        ("WebP, animated", animated),
        ("GIF", gif),
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
                "{name}: three of the largest, of {megabytes:.1} MB, at once: peak {} MB\n",
                peak * 1024 / 1_000_000
            ),
        );
        assert!(peak < MOST_MEMORY_KIB, "{name}: {peak} KiB");
    }
}

/// As long as a picture may be, and of as many pixels, with grain and discs that reach over most of it. Made of whole rows
/// and pieces of them: quick in a test that nobody optimised.
fn panorama() -> Vec<u8> {
    let (width, height) = (16_384, 3_050_usize);
    let ground: Vec<u8> = (0..width * 3)
        .map(|at| (at / 400 + at * at % 13) as u8)
        .collect();
    let mut compress = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    compress.set_fastest_defaults();
    compress.set_size(width, height);
    compress.set_quality(75.0);
    let mut compress = compress.start_compress(Vec::new()).unwrap();
    for y in 0..height {
        let mut row = ground.clone();
        row.rotate_left(y * 7 % 39 * 3);
        for disc in 0..5_usize {
            let (across, down) = (2_500 + disc * 2_800, 1_100 + disc % 3 * 400);
            let half = 1_000_000_usize
                .saturating_sub(y.abs_diff(down).pow(2))
                .isqrt();
            let colour = [200 - disc as u8 * 40, 40 + disc as u8 * 30, 60];
            row[(across - half) * 3..(across + half) * 3].copy_from_slice(&colour.repeat(half * 2));
        }
        compress.write_scanlines(&row).unwrap();
    }
    compress.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_splits_the_largest_picture_beside_the_largest_uploads_in_a_stated_amount_of_memory()
 {
    let (file, beside) = (panorama(), deep());
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let service = Process::start(&[("DATABASE_PATH", &database), ("PORT", "0")]).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let upload = client.post(format!("{}/api/upload", service.base));
    let upload = upload.header("content-type", "image/jpeg").body(file);
    let upload = json_of(upload.send().await.unwrap()).await;
    let body = json!({ "upload_id": upload["upload_id"], "engine": "local" });
    let created = client
        .post(format!("{}/api/jobs", service.base))
        .json(&body);
    let created = json_of(created.send().await.unwrap()).await;
    let url = format!(
        "{}/api/jobs/{}",
        service.base,
        created["job_id"].as_str().unwrap()
    );
    let job = || async { json_of(client.get(&url).send().await.unwrap()).await };
    until("the picture is being split", || async {
        let progress = job().await["progress"].as_f64();
        progress.is_some_and(|done| done > 0.0).then_some(())
    })
    .await;
    upload_three(&client, &service.base, "beside a split", beside).await;
    let job = until("the job has ended", || async {
        let job = job().await;
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    })
    .await;
    assert_eq!(job["status"], "completed", "{job}");
    assert!(job["layers"].as_array().unwrap().len() > 1, "{job}");
    let (peak, file) = (service.peak_memory_kib(), service.file_memory_kib());
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
    let (Some(peak), Some(file)) = (peak, file) else {
        return left_out("memory of the embedded engine; only Linux says it");
    };
    // A debug binary has 50 MB more pages of its own than the one that is shipped.
    let peak = peak - file;
    let megabytes = peak * 1024 / 1_000_000;
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!(
            "a job of the largest picture, and three uploads as heavy: peak {megabytes} MB beside the binary\n"
        ),
    );
    assert!(peak < MOST_BESIDE_BINARY_KIB, "{peak} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_raised_to_the_largest_pictures_in_a_stated_amount_of_memory() {
    let emulator = emulator().await;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("lamina.db").display().to_string();
    let fal = fal_options(&emulator);
    let mut options = vec![
        ("DATABASE_PATH", &*database),
        ("PORT", "0"),
        ("FETCH_ALLOW_HTTP", "true"),
        ("FETCH_ALLOW_NETS", "127.0.0.0/8"),
    ];
    options.extend(fal.iter().map(|(name, value)| (*name, value.as_str())));
    let service = Process::start(&options).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let file = Bytes::from(jpeg());
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let upload = client.post(format!("{}/api/upload", service.base));
        let upload = upload
            .header("content-type", "image/jpeg")
            .body(file.clone());
        let upload = json_of(upload.send().await.unwrap()).await;
        let body = json!({
            "upload_id": upload["upload_id"], "engine": "fal", "resolution": "source", "num_layers": 3,
        });
        let created = client
            .post(format!("{}/api/jobs", service.base))
            .json(&body);
        let created = json_of(created.send().await.unwrap()).await;
        jobs.push(created["job_id"].as_str().unwrap().to_owned());
    }
    for id in jobs {
        let url = format!("{}/api/jobs/{id}", service.base);
        let job = until("a raised job", || async {
            let job = json_of(client.get(&url).send().await.unwrap()).await;
            (job["status"] == "completed" || job["status"] == "failed").then_some(job)
        })
        .await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(job["layers"][0]["width"], SIDE, "{job}");
    }
    let (peak, file) = (service.peak_memory_kib(), service.file_memory_kib());
    let (status, said) = service.terminate().await;
    assert!(status.success(), "{said}");
    emulator.stop().await;
    let (Some(peak), Some(file)) = (peak, file) else {
        return left_out("memory of raising layers; only Linux says it");
    };
    let peak = peak - file;
    let megabytes = peak * 1024 / 1_000_000;
    let _ = std::io::Write::write_fmt(
        &mut std::io::stderr(),
        format_args!(
            "layers of two of the largest pictures raised at once: peak {megabytes} MB beside the binary\n"
        ),
    );
    assert!(peak < MOST_BESIDE_BINARY_KIB, "{peak} KiB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_picture_is_split_in_a_stated_amount_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("in.png"), folder.path().join("out"));
    let photo = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../testdata/images/astronaut.png"
    );
    let photo = image::open(photo).unwrap().into_rgb8();
    let filter = image::imageops::FilterType::Triangle;
    image::imageops::resize(&photo, 1024, 1024, filter)
        .save(&file)
        .unwrap();
    let arguments = [
        "split",
        file.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
        "--engine",
        "local",
    ];
    let mut split = Process::command(&arguments, &[]);
    let (mut memory, mut looks) = (None, interval(Duration::from_millis(10)));
    while split.runs() {
        let now = split.peak_memory_kib().zip(split.file_memory_kib());
        memory = now.or(memory);
        looks.tick().await;
    }
    let (status, said) = split.ended().await;
    assert!(status.success(), "{said}");
    let Some((peak, file)) = memory else {
        return left_out("memory of a split; only Linux says it");
    };
    let peak = peak - file;
    assert!(peak < MOST_OF_SPLIT_KIB, "{peak} KiB");
}
