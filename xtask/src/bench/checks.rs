//! Which peers skip which check: each is sent what RFC 6455 forbids, and either echoes it or not.

use super::peers::{Peer, Server};
use super::report::Section;
use crate::sh::seconds;
use crate::wire;
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// What is wrong, and the frames of a client that are. The key of every mask is zero.
const CHECKS: [(&str, &[u8]); 6] = [
    ("an unmasked frame (§5.1)", b"\x81\x05hello"),
    ("text that is no UTF-8 (§5.6)", b"\x81\x83\0\0\0\0a\xFFb"),
    ("a reserved bit (§5.2)", b"\xA1\x85\0\0\0\0hello"),
    ("a length in more bytes than it needs (§5.2)", b"\x81\xFE\0\x05\0\0\0\0hello"),
    ("a new message within another (§5.4)", b"\x01\x85\0\0\0\0hello\x81\x85\0\0\0\0hello"),
    ("a continuation of nothing (§5.4)", b"\x80\x85\0\0\0\0hello"),
];

pub(super) fn measure(peers: &[(&Peer, Vec<PathBuf>)]) -> Result<Value> {
    let mut all = Map::new();
    for (peer, prepared) in peers.iter().filter(|(peer, _)| !peer.is_bare()) {
        let server = Server::start(&mut peer.command(prepared, false), "bench-checks")?;
        let mut found = Map::new();
        for (index, (wrong, frames)) in CHECKS.iter().enumerate() {
            let judged = judge(&server, index, frames);
            let judged = judged.with_context(|| format!("{}: {wrong}{}", peer.name, server.tail()))?;
            found.insert((*wrong).to_owned(), json!(judged));
        }
        all.insert(peer.name.to_owned(), found.into());
    }
    Ok(all.into())
}

/// `echoed` where a message came back, `refused` where a close frame or the end of the connection did.
fn judge(server: &Server, index: usize, frames: &[u8]) -> Result<&'static str> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port));
    let mut stream = wire::connect(address, index, false)?;
    stream.set_read_timeout(Some(seconds(1)))?;
    stream.write_all(frames)?;
    Ok(match wire::reply(&mut stream) {
        Ok((first, _)) if first & 0x0F <= 2 => "echoed",
        Ok(_) => "refused",
        Err(error) => match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            Some(std::io::ErrorKind::WouldBlock) => "ignored",
            _ => "refused",
        },
    })
}

pub(super) fn section(found: &Value) -> Section {
    let mut text = String::from(
        "## Checks that peers skip\n\nEach was sent what RFC 6455 forbids. Those not named here refused all of it.\n\n",
    );
    for (peer, checks) in found.as_object().into_iter().flatten() {
        let skipped = checks.as_object().into_iter().flatten().filter(|(_, judged)| *judged != "refused");
        let skipped: Vec<String> =
            skipped.map(|(wrong, judged)| format!("{wrong}: {}", judged.as_str().unwrap_or("?"))).collect();
        if !skipped.is_empty() {
            let _ = writeln!(text, "- {peer}: {}", skipped.join("; "));
        }
    }
    Section { text, plots: vec![] }
}
