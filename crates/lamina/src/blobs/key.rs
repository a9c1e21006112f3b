//! The only place that knows a blob's path, type and cache policy. A key parses back from its
//! path, so a path from a URL is never used unparsed.

use std::fmt;

use crate::jobs::{JobId, LayerVariant, MediaType, UploadId};

/// Names one blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlobKey {
    /// A job's source: oriented, sRGB, without metadata, full size.
    Source(JobId, MediaType),
    /// The source scaled down to what its engine can use, where that is smaller.
    EngineInput(JobId, MediaType),
    /// The layer of a job with that number.
    Layer(JobId, u32, MediaType),
    /// Another variant of the layer with that number, made when it was first asked for. It can always be made again.
    Variant(JobId, u32, LayerVariant),
    /// What the source shows of the layer with that number: grey, white where it is seen.
    Fidelity(JobId, u32),
    /// An uploaded image.
    Upload(UploadId, MediaType),
    /// What a client put into the bucket for an upload, unchecked. No link reads it.
    Incoming(UploadId),
}

impl BlobKey {
    /// The path below the store's root; also what a link names.
    #[must_use]
    pub fn path(&self) -> String {
        let file = self.file_name();
        match self {
            Self::Source(job, _)
            | Self::EngineInput(job, _)
            | Self::Layer(job, ..)
            | Self::Variant(job, ..)
            | Self::Fidelity(job, _) => format!("jobs/{job}/{file}"),
            Self::Upload(upload, _) | Self::Incoming(upload) => format!("uploads/{upload}/{file}"),
        }
    }

    /// The last part of the path; also the name a browser saves it under.
    #[must_use]
    pub fn file_name(&self) -> String {
        match self {
            Self::Source(_, media) => format!("source.{}", media.extension()),
            Self::EngineInput(_, media) => format!("input.{}", media.extension()),
            Self::Layer(_, file, media) => format!("layer_{file}.{}", media.extension()),
            Self::Variant(_, file, variant) => format!("layer_{file}.{}", variant.name()),
            Self::Fidelity(_, file) => format!("fidelity_{file}.png"),
            Self::Upload(_, media) => format!("image.{}", media.extension()),
            Self::Incoming(_) => "incoming.bin".to_owned(),
        }
    }

    /// The key of a path, if it is one that [`BlobKey::path`] can give.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let (kind, id, file) = (parts.next()?, parts.next()?, parts.next()?);
        if (kind, file) == ("uploads", "incoming.bin") {
            let key = Self::Incoming(id.parse().ok()?);
            return (key.path() == path).then_some(key);
        }
        let (stem, extension) = file.split_once('.')?;
        let file = || stem.strip_prefix("layer_")?.parse().ok();
        if kind == "jobs" && extension.contains('.') {
            let variant = LayerVariant::parse(extension)?;
            let key = Self::Variant(id.parse().ok()?, file()?, variant);
            return (key.path() == path).then_some(key);
        }
        let media = MediaType::from_extension(extension)?;
        let key = match (kind, stem) {
            ("jobs", "source") => Self::Source(id.parse().ok()?, media),
            ("jobs", "input") => Self::EngineInput(id.parse().ok()?, media),
            ("jobs", _) if stem.starts_with("fidelity_") => Self::Fidelity(
                id.parse().ok()?,
                stem.strip_prefix("fidelity_")?.parse().ok()?,
            ),
            ("jobs", _) => Self::Layer(id.parse().ok()?, file()?, media),
            ("uploads", "image") => Self::Upload(id.parse().ok()?, media),
            _ => return None,
        };
        // A second spelling of the same key (upper case, leading zeros) is not a key.
        (key.path() == path).then_some(key)
    }

    /// The MIME type of the bytes.
    #[must_use]
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Source(_, media)
            | Self::EngineInput(_, media)
            | Self::Layer(_, _, media)
            | Self::Upload(_, media) => media.mime(),
            Self::Variant(_, _, variant) => variant.format.mime(),
            Self::Fidelity(..) => MediaType::Png.mime(),
            Self::Incoming(_) => "application/octet-stream",
        }
    }

    /// `Content-Disposition` of an answer that carries the bytes: shown, and saved under its name.
    #[must_use]
    pub fn disposition(&self) -> String {
        format!("inline; filename=\"{}\"", self.file_name())
    }

    /// `Cache-Control` of an answer that carries the bytes. They never change, but they are
    /// somebody's private picture: shared caches must not keep them.
    #[must_use]
    pub const fn cache_control(&self) -> &'static str {
        match self {
            Self::Layer(..) | Self::Variant(..) | Self::Fidelity(..) => {
                "private, max-age=86400, immutable"
            }
            Self::Source(..) | Self::EngineInput(..) | Self::Upload(..) => "private, max-age=3600",
            Self::Incoming(_) => "no-store",
        }
    }
}

impl fmt::Display for BlobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::{UnixMs, VariantSize};

    #[test]
    fn a_key_comes_back_from_its_path() {
        let job = JobId::new(UnixMs(7));
        for key in [
            BlobKey::Source(job, MediaType::Jpeg),
            BlobKey::EngineInput(job, MediaType::Png),
            BlobKey::Layer(job, 10, MediaType::WebP),
            BlobKey::Variant(job, 3, LayerVariant::THUMBNAIL),
            BlobKey::Variant(
                job,
                0,
                LayerVariant {
                    trim: true,
                    size: VariantSize::Width(512),
                    format: MediaType::Png,
                },
            ),
            BlobKey::Fidelity(job, 10),
            BlobKey::Upload(UploadId::new(UnixMs(7)), MediaType::Gif),
            BlobKey::Incoming(UploadId::new(UnixMs(7))),
        ] {
            assert_eq!(BlobKey::parse(&key.path()), Some(key));
        }
    }

    #[test]
    fn a_path_that_no_key_gives_is_refused() {
        let job = JobId::new(UnixMs(7));
        for path in [
            "",
            "jobs",
            "../etc/passwd",
            "jobs/../layer_0.png",
            &format!("jobs/{job}/layer_00.png"),
            &format!("jobs/{job}/layer_-1.png"),
            &format!("jobs/{job}/fidelity_01.png"),
            &format!("jobs/{job}/fidelity_1.webp"),
            &format!("jobs/{job}/layer_0.svg"),
            &format!("jobs/{job}/layer_0.png/x"),
            &format!("jobs/{job}/layer_0.trim.png"),
            &format!("jobs/{job}/layer_0.w512.trim.png"),
            &format!("jobs/{job}/layer_0.w300.png"),
            &format!("jobs/{job}/layer_00.thumbnail.webp"),
            &format!("jobs/{job}/layer_0.thumbnail.thumbnail.webp"),
            &format!("jobs/{job}/source.thumbnail.webp"),
            &format!("uploads/{job}/layer_0.thumbnail.webp"),
            &format!("jobs/{}/layer_0.png", job.to_string().to_uppercase()),
            &format!("uploads/{job}/source.png"),
            &format!("uploads/{job}/incoming.png"),
            &format!("jobs/{job}/incoming.bin"),
            &format!("uploads/{}/incoming.bin", job.to_string().to_uppercase()),
        ] {
            assert_eq!(BlobKey::parse(path), None, "{path}");
        }
    }
}
