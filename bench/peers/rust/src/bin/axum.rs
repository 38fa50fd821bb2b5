//! axum's WebSocketUpgrade, as it comes.

use axum::{
    Router,
    extract::ws::{Message, WebSocket, WebSocketUpgrade},
    routing::any,
    serve::ListenerExt as _,
};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = peers::listen();
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).expect("TCP has TCP_NODELAY"));
        let open = |upgrade: WebSocketUpgrade| async move { upgrade.on_upgrade(echo) };
        axum::serve(listener, Router::new().route("/", any(open))).await.expect("axum serves for ever");
    });
}

async fn echo(mut ws: WebSocket) {
    while let Some(Ok(message)) = ws.recv().await {
        if matches!(message, Message::Text(_) | Message::Binary(_)) && ws.send(message).await.is_err() {
            return;
        }
    }
}
