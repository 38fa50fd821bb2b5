//! Our server and client with those of Python's websockets and Node's ws: `conformance/interop`.

use crate::serve::{self, Server};
use crate::{Options, cargo, install, sh};
use anyhow::{Context as _, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = sh::seconds(120);

/// A peer that is not ours, as a client and as an echo server.
struct Peer {
    name: &'static str,
    program: PathBuf,
    client: PathBuf,
    server: PathBuf,
}

pub(crate) fn step(_: &Options) -> Result<()> {
    let source = sh::root().join("conformance/interop");
    let python = install::python3(&source.join("requirements.txt"), "venv")?;
    let scripts = install::node(&source, "node")?;
    let programs = cargo::release_programs()?;
    let peers = [
        Peer {
            name: "websockets",
            program: python,
            client: source.join("client.py"),
            server: source.join("server.py"),
        },
        Peer {
            name: "ws",
            program: "node".into(),
            client: scripts.join("client.mjs"),
            server: scripts.join("server.mjs"),
        },
    ];
    for peer in &peers {
        let server = serve::serve(&programs.tidewire, false, &format!("interop-{}-serve", peer.name))?;
        let log = sh::log(&format!("interop-{}-client", peer.name))?;
        let mut client = peer.command(&peer.client);
        sh::run_quietly(client.arg(&server.url), &log, LIMIT)
            .with_context(|| format!("{} with our server{}", peer.name, server.tail()))?;
        println!("{} as a client of ours passed: four ways to negotiate", peer.name);

        for deflate in [true, false] {
            let with = if deflate { "with" } else { "without" };
            our_client(peer, &programs.tidewire, deflate)
                .with_context(|| format!("our client, {with} deflate, with {}", peer.name))?;
            println!("{} as a server of ours {with} deflate passed: text and binary", peer.name);
        }
    }
    Ok(())
}

impl Peer {
    fn command(&self, script: &Path) -> Command {
        let mut command = sh::command(&self.program);
        command.arg(script);
        command
    }
}

/// `tidewire connect` sends messages out of a file, and what it writes has to be the same file.
fn our_client(peer: &Peer, tidewire: &Path, deflate: bool) -> Result<()> {
    let name = format!("interop-{}-server", peer.name);
    let mut command = peer.command(&peer.server);
    if !deflate {
        command.arg("--plain");
    }
    let server = Server::start(&mut command, &name)?;
    let folder = sh::target()?.join("xtask");
    let (input, output) = (folder.join("interop-in"), folder.join("interop-out"));
    for binary in [false, true] {
        let messages = messages(binary);
        let mut framed = Vec::new();
        for message in &messages {
            framed.extend(u32::try_from(message.len())?.to_be_bytes());
            framed.extend(message);
        }
        fs::write(&input, &framed)?;
        let mut client = sh::command(tidewire);
        client.args(["connect", "--length-prefixed", "--count", &messages.len().to_string()]);
        client.args(binary.then_some("--binary")).args((!deflate).then_some("--no-deflate")).arg(&server.url);
        let log = sh::log(&format!("interop-{}-connect", peer.name))?;
        sh::filter(&mut client, &input, &output, &log, LIMIT).with_context(|| server.tail())?;
        ensure!(fs::read(&output)? == framed, "the messages came back changed: see {}", output.display());
    }
    Ok(())
}

/// Messages of every form of length, short ones twice in a row, so that context takeover has something to remember.
fn messages(binary: bool) -> Vec<Vec<u8>> {
    let unit = if binary { (0..=255).collect() } else { "Grüße 🌊🏄 ".as_bytes().to_vec() };
    let repeats = [0, 1, 1, 5, 5, 6, 100, 3000, 4000, 60_000];
    repeats.iter().map(|count| unit.repeat(if binary { count / 8 } else { *count })).collect()
}
