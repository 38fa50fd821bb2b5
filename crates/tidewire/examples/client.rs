//! Says hello to an echo server: `cargo run --example echo`, then `cargo run --example client`.

use tidewire::CloseCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9876".to_owned());
    let mut ws = tidewire::connect(&url).await?;
    ws.send("hello").await?;
    if let Some(reply) = ws.recv().await? {
        println!("{reply:?}");
    }
    ws.close(CloseCode::NORMAL, "bye").await?;
    Ok(())
}
