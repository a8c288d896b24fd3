//! A server on loopback for tests: answers raw bytes to each request and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Respond = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// Stops when dropped.
pub struct Loopback {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
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
        self.requests.lock().unwrap().clone()
    }

    async fn serve(respond: Option<Arc<Respond>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let task = tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                match &respond {
                    Some(respond) => drop(tokio::spawn(answer(stream, respond.clone(), seen.clone(), address.port()))),
                    None => silent.push(stream),
                }
            }
        });
        Self { address, requests, task }
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

async fn answer(mut stream: TcpStream, respond: Arc<Respond>, seen: Arc<Mutex<Vec<String>>>, port: u16) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let mut bytes = respond(&head);
    seen.lock().unwrap().push(head);
    let marker = b"{port}";
    if let Some(at) = bytes.windows(marker.len()).take(2000).position(|window| window == marker) {
        bytes.splice(at..at + marker.len(), port.to_string().into_bytes());
    }
    // The client may have hung up already: that is what some tests are about.
    stream.write_all(&bytes).await.ok();
    stream.shutdown().await.ok();
}
