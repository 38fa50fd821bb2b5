//! The example of a blocking loop is started as its header says, and spoken to byte by byte.
//!
//! `cargo test -p tidewire-proto` builds the example before it runs this.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};
use testkit::wire::Wire;
use tidewire_proto::{CloseCode, Role};

/// A process; ended when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // Where it is gone already, the test has failed before.
        let _ended = self.0.kill();
        let _status = self.0.wait();
    }
}

#[test]
fn blocking_echo() {
    let test = std::env::current_exe().unwrap();
    let mut program = test.ancestors().nth(2).unwrap().join("examples/blocking_echo");
    program.set_extension(std::env::consts::EXE_EXTENSION);
    let child = Command::new(&program).arg("127.0.0.1:0").stdout(Stdio::piped()).spawn();
    let mut example = Process(child.unwrap_or_else(|error| {
        panic!("{}: {error}; build it with: cargo build -p tidewire-proto --examples", program.display())
    }));
    let mut lines = BufReader::new(example.0.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on ws://").unwrap().trim_end_matches('/');

    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    );
    // The first frame comes in the same write as the request.
    let hello = Wire::from(Role::Client).text("Hello").bytes;
    stream.write_all(&[request.as_bytes(), &hello].concat()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");

    let long = "x".repeat(70_000);
    stream
        .write_all(
            &Wire::from(Role::Client).text(&long).binary(b"\0\xff").close(CloseCode::NORMAL, "bye").bytes,
        )
        .unwrap();
    let mut came = Vec::new();
    stream.read_to_end(&mut came).unwrap();
    let wanted = Wire::from(Role::Server)
        .text("Hello")
        .text(&long)
        .binary(b"\0\xff")
        .close(CloseCode::NORMAL, "bye")
        .bytes;
    assert!(came == wanted, "{} bytes came, {} were to come", came.len(), wanted.len());
}
