//! Servers whose bytes the test decides.

use super::{listen, read_head};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tidewire::Client;
use tidewire::proto::handshake::key::Key;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A client that the environment of the test does not touch.
pub(crate) fn client() -> Client {
    Client::new().no_proxy()
}

/// The value of a header of a request's head.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (have, value) = line.split_once(": ")?;
        have.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The accept value for the key of a request.
pub(crate) fn accept(head: &str) -> String {
    let key = header(head, "Sec-WebSocket-Key").expect("a key");
    Key::parse(key.as_bytes()).expect("a good key").accept().to_string()
}

/// A good 101, with further header lines.
pub(crate) fn switching(head: &str, more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n{more}\r\n",
        accept(head)
    )
}

/// A server that answers each request with the bytes that `answer` makes of it, and then waits for the client to end.
pub(crate) struct Answering {
    pub(crate) address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let (listener, address) = listen("127.0.0.1").await;
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        let answer = Arc::new(answer);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                tokio::spawn(async move {
                    let head = read_head(&mut stream).await;
                    let bytes = answer(&head);
                    log.lock().unwrap().push(head);
                    stream.write_all(&bytes).await.unwrap();
                    let _ended = stream.read_to_end(&mut Vec::new()).await;
                });
            }
        });
        Self { address, heads }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// The heads of the requests so far.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// A connection of which the test holds the server's end, behind the handshake.
pub(crate) async fn pair(client: &Client) -> (tidewire::WebSocket, TcpStream) {
    pair_with(client, |_| Vec::new()).await
}

/// The same, with bytes in the segment of the 101.
pub(crate) async fn pair_with(
    client: &Client,
    behind: impl FnOnce(&str) -> Vec<u8>,
) -> (tidewire::WebSocket, TcpStream) {
    let (listener, address) = listen("127.0.0.1").await;
    let url = format!("ws://{address}/");
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let mut bytes = switching(&head, "").into_bytes();
        bytes.extend(behind(&head));
        stream.write_all(&bytes).await.unwrap();
        stream
    };
    let (ws, stream) = tokio::join!(client.connect(&url), serve);
    (ws.unwrap(), stream)
}
