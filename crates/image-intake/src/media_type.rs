//! The four picture formats that are accepted, by their media types.
//!
//! Says nothing about formats that are merely recognised in order to refuse them by name; those
//! are [`super::foreign_format`]'s.

/// An accepted picture format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MediaType {
    /// `image/png`; of an APNG the default image.
    Png,
    /// `image/jpeg`: baseline, extended sequential or progressive, Huffman coded, 8 bits a sample.
    Jpeg,
    /// `image/webp`, lossy or lossless; of an animation the first frame.
    WebP,
    /// `image/gif`; of an animation the first frame.
    Gif,
}

impl MediaType {
    /// Every accepted format.
    pub const ALL: [Self; 4] = [Self::Png, Self::Jpeg, Self::WebP, Self::Gif];

    /// The name a person knows it by: `PNG`, `JPEG`, `WebP`, `GIF`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
        }
    }

    /// The media type, as registered with IANA.
    #[must_use]
    pub const fn mime(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
            Self::Gif => "image/gif",
        }
    }

    /// The usual file name extension, without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
            Self::Gif => "gif",
        }
    }

    /// The format of a file name extension; the inverse of [`Self::extension`].
    #[must_use]
    pub fn from_extension(extension: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|media| media.extension() == extension)
    }
}
