//! A chat in a page: `cargo run -p tidewire --example chat`, then open the address it prints in two windows.
//! An address of your own may follow, behind `--`.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
};
use tidewire::{CloseCode, Sender, Server, WebSocket, http::Body};

/// Everybody who is here.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<Sender>>>);

impl Room {
    fn enter(&self, member: Sender) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(member);
    }

    /// Says `text` to all. It is encoded once, and nobody is waited for.
    fn say(&self, text: String) {
        let message = tidewire::prepare(text);
        let mut members = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        members.retain(|member| match member.try_send_prepared(&message) {
            Ok(true) => true,
            // A full outbox: whoever reads so slowly is let go, so that the others need not wait.
            Ok(false) => member.start_close(CloseCode::POLICY, "you read too slowly").is_err(),
            // Gone.
            Err(_) => false,
        });
    }
}

async fn chat(mut ws: WebSocket, room: Room) -> tidewire::Result<()> {
    room.enter(ws.sender());
    while let Some(message) = ws.recv().await? {
        match message.as_text() {
            Some(text) => room.say(text.to_owned()),
            None => ws.close(CloseCode::UNSUPPORTED, "text only").await?,
        }
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> tidewire::Result<()> {
    let page = tower::service_fn(async |request: http::Request<Body>| {
        let mut response = http::Response::new(Body::default());
        if request.uri().path() == "/" {
            let html = http::HeaderValue::from_static("text/html; charset=utf-8");
            response.headers_mut().insert(http::header::CONTENT_TYPE, html);
            *response.body_mut() = include_str!("page.html").into();
        } else {
            *response.status_mut() = http::StatusCode::NOT_FOUND;
        }
        Ok::<_, Infallible>(response)
    });
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9876".to_owned());
    let server = Server::bind(address).await?.config(|config| config.limits.message = 4096).fallback(page);
    if let Some(address) = server.local_addr() {
        println!("listening on http://{address}/");
    }
    let room = Room::default();
    server.serve(move |ws| chat(ws, room.clone())).await
}
