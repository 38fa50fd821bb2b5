//! soketto, with the buffered streams that its documentation recommends.

use soketto::{
    Data,
    connection::Error,
    handshake::{Server, server::Response},
};
use tokio::{
    io::{BufReader, BufWriter},
    net::TcpStream,
};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

fn main() {
    peers::serve(|stream| async { echo(stream).await.is_ok() });
}

async fn echo(stream: TcpStream) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut server = Server::new(BufReader::new(BufWriter::new(stream)).compat());
    let key = server.receive_request().await?.key();
    server.send_response(&Response::Accept { key, protocol: None }).await?;
    let mut builder = server.into_builder();
    builder.set_max_message_size(peers::LARGEST);
    builder.set_max_frame_size(peers::LARGEST);
    let (mut sender, mut receiver) = builder.finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        match receiver.receive_data(&mut message).await {
            Ok(Data::Binary(_)) => sender.send_binary_mut(&mut message).await?,
            // Its reader leaves it to the application to judge UTF-8.
            Ok(Data::Text(_)) => sender.send_text(std::str::from_utf8(&message)?).await?,
            Err(Error::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        sender.flush().await?;
    }
}
