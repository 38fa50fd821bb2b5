//! wtx without TLS: frames are echoed out of its own buffers. `deflate` negotiates permessage-deflate.

use tokio::net::TcpStream;
use wtx::{
    codec::CompressionLevel,
    collections::Vector,
    rng::ChaCha20,
    tls::{TlsAcceptor, TlsConfig},
    web_socket::{
        DeflateConfig, OpCode, WebSocketAcceptor, WebSocketPayloadOrigin, WsCompression,
        web_socket_compression::ZlibRs,
    },
};

fn main() {
    if peers::asked("deflate") {
        let mut config = DeflateConfig::default();
        config.compression_level = CompressionLevel::One;
        peers::serve(move |stream| echo(stream, ZlibRs::from(config)));
    } else {
        peers::serve(|stream| echo(stream, ()));
    }
}

async fn echo<C: WsCompression<false>>(stream: TcpStream, compression: C) -> wtx::Result<()> {
    // Without TLS nothing is drawn from it.
    let random = ChaCha20::from_key([0; 32]);
    let config = TlsConfig::plaintext();
    let tls = TlsAcceptor::new(&config, random, stream);
    let acceptor = WebSocketAcceptor::default().set_compression(compression).set_no_masking(false);
    let mut ws = acceptor.accept(tls).await?;
    *ws.max_payload_len_mut() = peers::LARGEST;
    let (mut common, mut reader, mut writer) = ws.split_mut();
    let mut buffer = Vector::new();
    loop {
        let mut frame = reader.read_frame(&mut buffer, &mut common, WebSocketPayloadOrigin::Adaptive).await?;
        match frame.op_code() {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => writer.write_frame(&mut common, &mut frame).await?,
            _ => {}
        }
    }
}
