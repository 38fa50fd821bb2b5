//! An echo server on wss://: `cargo run -p tidewire --example tls -- cert.pem key.pem`. An address may follow.

use tidewire::{Error, Server, tls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> tidewire::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(certificate), Some(key)) = (arguments.next(), arguments.next()) else {
        return Err(Error::application("usage: tls CERTIFICATE.pem KEY.pem [ADDRESS]"));
    };
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9443".to_owned());
    let config = tls::server_config(certificate, key).map_err(Error::application)?;
    let server = Server::bind(address).await?.tls(config);
    if let Some(address) = server.local_addr() {
        println!("listening on wss://localhost:{}/", address.port());
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
