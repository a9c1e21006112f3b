//! The description of the API (OpenAPI 3.1): what the routes say about themselves, and the bodies
//! that are read by hand. `crates/lamina/openapi.json` is checked in and served; a test compares
//! it with the code, so a change of the API shows in review.

use utoipa::openapi::schema::{SchemaFormat, SchemaType};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    Content, InfoBuilder, ObjectBuilder, OneOfBuilder, OpenApi, OpenApiBuilder, Ref, RefOr,
    SecurityRequirement, Type,
};
use utoipa::{Number, PartialSchema as _, ToSchema as _};
use uuid::Uuid;

use crate::http::answer::problem::{PROBLEM_JSON, Problem};
use crate::jobs::EngineKind;

/// The checked-in description.
pub(in crate::http) const CHECKED_IN: &str = include_str!("../../../openapi.json");

/// The body of `POST /api/jobs`. Exactly one of `image_url`, `image_base64` and `upload_id`;
/// unknown fields are refused.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a description; JobSpec::parse reads the body")]
pub(in crate::http) struct CreateJob {
    /// The server fetches the picture from here. A `url` that the server itself gave is read from where it
    /// is kept.
    #[schema(
        format = "uri",
        max_length = 8192,
        example = "https://example.com/photo.jpg"
    )]
    image_url: Option<String>,
    /// The picture's file in base64, raw or as a `data:` URI; at most 20 MiB of file.
    image_base64: Option<String>,
    /// What `POST /api/upload` or `POST /api/uploads` gave, or the last part of a resumable
    /// upload's address.
    upload_id: Option<Uuid>,
    #[schema(schema_with = layer_count, required = false)]
    num_layers: (),
    /// Describes the whole picture.
    #[schema(max_length = 4000)]
    prompt: Option<String>,
    /// What should not be in the layers.
    #[schema(max_length = 4000)]
    negative_prompt: Option<String>,
    #[schema(schema_with = seed, required = false)]
    seed: (),
    /// More steps take longer and may look better.
    #[schema(minimum = 1, maximum = 50, default = 28)]
    num_inference_steps: Option<u8>,
    /// How closely the engine keeps to the prompt.
    #[schema(minimum = 1, maximum = 20, default = 5)]
    guidance_scale: Option<f32>,
    #[schema(schema_with = engine_wish, required = false)]
    engine: (),
    /// `source`: layers as large as the picture. What an engine gives smaller is raised, shows the picture where it is seen, and put
    /// over each other the layers give it back.
    #[schema(default = "engine")]
    resolution: Option<crate::jobs::Resolution>,
    /// Told when the job has ended, by a signed POST (Standard Webhooks). Without it the `url` of `PUT /api/webhooks` is.
    #[schema(
        format = "uri",
        max_length = 2048,
        example = "https://example.com/hooks"
    )]
    webhook_url: Option<String>,
}

/// The body of `POST /api/uploads`; unknown fields are refused.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a description; TicketSpec::parse reads the body")]
pub(in crate::http) struct CreateTicket {
    /// The type that will be sent: `image/jpeg`, `image/png`, `image/webp` or `image/gif`.
    #[schema(example = "image/jpeg")]
    content_type: Option<String>,
    /// The exact size that will be sent.
    #[schema(minimum = 1)]
    bytes: Option<u64>,
}

/// The form of `POST /api/upload`.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "a description; multer reads the form")]
pub(in crate::http) struct UploadForm {
    /// The picture: JPEG, PNG, WebP or GIF (its first frame).
    file: ImageFile,
}

/// An image file.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "a description of bytes")]
pub(in crate::http) struct ImageFile(Vec<u8>);

/// The body of `POST …/export/{format}`: how the layers are arranged; unknown fields are refused.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a description; Arrangement::parse reads the body")]
pub(in crate::http) struct ExportRecipe {
    /// Bottom first, at most 64; what is not listed is not drawn. Without it all layers, as they are.
    layers: Option<Vec<PlacedLayer>>,
    /// The colour of a layer below all; none without it.
    #[schema(pattern = "^#[0-9a-fA-F]{6}$", example = "#ffffff")]
    background: Option<String>,
    /// The part of the canvas that is kept; all of it without.
    crop: Option<CropBox>,
}

/// The body of `POST …/composite`: how the layers are arranged, and what picture is made of them; unknown fields are refused.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "a description; Arrangement::parse reads the body")]
pub(in crate::http) struct CompositeRecipe {
    /// Bottom first, at most 64; what is not listed is not drawn. Without it all layers, as they are.
    layers: Option<Vec<PlacedLayer>>,
    /// The colour below all; without it nothing, and white in a JPEG.
    #[schema(pattern = "^#[0-9a-fA-F]{6}$", example = "#ffffff")]
    background: Option<String>,
    /// The part of the canvas that is kept; all of it without.
    crop: Option<CropBox>,
    /// `png`, `webp` (lossless) or `jpeg`.
    #[schema(default = "png", example = "png")]
    format: Option<String>,
    /// The picture is scaled down to have no longer side than this, in pixels.
    #[schema(minimum = 1, maximum = 16384)]
    max_side: Option<u32>,
}

/// A layer in its place.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "a description; Arrangement::parse reads the body")]
pub(in crate::http) struct PlacedLayer {
    /// The layer.
    #[schema(example = "layer_0")]
    id: String,
    /// How far it is moved to the right, in pixels of the canvas, rounded to whole ones.
    #[schema(minimum = -100000, maximum = 100000, default = 0)]
    dx: Option<f64>,
    /// How far it is moved down.
    #[schema(minimum = -100000, maximum = 100000, default = 0)]
    dy: Option<f64>,
    /// How large it is drawn, around the middle of its box, before it is moved.
    #[schema(minimum = 0.01, maximum = 10, default = 1)]
    scale: Option<f32>,
    /// How strongly it is drawn, beside its own alpha.
    #[schema(minimum = 0, maximum = 1, default = 1)]
    opacity: Option<f32>,
    /// Whether it is drawn.
    #[schema(default = true)]
    visible: Option<bool>,
}

/// A part of the canvas, in pixels; it lies inside.
#[derive(serde::Deserialize, utoipa::ToSchema)]
#[expect(dead_code, reason = "a description; Arrangement::parse reads the body")]
pub(in crate::http) struct CropBox {
    /// Left edge.
    #[schema(default = 0)]
    x: Option<u32>,
    /// Top edge.
    #[schema(default = 0)]
    y: Option<u32>,
    /// Width.
    #[schema(minimum = 1)]
    width: u32,
    /// Height.
    #[schema(minimum = 1)]
    height: u32,
}

/// What the layers can be exported as.
#[derive(utoipa::ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "a description of layer-formats' own words")]
pub(in crate::http) enum ExportFormat {
    /// Photoshop; a PSB where a side is above 30,000 pixels.
    Psd,
    /// OpenRaster: GIMP, Krita.
    Ora,
    /// PowerPoint.
    Pptx,
    /// SVG with the layers in it.
    Svg,
    /// The layers' files and a manifest.
    Zip,
    /// A page for each layer.
    Tiff,
    /// A small animation of the layers' depth.
    Gif,
}

/// A file of layers.
#[derive(utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "a description of bytes")]
pub(in crate::http) struct ExportFile(Vec<u8>);

/// What the routes' own descriptions are added to.
pub(in crate::http) fn base() -> OpenApi {
    let mut api = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("lamina")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "Turns one flat image into an ordered stack of RGBA layers. Every error is \
                     application/problem+json with a stable `code`.",
                ))
                .build(),
        )
        .security(Some([SecurityRequirement::new::<_, _, String>(
            "api_key",
            [],
        )]))
        .build();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    api.components
        .get_or_insert_default()
        .security_schemes
        .insert("api_key".to_owned(), bearer.into());
    api
}

/// Every answer from 400 on is a problem, so the routes need not say it each time. An answer to HEAD has no
/// body.
pub(in crate::http) fn with_problems(mut api: OpenApi) -> OpenApi {
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    let components = api.components.get_or_insert_default();
    components.schemas.extend(schemas);
    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
    for item in api.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
            &mut item.options,
            &mut item.patch,
        ];
        let answers = operations.into_iter().flatten();
        for (status, answer) in answers.flat_map(|operation| &mut operation.responses.responses) {
            if let RefOr::T(answer) = answer
                && status.as_str() >= "400"
            {
                let body = (PROBLEM_JSON.to_owned(), problem.clone().into());
                answer.content.extend([body]);
            }
        }
    }
    api
}

/// A number or a word, which no derive describes.
fn layer_count() -> OneOfBuilder {
    let number = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(10));
    let word = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["auto"]));
    let none = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new()
        .item(number)
        .item(word)
        .item(none)
        .description(Some(
            "How many layers are wanted: 1 to 10 (default 4), or `auto` for as many as the engine finds.",
        ))
}

/// Every `u64`: the derive would call it an `int64`, which ends at half of it.
fn seed() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(or_null(Type::Integer))
        .format(Some(SchemaFormat::Custom("uint64".to_owned())))
        .minimum(Some(0))
        .maximum(Some(Number::UInt(u64::MAX as usize)))
        .description(Some(
            "The same seed and the same picture give the same layers, where the engine keeps to it. \
             A client that keeps numbers as floating-point ones loses digits beyond 9007199254740991.",
        ))
}

/// Null is the same as a field that is left out.
fn or_null(kind: Type) -> SchemaType {
    SchemaType::from_iter([kind, Type::Null])
}

/// The engines that exist, and the word for the default.
fn engine_wish() -> ObjectBuilder {
    let words = EngineKind::ALL.into_iter().map(EngineKind::as_str);
    // `enum` holds whatever the type says, so null stands in it as well.
    let words = std::iter::once("auto")
        .chain(words)
        .map(serde_json::Value::from);
    ObjectBuilder::new()
        .schema_type(or_null(Type::String))
        .enum_values(Some(words.chain([serde_json::Value::Null])))
        .description(Some(
            "The engine; `auto` and absent mean the server's default.",
        ))
}
