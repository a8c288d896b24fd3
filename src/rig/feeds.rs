//! A site with feeds on loopback, for tests and the demo: each path has a present state, with validators; what a feed
//! no longer names is gone. Unaware of Earful's own client.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A site that serves documents. Stops when dropped.
pub struct Site {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

#[derive(Default)]
struct Shared {
    documents: Mutex<BTreeMap<String, Document>>,
    requests: AtomicU64,
    unmodified: AtomicU64,
}

#[derive(Clone)]
struct Document {
    content_type: &'static str,
    body: String,
    etag: String,
}

impl Site {
    /// On a free port of 127.0.0.1.
    pub async fn start() -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let router = Router::new().fallback(answer).with_state(shared.clone());
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        tokio::spawn(async move { served.await });
        Ok(Self { address, shared, _stop: stop.drop_guard() })
    }

    /// Scheme, host and port.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Puts a document at a path, in place of any that was there.
    pub fn put(&self, path: &str, content_type: &'static str, body: String) {
        let etag = format!("\"{}\"", blake3::hash(body.as_bytes()).to_hex());
        self.documents().insert(path.to_owned(), Document { content_type, body, etag });
    }

    /// Requests so far, and those answered with 304.
    pub fn requests(&self) -> (u64, u64) {
        (self.shared.requests.load(Ordering::Relaxed), self.shared.unmodified.load(Ordering::Relaxed))
    }

    fn documents(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Document>> {
        self.shared.documents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let path = request.uri().path();
    let documents = shared.documents.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(document) = documents.get(path).cloned() else {
        // A page is there as long as some feed names it.
        let named = documents.values().any(|document| document.body.contains(path));
        let status = if named { StatusCode::OK } else { StatusCode::GONE };
        return (status, "a page\n").into_response();
    };
    drop(documents);
    let known =
        request.headers().get(header::IF_NONE_MATCH).is_some_and(|etag| etag.as_bytes() == document.etag.as_bytes());
    let etag = HeaderValue::from_str(&document.etag).expect("a hash in quotes is a header");
    if known {
        shared.unmodified.fetch_add(1, Ordering::Relaxed);
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response();
    }
    ([(header::ETAG, etag), (header::CONTENT_TYPE, HeaderValue::from_static(document.content_type))], document.body)
        .into_response()
}
