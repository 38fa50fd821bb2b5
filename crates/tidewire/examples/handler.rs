//! An echo server of the fast tier: borrowed messages, gathered replies, no await. An address may follow, behind `--`:
//! `cargo run --release -p tidewire --example handler`.

use tidewire::{Context, Handler, MessageRef};

struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        ws.send(message);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> tidewire::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9876".to_owned());
    let server = tidewire::Server::bind(address).await?;
    if let Some(address) = server.local_addr() {
        println!("listening on ws://{address}/");
    }
    server.handle(|_| Echo).await
}
