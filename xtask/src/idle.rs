//! What an idle connection costs: the resident memory of `tidewire serve` with 15,000 connections, each used once.

use crate::sh::seconds;
use crate::{Options, cargo, serve};
use anyhow::{Context as _, Result, bail, ensure};
use socket2::{Domain, Socket, Type};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 15_000;
/// A source address has so many ports that connecting stays quick.
const PER_ADDRESS: usize = 4_000;
/// Connections before the first measurement, so that what a thread keeps once is not counted.
const WARM_UP: usize = 64;
/// What a connection may cost, in bytes.
const LIMIT: u64 = 2048;
/// The RFC's own key (RFC 6455 §1.3).
const HEAD: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

pub(crate) fn step(options: &Options) -> Result<()> {
    let tidewire = cargo::release_tidewire()?;
    let mut failed = Vec::new();
    for deflate in [false, true] {
        if options.has(if deflate { "plain" } else { "deflate" }) {
            continue;
        }
        let (name, what) = if deflate { ("idle-deflate", " with deflate") } else { ("idle-plain", "") };
        let server = serve::serve(&tidewire, false, name)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()?));
        let bytes = measure(address, server.id(), deflate).with_context(|| server.tail())?;
        println!(
            "idle: {CONNECTIONS} connections{what}, {bytes} bytes resident per connection (limit {LIMIT})"
        );
        if bytes > LIMIT {
            failed.push(format!("{bytes} bytes{what}"));
        }
    }
    ensure!(failed.is_empty(), "an idle connection holds {}, above {LIMIT}", failed.join(" and "));
    Ok(())
}

fn measure(address: SocketAddr, server: u32, deflate: bool) -> Result<u64> {
    let warm: Vec<_> = (0..WARM_UP).map(|index| connect(address, index, deflate)).collect::<Result<_>>()?;
    let before = settled(server)?;
    let connections: Vec<_> = (WARM_UP..WARM_UP + CONNECTIONS)
        .map(|index| connect(address, index, deflate))
        .collect::<Result<_>>()?;
    let after = settled(server)?;
    drop((warm, connections));
    Ok(after.saturating_sub(before) / CONNECTIONS as u64)
}

/// A connection that was used once.
fn connect(address: SocketAddr, index: usize, deflate: bool) -> Result<TcpStream> {
    let last = u8::try_from(1 + index / PER_ADDRESS)?;
    let source = SocketAddr::from((Ipv4Addr::new(127, 1, 0, last), 0));
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
fn frame(text: &[u8], deflate: bool) -> Vec<u8> {
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
fn reply(stream: &mut TcpStream) -> Result<(u8, Vec<u8>)> {
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

/// The resident bytes of a process, once they have not changed for a second.
fn settled(process: u32) -> Result<u64> {
    let deadline = Instant::now() + seconds(30);
    let mut last = resident(process)?;
    let mut since = Instant::now();
    while since.elapsed() < seconds(1) {
        if Instant::now() > deadline {
            bail!("the server's memory does not settle: {last} bytes");
        }
        std::thread::sleep(Duration::from_millis(100));
        let now = resident(process)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .context("the resident memory is read from /proc, which Linux has")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
