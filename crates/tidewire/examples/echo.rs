//! An echo server: `cargo run -p tidewire --example echo`. An address of your own may follow, behind `--`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> tidewire::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9876".to_owned());
    let server = tidewire::Server::bind(address).await?;
    if let Some(address) = server.local_addr() {
        println!("listening on ws://{address}/");
    }
    server
        .serve(|mut ws| async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        })
        .await
}
