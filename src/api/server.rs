//! Listening: TCP on loopback with a token, a unix socket for the command line.

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use super::Services;
use super::answer::Problem;
use super::auth::Token;
use super::routes::{Entrance, router};

/// The command line's way to the daemon of a data directory.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("earful.sock")
}

/// Knows the API's token, if there is one.
#[derive(Clone)]
pub(super) struct Doorkeeper(Option<Token>);

pub(super) async fn require_token(
    State(Doorkeeper(token)): State<Doorkeeper>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match token {
        None => Err(Problem::new(StatusCode::FORBIDDEN, "the API is closed: api.token_file is empty")),
        Some(token) if token.admits(request.headers()) => Ok(next.run(request).await),
        Some(_) => Err(Problem::new(StatusCode::UNAUTHORIZED, "send the API's token as `Authorization: Bearer …`")),
    }
}

/// Connections of one entrance; the next one waits.
const CONNECTIONS_MAX: usize = 256;
/// How long a request's head may take to come in.
const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
/// How long a stop waits for requests under way.
const FINISH_MAX: Duration = Duration::from_secs(5);

type Server = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Binds both entrances. The servers run until `services.stop`, then finish what is under way.
pub async fn start(services: Arc<Services>) -> std::io::Result<Vec<Server>> {
    let api = &services.config.base.api;
    let token = match api.token_file.as_os_str().is_empty() {
        true => None,
        false => Some(Token::read(&api.token_file).map_err(std::io::Error::other)?),
    };
    if token.is_none() {
        warn!("api.token_file is empty: the API answers health, metrics and pushes only");
    }
    let doorkeeper = Doorkeeper(token);
    let tcp = TcpListener::bind(api.listen).await.map_err(|cause| {
        std::io::Error::new(cause.kind(), format!("{}: {cause}; choose another api.listen", api.listen))
    })?;
    let socket = bind_socket(&socket_path(&services.config.base.data_dir))?;
    let over_tcp = router(services.clone(), Entrance::Tcp, doorkeeper.clone());
    let over_socket = router(services.clone(), Entrance::Socket, doorkeeper);
    let stop = &services.stop;
    Ok(vec![Box::pin(serve(tcp, over_tcp, stop.clone())), Box::pin(serve(socket, over_socket, stop.clone()))])
}

/// Serves connections, at most `CONNECTIONS_MAX` at a time, until the stop; then requests under way are finished, as far
/// as they can be within `FINISH_MAX`.
async fn serve<L: Listener>(mut listener: L, router: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let accepted = async {
            let place = places.clone().acquire_owned().await.expect("the places are never closed");
            (place, listener.accept().await.0)
        };
        let (place, stream) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accepted => accepted,
        };
        let service = TowerToHyperService::new(router.clone());
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let stop = stop.clone();
        connections.spawn(async move {
            let mut connection = std::pin::pin!(connection);
            // A connection that breaks off is the client's business.
            tokio::select! {
                _ = connection.as_mut() => {}
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    drop(tokio::time::timeout(FINISH_MAX, connection).await);
                }
            }
            drop(place);
        });
    }
    connections.close();
    connections.wait().await;
}

/// A socket file left by a killed daemon is replaced: the store's lock says that no other one runs.
fn bind_socket(path: &Path) -> std::io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let listener = UnixListener::bind(path)
        .map_err(|cause| std::io::Error::new(cause.kind(), format!("{}: {cause}", path.display())))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}
