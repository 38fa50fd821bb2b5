//! tokio-websockets; with `batched`, one flush for all that one read brought.

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use tokio::net::TcpStream;
use tokio_websockets::{Error, Limits, ServerBuilder};

fn main() {
    let batched = peers::asked("batched");
    peers::serve(move |stream| echo(stream, batched));
}

async fn echo(stream: TcpStream, batched: bool) -> Result<(), Error> {
    let limits = Limits::default().max_payload_len(Some(peers::LARGEST));
    let (_, mut ws) = ServerBuilder::new().limits(limits).accept(stream).await?;
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
