//! yawc behind hyper: its buffers as they come, or with `batched` as its own benchmark sets them and with one flush for all
//! that one read brought. `deflate` negotiates permessage-deflate.

use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use yawc::{CompressionLevel, Frame, OpCode, Options, UpgradeFut, WebSocket, WebSocketError};

fn main() {
    peers::serve(|stream| async move {
        let io = TokioIo::new(stream);
        http1::Builder::new().serve_connection(io, service_fn(open)).with_upgrades().await
    });
}

async fn open(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let batched = peers::asked("batched");
    let mut options = Options::default().with_utf8().with_limits(peers::LARGEST, peers::LARGEST);
    options = match peers::asked("deflate") {
        true => options
            .with_compression_level(CompressionLevel::fast())
            .server_no_context_takeover()
            .client_no_context_takeover(),
        false => options.without_compression(),
    };
    if batched {
        options = options.with_read_buffer_capacity(128 << 10).with_backpressure_boundary(64 << 10);
    }
    let (response, upgrading) = WebSocket::upgrade_with_options(&mut request, options)?;
    tokio::spawn(echo(upgrading, batched));
    Ok(response)
}

fn is_data(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}

async fn echo(upgrading: UpgradeFut, batched: bool) -> Result<(), WebSocketError> {
    let mut ws = upgrading.await?;
    while let Some(frame) = ws.next().await {
        if !is_data(&frame) {
            continue;
        }
        if !batched {
            ws.send(frame).await?;
            continue;
        }
        ws.feed(frame).await?;
        while let Some(Some(frame)) = ws.next().now_or_never() {
            if is_data(&frame) {
                ws.feed(frame).await?;
            }
        }
        ws.flush().await?;
    }
    Ok(())
}
