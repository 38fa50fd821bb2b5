//! The client of a bare TCP echo: the bytes of a WebSocket client, and nothing of the protocol.

use super::echo::Stamp;
use super::local::{Local, Stage};
use super::payload::Payloads;
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tidewire::MessageRef;
use tidewire::proto::{Connection, Kind, Role, Time, Workspace};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};

/// One read takes at most this many bytes.
const READ: usize = 64 * 1024;

/// One connection to the echo.
#[derive(Debug)]
pub(crate) struct Bare {
    stream: TcpStream,
    place: usize,
    /// The frame that is sent over and over, masked.
    frame: Arc<[u8]>,
    /// Bytes of a message in it.
    payload: usize,
    /// Bytes of frames that were written, or are to be.
    wanted: u64,
    written: u64,
    read: u64,
    flying: VecDeque<Stamp>,
    due: u64,
    begun: bool,
}

impl Bare {
    pub(crate) async fn connect(
        address: SocketAddr,
        source: Option<IpAddr>,
        payloads: &Payloads,
        place: usize,
    ) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        let payload = payloads.first().len();
        let flying = VecDeque::new();
        let frame = frame(payloads);
        let due = place as u64;
        Ok(Self { stream, place, frame, payload, wanted: 0, written: 0, read: 0, flying, due, begun: false })
    }

    fn send(&mut self, local: &mut Local, stamp: Stamp) {
        if local.counts() {
            local.tally.sent.add(self.payload);
        }
        local.budget -= 1;
        local.in_flight += 1;
        self.wanted += self.frame.len() as u64;
        self.flying.push_back(stamp);
    }

    fn pump(&mut self, local: &mut Local) {
        let Some(schedule) = local.schedule else {
            if !self.begun {
                self.begun = true;
                let now = local.now();
                for _ in 0..local.depth {
                    if local.sends() {
                        self.send(local, Stamp { intended: now, sent: now });
                    }
                }
            }
            return;
        };
        while self.due < schedule.released && local.budget > 0 && self.wanted - self.written < READ as u64 {
            let intended = schedule.due(self.due);
            let sent = local.now().max(intended);
            self.send(local, Stamp { intended, sent });
            self.due += schedule.senders;
        }
    }

    /// Compares what came, and counts the frames that it ends.
    fn take(&mut self, local: &mut Local, mut bytes: &[u8]) {
        let size = self.frame.len();
        let now = local.now();
        while !bytes.is_empty() {
            let at = usize::try_from(self.read % size as u64).expect("less than a frame");
            let count = bytes.len().min(size - at);
            let (piece, rest) = bytes.split_at(count);
            if *piece != self.frame[at..at + count] {
                local.tally.faults.corrupted += 1;
            }
            self.read += count as u64;
            bytes = rest;
            if at + count < size {
                break;
            }
            let Some(stamp) = self.flying.pop_front() else { continue };
            local.in_flight -= 1;
            if stamp.sent >= local.since {
                local.tally.received.add(self.payload);
                local.tally.latency.record(now.saturating_sub(stamp.intended));
                if local.schedule.is_some() {
                    local.tally.service.record(now - stamp.sent);
                }
            }
            if local.schedule.is_none() && local.sends() {
                self.send(local, Stamp { intended: now, sent: now });
            }
            local.settle();
        }
    }

    /// Writes what is to be written: frames gathered into one write, or one large frame from where it stands.
    fn write(&mut self, gathered: &mut Vec<u8>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let size = self.frame.len();
        while self.written < self.wanted {
            let at = usize::try_from(self.written % size as u64).expect("less than a frame");
            let bytes = if size >= READ / 4 || self.wanted - self.written <= size as u64 {
                &self.frame[at..]
            } else {
                gathered.clear();
                gathered.extend_from_slice(&self.frame[at..]);
                while gathered.len() as u64 + self.written < self.wanted && gathered.len() < READ {
                    gathered.extend_from_slice(&self.frame);
                }
                &gathered[..]
            };
            let count = ready!(Pin::new(&mut self.stream).poll_write(task, bytes))?;
            self.written += count as u64;
        }
        Poll::Ready(Ok(()))
    }

    fn turn(&mut self, buffers: &mut Buffers, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Local::with(|local| {
            if local.wakers[self.place].is_none() {
                local.wakers[self.place] = Some(task.waker().clone());
            }
        });
        loop {
            Local::with(|local| match local.stage {
                Stage::Running => self.pump(local),
                Stage::Draining if local.schedule.is_some() => {
                    self.pump(local);
                    self.due = local.give_up(self.due);
                }
                _ => {}
            });
            if let Poll::Ready(Err(error)) = self.write(&mut buffers.out, task) {
                return Poll::Ready(Err(error));
            }
            if Local::with(|local| local.stage) == Stage::Closing {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut buffers.read);
            ready!(Pin::new(&mut self.stream).poll_read(task, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            Local::with(|local| self.take(local, buffer.filled()));
        }
    }
}

/// What the connections of a thread share during a turn.
struct Buffers {
    read: Box<[u8]>,
    out: Vec<u8>,
}

thread_local! {
    static BUFFERS: std::cell::RefCell<Buffers> =
        std::cell::RefCell::new(Buffers { read: vec![0; READ].into(), out: Vec::with_capacity(2 * READ) });
}

impl Future for Bare {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let bare = self.get_mut();
        // How it ended is counted as an end without a close frame.
        let _ended = ready!(BUFFERS.with_borrow_mut(|buffers| bare.turn(buffers, task)));
        Poll::Ready(())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        Local::with(|local| {
            local.wakers[self.place] = None;
            local.sender_ended(self.flying.len(), None);
        });
    }
}

/// The first message as a WebSocket client would send it.
fn frame(payloads: &Payloads) -> Arc<[u8]> {
    let mut connection = Connection::new(Role::Client, Arc::default(), None, Time::default());
    let mut workspace = Workspace::new(Box::new(|bytes: &mut [u8]| bytes.fill(0x5a)));
    let text;
    let message = match payloads.kind() {
        Kind::Text => {
            text = String::from_utf8_lossy(payloads.first());
            MessageRef::text(&text)
        }
        Kind::Binary => MessageRef::binary(payloads.first()),
    };
    let sent = connection.send(message, &mut workspace);
    debug_assert!(sent.is_ok(), "a new connection is open");
    connection.outbox().chunks().collect::<Vec<_>>().concat().into()
}
