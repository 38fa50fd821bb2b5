//! A server over TLS.

#![cfg(feature = "tls")]

mod peer;
mod support;

use peer::{Echo, LONG, Peer, Running, Saw, bind, client, handle, next, request, watch};
use support::{certificates::Authority, dialer};
use tidewire::{CloseCode, dial::Stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn connect(running: &Running, authority: &Authority) -> Peer<Stream> {
    let address = running.address;
    let dialer =
        dialer().resolver(move |_, _| std::future::ready(Ok(vec![address]))).tls(authority.options());
    Peer::on(dialer.dial("localhost", address.port(), true).await.expect("TLS").0)
}

/// An echo of small messages and of 1 MiB, frames behind the request, and a close.
#[tokio::test]
async fn echo_over_tls() {
    let authority = Authority::new("the tests' own");
    let identity = authority.issue(&["localhost"]);
    let running = handle(bind().await.tls(identity.server()), |opened| {
        assert!(opened.request.is_tls());
        Echo
    });
    let mut peer = connect(&running, &authority).await;
    peer.send([request(""), client().text("hello").bytes].concat()).await;
    assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
    assert_eq!(peer.next().await, (1, b"hello".to_vec()));
    let large: Vec<u8> = (0..1u32 << 20).map(|index| (index % 251) as u8).collect();
    for _ in 0..2 {
        let frame = client().binary(&large).bytes;
        let Peer { stream, .. } = &mut peer;
        // The echo comes while the message still goes, since both ends have buffers that end.
        let (mut reader, mut writer) = tokio::io::split(stream);
        let sent = async {
            writer.write_all(&frame).await.expect("the connection stands");
            writer.flush().await.expect("the connection stands");
        };
        let mut head = [0; 10];
        let mut payload = vec![0; large.len()];
        let received = async {
            reader.read_exact(&mut head).await.expect("a head");
            reader.read_exact(&mut payload).await.expect("a payload");
        };
        tokio::time::timeout(LONG, async { tokio::join!(sent, received) }).await.expect("an echo");
        assert_eq!(head[..2], [0x82, 127]);
        assert!(payload == large);
    }
    peer.send(client().close(CloseCode::NORMAL, "").bytes).await;
    assert_eq!(peer.close_code().await, 1000);
    peer.end().await;
}

/// edge 42: TCP's end without TLS's `close_notify`, with and without a closing handshake of WebSocket before it.
#[tokio::test]
async fn without_close_notify() {
    let authority = Authority::new("the tests' own");
    let identity = authority.issue(&["localhost"]);
    let (observer, mut saw) = watch();
    let running = handle(bind().await.tls(identity.server()).observe(observer), |_| Echo);
    for closing in [true, false] {
        let mut peer = connect(&running, &authority).await;
        peer.send(request("")).await;
        assert!(peer.head().await.starts_with("HTTP/1.1 101 "));
        if closing {
            peer.send(client().close(CloseCode::NORMAL, "").bytes).await;
            assert_eq!(peer.close_code().await, 1000);
        }
        drop(peer);
        let Saw::Closed { code, clean, .. } = next(&mut saw).await else { panic!("an end") };
        assert_eq!((code, clean), if closing { (1000, true) } else { (1006, false) });
    }
    running.until(|count| count == 0).await;
}

/// A client without TLS, and one above the most connections, are reported; the server goes on.
#[tokio::test]
async fn no_tls() {
    let authority = Authority::new("the tests' own");
    let identity = authority.issue(&["localhost"]);
    let (observer, mut saw) = watch();
    let server = bind().await.tls(identity.server()).observe(observer).max_connections(1);
    let running = handle(server, |_| Echo);
    let mut plain = Peer::tcp(running.address).await;
    plain.send(request("")).await;
    assert!(matches!(next(&mut saw).await, Saw::Refused { status: None, .. }));
    drop(plain);
    running.until(|count| count == 0).await;
    let mut first = connect(&running, &authority).await;
    first.send(request("")).await;
    assert!(first.head().await.starts_with("HTTP/1.1 101 "));
    let mut second = Peer::tcp(running.address).await;
    let answer = second.rest().await;
    assert!(answer.is_empty(), "no HTTP where TLS is spoken: {:?}", String::from_utf8_lossy(&answer));
    assert!(matches!(next(&mut saw).await, Saw::Refused { status: None, .. }));
}
