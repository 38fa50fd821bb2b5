//! An echo server of the fast tier: borrowed messages, gathered replies. `cargo run --release --example handler`.

use tidewire::{Context, Handler, MessageRef};

struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        ws.send(message);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> tidewire::Result<()> {
    let server = tidewire::Server::bind("127.0.0.1:9876").await?;
    println!("listening on ws://127.0.0.1:9876/");
    server.handle(|_| Echo).await
}
