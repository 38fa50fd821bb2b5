//! A client of raw bytes, and a server to try it on.

#![allow(dead_code, reason = "every test file uses a part of it")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use testkit::wire::{self, Parsed, Wire};
use tidewire::{
    Context, Handler, MessageRef, Result, Server, WebSocket,
    proto::Role,
    server::{Handle, Observer, Refused},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

/// What nothing in these tests may take.
pub(crate) const LONG: Duration = Duration::from_secs(10);

pub(crate) const HEAD: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The request of an upgrade, with more headers, each with its CRLF.
pub(crate) fn request(more: &str) -> Vec<u8> {
    format!("{HEAD}{more}\r\n").into_bytes()
}

/// A masked wire.
pub(crate) fn client() -> Wire {
    Wire::from(Role::Client)
}

/// A running server; cut when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: Handle,
    pub(crate) task: JoinHandle<Result<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    /// Waits until `condition` holds for the number of connections.
    pub(crate) async fn until(&self, condition: impl Fn(usize) -> bool) {
        eventually("the number of connections", || condition(self.handle.connections())).await;
    }
}

/// Waits until something holds that says so by no event.
pub(crate) async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let waited = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(LONG, waited).await.is_ok(), "{what}");
}

pub(crate) async fn bind() -> Server {
    Server::bind("127.0.0.1:0").await.expect("a free port").workers(1)
}

pub(crate) fn serve<F, U>(server: Server, handler: F) -> Running
where
    F: Fn(WebSocket) -> U + Send + Sync + 'static,
    U: Future<Output = Result<()>> + Send + 'static,
{
    let (address, handle) = (server.local_addr().expect("TCP"), server.stop_handle());
    Running { address, handle, task: tokio::spawn(server.serve(handler)) }
}

pub(crate) fn handle<F, H>(server: Server, handler: F) -> Running
where
    F: Fn(&tidewire::Opened) -> H + Send + Sync + 'static,
    H: Handler,
{
    let (address, handle) = (server.local_addr().expect("TCP"), server.stop_handle());
    Running { address, handle, task: tokio::spawn(server.handle(handler)) }
}

/// Sends messages back, in the fast tier.
pub(crate) struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        ws.send(message);
    }
}

/// Sends messages back, in the owned tier.
pub(crate) async fn echo(mut ws: WebSocket) -> Result<()> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}

/// What an observer saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    Opened,
    Closed { code: u16, clean: bool, error: Option<String> },
    Refused { status: Option<u16>, why: String },
}

/// Passes on what it sees.
pub(crate) struct Watch(mpsc::UnboundedSender<Saw>);

/// An observer, and what it sees.
pub(crate) fn watch() -> (Watch, mpsc::UnboundedReceiver<Saw>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Watch(sender), receiver)
}

impl Observer for Watch {
    fn opened(&self, _: &tidewire::Opened) {
        let _nobody_listens = self.0.send(Saw::Opened);
    }

    fn closed(&self, _: &tidewire::Request, outcome: &tidewire::Outcome, error: Option<&tidewire::Error>) {
        let _nobody_listens = self.0.send(Saw::Closed {
            code: outcome.close.code.0,
            clean: outcome.error.is_none(),
            error: error.map(ToString::to_string),
        });
    }

    fn refused(&self, refused: &Refused<'_>) {
        let _nobody_listens =
            self.0.send(Saw::Refused { status: refused.status, why: refused.why.to_owned() });
    }

    fn wants_closed(&self) -> bool {
        true
    }
}

/// The next of what an observer saw, but for openings.
pub(crate) async fn next(saw: &mut mpsc::UnboundedReceiver<Saw>) -> Saw {
    loop {
        match tokio::time::timeout(LONG, saw.recv()).await.expect("something is seen").expect("a server") {
            Saw::Opened => {}
            seen => return seen,
        }
    }
}

/// A count that other threads raise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count(Arc<AtomicUsize>);

impl Count {
    pub(crate) fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The other end: sends any bytes, and takes apart what comes.
pub(crate) struct Peer<S = TcpStream> {
    pub(crate) stream: S,
    bytes: Vec<u8>,
}

impl Peer {
    pub(crate) async fn tcp(address: SocketAddr) -> Self {
        Self::on(TcpStream::connect(address).await.expect("the server listens"))
    }

    /// With a small receive buffer, for a peer that does not read.
    pub(crate) async fn narrow(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(32 * 1024).expect("a receive buffer");
        Self::on(socket.connect(address).await.expect("the server listens"))
    }

    /// A WebSocket.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let mut peer = Self::tcp(address).await;
        peer.upgrade("").await;
        peer
    }

    /// Ends with a reset.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().expect("a socket");
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub(crate) fn on(stream: S) -> Self {
        Self { stream, bytes: Vec::new() }
    }

    /// Asks for an upgrade and takes the 101.
    pub(crate) async fn upgrade(&mut self, more: &str) -> String {
        self.send(request(more)).await;
        let head = self.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        head
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = tokio::time::timeout(LONG, self.stream.write_all(bytes.as_ref())).await;
        sent.expect("the server reads").expect("the connection stands");
    }

    /// What was read and not looked at yet.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    async fn more(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.bytes);
        tokio::time::timeout(LONG, read).await.expect("something comes").unwrap_or(0)
    }

    /// A response's head, with its empty line.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.bytes.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let rest = self.bytes.split_off(end + 4);
                let head = std::mem::replace(&mut self.bytes, rest);
                return String::from_utf8(head).expect("a head of ASCII");
            }
            assert_ne!(self.more().await, 0, "no head: {:?}", String::from_utf8_lossy(&self.bytes));
        }
    }

    /// So many bytes.
    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.bytes.len() < count {
            assert_ne!(self.more().await, 0, "{} of {count} bytes", self.bytes.len());
        }
        let rest = self.bytes.split_off(count);
        std::mem::replace(&mut self.bytes, rest)
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn frame(&mut self) -> Option<Parsed> {
        loop {
            if let Some(length) = frame_length(&self.bytes).filter(|length| *length <= self.bytes.len()) {
                let frame = self.bytes.drain(..length).collect::<Vec<_>>();
                return wire::parse(&frame).0.pop();
            }
            if self.more().await == 0 {
                assert!(self.bytes.is_empty(), "the end came within a frame");
                return None;
            }
        }
    }

    /// The next frame's opcode and payload.
    pub(crate) async fn next(&mut self) -> (u8, Vec<u8>) {
        let frame = self.frame().await.expect("a frame, not the end");
        assert!(frame.mask.is_none() && frame.fin, "a server's whole frame");
        (frame.opcode, frame.payload)
    }

    /// The code of the close frame that comes next.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let (opcode, payload) = self.next().await;
        assert_eq!(opcode, 8, "a close frame, not {payload:?}");
        payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code))
    }

    /// All there is until the end.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await > 0 {}
        std::mem::take(&mut self.bytes)
    }

    /// Holds that nothing follows but the end.
    pub(crate) async fn end(&mut self) {
        let rest = self.rest().await;
        assert!(rest.is_empty(), "nothing but the end, not {rest:?}");
    }
}

/// How many bytes the frame of a server at the beginning of `bytes` takes, once its length is there.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let (start, rest) = bytes.split_first_chunk::<2>()?;
    Some(match start[1] {
        126 => 4 + usize::from(u16::from_be_bytes(*rest.first_chunk()?)),
        127 => 10 + usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).expect("it fits in memory"),
        short => 2 + usize::from(short),
    })
}
