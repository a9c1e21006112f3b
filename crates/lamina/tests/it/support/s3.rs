//! A real S3 server in this process, over a folder, which checks every signature; with faults that
//! real ones have. It is stopped and started on the same port.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::error_handling::HandleError;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use futures_util::StreamExt as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use lamina::blobs::{BucketSettings, BucketStyle};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::kept_port;

pub(crate) const BUCKET: &str = "pictures";
pub(crate) const PREFIX: &str = "lamina/test";
const KEY_ID: &str = "test-key-id";
const KEY: &str = "test-key-of-the-bucket";

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// It is answered with this status and S3 code.
    Answer(u16, &'static str),
    /// The answer's body ends after half of it, with the connection.
    CutBody,
    /// It is never answered.
    Hang,
}

#[derive(Debug, Default)]
struct Shared {
    /// For the next requests of a method, in order.
    next: Mutex<VecDeque<(Method, Fault)>>,
    /// For all of these methods.
    always: Mutex<Vec<(Method, Fault)>>,
    seen: Mutex<Vec<(Method, String)>>,
}

/// The server. Ends when dropped.
pub(crate) struct S3 {
    folder: TempDir,
    address: SocketAddr,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

impl S3 {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut s3 = Self {
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], kept_port())),
            shared: Arc::default(),
            server: None,
        };
        s3.up().await;
        s3
    }

    /// Serves (again), on the same port as before.
    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(self.folder.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY_ID, KEY));
        let failed = |_| async { StatusCode::INTERNAL_SERVER_ERROR };
        let routes = Router::new()
            .fallback_service(HandleError::new(service.build(), failed))
            .layer(from_fn_with_state(
                self.folder.path().to_owned(),
                objects_alone,
            ))
            .layer(from_fn_with_state(Arc::clone(&self.shared), faulty));
        self.server = Some(tokio::spawn(serve(listener, routes)));
    }

    /// Ends the server and every connection to it.
    pub(crate) async fn down(&mut self) {
        let server = self.server.take().unwrap();
        server.abort();
        let _ = server.await;
    }

    /// The next request of this method fails like this; several queue.
    pub(crate) fn fail_next(&self, method: Method, fault: Fault) {
        self.shared.next.lock().unwrap().push_back((method, fault));
    }

    /// From now on every request of these methods fails like this.
    pub(crate) fn fail(&self, methods: &[Method], fault: Fault) {
        let mut always = self.shared.always.lock().unwrap();
        always.extend(methods.iter().map(|method| (method.clone(), fault)));
    }

    /// Nothing fails any more.
    pub(crate) fn heal(&self) {
        self.shared.always.lock().unwrap().clear();
    }

    /// How many requests of this method came for paths that hold `part`.
    pub(crate) fn count(&self, method: &Method, part: &str) -> usize {
        let seen = self.shared.seen.lock().unwrap();
        seen.iter()
            .filter(|(seen, path)| seen == method && path.contains(part))
            .count()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn settings(&self) -> BucketSettings {
        BucketSettings {
            name: BUCKET.into(),
            prefix: PREFIX.into(),
            endpoint: self.endpoint().parse().unwrap(),
            public_endpoint: None,
            region: "us-east-1".into(),
            style: BucketStyle::Path,
            access_key_id: KEY_ID.into(),
            secret_access_key: KEY.into(),
        }
    }

    /// The options that point lamina here.
    pub(crate) fn options(&self) -> Vec<(&'static str, String)> {
        vec![
            ("STORAGE_URL", format!("s3://{BUCKET}/{PREFIX}")),
            ("S3_ENDPOINT", self.endpoint()),
            ("S3_ACCESS_KEY_ID", KEY_ID.into()),
            ("S3_SECRET_ACCESS_KEY", KEY.into()),
        ]
    }

    /// The folder of what the bucket has below lamina's prefix.
    pub(crate) fn objects(&self) -> PathBuf {
        self.folder.path().join(BUCKET).join(PREFIX)
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn serve(listener: TcpListener, routes: Router) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            return;
        };
        let service = TowerToHyperService::new(routes.clone());
        connections.spawn(async move {
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn faulty(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    shared.seen.lock().unwrap().push((method.clone(), path));
    let queued = {
        let mut queue = shared.next.lock().unwrap();
        let found = queue.iter().position(|(wanted, _)| *wanted == method);
        found.and_then(|index| queue.remove(index))
    };
    let always = {
        let always = shared.always.lock().unwrap();
        let found = always.iter().find(|(failing, _)| *failing == method);
        found.map(|(_, fault)| *fault)
    };
    match queued.map(|(_, fault)| fault).or(always) {
        None => next.run(request).await,
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Answer(status, code)) => {
            // The body of real ones repeats the key and the signature.
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><AWSAccessKeyId>{KEY_ID}</AWSAccessKeyId><SignatureProvided>5ec7e7</SignatureProvided></Error>"
            );
            (StatusCode::from_u16(status).unwrap(), body).into_response()
        }
        Some(Fault::CutBody) => cut(next.run(request).await).await,
    }
}

/// A bucket has no folders: what lies there as one is no object, and a HEAD of it is 404 as at every
/// real S3. The server below says 500, which clients take for a reason to try again.
async fn objects_alone(State(root): State<PathBuf>, request: Request, next: Next) -> Response {
    let path = request.uri().path().trim_matches('/');
    let within = path.split_once('/').is_some();
    if request.method() == Method::HEAD && within && root.join(path).is_dir() {
        return StatusCode::NOT_FOUND.into_response();
    }
    next.run(request).await
}

async fn cut(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let mut whole = Vec::new();
    let mut stream = body.into_data_stream();
    while let Some(chunk) = stream.next().await {
        whole.extend_from_slice(&chunk.unwrap());
    }
    let half = Bytes::copy_from_slice(&whole[..whole.len() / 2]);
    let stream = futures_util::stream::iter([Ok::<_, Infallible>(half)])
        .map(|chunk| chunk.map_err(|never| match never {}))
        .chain(futures_util::stream::iter([Err(std::io::Error::other(
            "cut by the test",
        ))]));
    Response::from_parts(parts, Body::from_stream(stream))
}
