//! Two connections in memory, a transport between them and a clock that is turned by hand.
//!
//! It keeps the core's contract as an owner with a socket does: events are drained, the outbox is written as far as the
//! transport takes it, and the deadline is armed after every call.

use crate::{Joiner, Seen, Setup, drive::Driver};
use bytes::BufMut as _;
use std::{collections::VecDeque, time::Duration};
use tidewire_proto::{Error, Input, Role, Time, close::Phase, error::Misuse};

/// One direction of the transport.
#[derive(Debug)]
pub struct Line {
    /// How long a byte is under way.
    pub latency: Duration,
    /// The most bytes of one read and of one write.
    pub chunk: usize,
    /// The bytes that fit between a write and its read; no more are taken.
    pub capacity: usize,
    /// Bytes are taken while there is room, and don't arrive.
    pub stalled: bool,
    /// Bytes are taken and lost: the network is gone.
    pub cut: bool,
    bytes: VecDeque<(Time, Vec<u8>)>,
    held: usize,
    ended: Option<Time>,
}

impl Line {
    fn new() -> Self {
        Self {
            latency: Duration::from_millis(1),
            chunk: 64 * 1024,
            capacity: 256 * 1024,
            stalled: false,
            cut: false,
            bytes: VecDeque::new(),
            held: 0,
            ended: None,
        }
    }

    /// The moment at which something can be read, if nobody writes before.
    fn arrival(&self) -> Option<Time> {
        if self.stalled || self.cut {
            return None;
        }
        self.bytes.front().map(|(time, _)| *time).or(self.ended)
    }

    fn write(&mut self, chunks: &[&[u8]], now: Time) -> usize {
        let mut written = Vec::new();
        for chunk in chunks {
            let room = self.chunk.min(self.capacity - self.held) - written.len();
            written.extend_from_slice(&chunk[..room.min(chunk.len())]);
        }
        let count = written.len();
        if count > 0 && !self.cut {
            self.held += count;
            self.bytes.push_back((now.after(self.latency), written));
        }
        count
    }

    fn read(&mut self, most: usize, now: Time) -> Vec<u8> {
        let mut bytes = Vec::new();
        while let Some((_, front)) = self.bytes.front_mut().filter(|(time, _)| *time <= now && !self.stalled)
        {
            let count = front.len().min(most - bytes.len());
            bytes.extend(front.drain(..count));
            if !front.is_empty() {
                break;
            }
            self.bytes.pop_front();
        }
        self.held -= bytes.len();
        bytes
    }
}

/// One end.
#[derive(Debug)]
pub struct End {
    /// The connection with its workspace.
    pub driver: Driver,
    /// What it saw.
    pub seen: Vec<Seen>,
    /// When each of those was seen.
    pub times: Vec<Time>,
    /// The errors of reading and of deadlines.
    pub errors: Vec<Error>,
    /// When its transport was closed, by itself or because the other end closed its own.
    pub gone: Option<Time>,
    /// Whether it uses the connection's own buffer for large frames.
    pub direct: bool,
    reading: bool,
    joiner: Joiner,
}

impl End {
    fn new(setup: &Setup) -> Self {
        Self {
            driver: Driver::new(setup),
            seen: Vec::new(),
            times: Vec::new(),
            errors: Vec::new(),
            gone: None,
            direct: true,
            reading: true,
            joiner: Joiner::default(),
        }
    }

    /// Stops reading, or starts again.
    pub fn set_reading(&mut self, reading: bool) {
        self.reading = reading;
        self.driver.connection.set_paused(!reading);
    }

    /// Queues a message.
    ///
    /// # Errors
    /// Those of [`Connection::send`](tidewire_proto::Connection::send).
    pub fn send<'m>(&mut self, message: impl Into<tidewire_proto::MessageRef<'m>>) -> Result<(), Misuse> {
        self.driver.connection.send(message, &mut self.driver.workspace)
    }

    /// Begins the closing handshake.
    ///
    /// # Errors
    /// Those of [`Connection::close`](tidewire_proto::Connection::close).
    pub fn close(&mut self, code: u16, reason: &str) -> Result<(), Misuse> {
        let now = self.driver.now;
        self.driver.connection.close(code.into(), reason, &mut self.driver.workspace, now)
    }

    /// How far its closing handshake has come.
    pub fn phase(&self) -> Phase {
        self.driver.connection.phase()
    }

    fn take(&mut self, bytes: &mut [u8], now: Time) {
        let Driver { connection, workspace, .. } = &mut self.driver;
        let mut input = Input::new(bytes);
        loop {
            match connection.next(&mut input, workspace, now) {
                Ok(None) => return,
                Ok(Some(event)) => {
                    if let Some(seen) = self.joiner.take(event) {
                        self.seen.push(seen);
                        self.times.push(now);
                    }
                }
                Err(error) => self.errors.push(error),
            }
        }
    }

    /// Reads once; whether anything came.
    fn read(&mut self, line: &mut Line, now: Time) -> bool {
        if !self.reading || self.gone.is_some() {
            return false;
        }
        let direct = self.driver.connection.direct().filter(|_| self.direct).map(|mut room| {
            let bytes = line.read(line.chunk.min(room.remaining_mut()), now);
            room.put_slice(&bytes);
            bytes.len()
        });
        let mut bytes = if direct.is_none() { line.read(line.chunk, now) } else { Vec::new() };
        if direct.unwrap_or(bytes.len()) == 0 {
            return self.read_end(line, now);
        }
        self.take(&mut bytes, now);
        true
    }

    fn read_end(&mut self, line: &Line, now: Time) -> bool {
        let ended = !line.cut && line.bytes.is_empty() && line.ended.is_some_and(|time| time <= now);
        if ended {
            self.driver.connection.end();
            self.gone = Some(now);
        }
        ended
    }

    /// Writes once; whether anything went.
    fn write(&mut self, line: &mut Line, now: Time) -> bool {
        if self.gone.is_some() {
            return false;
        }
        let Driver { connection, workspace, .. } = &mut self.driver;
        let chunks: Vec<&[u8]> = connection.outbox().chunks().collect();
        let count = line.write(&chunks, now);
        if count > 0 {
            connection.wrote(count, workspace, now);
        }
        if connection.is_finished() && line.ended.is_none() {
            line.ended = Some(now.after(line.latency));
            self.gone = Some(now);
        }
        count > 0
    }
}

/// A client and a server, connected.
#[derive(Debug)]
pub struct Pair {
    /// The client.
    pub client: End,
    /// The server.
    pub server: End,
    /// From the client to the server.
    pub to_server: Line,
    /// From the server to the client.
    pub to_client: Line,
    now: Time,
}

impl Pair {
    /// Two ends with the default settings.
    pub fn new() -> Self {
        Self::with(|setup| setup)
    }

    /// Two ends with the settings that `change` makes of the default ones.
    pub fn with(change: impl Fn(Setup) -> Setup) -> Self {
        Self {
            client: End::new(&change(Setup::new(Role::Client))),
            server: End::new(&change(Setup::new(Role::Server))),
            to_server: Line::new(),
            to_client: Line::new(),
            now: Time::default(),
        }
    }

    /// The time.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Lets `duration` pass.
    ///
    /// # Panics
    /// Where the ends keep each other busy without end.
    pub fn advance(&mut self, duration: Duration) {
        let end = self.now.after(duration);
        for _ in 0..1_000_000 {
            self.settle();
            let next = self.next().filter(|next| *next <= end);
            self.turn_to(next.unwrap_or(end).max(self.now));
            if next.is_none() {
                return;
            }
            for one in [&mut self.client, &mut self.server] {
                let Driver { connection, workspace, .. } = &mut one.driver;
                let due = one.gone.is_none() && connection.deadline().is_some_and(|at| at <= self.now);
                if due && let Err(error) = connection.handle_deadline(workspace, self.now) {
                    one.errors.push(error);
                }
            }
        }
        panic!("the pair never comes to rest");
    }

    /// Moves bytes until nothing moves without time.
    fn settle(&mut self) {
        let (now, mut moving) = (self.now, true);
        while moving {
            self.client.take(&mut [], now);
            self.server.take(&mut [], now);
            moving = self.client.write(&mut self.to_server, now)
                | self.server.write(&mut self.to_client, now)
                | self.client.read(&mut self.to_client, now)
                | self.server.read(&mut self.to_server, now);
        }
    }

    /// When something happens next.
    fn next(&self) -> Option<Time> {
        [(&self.client, &self.to_client), (&self.server, &self.to_server)]
            .into_iter()
            .filter(|(end, _)| end.gone.is_none())
            .flat_map(|(end, line)| {
                [end.driver.connection.deadline(), line.arrival().filter(|_| end.reading)]
            })
            .flatten()
            .min()
    }

    fn turn_to(&mut self, now: Time) {
        self.now = now;
        self.client.driver.now = now;
        self.server.driver.now = now;
    }
}

impl Default for Pair {
    fn default() -> Self {
        Self::new()
    }
}
