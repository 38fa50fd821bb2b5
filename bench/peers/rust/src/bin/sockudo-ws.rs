//! sockudo-ws: a write per message, or with `batched` one flush for all that one read brought. `deflate` negotiates
//! permessage-deflate.

use futures_util::{FutureExt as _, Sink, SinkExt as _, Stream, StreamExt as _};
use sockudo_ws::{CompressedWebSocketStream, Config, Error, Message, WebSocketStream};
use sockudo_ws::{deflate::DeflateConfig, handshake};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn main() {
    let (batched, deflate) = (peers::asked("batched"), peers::asked("deflate"));
    peers::serve(move |stream| async move {
        let config = Config::builder()
            .max_payload_length(peers::LARGEST)
            .max_message_size(peers::LARGEST)
            .max_frame_size(peers::LARGEST)
            .auto_ping(false)
            .idle_timeout(0)
            .build();
        match open(stream, deflate).await? {
            (stream, Some(deflate)) => {
                echo(CompressedWebSocketStream::server(stream, config, deflate), batched).await
            }
            (stream, None) => echo(WebSocketStream::server(stream, config), batched).await,
        }
    });
}

async fn open(mut stream: TcpStream, deflate: bool) -> Result<(TcpStream, Option<DeflateConfig>), Error> {
    let mut head = Vec::new();
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        let Some((request, _)) = handshake::parse_request(&head)? else { continue };
        let ours = DeflateConfig::default();
        let agreed = request
            .extensions
            .filter(|_| deflate)
            .and_then(|offers| sockudo_ws::deflate::negotiate_server_deflate(offers, &ours));
        let header = agreed.as_ref().map(|agreed| agreed.to_response_header());
        let key = handshake::generate_accept_key(request.key);
        stream.write_all(&handshake::build_response(&key, None, header.as_deref())).await?;
        return Ok((stream, agreed.map(|agreed| agreed.config)));
    }
}

fn is_data(message: &Message) -> bool {
    matches!(message, Message::Text(_) | Message::Binary(_))
}

async fn echo<S>(mut ws: S, batched: bool) -> Result<(), Error>
where
    S: Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = ws.next().await {
        let message = message?;
        if !is_data(&message) {
            continue;
        }
        if !batched {
            ws.send(message).await?;
            continue;
        }
        ws.feed(message).await?;
        while let Some(Some(message)) = ws.next().now_or_never() {
            let message = message?;
            if is_data(&message) {
                ws.feed(message).await?;
            }
        }
        ws.flush().await?;
    }
    Ok(())
}
