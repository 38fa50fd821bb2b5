//! A server that does byte for byte what a test says.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;
use testkit::wire::{Parsed, Wire, parse};
use tidewire_proto::{CloseCode, Role, handshake::key::Key};

/// Runs `script` for each connection, with its number from 0, until the test ends.
pub(crate) fn scripted(mut script: impl FnMut(usize, Peer) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let stream = stream.expect("a connection comes");
            stream.set_read_timeout(Some(Duration::from_secs(30))).expect("there is such an option");
            script(number, Peer { stream, head: String::new(), frames: VecDeque::new(), rest: Vec::new() });
        }
    });
    address
}

/// A server that opens each connection and then follows `script`.
pub(crate) fn opened(mut script: impl FnMut(&mut Peer) + Send + 'static) -> String {
    let address = scripted(move |_, mut peer| {
        peer.open();
        script(&mut peer);
    });
    format!("ws://{address}/")
}

/// A port on which nobody listens.
pub(crate) fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port is free")
}

/// The server's end of a connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// The request's head, once it was read.
    pub(crate) head: String,
    /// Read and not looked at: whole frames, and the beginning of one.
    frames: VecDeque<Parsed>,
    rest: Vec<u8>,
}

impl Peer {
    /// Reads the request's head.
    pub(crate) fn request(&mut self) -> &str {
        let mut byte = [0];
        while !self.head.ends_with("\r\n\r\n") {
            self.stream.read_exact(&mut byte).expect("a head comes");
            self.head.push(char::from(byte[0]));
        }
        &self.head
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Reads the request and answers 101.
    pub(crate) fn open(&mut self) {
        self.open_with("");
    }

    /// As [`open`](Self::open), with further header lines, each with its CRLF.
    pub(crate) fn open_with(&mut self, fields: &str) {
        if self.head.is_empty() {
            self.request();
        }
        let key = self.header("Sec-WebSocket-Key").expect("a client sends a key");
        let accept = Key::parse(key.as_bytes()).expect("a client's key is one").accept();
        self.write(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n{fields}\r\n",
            accept.as_str()
        ));
    }

    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // A client that has gone is the test's matter.
        let _gone = self.stream.write_all(bytes.as_ref());
    }

    pub(crate) fn send(&mut self, frames: impl FnOnce(Wire) -> Wire) {
        self.write(frames(Wire::from(Role::Server)).bytes);
    }

    /// The next frame; `None` at the end of the stream.
    pub(crate) fn frame(&mut self) -> Option<Parsed> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.rest.extend_from_slice(&buffer[..count]),
            }
            let (frames, unfinished) = parse(&self.rest);
            self.frames.extend(frames);
            self.rest.drain(..self.rest.len() - unfinished);
        }
    }

    /// Closes, and waits for the client's answer.
    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        self.send(|wire| wire.close(CloseCode(code), reason));
        while self.frame().is_some_and(|frame| frame.opcode != 8) {}
    }
}
