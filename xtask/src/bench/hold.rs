//! A quarter of a million connections: several server processes on one port, every ping answered, both ways.

use super::machine;
use super::report::Section;
use crate::sh::{self, Process, seconds};
use crate::{idle, wire};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

const CONNECTIONS: usize = 250_000;
/// Of a server process: the kernel spreads them by chance, and a process may hold 20,000 descriptors.
const PER_SERVER: usize = 17_900;
/// Of a client process, over five source addresses.
const PER_CLIENT: usize = 17_900;
/// How often the clients ping every connection.
const VISITS: u32 = 3;
/// The servers ask for a sign of life this often.
const INTERVAL: &str = "30s";

pub(super) fn measure(tidewire: &Path, quick: bool) -> Result<Value> {
    let wanted = if quick { 4_000 } else { CONNECTIONS };
    let per = if quick { 2_000 } else { PER_SERVER };
    let began = Instant::now();
    let mut servers = Vec::new();
    let mut port = "0".to_owned();
    for index in 0..wanted.div_ceil(per) {
        let mut command = sh::command(tidewire);
        command.args(["serve", "--reuse-port", "--port", &port, "--workers", "1", "--quiet", "--no-console"]);
        command.args(["--no-deflate", "--ping-interval", INTERVAL, "--ping-timeout", "60s"]);
        let mut server =
            Process::start(&mut command, Some(&sh::log(&format!("bench-hold-server-{index}"))?))?;
        let url = server.wait_for("listening on ", seconds(20))?;
        url.trim_end_matches('/').rsplit(':').next().context("no port")?.clone_into(&mut port);
        servers.push(server);
    }
    let before: u64 = resident(&servers)?;
    let mut clients = Vec::new();
    let program = std::env::current_exe()?;
    let per_client = if quick { 2_000 } else { PER_CLIENT };
    for index in 0..wanted.div_ceil(per_client) {
        let count = per_client.min(wanted - index * per_client);
        let mut command = sh::command(&program);
        command.args([CLIENT, &port, &count.to_string(), &index.to_string()]);
        clients.push(Process::start(&mut command, Some(&sh::log(&format!("bench-hold-client-{index}"))?))?);
    }
    for client in &mut clients {
        client.wait_for("open", seconds(600))?;
    }
    println!("hold: {wanted} connections are open after {:.0} s", began.elapsed().as_secs_f64());
    let after = resident(&servers)?;
    let (mut pings, mut answered, mut asked) = (0, 0, 0);
    for mut client in clients {
        let line = client.wait_for("answered ", seconds(600))?;
        let numbers: Vec<u64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [sent, back, server] = numbers[..] else { bail!("a client says {line:?}") };
        (pings, answered, asked) = (pings + sent, answered + back, asked + server);
        client.success(seconds(60))?;
    }
    for server in &mut servers {
        ensure!(!server.has_ended()?, "a server has ended{}", server.tail());
    }
    let bytes = after.saturating_sub(before) / wanted as u64;
    println!("hold: {pings} pings, {answered} answered, {asked} of the servers', {bytes} bytes a connection");
    Ok(json!({
        "connections": wanted, "servers": servers.len(), "pings": pings, "answered": answered, "asked": asked,
        "bytes": bytes, "seconds": began.elapsed().as_secs_f64(),
    }))
}

fn resident(servers: &[Process]) -> Result<u64> {
    servers.iter().map(|server| idle::resident(server.id())).sum()
}

/// The word that makes this program a client of `hold`: a process holds only so many descriptors.
pub(crate) const CLIENT: &str = "hold-client";

/// `hold-client PORT COUNT INDEX`: opens the connections, says `open`, pings each of them several times over, answers what the
/// server asks, and says `answered SENT ANSWERED ASKED`.
pub(crate) fn client(arguments: &[String]) -> Result<()> {
    let number = |index: usize| -> Result<usize> {
        Ok(arguments.get(index).with_context(|| format!("{CLIENT} PORT COUNT INDEX"))?.parse()?)
    };
    let (port, count, index) = (u16::try_from(number(0)?)?, number(1)?, number(2)?);
    machine::raise_descriptors()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let third = u8::try_from(index)?;
    let connections: Result<Vec<TcpStream>> = (0..count)
        .map(|nth| wire::connect_from(Ipv4Addr::new(127, 1, third, 0), address, nth, false))
        .collect();
    let mut connections = connections?;
    println!("open");
    let (mut sent, mut answered, mut asked) = (0_u64, 0_u64, 0_u64);
    for visit in 0..VISITS {
        // The servers' own pings fall due between the visits.
        std::thread::sleep(seconds(if count > 5_000 { 20 } else { 2 }));
        for (nth, connection) in connections.iter_mut().enumerate() {
            let payload = format!("{visit} {nth}");
            connection.write_all(&control(0x89, payload.as_bytes()))?;
            sent += 1;
            loop {
                let (first, said) =
                    frame(connection).with_context(|| format!("connection {nth}, visit {visit}"))?;
                match first {
                    0x8A if said == payload.as_bytes() => break,
                    0x89 => {
                        connection.write_all(&control(0x8A, &said))?;
                        asked += 1;
                    }
                    other => bail!("connection {nth}: a frame that begins with {other:#04X}"),
                }
            }
            answered += 1;
        }
    }
    println!("answered {sent} {answered} {asked}");
    Ok(())
}

/// A masked control frame; its key is zero.
fn control(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(125) | 0x80;
    [&[first, length, 0, 0, 0, 0][..], payload].concat()
}

/// The first byte and the payload of a control frame.
fn frame(stream: &mut TcpStream) -> Result<(u8, Vec<u8>)> {
    let mut start = [0; 2];
    stream.read_exact(&mut start)?;
    ensure!(start[1] < 126, "a control frame is short");
    let mut payload = vec![0; start[1].into()];
    stream.read_exact(&mut payload)?;
    Ok((start[0], payload))
}

pub(super) fn section(found: &Value) -> Section {
    let text = format!(
        "## 250,000 connections\n\n{} connections held by {} processes of `tidewire serve --reuse-port` on one port. {} of {} pings \
         were answered, and {} pings of the servers were answered by the clients. {} resident bytes a connection. It took {:.0} s.\n",
        found["connections"],
        found["servers"],
        found["answered"],
        found["pings"],
        found["asked"],
        found["bytes"],
        found["seconds"].as_f64().unwrap_or_default(),
    );
    Section { text, plots: vec![] }
}
