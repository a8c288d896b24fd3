//! As much HTTP/1.1 as it takes to misbehave: requests with a length are read whole, answers are written as told.
//! Unaware of what requests say.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const HEAD_BYTES_MAX: usize = 32 << 10;
const BODY_BYTES_MAX: usize = 16 << 20;
/// More than any sender should read.
const POUR_BYTES: usize = 1 << 30;
const POUR_CHUNK: [u8; 16 << 10] = [b'x'; 16 << 10];

/// One request, as it came in.
#[derive(Debug)]
pub struct Request {
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub body: Bytes,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The next request of a connection, or nothing once the other side has ended it. `ahead` is what was read too much.
pub async fn read(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let Some(head_len) = read_head(stream, ahead).await? else { return Ok(None) };
    let headers = parse(&ahead[..head_len])?;
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(Ok(0), |(_, value)| value.parse());
    let length: usize = length.map_err(|_| malformed("its length is no number"))?;
    if length > BODY_BYTES_MAX {
        return Err(malformed("its body is too long"));
    }
    let end = head_len + length;
    while ahead.len() < end {
        if stream.read_buf(ahead).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let body = Bytes::copy_from_slice(&ahead[head_len..end]);
    ahead.drain(..end);
    Ok(Some(Request { headers, body }))
}

/// `headers` are whole lines.
pub async fn answer(stream: &mut TcpStream, status: u16, headers: &str) -> io::Result<()> {
    let length = if status == 204 { "" } else { "content-length: 0\r\n" };
    stream.write_all(format!("HTTP/1.1 {status} -\r\n{length}{headers}\r\n").as_bytes()).await
}

pub async fn wait_for_end(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 512]).await? > 0 {}
    Ok(())
}

/// Success, with a body that goes on until the other side has had enough.
pub async fn pour(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(format!("HTTP/1.1 200 -\r\ncontent-length: {POUR_BYTES}\r\n\r\n").as_bytes()).await?;
    for _ in 0..POUR_BYTES / POUR_CHUNK.len() {
        stream.write_all(&POUR_CHUNK).await?;
    }
    Ok(())
}

/// The length of the head, which is then at the front of `ahead`.
async fn read_head(stream: &mut TcpStream, ahead: &mut Vec<u8>) -> io::Result<Option<usize>> {
    loop {
        if let Some(at) = ahead.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(Some(at + 4));
        }
        if ahead.len() > HEAD_BYTES_MAX {
            return Err(malformed("its head is too long"));
        }
        if stream.read_buf(ahead).await? == 0 {
            return if ahead.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

fn parse(head: &[u8]) -> io::Result<Vec<(String, String)>> {
    let text = std::str::from_utf8(head).map_err(|_| malformed("its head is no text"))?;
    let lines = text.split("\r\n").skip(1).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header has no colon"))?;
            Ok((name.to_ascii_lowercase(), value.trim().to_owned()))
        })
        .collect()
}

fn malformed(cause: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("no request that is understood here: {cause}"))
}
