//! The NATS sink: each event is a message on a subject of JetStream, delivered when the stream has acknowledged it.
//! The delivery's id makes a repeated message vanish. Unaware of retries and order.

use std::error::Error;
use std::time::Duration;

use async_nats::ConnectErrorKind;
use async_nats::ConnectOptions;
use async_nats::HeaderMap;
use async_nats::connection::State;
use async_nats::jetstream::context::{
    Context, CreateStreamError, CreateStreamErrorKind, PublishError, PublishErrorKind,
};
use async_nats::jetstream::{self, ErrorCode, message::PublishMessage, stream};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::settings::NatsSettings;
use super::{retry, short};
use crate::model::{Attempt, Class, Rendered};
use crate::outbox::Sink;

/// Older servers lose messages that they have acknowledged: on a crash, or because they sync only now and then.
const SERVER_VERSION_MIN: (i64, i64, i64) = (2, 15, 0);
/// How long a created stream remembers ids, which is longer than the pause between two attempts.
const DUPLICATE_WINDOW: Duration = Duration::from_hours(2);

/// One subject. Connects at the first delivery; the client then reconnects by itself.
pub struct Nats {
    settings: NatsSettings,
    options: ConnectOptions,
    timeout: Duration,
    jetstream: OnceCell<Context>,
}

impl std::fmt::Debug for Nats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nats").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Nats {
    /// Reads the credentials; connects to nothing yet.
    pub fn new(settings: &NatsSettings) -> Result<Self, String> {
        let timeout = Duration::from_secs(settings.timeout_s);
        let options = credentials(settings)?
            .name(concat!("earful/", env!("CARGO_PKG_VERSION")))
            .connection_timeout(timeout)
            .request_timeout(Some(timeout))
            .max_reconnects(None);
        Ok(Self { settings: settings.clone(), options, timeout, jetstream: OnceCell::new() })
    }

    async fn publish(&self, rendered: &Rendered) -> Result<(), Attempt> {
        let jetstream = self.jetstream.get_or_try_init(|| self.connect()).await?;
        let client = jetstream.client();
        if client.connection_state() != State::Connected {
            return Err(retry(Class::Connect, "the server is away, the client tries to reconnect"));
        }
        self.check_version(&client)?;
        let message = PublishMessage::build().payload(rendered.body.clone()).headers(headers(rendered));
        let subject = self.settings.subject.clone();
        let sent = jetstream.send_publish(subject, message).await.map_err(|error| self.judge(&error))?;
        let Err(error) = sent.await else { return Ok(()) };
        if error.kind() == PublishErrorKind::StreamNotFound && self.settings.create_stream {
            self.create_stream(jetstream).await?;
        }
        Err(self.judge(&error))
    }

    async fn connect(&self) -> Result<Context, Attempt> {
        let options = self.options.clone();
        let client = options.connect(&self.settings.url).await.map_err(|error| {
            let class = match error.kind() {
                ConnectErrorKind::ServerParse
                | ConnectErrorKind::Authentication
                | ConnectErrorKind::AuthorizationViolation => Class::Misconfigured,
                ConnectErrorKind::TimedOut => Class::Timeout,
                ConnectErrorKind::Tls => Class::Tls,
                ConnectErrorKind::Dns | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => Class::Connect,
            };
            retry(class, &format!("connecting: {error}"))
        })?;
        self.check_version(&client)?;
        let mut jetstream = jetstream::new(client);
        jetstream.set_timeout(self.timeout);
        if self.settings.create_stream {
            self.create_stream(&jetstream).await?;
        }
        Ok(jetstream)
    }

    fn check_version(&self, client: &async_nats::Client) -> Result<(), Attempt> {
        let (major, minor, patch) = SERVER_VERSION_MIN;
        if client.is_server_compatible(major, minor, patch) {
            return Ok(());
        }
        let found = client.server_info().version;
        let cause = format!(
            "nats-server is {found}; it must be {major}.{minor} or newer, because older ones can lose acknowledged messages"
        );
        Err(retry(Class::Misconfigured, &cause))
    }

    /// A stream for trials: one copy, no limits. For production, make one with three replicas and `sync_interval: always`.
    async fn create_stream(&self, jetstream: &Context) -> Result<(), Attempt> {
        let wanted = stream::Config {
            name: self.settings.stream.clone(),
            subjects: vec![self.settings.subject.clone()],
            duplicate_window: DUPLICATE_WINDOW,
            ..stream::Config::default()
        };
        match jetstream.get_or_create_stream(wanted).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.judge_creation(&error)),
        }
    }

    fn judge_creation(&self, error: &CreateStreamError) -> Attempt {
        let class = match error.kind() {
            CreateStreamErrorKind::TimedOut => Class::Timeout,
            CreateStreamErrorKind::Response | CreateStreamErrorKind::ResponseParse => Class::Unavailable,
            _ => Class::Misconfigured,
        };
        retry(class, &format!("stream {} cannot be created: {error}", self.settings.stream))
    }

    fn judge(&self, error: &PublishError) -> Attempt {
        let cause = error.to_string();
        match error.kind() {
            PublishErrorKind::StreamNotFound => {
                let subject = &self.settings.subject;
                let cause = format!("no stream takes messages on {subject}: create one, or set create_stream");
                retry(Class::Misconfigured, &cause)
            }
            PublishErrorKind::TimedOut => retry(Class::Timeout, &cause),
            PublishErrorKind::BrokenPipe => retry(Class::Connect, &cause),
            PublishErrorKind::MaxPayloadExceeded => Attempt::Reject { cause: short(&cause) },
            _ if is_too_long(error) => Attempt::Reject { cause: short(&cause) },
            _ => retry(Class::Unavailable, &cause),
        }
    }
}

impl Sink for Nats {
    async fn deliver(&self, rendered: &Rendered) -> Attempt {
        match timeout(self.timeout, self.publish(rendered)).await {
            Ok(Ok(())) => Attempt::Delivered,
            Ok(Err(attempt)) => attempt,
            Err(_) => retry(Class::Timeout, "not acknowledged in time"),
        }
    }
}

fn credentials(settings: &NatsSettings) -> Result<ConnectOptions, String> {
    let file = &settings.credentials_file;
    if file.as_os_str().is_empty() {
        return Ok(ConnectOptions::new());
    }
    let fail = |cause: std::io::Error| {
        format!("credentials file {}: {cause}; it is what `nsc generate creds` writes", file.display())
    };
    let text = std::fs::read_to_string(file).map_err(fail)?;
    ConnectOptions::with_credentials(&text).map_err(fail)
}

fn headers(rendered: &Rendered) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", rendered.id.to_string());
    headers.insert("Content-Type", "application/json");
    headers.insert("Earful-Seq", rendered.seq.to_string());
    headers.insert("Earful-Settled", rendered.settled.to_string());
    headers.insert("Earful-Epoch", rendered.epoch.as_str());
    if let Some(thread) = rendered.thread {
        headers.insert("Earful-Thread", thread.to_string());
    }
    headers
}

/// The stream's own limits on a message. Whatever else the stream says can change with time.
fn is_too_long(error: &PublishError) -> bool {
    let said = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    said.is_some_and(|said| {
        [ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM, ErrorCode::STREAM_HEADER_EXCEEDS_MAXIMUM]
            .contains(&said.error_code())
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use bytes::Bytes;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::{DeliveryId, PostId};

    fn rendered() -> Rendered {
        Rendered {
            id: DeliveryId::of("bus", PostId::of("bluesky", "1"), 1, "mention.matched", b""),
            body: Bytes::from_static(b"{}"),
            thread: None,
            seq: 1,
            settled: 0,
            epoch: "e".to_owned(),
            attempt: 1,
            replay: false,
        }
    }

    fn nats(url: String) -> Nats {
        let settings = NatsSettings {
            url,
            subject: "earful.mentions".to_owned(),
            stream: String::new(),
            create_stream: false,
            credentials_file: PathBuf::new(),
            timeout_s: 5,
            concurrency_max: 1,
            expiry_h: 72,
            quota_mb: 1,
        };
        Nats::new(&settings).unwrap()
    }

    /// Greets as a server of this version, and answers pings and nothing else, until the client goes.
    async fn serve(listener: &TcpListener, version: &str) {
        let (stream, _) = listener.accept().await.unwrap();
        let (read, mut write) = stream.into_split();
        let info = format!(r#"INFO {{"server_id":"x","version":"{version}","max_payload":1048576,"headers":true}}"#);
        write.write_all(format!("{info}\r\n").as_bytes()).await.unwrap();
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line == "PING" {
                write.write_all(b"PONG\r\n").await.ok();
            }
        }
    }

    /// One attempt at a server of this version.
    async fn attempt(version: &str, timeout: Duration) -> (Class, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nats = nats(format!("nats://{}", listener.local_addr().unwrap()));
        let nats = Nats { timeout, ..nats };
        let rendered = rendered();
        let attempt = tokio::select! {
            attempt = nats.deliver(&rendered) => attempt,
            () = serve(&listener, version) => panic!("the client left"),
        };
        match attempt {
            Attempt::Retry { class, cause, .. } => (class, cause),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_old_server_is_refused_with_the_reason() {
        for version in ["2.9.10", "2.14.3", "1.99.0"] {
            let (class, cause) = attempt(version, Duration::from_secs(5)).await;
            assert_eq!(class, Class::Misconfigured);
            assert!(cause.contains(version) && cause.contains("lose acknowledged messages"), "{cause}");
        }
    }

    #[tokio::test]
    async fn a_server_that_does_not_acknowledge_costs_one_timeout() {
        let (class, _) = attempt("2.15.1", Duration::from_millis(300)).await;
        assert_eq!(class, Class::Timeout);
    }

    #[tokio::test]
    async fn no_server_is_a_connection_error() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nats = nats(format!("nats://{}", listener.local_addr().unwrap()));
        drop(listener);
        let attempt = nats.deliver(&rendered()).await;
        assert!(matches!(attempt, Attempt::Retry { class: Class::Connect, .. }), "{attempt:?}");
    }

    #[test]
    fn absent_credentials_are_named() {
        let settings = NatsSettings { credentials_file: "absent.creds".into(), ..nats(String::new()).settings };
        let error = Nats::new(&settings).unwrap_err();
        assert!(error.contains("absent.creds"), "{error}");
    }
}
