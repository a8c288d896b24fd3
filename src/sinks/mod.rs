//! Sinks: each makes one attempt at one delivery and says how it ended.
//! Unaware of retries, order and storage.

pub mod settings;
pub mod sign;

pub mod nats;
pub mod ndjson;
pub mod webhook;

use crate::model::{Attempt, Class, Rendered};

pub use crate::outbox::Sink;
pub use settings::EndpointSettings;
pub use webhook::Egress;

/// A cause is for one line of a log.
const CAUSE_CHARS_MAX: usize = 200;

/// What a kind of endpoint is delivered with.
#[derive(Debug)]
pub enum AnySink {
    Webhook(Box<webhook::Webhook>),
    Nats(Box<nats::Nats>),
    Ndjson(ndjson::Ndjson),
}

impl AnySink {
    /// Reads the secrets that the settings name; connects to nothing yet. The error says which file is at fault.
    pub fn build(settings: &EndpointSettings, egress: Egress) -> Result<Self, String> {
        Ok(match settings {
            EndpointSettings::Webhook(settings) => Self::Webhook(Box::new(webhook::Webhook::new(settings, egress)?)),
            EndpointSettings::Nats(settings) => Self::Nats(Box::new(nats::Nats::new(settings)?)),
            EndpointSettings::Ndjson(settings) => Self::Ndjson(ndjson::Ndjson::new(settings)),
        })
    }
}

impl Sink for AnySink {
    async fn deliver(&self, rendered: &Rendered) -> Attempt {
        match self {
            Self::Webhook(sink) => sink.deliver(rendered).await,
            Self::Nats(sink) => sink.deliver(rendered).await,
            Self::Ndjson(sink) => sink.deliver(rendered).await,
        }
    }
}

fn retry(class: Class, cause: &str) -> Attempt {
    Attempt::Retry { class, after: None, cause: short(cause) }
}

fn short(cause: &str) -> String {
    cause.chars().take(CAUSE_CHARS_MAX).collect()
}
