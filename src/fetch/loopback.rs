//! A server on loopback for tests: answers raw bytes to each request and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Turns of the runtime that every request waits before it is answered.
const YIELDS: usize = 100;

type Respond = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// Stops when dropped.
pub struct Loopback {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// What the server saw so far.
#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

impl Loopback {
    /// `respond` takes the head of a request. `{port}` in its answer's head becomes the server's port.
    pub async fn start(respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve(Some(Arc::new(respond))).await
    }

    /// Takes connections and never says a word.
    pub async fn silent() -> Self {
        Self::serve(None).await
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The largest number of requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.seen.most.load(Ordering::SeqCst)
    }

    async fn serve(respond: Option<Arc<Respond>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let shared = seen.clone();
        let task = tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                match &respond {
                    Some(respond) => {
                        drop(tokio::spawn(answer(stream, respond.clone(), shared.clone(), address.port())))
                    }
                    None => silent.push(stream),
                }
            }
        });
        Self { address, seen, task }
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One whole answer.
pub fn reply(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

async fn answer(mut stream: TcpStream, respond: Arc<Respond>, seen: Arc<Seen>, port: u16) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut bytes = respond(&head);
    seen.requests.lock().unwrap().push(head);
    seen.most.fetch_max(seen.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    // Time for others to come, if there are any.
    for _ in 0..YIELDS {
        tokio::task::yield_now().await;
    }
    seen.under_way.fetch_sub(1, Ordering::SeqCst);
    let marker = b"{port}";
    if let Some(at) = bytes.windows(marker.len()).take(2000).position(|window| window == marker) {
        bytes.splice(at..at + marker.len(), port.to_string().into_bytes());
    }
    // The client may have hung up already: that is what some tests are about.
    stream.write_all(&bytes).await.ok();
    stream.shutdown().await.ok();
}
