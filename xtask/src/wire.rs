//! WebSocket by hand, on blocking sockets: what has to be measured or provoked without a library in between.

use crate::sh::seconds;
use anyhow::{Context as _, Result, ensure};
use socket2::{Domain, Socket, Type};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// A source address has so many ports that connecting stays quick.
const PER_ADDRESS: usize = 4_000;
/// The RFC's own key (RFC 6455 §1.3).
const HEAD: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A connection that was used once, from an address of 127.1.0.x.
pub(crate) fn connect(address: SocketAddr, index: usize, deflate: bool) -> Result<TcpStream> {
    connect_from(Ipv4Addr::new(127, 1, 0, 0), address, index, deflate)
}

/// The same from another network of 256 addresses.
pub(crate) fn connect_from(
    network: Ipv4Addr,
    address: SocketAddr,
    index: usize,
    deflate: bool,
) -> Result<TcpStream> {
    let last = u8::try_from(1 + index / PER_ADDRESS)?;
    let [a, b, c, _] = network.octets();
    let source = SocketAddr::from((Ipv4Addr::new(a, b, c, last), 0));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&source.into())?;
    socket.connect(&address.into()).with_context(|| format!("connection {index}"))?;
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(seconds(20)))?;
    let offer = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    stream.write_all(format!("{HEAD}{offer}\r\n").as_bytes())?;
    let head = head(&mut stream)?;
    ensure!(head.starts_with("HTTP/1.1 101 "), "connection {index}: {head}");
    ensure!(head.contains("permessage-deflate") == deflate, "connection {index}: {head}");
    let text = if deflate { "sixteen bytes... ".repeat(60) } else { "sixteen bytes...".to_owned() };
    stream.write_all(&frame(text.as_bytes(), deflate))?;
    let (first, payload) = reply(&mut stream)?;
    if deflate {
        ensure!(
            first == 0xC1 && payload.len() < text.len() / 2,
            "connection {index}: the echo is not compressed"
        );
    } else {
        ensure!(first == 0x81 && payload == text.as_bytes(), "connection {index}: the echo is wrong");
    }
    Ok(stream)
}

fn head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    // The server sends nothing behind the head before it is asked.
    while !head.ends_with(b"\r\n\r\n") {
        let mut piece = [0; 1024];
        let count = stream.read(&mut piece)?;
        ensure!(count > 0, "the server closed in mid-head");
        head.extend_from_slice(&piece[..count]);
    }
    Ok(String::from_utf8(head)?)
}

/// A masked text frame; with deflate a stored block, as RFC 7692 §7.2.3.3 has it.
pub(crate) fn frame(text: &[u8], deflate: bool) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let payload = if deflate {
        [&[0][..], &length.to_le_bytes(), &(!length).to_le_bytes(), text, &[0]].concat()
    } else {
        text.to_vec()
    };
    let mut frame = vec![if deflate { 0xC1 } else { 0x81 }];
    match u8::try_from(payload.len()) {
        Ok(short) if short < 126 => frame.push(0x80 | short),
        _ => {
            frame.push(0xFE);
            frame.extend_from_slice(&u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes());
        }
    }
    let key = [0x37, 0xFA, 0x21, 0x3D];
    frame.extend_from_slice(&key);
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The first byte of the next frame, and its payload.
pub(crate) fn reply(stream: &mut TcpStream) -> Result<(u8, Vec<u8>)> {
    let mut start = [0; 2];
    stream.read_exact(&mut start)?;
    let mut length = usize::from(start[1]);
    if length == 126 {
        let mut long = [0; 2];
        stream.read_exact(&mut long)?;
        length = u16::from_be_bytes(long).into();
    }
    ensure!(length <= 0xFFFF && start[1] < 127, "a frame of an echo this small is not long");
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok((start[0], payload))
}
