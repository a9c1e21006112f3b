//! Layers at the source's own size, for jobs that ask for it: what the engine gave in another size is raised (`layer-upsample`), with the
//! source as its guide, and stored in its place, each with a mask of what the source shows of it.
//!
//! Nothing is done where the engine's layers have that size already. Repeatable like the rest of collect, which begins again with the
//! engine's layers. A job that is taken away stops it at the next band. The pool holds back as much memory as it takes until its files are
//! stored, or the work has stopped, but none of the pool's threads is kept for so long.
//!
//! Raising is never worth a paid result: where it fails, the job has the layers as the engine gave them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use image_intake::{
    BoundingBox, ImageError, LayerEncoder, LayerMeasures, Limits, MaskEncoder, RgbaImage,
    decode_rgba, scale_to,
};
use layer_upsample::{Band, Sink, SmallLayer, Source};
use tokio::sync::watch;

use super::collect::{Number, blob_key, store};
use super::fetch::Checked;
use super::layers::Stored;
use super::report::StepError;
use crate::blobs::BlobKey;
use crate::jobs::{Layer, Resolution, collecting};
use crate::store::{Claimed, FencedWrite, SourceInfo, StoredSource};
use crate::worker::{Worker, failpoints};

/// Bytes held for a pixel of a small layer, in pixels of four.
const SMALL_COST: u64 = 18;
/// Share of the work after which its progress is written again.
const SHOWN_EVERY: f32 = 0.1;

/// The layers as large as the source, if the job asks for that. They are stored, and written again.
pub(in crate::worker) async fn raise(
    worker: &Worker,
    job: &Claimed,
    layers: Vec<Layer>,
    stored: &Stored,
) -> Result<Vec<Layer>, StepError> {
    let StoredSource::Stored(info) = &job.source else {
        return Ok(layers);
    };
    if job.params.resolution == Resolution::Engine || have_size_of(&layers, info) {
        return Ok(layers);
    }
    let id = job.lease.job;
    let pool = worker.parts.pool.of(&job.owner);
    let reserved = pool.reserve(cost_megapixels(&layers, info)).await;
    let blobs = &worker.parts.blobs;
    let source = blobs.get(&BlobKey::Source(id, info.media_type)).await?;
    let mut small = Vec::with_capacity(layers.len());
    for layer in &layers {
        small.push(blobs.get(&blob_key(id, layer)).await?);
    }
    let limits = Limits {
        max_bytes: u64::MAX,
        ..worker.parts.source_limits
    };
    let layer_limits = worker.parts.layer_limits;
    let (turn, stop) = (worker.turn(job).await, StopOnDrop::default());
    let stopped = Arc::clone(&stop.0);
    let (tell, told) = watch::channel(0.0);
    let work = tokio::task::spawn_blocking(move || {
        let _computing = turn.begin();
        let picture = decode_rgba(&source, &limits)?;
        drop(source);
        let small = small.iter().map(|file| {
            let layer = decode_rgba(file, &layer_limits)?;
            Ok(no_larger(layer, &picture))
        });
        let small = small.collect::<Result<Vec<_>, ImageError>>()?;
        // What is reserved stays so as long as this works, whoever still waits for it.
        Ok((raised(&picture, &small, &tell, &stopped)?, reserved))
    });
    let done = shown(worker, job, told, work).await?;
    match done.unwrap_or(Err(ImageError::Internal)) {
        Ok((raised, mut reserved)) => {
            reserved.lower(files_megapixels(&raised));
            put(worker, job, layers, raised, stored).await
        }
        Err(error) => {
            tracing::error!(job = %id, %error, "layers could not be raised to their picture's size and stay as the engine gave them; this is a fault in lamina: report it");
            Ok(layers)
        }
    }
}

/// Waits for the work and shows its progress with the job.
async fn shown<T>(
    worker: &Worker,
    job: &Claimed,
    mut told: watch::Receiver<f32>,
    work: impl Future<Output = T>,
) -> Result<T, StepError> {
    tokio::pin!(work);
    let mut next = SHOWN_EVERY;
    loop {
        let share = tokio::select! {
            biased;
            share = told.wait_for(|share| *share >= next) => share.map(|share| *share),
            done = &mut work => return Ok(done),
        };
        let Ok(share) = share else {
            return Ok(work.await);
        };
        next = share + SHOWN_EVERY;
        let store = &worker.parts.store;
        // Trouble with the database is no reason to begin anew.
        let written = store.job_progress(&job.lease, collecting(share)).await;
        if matches!(written, Ok(FencedWrite::LostLease)) {
            return Err(StepError::LostLease);
        }
    }
}

fn have_size_of(layers: &[Layer], info: &SourceInfo) -> bool {
    let size = (info.width, info.height);
    layers
        .iter()
        .all(|layer| (layer.width, layer.height) == size)
}

/// A model draws a picture that is smaller than what it works on larger.
fn no_larger(layer: RgbaImage, picture: &RgbaImage) -> RgbaImage {
    if layer.width() <= picture.width() && layer.height() <= picture.height() {
        return layer;
    }
    scale_to(&layer, picture.width(), picture.height())
}

/// The picture; the small layers with what is computed of them; and the files, which all together show each pixel about once.
fn cost_megapixels(layers: &[Layer], info: &SourceInfo) -> u32 {
    let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
    let small: u64 = layers
        .iter()
        .map(|layer| pixels(layer.width, layer.height))
        .sum();
    let all = 2 * pixels(info.width, info.height) + SMALL_COST * small;
    u32::try_from(all.div_ceil(1_000_000)).unwrap_or(u32::MAX)
}

/// What the files hold, in megapixels of four bytes.
fn files_megapixels(raised: &[Raised]) -> u32 {
    let bytes = raised.iter().map(|one| one.file.len() + one.mask.len());
    let megapixels = bytes.sum::<usize>().div_ceil(4_000_000);
    u32::try_from(megapixels).unwrap_or(u32::MAX)
}

/// Stores what was raised in the place of what it was raised from.
async fn put(
    worker: &Worker,
    job: &Claimed,
    layers: Vec<Layer>,
    raised: Vec<Raised>,
    stored: &Stored,
) -> Result<Vec<Layer>, StepError> {
    let (id, blobs) = (job.lease.job, &worker.parts.blobs);
    let mut done = Vec::with_capacity(layers.len());
    for (layer, raised) in layers.into_iter().zip(raised) {
        let mask = BlobKey::Fidelity(id, layer.file);
        stored.note(mask);
        let fidelity_bytes = raised.mask.len() as u64;
        blobs.put(&mask, raised.mask.into()).await?;
        failpoints::point("amid_raised");
        let (before, number) = (blob_key(id, &layer), Number::of(&layer));
        let checked = Checked {
            labels: layer.labels,
            bytes: raised.file.into(),
            measures: raised.measures,
        };
        let row = store(worker, id, number, checked, stored).await?;
        if blob_key(id, &row) != before {
            blobs.remove(&before).await?;
        }
        done.push(Layer {
            fidelity_bytes: Some(fidelity_bytes),
            ..row
        });
    }
    Ok(done)
}

/// A raised layer's file, what is known of it, and its mask.
struct Raised {
    file: Vec<u8>,
    measures: LayerMeasures,
    mask: Vec<u8>,
}

fn raised(
    picture: &RgbaImage,
    small: &[RgbaImage],
    tell: &watch::Sender<f32>,
    stop: &AtomicBool,
) -> Result<Vec<Raised>, ImageError> {
    let refused = |error: layer_upsample::Error| {
        tracing::warn!(%error, "layers were not raised");
        ImageError::Internal
    };
    let (width, height) = (picture.width(), picture.height());
    let source = Source::new(width, height, picture.pixels()).map_err(refused)?;
    let of = |layer: &'_ RgbaImage| (layer.width(), layer.height());
    let layers = small
        .iter()
        .map(|layer| SmallLayer::new(of(layer).0, of(layer).1, layer.pixels()));
    let layers = layers.collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let mut files = Files::of(layers.len(), width, height)?;
    let cancelled = || stop.load(Ordering::Relaxed);
    let mut progress = |share| _ = tell.send_replace(share);
    layer_upsample::raise(&source, &layers, &mut progress, &cancelled, &mut files)
        .map_err(refused)?;
    files.finish()
}

/// The files of all layers and of their masks, as their rows come.
struct Files(Vec<(LayerEncoder, MaskEncoder)>);

impl Files {
    fn of(count: usize, width: u32, height: u32) -> Result<Self, ImageError> {
        let whole = BoundingBox {
            x: 0,
            y: 0,
            width,
            height,
        };
        let each = |_| {
            let layer = LayerEncoder::new(width, height, whole)?;
            Ok((layer, MaskEncoder::new(width, height)?))
        };
        (0..count).map(each).collect::<Result<_, _>>().map(Self)
    }

    fn finish(self) -> Result<Vec<Raised>, ImageError> {
        let each = |(layer, mask): (LayerEncoder, MaskEncoder)| {
            let (file, measures) = layer.finish()?;
            let mask = mask.finish()?;
            Ok(Raised {
                file,
                measures,
                mask,
            })
        };
        self.0.into_iter().map(each).collect()
    }
}

impl Sink for Files {
    fn band(&mut self, band: Band<'_>) -> io::Result<()> {
        for (index, (layer, mask)) in self.0.iter_mut().enumerate() {
            let written = layer.rows(band.layer(index));
            let written = written.and_then(|()| mask.rows(band.seen(index)));
            written.map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Raised when nobody waits for the work any more.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: u32, height: u32, pixel: [u8; 4]) -> RgbaImage {
        let pixels = pixel.repeat((width * height) as usize);
        RgbaImage::new(width, height, pixels).unwrap_or_else(|| panic!("{width} × {height}"))
    }

    fn tried(stopped: bool) -> (Result<Vec<Raised>, ImageError>, f32) {
        let large = picture(300, 200, [9, 80, 200, 255]);
        let small = [picture(30, 20, [9, 80, 200, 255])];
        let (tell, told) = watch::channel(0.0);
        let raised = raised(&large, &small, &tell, &AtomicBool::new(stopped));
        let share = *told.borrow();
        (raised, share)
    }

    #[test]
    fn it_tells_how_far_it_is_and_gives_a_file_and_a_mask_of_the_pictures_size() {
        let (raised, share) = tried(false);
        let raised = raised.unwrap_or_else(|error| panic!("{error}"));
        assert!((share - 1.0).abs() < 1e-6, "{share}");
        for file in [&raised[0].file, &raised[0].mask] {
            let image = decode_rgba(file, &Limits::default()).unwrap();
            assert_eq!((image.width(), image.height()), (300, 200));
        }
    }

    #[test]
    fn it_ends_when_nobody_waits_any_more() {
        let (raised, share) = tried(true);
        assert!(raised.is_err() && share < 1.0);
        let stop = StopOnDrop::default();
        let seen = Arc::clone(&stop.0);
        drop(stop);
        assert!(seen.load(Ordering::Relaxed));
    }
}
