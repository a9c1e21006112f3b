//! How spans reach the collector: protobuf over HTTP, by the HTTP client that the service has
//! anyway. The collector's answer is bounded in time and size.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use secrecy::ExposeSecret as _;
use tokio::runtime::Handle;

use crate::tls;
use crate::trace::TraceSettings;

/// A request with spans, answer included.
const LIMIT: Duration = Duration::from_secs(10);
/// A collector says little.
const ANSWER_BYTES: usize = 64 << 10;

/// What sends to the collector of these settings.
pub(super) fn exporter(settings: &TraceSettings) -> Result<SpanExporter, String> {
    let runtime = Handle::try_current()
        .map_err(|_| "there is no async runtime to send spans with".to_owned())?;
    let mut tls = tls::client_config().map_err(|error| error.to_string())?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .timeout(LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| format!("the HTTP client for spans cannot be made: {error}"))?;
    let base = settings.endpoint.as_str().trim_end_matches('/');
    SpanExporter::builder()
        .with_http()
        .with_http_client(Sender { client, runtime })
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(LIMIT)
        .with_endpoint(format!("{base}/v1/traces"))
        .with_headers(headers(settings))
        .build()
        .map_err(|error| format!("the exporter of spans cannot be made: {error}"))
}

/// `name=value,name=value`; the configuration has checked it.
fn headers(settings: &TraceSettings) -> HashMap<String, String> {
    let text = settings.headers.as_ref().map(|text| text.expose_secret());
    let pairs = text.unwrap_or_default().split(',');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        .collect()
}

/// The exporter waits on a thread that is not the runtime's; the sending is done on the runtime.
#[derive(Debug)]
struct Sender {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), reqwest::Request::try_from(request)?);
        let sent = self.runtime.spawn(async move {
            let mut answer = client
                .execute(request)
                .await
                .map_err(reqwest::Error::without_url)?;
            let mut body = BytesMut::new();
            while let Some(chunk) = answer.chunk().await? {
                if body.len() + chunk.len() > ANSWER_BYTES {
                    return Err(HttpError::from("the collector's answer is too long"));
                }
                body.extend_from_slice(&chunk);
            }
            let mut response = Response::new(body.freeze());
            *response.status_mut() = answer.status();
            std::mem::swap(response.headers_mut(), answer.headers_mut());
            Ok(response)
        });
        sent.await?
    }
}
