//! What any client says goes to all of them, encoded once. An address may follow, behind `--`:
//! `cargo run --release -p tidewire --example fan_out`.

use std::sync::{Arc, Mutex, PoisonError};
use tidewire::{Context, Handler, MessageRef, Opening, Sender, prepare};

/// Everyone who is connected.
#[derive(Clone, Default)]
struct Room(Arc<Mutex<Vec<Sender>>>);

impl Room {
    fn with<T>(&self, act: impl FnOnce(&mut Vec<Sender>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Handler for Room {
    fn on_open(&mut self, _: &mut Context<'_>, opening: &Opening) {
        self.with(|all| all.push(opening.sender()));
    }

    fn on_message(&mut self, _: &mut Context<'_>, message: MessageRef<'_>) {
        let prepared = prepare(message);
        // Who reads too slowly misses it; who is gone is forgotten.
        self.with(|all| {
            all.retain(|one| one.try_send_prepared(&prepared).is_ok());
        });
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> tidewire::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9876".to_owned());
    let server = tidewire::Server::bind(address).await?;
    if let Some(address) = server.local_addr() {
        println!("listening on ws://{address}/");
    }
    let room = Room::default();
    // `cargo xtask bench` counts what each listener gets, to the byte: no pings among it.
    server.workers(1).config(|config| config.timing.ping_interval = None).handle(move |_| room.clone()).await
}
