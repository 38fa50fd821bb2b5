//! tokio-tungstenite as it comes; with `batched`, a read buffer of 4 KiB and one flush for all that one read brought.

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::{Error, protocol::WebSocketConfig};

fn main() {
    let batched = peers::asked("batched");
    peers::serve(move |stream| echo(stream, batched));
}

async fn echo(stream: TcpStream, batched: bool) -> Result<(), Error> {
    let config =
        if batched { WebSocketConfig::default().read_buffer_size(4096) } else { WebSocketConfig::default() };
    let mut ws = accept_async_with_config(stream, Some(config)).await?;
    while let Some(message) = ws.next().await {
        let message = message?;
        if !(message.is_text() || message.is_binary()) {
            continue;
        }
        if !batched {
            ws.send(message).await?;
            continue;
        }
        ws.feed(message).await?;
        while let Some(Some(message)) = ws.next().now_or_never() {
            let message = message?;
            if message.is_text() || message.is_binary() {
                ws.feed(message).await?;
            }
        }
        ws.flush().await?;
    }
    Ok(())
}
