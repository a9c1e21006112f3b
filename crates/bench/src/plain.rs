//! The baseline of work: the input and output that a job cannot do without, in a plain loop on one
//! thread. Four layers are fetched from the emulator one after the other, decoded, written and
//! synced, each into a file of its own. No queue, no database, no checks.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use fal_emulator::{Emulator, MODEL};

use crate::client::{Connection, get, path_of};

/// Requests for the layers of a completed request at the emulator.
pub(crate) async fn layer_requests(
    emulator: &Emulator,
    request_id: &str,
) -> anyhow::Result<Vec<Vec<u8>>> {
    let key = format!("authorization: Key {}\r\n", emulator.key());
    let result = get(&format!("/{MODEL}/requests/{request_id}"), &key);
    let mut connection = Connection::open(emulator.address()).await?;
    let result = connection.expect(&result, 200).await?.json()?;
    let images = result["images"].as_array().context("no images")?;
    let urls = images.iter().filter_map(|image| image["url"].as_str());
    urls.map(|url| Ok(get(path_of(url)?, ""))).collect()
}

/// Fetches, decodes and keeps every layer.
pub(crate) async fn collect(
    connection: &mut Connection,
    layers: &[Vec<u8>],
    folder: &Path,
) -> anyhow::Result<()> {
    for (order, request) in layers.iter().enumerate() {
        let answer = connection.expect(request, 200).await?;
        decode(answer.body)?;
        write_synced(&folder.join(order.to_string()), answer.body)?;
    }
    Ok(())
}

/// Decodes, and makes sure that the work is not optimised away.
pub(crate) fn decode(file: &[u8]) -> anyhow::Result<()> {
    std::hint::black_box(image::load_from_memory(file)?);
    Ok(())
}

/// Writes a file that survives power loss.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    Ok(file.sync_all()?)
}

/// How many files of these bytes a second `threads` threads write and sync: the disk's ceiling.
pub(crate) fn synced_files_rate(
    bytes: &[u8],
    threads: usize,
    window: Duration,
) -> anyhow::Result<f64> {
    let folder = tempfile::tempdir()?;
    let begun = std::time::Instant::now();
    let written = std::thread::scope(|scope| {
        let write = |thread: usize| {
            let own = folder.path().join(thread.to_string());
            fs::create_dir(&own)?;
            let mut count = 0_u32;
            while begun.elapsed() < window {
                write_synced(&own.join(count.to_string()), bytes)?;
                count += 1;
            }
            anyhow::Ok(count)
        };
        let threads: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || write(thread)))
            .collect();
        let counts = threads
            .into_iter()
            .map(|thread| thread.join().expect("writing does not panic"));
        counts.sum::<anyhow::Result<u32>>()
    })?;
    Ok(f64::from(written) / begun.elapsed().as_secs_f64())
}
