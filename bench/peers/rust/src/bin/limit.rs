//! The limit: a TCP echo on epoll that knows nothing of WebSocket. One read and one write for each readiness; what the socket
//! does not take at once is kept, and no more is read until it is gone.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::{Errno, read, write};
use std::net::TcpStream;
use std::os::fd::{AsRawFd as _, OwnedFd};

struct Connection {
    stream: TcpStream,
    /// Read and not yet written.
    rest: Vec<u8>,
}

fn main() -> std::io::Result<()> {
    let listener = peers::listen();
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &listener, data(&listener), EventFlags::IN)?;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    loop {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let index = event.data.u64() as usize;
            if index == listener.as_raw_fd() as usize {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    epoll::add(&epoll, &stream, data(&stream), EventFlags::IN)?;
                    let index = stream.as_raw_fd() as usize;
                    if connections.len() <= index {
                        connections.resize_with(index + 1, || None);
                    }
                    connections[index] = Some(Connection { stream, rest: Vec::new() });
                }
            } else if let Some(connection) = &mut connections[index]
                && connection.ready(&epoll, &mut buffer).is_err()
            {
                // Closing the descriptor takes it out of the epoll set, too.
                connections[index] = None;
            }
        }
    }
}

fn data(socket: &impl std::os::fd::AsRawFd) -> EventData {
    EventData::new_u64(socket.as_raw_fd() as u64)
}

impl Connection {
    /// An error means that the connection is over.
    fn ready(&mut self, epoll: &OwnedFd, buffer: &mut [u8]) -> Result<(), Errno> {
        if self.rest.is_empty() {
            let count = match read(&self.stream, &mut *buffer) {
                Ok(0) => return Err(Errno::PIPE),
                Ok(count) => count,
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            };
            let written = taken(write(&self.stream, &buffer[..count]))?;
            if written < count {
                self.rest.extend_from_slice(&buffer[written..count]);
                epoll::modify(epoll, &self.stream, data(&self.stream), EventFlags::OUT)?;
            }
        } else {
            let written = taken(write(&self.stream, &self.rest))?;
            self.rest.drain(..written);
            if self.rest.is_empty() {
                epoll::modify(epoll, &self.stream, data(&self.stream), EventFlags::IN)?;
            }
        }
        Ok(())
    }
}

/// A socket that is full takes nothing.
fn taken(written: Result<usize, Errno>) -> Result<usize, Errno> {
    match written {
        Err(Errno::AGAIN) => Ok(0),
        written => written,
    }
}
