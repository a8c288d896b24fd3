//! Listening: TCP on loopback with a token, a unix socket for the command line.

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tokio::net::{TcpListener, UnixListener};
use tracing::{error, warn};

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
    let (stop_tcp, stop_socket) = (services.stop.clone(), services.stop.clone());
    Ok(vec![
        Box::pin(async move {
            let served = axum::serve(tcp, over_tcp).with_graceful_shutdown(stop_tcp.cancelled_owned()).await;
            report(served);
        }),
        Box::pin(async move {
            let served = axum::serve(socket, over_socket).with_graceful_shutdown(stop_socket.cancelled_owned()).await;
            report(served);
        }),
    ])
}

fn report(served: std::io::Result<()>) {
    if let Err(cause) = served {
        error!(%cause, "the API stopped");
    }
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
