//! The limit of a broadcast: what one connection says is written to all of them, in a loop of bare `write` calls.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::{Errno, read, write};
use std::net::TcpStream;
use std::os::fd::AsRawFd;

fn main() -> std::io::Result<()> {
    let listener = peers::listen();
    listener.set_nonblocking(true)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let data = |socket: &dyn AsRawFd| EventData::new_u64(socket.as_raw_fd() as u64);
    epoll::add(&epoll, &listener, data(&listener), EventFlags::IN)?;
    let mut connections: Vec<TcpStream> = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    loop {
        events.clear();
        match epoll::wait(&epoll, spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let descriptor = event.data.u64();
            if descriptor == listener.as_raw_fd() as u64 {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    epoll::add(&epoll, &stream, data(&stream), EventFlags::IN)?;
                    connections.push(stream);
                }
                continue;
            }
            let speaks = |stream: &TcpStream| stream.as_raw_fd() as u64 == descriptor;
            let Some(speaker) = connections.iter().position(speaks) else { continue };
            match read(&connections[speaker], &mut buffer) {
                Ok(0) | Err(Errno::CONNRESET) => drop(connections.swap_remove(speaker)),
                Ok(count) => {
                    for connection in &connections {
                        // The reader waits for all before it speaks again, so that each has room.
                        if write(connection, &buffer[..count]) != Ok(count) {
                            return Err(std::io::Error::other("a subscriber did not take the whole message"));
                        }
                    }
                }
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
