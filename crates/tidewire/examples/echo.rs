//! An echo server: `cargo run --example echo`.

#[tokio::main(flavor = "current_thread")]
async fn main() -> tidewire::Result<()> {
    let server = tidewire::Server::bind("127.0.0.1:9876").await?;
    println!("listening on ws://127.0.0.1:9876/");
    server
        .serve(|mut ws| async move {
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok(())
        })
        .await
}
