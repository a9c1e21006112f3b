//! A job as the API shows it. These are the API's own types: rows and engine answers are turned
//! into them here, by hand, and nothing else in the service depends on their shape.

use std::time::Duration;

use serde::Serialize;

use super::quality_view::QualityView;
use super::time_left::time_left;
use crate::blobs::{BlobKey, Link};
use crate::exports::{Format, Plan};
use crate::http::extract::public_base::PublicBase;
use crate::http::state::ApiState;
use crate::jobs::{
    BoundingBox, EngineKind, JobId, Layer, LayerVariant, Resolution, Status, UnixMs, progress,
};
use crate::store::JobRecord;

/// The answer to a create.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct JobAccepted {
    /// The job's id.
    #[schema(value_type = uuid::Uuid)]
    pub(in crate::http) job_id: JobId,
    /// `pending`; something else when an `Idempotency-Key` was repeated.
    pub(in crate::http) status: Status,
}

/// One job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Job)]
pub(in crate::http) struct JobView {
    #[serde(flatten)]
    job: JobSummary,
    /// Bottom first; null until completed.
    #[schema(required = true)]
    layers: Option<Vec<LayerView>>,
    /// How well the layers give the picture back; null until completed, and where it was not measured.
    #[schema(required = true)]
    quality: Option<QualityView>,
}

/// One job without its layers, as a list shows it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct JobSummary {
    /// The job's id.
    #[schema(value_type = uuid::Uuid)]
    job_id: JobId,
    /// Where it is.
    status: Status,
    /// 0.0 to 1.0; never falls, and reaches 1.0 only when every layer can be fetched.
    #[schema(minimum = 0, maximum = 1)]
    progress: f64,
    /// Why it failed, as a sentence; null unless failed.
    #[schema(required = true)]
    error: Option<String>,
    /// Why it failed, as a stable word; null unless failed.
    #[schema(required = true)]
    error_code: Option<String>,
    /// The engine it runs on.
    engine: EngineKind,
    /// How large its layers are: `engine`, as the engine gives them, or `source`, as its picture.
    resolution: Resolution,
    /// Requests ahead of it at the engine, while it queues there.
    #[schema(required = true)]
    queue_position: Option<u32>,
    /// Seconds until its layers can be fetched, by the jobs before it and by how long such runs took of late. Null where
    /// nobody can know: before the first run of an engine, and of one that takes longer than any before.
    #[schema(required = true)]
    eta_seconds: Option<u64>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    created_at: UnixMs,
    /// When it, its layers and every link to them go.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UnixMs,
}

/// The layers of a completed job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct LayerList {
    /// The job's id.
    #[schema(value_type = uuid::Uuid)]
    pub(in crate::http) job_id: JobId,
    /// Bottom first.
    pub(in crate::http) layers: Vec<LayerView>,
    /// The layers as one file each.
    pub(in crate::http) exports: Vec<ExportView>,
}

/// All layers as one file.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Export)]
pub(in crate::http) struct ExportView {
    /// `psd`, `ora`, `pptx`, `svg`, `zip`, `tiff` or `gif`. More words may come.
    #[schema(example = "psd")]
    format: &'static str,
    /// A signed link to it; needs no header and expires with the job. The file is made when it is asked for.
    #[schema(format = "uri")]
    url: String,
    /// Type of the file.
    #[schema(example = "image/vnd.adobe.photoshop")]
    content_type: &'static str,
    /// The ending of its name, without a dot: `psb` for a PSD of more than 30,000 pixels a side.
    #[schema(example = "psd")]
    extension: &'static str,
}

/// A page of jobs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(in crate::http) struct JobPage {
    /// Newest first.
    pub(in crate::http) jobs: Vec<JobSummary>,
    /// Give it as `cursor` for the next page; null on the last one.
    #[schema(value_type = Option<uuid::Uuid>, required = true)]
    pub(in crate::http) next_cursor: Option<JobId>,
}

/// One layer: an RGBA image with the canvas's size and straight alpha.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Layer)]
pub(in crate::http) struct LayerView {
    /// `layer_` and its order.
    #[schema(example = "layer_0")]
    id: String,
    /// A signed link to its file; needs no header and expires with the job.
    #[schema(format = "uri")]
    url: String,
    /// A signed link to a WebP of it, with its alpha, no side longer than 256 pixels. It is made when it is first asked for.
    #[schema(format = "uri")]
    thumbnail_url: String,
    /// A signed link to its file to which `trim=1`, `format=webp` and `width=` may be added, as `&trim=1&width=512`.
    #[schema(format = "uri")]
    variants_url: String,
    /// A likeness of some 25 bytes in base64, to be shown until a picture is there: [ThumbHash](https://evanw.github.io/thumbhash/). Null of a
    /// job that an older version completed, or whose layers were not decoded.
    #[schema(required = true, example = "1QcSHQRnh493V4dIh4eXh1h4kJUI")]
    thumbhash: Option<String>,
    /// A signed link to a grey PNG of its size: white where its colours are the picture's, black where they were invented, or
    /// where the layer is not. Of layers that were raised to the picture's size; null otherwise.
    #[schema(required = true, format = "uri")]
    fidelity_url: Option<String>,
    /// Width in pixels.
    width: u32,
    /// Height in pixels.
    height: u32,
    /// Place in the stack; 0 is the bottom.
    order: u32,
    /// What the engine calls it, if it gives names.
    #[schema(required = true)]
    name: Option<String>,
    /// What it is, if the engine says: `background`, `text`, `shape`, `panel`, `subject`, `object` or
    /// `shadow`. More words may come.
    #[schema(required = true, example = "text")]
    kind: Option<String>,
    /// What is written in it, lines apart, if it is text and was read.
    #[schema(required = true, example = "Grand Opening")]
    text: Option<String>,
    /// How sure the engine is of that text, 0.0 to 1.0.
    #[schema(required = true)]
    text_confidence: Option<f64>,
    /// The smallest rectangle that holds every visible pixel; null for an empty layer.
    #[schema(required = true)]
    bbox: Option<BoxView>,
    /// Mean alpha over the canvas, 0.0 to 1.0.
    coverage: f64,
    /// Lower-case hex SHA-256 of the file.
    sha256: String,
    /// Size of the file.
    bytes: u64,
    /// Type of the file.
    #[schema(example = "image/png")]
    content_type: &'static str,
    /// How strongly it is drawn; always 1.0, alpha is in the pixels.
    opacity: f64,
    /// How it is drawn on those below; always `normal`, that is straight-alpha *over*.
    #[schema(example = "normal")]
    blend_mode: &'static str,
}

/// A rectangle in pixels.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = BoundingBox)]
pub(in crate::http) struct BoxView {
    /// Left edge.
    x: u32,
    /// Top edge.
    y: u32,
    /// Width.
    width: u32,
    /// Height.
    height: u32,
}

impl JobView {
    /// The view of a job that is neither deleted nor expired.
    pub(in crate::http) fn of(
        state: &ApiState,
        base: &PublicBase,
        job: &JobRecord,
        status: Status,
    ) -> Self {
        let completed = status == Status::Completed;
        Self {
            job: JobSummary::of(state, job, status),
            layers: completed.then(|| layers(state, base, job)),
            quality: job
                .quality
                .as_ref()
                .filter(|_| completed)
                .map(QualityView::of),
        }
    }
}

impl JobSummary {
    /// The summary of a job that is neither deleted nor expired.
    pub(in crate::http) fn of(state: &ApiState, job: &JobRecord, status: Status) -> Self {
        let now = state.clock.now();
        let left = time_left(state, job);
        let failure = job.failure.as_ref();
        Self {
            job_id: job.id,
            status,
            progress: thousandths(progress(job.phase, &job.estimate, now)),
            error: failure.map(|why| why.sentence.to_string()),
            error_code: failure.map(|why| why.code.to_string()),
            engine: job.engine,
            resolution: job.params.resolution,
            queue_position: job.queue_position,
            eta_seconds: left.map(whole_seconds),
            created_at: job.created_at,
            expires_at: job.expires_at,
        }
    }
}

/// The layers of a completed job, with links that expire with it: they are the same at each
/// reading, so an app's cache can know a picture by its address.
pub(in crate::http) fn layers(
    state: &ApiState,
    base: &PublicBase,
    job: &JobRecord,
) -> Vec<LayerView> {
    job.layers
        .iter()
        .map(|layer| {
            let key = BlobKey::Layer(job.id, layer.file, layer.media_type);
            let small = BlobKey::Variant(job.id, layer.file, LayerVariant::THUMBNAIL);
            let link = |key| base.absolute(&state.links.sign(&key, job.expires_at));
            // Variants are made by lamina, so these links lead to it wherever the layers are.
            let served = |key| Link::Served(state.links.served(key, job.expires_at));
            let fidelity = layer.fidelity_bytes;
            let links = LayerLinks {
                thumbnail_url: base.absolute(&served(&small)),
                variants_url: base.absolute(&served(&key)),
                url: link(key),
                fidelity_url: fidelity.map(|_| link(BlobKey::Fidelity(job.id, layer.file))),
            };
            layer_view(layer, links)
        })
        .collect()
}

/// Links to the layers in every format that there is.
pub(in crate::http) fn exports(
    state: &ApiState,
    base: &PublicBase,
    job: &JobRecord,
) -> Vec<ExportView> {
    Format::ALL
        .into_iter()
        .map(|format| {
            let plan = Plan::whole(job.id, &job.layers, format, None);
            let link = state.links.export(job.id, format.word(), job.expires_at);
            ExportView {
                format: format.word(),
                url: base.absolute(&link),
                content_type: plan.media_type(),
                extension: plan.extension(),
            }
        })
        .collect()
}

struct LayerLinks {
    url: String,
    thumbnail_url: String,
    variants_url: String,
    fidelity_url: Option<String>,
}

fn layer_view(layer: &Layer, links: LayerLinks) -> LayerView {
    LayerView {
        id: format!("layer_{}", layer.order),
        url: links.url,
        thumbnail_url: links.thumbnail_url,
        variants_url: links.variants_url,
        thumbhash: layer.thumbhash.clone(),
        fidelity_url: links.fidelity_url,
        width: layer.width,
        height: layer.height,
        order: layer.order,
        name: layer.labels.name.clone(),
        kind: layer.labels.kind.clone(),
        text: layer.labels.text.clone(),
        text_confidence: layer.labels.text_confidence.map(thousandths),
        bbox: layer.bbox.map(box_view),
        coverage: thousandths(layer.coverage),
        sha256: layer.sha256.clone(),
        bytes: layer.bytes,
        content_type: layer.media_type.mime(),
        opacity: 1.0,
        blend_mode: "normal",
    }
}

pub(super) fn box_view(found: BoundingBox) -> BoxView {
    BoxView {
        x: found.x,
        y: found.y,
        width: found.width,
        height: found.height,
    }
}

/// Rounded up, so that one that is not there yet is never said to be.
fn whole_seconds(left: Duration) -> u64 {
    u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)
}

/// Rounded down to three decimals, so that only what is whole says 1.0. The hair that is added
/// undoes what `f32` lost of a number such as 0.05.
fn thousandths(fraction: f32) -> f64 {
    (f64::from(fraction.clamp(0.0, 1.0)) * 1000.0 + 1e-4).floor() / 1000.0
}
