//! The two families of errors that fal documents, as data: types of model errors (found inside a
//! `detail` list) and of request errors (`error_type` beside a `detail` string).
//!
//! This file knows names, statuses and shapes; when they happen is decided elsewhere. Invariant:
//! each name appears once, and `ALL` lists every kind.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal, $status:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $(#[doc = concat!("`", $text, "`, answered with ", stringify!($status), ".")] $variant,)*
        }

        impl $name {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The machine-readable name on the wire.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// The HTTP status that the result endpoint answers with.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }
        }
    };
}

kinds! {
    /// What a model may answer instead of an output, as `detail[].type`.
    ModelError {
        InternalServerError = "internal_server_error", 500;
        GenerationTimeout = "generation_timeout", 504;
        DownstreamServiceError = "downstream_service_error", 500;
        DownstreamServiceUnavailable = "downstream_service_unavailable", 500;
        ContentPolicyViolation = "content_policy_violation", 422;
        ImageTooSmall = "image_too_small", 422;
        ImageTooLarge = "image_too_large", 422;
        ImageLoadError = "image_load_error", 422;
        FileDownloadError = "file_download_error", 422;
        FaceDetectionError = "face_detection_error", 422;
        FileTooLarge = "file_too_large", 422;
        GreaterThan = "greater_than", 422;
        GreaterThanEqual = "greater_than_equal", 422;
        LessThan = "less_than", 422;
        LessThanEqual = "less_than_equal", 422;
        MultipleOf = "multiple_of", 422;
        SequenceTooShort = "sequence_too_short", 422;
        SequenceTooLong = "sequence_too_long", 422;
        OneOf = "one_of", 422;
        FeatureNotSupported = "feature_not_supported", 422;
        InvalidArchive = "invalid_archive", 422;
        ArchiveFileCountBelowMinimum = "archive_file_count_below_minimum", 422;
        ArchiveFileCountExceedsMaximum = "archive_file_count_exceeds_maximum", 422;
        AudioDurationTooLong = "audio_duration_too_long", 422;
        AudioDurationTooShort = "audio_duration_too_short", 422;
        VideoDurationTooLong = "video_duration_too_long", 422;
        VideoDurationTooShort = "video_duration_too_short", 422;
        UnsupportedImageFormat = "unsupported_image_format", 422;
        UnsupportedAudioFormat = "unsupported_audio_format", 422;
        UnsupportedVideoFormat = "unsupported_video_format", 422;
        NoMediaGenerated = "no_media_generated", 422;
        InputValueError = "input_value_error", 422;
        ValueError = "value_error", 422;
    }
}

kinds! {
    /// What the infrastructure may answer in place of the model, as `error_type`.
    RequestError {
        RequestTimeout = "request_timeout", 504;
        StartupTimeout = "startup_timeout", 504;
        RunnerSchedulingFailure = "runner_scheduling_failure", 503;
        RunnerConnectionTimeout = "runner_connection_timeout", 503;
        RunnerDisconnected = "runner_disconnected", 503;
        RunnerConnectionRefused = "runner_connection_refused", 503;
        RunnerConnectionError = "runner_connection_error", 503;
        RunnerIncompleteResponse = "runner_incomplete_response", 502;
        RunnerServerError = "runner_server_error", 500;
        InternalError = "internal_error", 500;
        ClientDisconnected = "client_disconnected", 499;
        ClientCancelled = "client_cancelled", 499;
        BadRequest = "bad_request", 400;
    }
}

impl ModelError {
    /// The input field that a typical error of this kind points at.
    pub(crate) fn field(self) -> &'static str {
        match self {
            Self::ContentPolicyViolation | Self::SequenceTooShort | Self::SequenceTooLong => {
                "prompt"
            }
            Self::GreaterThan | Self::GreaterThanEqual | Self::LessThan | Self::LessThanEqual => {
                "num_layers"
            }
            Self::MultipleOf => "num_inference_steps",
            Self::OneOf => "output_format",
            _ => "image_url",
        }
    }

    /// `ctx` of a typical error of this kind, for those kinds that carry one.
    pub(crate) fn sample_context(self) -> Option<Value> {
        Some(match self {
            Self::ImageTooSmall => json!({"min_height": 32, "min_width": 32}),
            Self::ImageTooLarge => json!({"max_height": 8192, "max_width": 8192}),
            Self::FileTooLarge => json!({"max_size": 50_000_000}),
            Self::GreaterThan => json!({"gt": 0}),
            Self::GreaterThanEqual => json!({"ge": 1}),
            Self::LessThan => json!({"lt": 11}),
            Self::LessThanEqual => json!({"le": 10}),
            Self::MultipleOf => json!({"multiple_of": 2}),
            Self::SequenceTooShort => json!({"min_length": 1}),
            Self::SequenceTooLong => json!({"max_length": 800}),
            Self::OneOf => json!({"expected": ["png", "webp"]}),
            Self::InvalidArchive => json!({"supported_extensions": [".zip"]}),
            Self::ArchiveFileCountBelowMinimum => {
                json!({"min_count": 4, "provided_count": 1, "supported_extensions": [".png"]})
            }
            Self::ArchiveFileCountExceedsMaximum => {
                json!({"max_count": 4, "provided_count": 9, "supported_extensions": [".png"]})
            }
            Self::AudioDurationTooLong | Self::VideoDurationTooLong => {
                json!({"max_duration": 60, "provided_duration": 75})
            }
            Self::AudioDurationTooShort | Self::VideoDurationTooShort => {
                json!({"min_duration": 2, "provided_duration": 1})
            }
            Self::UnsupportedImageFormat => {
                json!({"supported_formats": ["jpg", "jpeg", "png", "webp", "gif"]})
            }
            Self::UnsupportedAudioFormat => json!({"supported_formats": ["mp3", "wav"]}),
            Self::UnsupportedVideoFormat => json!({"supported_formats": ["mp4", "webm"]}),
            _ => return None,
        })
    }
}
