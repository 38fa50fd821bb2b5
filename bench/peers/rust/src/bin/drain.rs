//! The subscribers of a broadcast: `drain PORT SUBSCRIBERS MESSAGES BYTES [bare]`. Opens all connections, says `open`, and a
//! second later lets one of them say a message after the other, each once all have received the last. Then says `done`.

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::{Errno, read};
use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use std::io::{Error, Read as _, Result, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::AsRawFd as _;

/// The RFC's own key (RFC 6455 §1.3).
const HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// A source address has so many ports that connecting stays quick.
const PER_ADDRESS: usize = 4_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let number =
        |index: usize| arguments.get(index).and_then(|word| word.parse::<usize>().ok()).expect("a number");
    let (port, subscribers, messages, size) = (number(1), number(2), number(3), number(4));
    let bare = peers::asked("bare");
    let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, u16::try_from(port).expect("a port"));
    let mut all = Vec::with_capacity(subscribers);
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    for index in 0..subscribers {
        let stream = open(server, index, bare)?;
        stream.set_nonblocking(true)?;
        epoll::add(&epoll, &stream, EventData::new_u64(index as u64), EventFlags::IN)?;
        all.push(stream);
    }
    println!("open");
    std::thread::sleep(std::time::Duration::from_secs(1));

    // A server's frame, and the client's that asks for it; the key of its mask is zero.
    let received = header(size, 0);
    let mut said = if bare { received.clone() } else { [header(size, 0x80), vec![0; 4]].concat() };
    said.resize(said.len() + size, b'x');
    let expected = (received.len() + size) * subscribers;
    let mut buffer = vec![0; 64 << 10];
    let mut events: Vec<Event> = Vec::with_capacity(1024);
    for _ in 0..messages {
        (&all[0]).write_all(&said)?;
        let mut count = 0;
        while count < expected {
            events.clear();
            match epoll::wait(&epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                match read(&all[event.data.u64() as usize], &mut buffer) {
                    Ok(0) => return Err(Error::other("the server closed a connection")),
                    Ok(more) => count += more,
                    Err(Errno::AGAIN) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        if count > expected {
            return Err(Error::other("more came back than was said"));
        }
    }
    println!("done");
    // The sockets stay open until the processor time has been read.
    std::thread::sleep(std::time::Duration::from_secs(1));
    drop(all);
    Ok(())
}

fn open(server: SocketAddrV4, index: usize, bare: bool) -> Result<TcpStream> {
    let last = u8::try_from(1 + index / PER_ADDRESS).map_err(Error::other)?;
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    bind(&socket, &SocketAddrV4::new(Ipv4Addr::new(127, 1, 0, last), 0))?;
    connect(&socket, &server)?;
    let mut stream = TcpStream::from(socket);
    if !bare {
        stream.write_all(HEAD)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0; 256];
            let count = stream.read(&mut byte)?;
            head.extend_from_slice(&byte[..count]);
            if count == 0 || !b"HTTP/1.1 101 ".starts_with(&head[..head.len().min(13)]) {
                return Err(Error::other(format!("descriptor {} was not let in", stream.as_raw_fd())));
            }
        }
    }
    Ok(stream)
}

/// The header of a text frame up to 64 KiB, without a key.
fn header(size: usize, mask: u8) -> Vec<u8> {
    match size {
        0..126 => vec![0x81, mask | size as u8],
        _ => vec![0x81, mask | 126, (size >> 8) as u8, size as u8],
    }
}
