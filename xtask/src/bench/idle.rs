//! What an idle connection costs: the resident memory of a server with thousands of connections, each used once.

use super::peers::{Peer, Server};
use super::report::Section;
use crate::idle;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

pub(super) fn measure(peers: &[(&Peer, Vec<PathBuf>)], quick: bool) -> Value {
    let mut all = Vec::new();
    for (peer, prepared) in peers.iter().filter(|(peer, _)| !peer.is_bare()) {
        for deflate in [false, true] {
            if deflate && !peer.deflate {
                continue;
            }
            let count = if quick { 500 } else { peer.idle };
            let mut entry = json!({ "peer": peer.name, "deflate": deflate, "connections": count });
            match one(peer, prepared, deflate, count) {
                Ok(bytes) => {
                    println!("idle: {:<26} deflate {deflate:<5} {bytes} bytes a connection", peer.name);
                    entry["bytes"] = json!(bytes);
                }
                Err(error) => {
                    println!("idle: {} deflate {deflate} FAILED: {error:#}", peer.name);
                    entry["failed"] = json!(format!("{error:#}").lines().next());
                }
            }
            all.push(entry);
        }
    }
    all.into()
}

fn one(peer: &Peer, prepared: &[PathBuf], deflate: bool, count: usize) -> Result<u64> {
    let mut command = peer.command(prepared, deflate);
    let server = Server::start(&mut command, "bench-idle")?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port));
    idle::measure(address, server.id(), deflate, count).with_context(|| server.tail())
}

pub(super) fn section(found: &Value) -> Section {
    let mut text = String::from(
        "## Idle connections\n\nResident bytes of the server for each connection, used once (with deflate: for one message of \
         1 KiB) and then idle. The kernel's own memory is not in it.\n\n| | connections | plain | with deflate |\n|---|---|---|---|\n",
    );
    let entries = || found.as_array().into_iter().flatten();
    for plain in entries().filter(|entry| entry["deflate"] == false) {
        let peer = plain["peer"].as_str().unwrap_or_default();
        let compressed = entries().find(|entry| entry["peer"] == peer && entry["deflate"] == true);
        let bytes = |entry: Option<&Value>| match entry {
            None => "–".to_owned(),
            Some(entry) => entry["bytes"].as_u64().map_or("failed".to_owned(), |bytes| bytes.to_string()),
        };
        let _ = writeln!(
            text,
            "| {peer} | {} | {} | {} |",
            plain["connections"],
            bytes(Some(plain)),
            bytes(compressed)
        );
    }
    for entry in entries() {
        if let Some(why) = entry["failed"].as_str() {
            let _ = writeln!(text, "\nFailed: {} {why}", entry["peer"].as_str().unwrap_or_default());
        }
    }
    Section { text, plots: vec![] }
}
