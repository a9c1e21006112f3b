//! The workbench of a test: an emulator, a client with its key, and an image to submit.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fal_emulator::{Config, Emulator, MODEL};
use image::{ImageFormat, Rgba, RgbaImage};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

/// An emulator and how to talk to it.
pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) client: reqwest::Client,
}

impl Bench {
    /// With the defaults.
    pub(crate) async fn start() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        // No certificates: reading the system's takes longer than a test.
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([])
            .build();
        Self {
            emulator: Emulator::start(config).await.expect("loopback is there"),
            client: client.expect("a client"),
        }
    }

    /// A call with the key.
    pub(crate) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.emulator.url())
        };
        let key = format!("Key {}", self.emulator.key());
        self.client
            .request(method, url)
            .header("authorization", key)
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.call(Method::GET, path)
            .send()
            .await
            .expect("an answer")
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Response {
        let call = self.call(Method::POST, path).json(body);
        call.send().await.expect("an answer")
    }

    pub(crate) async fn put(&self, path: &str) -> Response {
        self.call(Method::PUT, path)
            .send()
            .await
            .expect("an answer")
    }

    /// Submits an input to the model and returns the answer to it.
    pub(crate) async fn submit(&self, input: &Value) -> Value {
        let answered = self.post(&format!("/{MODEL}"), input).await;
        assert_eq!(answered.status(), 200);
        body(answered).await
    }

    /// Submits, waits for the end, and returns status code and body of the result.
    pub(crate) async fn finish(&self, input: &Value) -> (u16, Value) {
        let submitted = self.submit(input).await;
        let id = submitted["request_id"].as_str().expect("an id");
        self.emulator.complete(id).await;
        let answered = self
            .get(submitted["response_url"].as_str().expect("a URL"))
            .await;
        (answered.status().as_u16(), body(answered).await)
    }
}

/// The JSON of an answer.
pub(crate) async fn body(answered: Response) -> Value {
    assert_eq!(answered.headers()["content-type"], "application/json");
    answered.json().await.expect("JSON")
}

/// An input with a small image.
pub(crate) fn input() -> Value {
    json!({"image_url": image_uri(96, 64)})
}

/// The same with a prompt.
pub(crate) fn prompted(prompt: &str) -> Value {
    let mut input = input();
    input["prompt"] = prompt.into();
    input
}

/// A `data:` URI of a PNG of this size.
pub(crate) fn image_uri(width: u32, height: u32) -> String {
    format!(
        "data:image/png;base64,{}",
        STANDARD.encode(png(width, height))
    )
}

/// A PNG of this size.
pub(crate) fn png(width: u32, height: u32) -> Vec<u8> {
    let image = RgbaImage::from_fn(width, height, |x, y| Rgba([x as u8, y as u8, 90, 255]));
    let mut file = Cursor::new(Vec::new());
    image.write_to(&mut file, ImageFormat::Png).expect("memory");
    file.into_inner()
}

/// The path of a request, from the URL that the submission returned.
pub(crate) fn request_path(submitted: &Value) -> String {
    let id = submitted["request_id"].as_str().expect("an id");
    format!("/{MODEL}/requests/{id}")
}
