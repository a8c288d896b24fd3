//! One event on its way to one endpoint, and how an attempt to deliver it can end.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{DeliveryId, ThreadId};

/// What one attempt sends. The body was rendered when the event was committed and never changes.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub id: DeliveryId,
    pub body: Bytes,
    /// Absent for events about no mention.
    pub thread: Option<ThreadId>,
    /// Counts up without gaps per endpoint, from 1.
    pub seq: u64,
    /// Everything up to this seq is delivered, dead or superseded.
    pub settled: u64,
    /// Names the store; another one after a restore.
    pub epoch: String,
    /// From 1.
    pub attempt: u32,
    /// A dead letter that was sent again on request.
    pub replay: bool,
}

/// How one attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    Delivered,
    /// Worth another attempt: later, and never before `after`.
    Retry {
        class: Class,
        after: Option<Duration>,
        cause: String,
    },
    /// The endpoint says that it is gone for good (410).
    Gone,
    /// The message itself is refused; another attempt is unlikely to help.
    Reject {
        cause: String,
    },
}

/// Why an attempt is to be repeated. Closed: each is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Class {
    /// No connection, or it broke.
    Connect,
    /// The certificate or the handshake.
    Tls,
    Timeout,
    /// 408, 409, 425, 429 or 5xx.
    Unavailable,
    /// 401, 403, 404, 405 or a redirect: a token or a path is wrong.
    Misconfigured,
    /// The address is one that is not allowed.
    Forbidden,
}

impl Class {
    pub const ALL: [Self; 6] =
        [Self::Connect, Self::Tls, Self::Timeout, Self::Unavailable, Self::Misconfigured, Self::Forbidden];

    /// The metric label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Misconfigured => "misconfigured",
            Self::Forbidden => "forbidden",
        }
    }
}
