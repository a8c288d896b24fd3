//! `POST /v1/posts`: posts pushed as NDJSON or a JSON array, answered only once they are durable.

use std::borrow::Cow;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock;
use crate::config::PushSettings;
use crate::inlet::{Inlet, NotTaken};
use crate::model::{Arrival, Outcome, Wire};
use crate::normalize::push::{self, PushScope};
use crate::store::gate::Level;

use super::Services;
use super::answer::Problem;
use super::auth::Token;

/// Pushes that are read and decided at the same time; each may hold its body three times.
pub const PUSHES_MAX: usize = 8;
/// How long a body may take to come in.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// How long a push waits until it is durable, before it is told to come again.
const DURABLE_TIME_MAX: Duration = Duration::from_secs(30);

/// One configured partner that pushes.
pub struct Pusher {
    token: Token,
    scope: PushScope,
    inlet: Mutex<Option<Inlet>>,
}

impl Pusher {
    pub fn new(slug: &str, settings: &PushSettings, inlet: Inlet) -> Result<Self, String> {
        let scope = PushScope { token: slug.to_owned(), networks: settings.networks.clone() };
        Ok(Self { token: Token::read(&settings.token_file)?, scope, inlet: Mutex::new(Some(inlet)) })
    }

    /// Lets go of the inlet, so that the turn can finish.
    pub(super) fn close(&self) {
        self.inlet.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn offer(&self, body: Vec<u8>) -> Result<crate::inlet::Receipt, NotTaken> {
        let inlet = self.inlet.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(NotTaken::Closed)?;
        inlet.offer(Arrival {
            source: self.scope.token.as_str().into(),
            wire: Wire::Push,
            body,
            fetched_at: clock::now(),
            cursor: None,
        })
    }
}

/// What became of each pushed post.
#[derive(Serialize, JsonSchema)]
pub struct Pushed {
    /// One per line or element, in their order.
    pub results: Vec<PushResult>,
    pub accepted: usize,
    pub rejected: usize,
}

#[derive(Serialize, JsonSchema)]
pub struct PushResult {
    /// `created`, `edited`, `deleted`, `unchanged` or `rejected`.
    pub outcome: &'static str,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// Takes posts in. 200 only after they are durable. Who has no token is turned away before the body is read.
pub(super) async fn push(State(services): State<Arc<Services>>, request: Request) -> Result<Json<Pushed>, Problem> {
    let headers = request.headers().clone();
    let pusher = services.pushers.iter().find(|pusher| pusher.token.admits(&headers)).ok_or_else(|| {
        Problem::new(StatusCode::UNAUTHORIZED, "send the token of a source of kind `push` as `Authorization: Bearer …`")
    })?;
    if services.gate.level() != Level::Green {
        let title = "the disk is nearly full: nothing is taken in";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, title).retry_after(60));
    }
    let api = &services.config.base.api;
    let _place = services.pushes.try_acquire().map_err(|_| behind())?;
    let body = match tokio::time::timeout(BODY_TIME_MAX, Bytes::from_request(request, &())).await {
        Ok(Ok(body)) => body,
        Ok(Err(cause)) if cause.status() == StatusCode::PAYLOAD_TOO_LARGE => return Err(too_large(api.body_bytes_max)),
        Ok(Err(cause)) => return Err(Problem::bad(format!("the body broke off: {cause}"))),
        Err(_) => return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    };
    let body = inflate(&headers, body, api.body_bytes_max)?;
    let lines = split(&headers, &body)?;
    if lines.len() > api.posts_max {
        let title = format!("{} posts in one request; at most {} are taken", lines.len(), api.posts_max);
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, title));
    }
    if lines.is_empty() {
        return Ok(Json(Pushed { results: Vec::new(), accepted: 0, rejected: 0 }));
    }
    let lines = lines.iter().map(AsRef::as_ref);
    let receipt = pusher.offer(push::encode(&pusher.scope, lines)).map_err(|not_taken| match not_taken {
        NotTaken::Full => behind(),
        NotTaken::Closed => Problem::stopping(),
    })?;
    let Ok(durable) = tokio::time::timeout(DURABLE_TIME_MAX, receipt.durable()).await else {
        let title = "the posts wait and are not durable yet; send them again: what has an id is taken once";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, title).retry_after(60));
    };
    let outcomes = durable.map_err(|_| Problem::stopping())?;
    let results: Vec<PushResult> = outcomes.into_iter().map(result).collect();
    let rejected = results.iter().filter(|result| result.reason.is_some()).count();
    Ok(Json(Pushed { accepted: results.len() - rejected, rejected, results }))
}

fn behind() -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "more posts wait than are decided; send them again").retry_after(1)
}

fn result(outcome: Outcome) -> PushResult {
    let (outcome, reason) = match outcome {
        Outcome::Created => ("created", None),
        Outcome::Edited => ("edited", None),
        Outcome::Deleted => ("deleted", None),
        Outcome::Unchanged | Outcome::Declared => ("unchanged", None),
        Outcome::Rejected(reason) => ("rejected", Some(reason.reason())),
    };
    PushResult { outcome, reason }
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("a request holds at most {bytes_max} bytes, also when inflated"),
    )
}

/// Undoes the content encoding, within the bound.
pub fn inflate(headers: &HeaderMap, body: Bytes, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let encoding = headers.get(header::CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("identity");
    let bounded = |reader: &mut dyn Read| {
        let mut inflated = Vec::new();
        let bound = bytes_max as u64 + 1;
        match reader.take(bound).read_to_end(&mut inflated) {
            Ok(_) if inflated.len() > bytes_max => Err(too_large(bytes_max)),
            Ok(_) => Ok(inflated),
            Err(cause) => Err(Problem::bad(format!("the body is not {encoding}: {cause}"))),
        }
    };
    match encoding.trim().to_ascii_lowercase().as_str() {
        "identity" | "" if body.len() > bytes_max => Err(too_large(bytes_max)),
        "identity" | "" => Ok(body.into()),
        "gzip" | "x-gzip" => bounded(&mut flate2::read::MultiGzDecoder::new(&*body)),
        "zstd" => {
            let mut decoder =
                zstd::Decoder::new(&*body).map_err(|cause| Problem::bad(format!("the body is not zstd: {cause}")))?;
            decoder.window_log_max(23).map_err(|cause| Problem::internal(&cause))?;
            bounded(&mut decoder)
        }
        other => {
            let title = format!("content-encoding `{other}` is not known; send gzip, zstd or none");
            Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, title))
        }
    }
}

/// Lines of NDJSON, or the elements of a JSON array, each as one line.
pub fn split<'b>(headers: &HeaderMap, body: &'b [u8]) -> Result<Vec<Cow<'b, [u8]>>, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let array = body.trim_ascii_start().first() == Some(&b'[')
        || kind.starts_with("application/json") && !kind.contains("ndjson");
    if array {
        let elements: Vec<&'b RawValue> = serde_json::from_slice(body).map_err(|cause| {
            Problem::bad(format!(
                "the body is not a JSON array of posts: {cause}; for one post a line send application/x-ndjson"
            ))
        })?;
        return Ok(elements.into_iter().map(|element| on_one_line(element.get())).collect());
    }
    let lines = body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    Ok(lines.map(Cow::Borrowed).collect())
}

/// A line break cannot stand inside a JSON string, so in a valid element it is white space.
fn on_one_line(element: &str) -> Cow<'_, [u8]> {
    match element.contains(['\n', '\r']) {
        true => Cow::Owned(element.replace(['\n', '\r'], " ").into_bytes()),
        false => Cow::Borrowed(element.as_bytes()),
    }
}
