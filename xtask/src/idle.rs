//! What an idle connection costs: the resident memory of `tidewire serve` with 15,000 connections, each used once.

use crate::sh::seconds;
use crate::wire::connect;
use crate::{Options, cargo, serve};
use anyhow::{Context as _, Result, bail, ensure};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 15_000;
/// Connections before the first measurement, so that what a thread keeps once is not counted.
const WARM_UP: usize = 64;
/// What a connection may cost, in bytes: 1 KiB, and a little for allocators that round otherwise.
const LIMIT: u64 = 1100;

pub(crate) fn step(options: &Options) -> Result<()> {
    let tidewire = cargo::release_tidewire()?;
    let mut failed = Vec::new();
    for deflate in [false, true] {
        if options.has(if deflate { "plain" } else { "deflate" }) {
            continue;
        }
        let (name, what) = if deflate { ("idle-deflate", " with deflate") } else { ("idle-plain", "") };
        let server = serve::serve_quietly(&tidewire, name)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()?));
        let bytes = measure(address, server.id(), deflate, CONNECTIONS).with_context(|| server.tail())?;
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

/// The resident bytes for each of so many connections, each used once and then idle.
pub(crate) fn measure(address: SocketAddr, server: u32, deflate: bool, count: usize) -> Result<u64> {
    let warm: Vec<_> = (0..WARM_UP).map(|index| connect(address, index, deflate)).collect::<Result<_>>()?;
    let before = settled(server)?;
    let connections: Vec<_> =
        (WARM_UP..WARM_UP + count).map(|index| connect(address, index, deflate)).collect::<Result<_>>()?;
    let after = settled(server)?;
    drop((warm, connections));
    Ok(after.saturating_sub(before) / count as u64)
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

pub(crate) fn resident(process: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))
        .context("the resident memory is read from /proc, which Linux has")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}
