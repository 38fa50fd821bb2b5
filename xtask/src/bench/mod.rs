//! `cargo xtask bench`: our server beside its peers.

mod broadcast;
mod checks;
mod echo;
mod figures;
mod hold;
mod idle;
mod machine;
mod peers;
mod plot;
mod python;
mod report;
mod scale;
mod tester;
mod workloads;

use crate::steps::Missing;
use crate::{Options, cargo, sh};
use anyhow::{Result, ensure};
use machine::Cores;
use peers::Peer;
use serde_json::{Value, json};
use std::path::PathBuf;
use tester::Tester;

pub(crate) use hold::{CLIENT as HOLD_CLIENT, client as hold_client};

const PARTS: [&str; 6] = ["echo", "idle", "hold", "scale", "broadcast", "python"];

pub(crate) fn step(options: &Options) -> Result<()> {
    for name in &options.only {
        ensure!(PARTS.contains(&name.as_str()), "bench has no part {name:?}: {} are", PARTS.join(", "));
    }
    let quick = options.has("quick");
    let rounds: u32 = options.value("rounds")?.unwrap_or(if quick { 2 } else { 5 });
    let measured: f64 = options.value("seconds")?.unwrap_or(if quick { 1.0 } else { 3.0 });
    ensure!(rounds > 0 && measured > 0.0, "a measurement takes at least a round and some time");
    let workloads = echo::chosen(&options.list("workloads"))?;
    let peers = options.list("peers");
    let chosen = peers::chosen(peers::PEERS, &peers)?;
    machine::raise_descriptors()?;
    let tidewire = cargo::release_tidewire()?;
    let mut raw = json!({
        "format": 1,
        "started": sh::capture(sh::command("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?.trim(),
        "commit": commit(),
        "machine": machine::describe()?,
        "rounds": rounds,
        "seconds": measured,
        "peers": {},
        "missing": {},
    });
    let mut ready = Vec::new();
    if options.wants("echo") || options.wants("idle") {
        ready = prepare(chosen, &mut raw)?;
    }
    let folder = report::folder()?;
    let keep = |raw: &mut Value, part: &str, found: Value| -> Result<()> {
        raw[part] = found;
        report::write(&folder, raw)
    };
    if options.wants("hold") {
        let found = hold::measure(&tidewire, quick)?;
        keep(&mut raw, "hold", found)?;
    }
    if options.wants("idle") {
        let found = idle::measure(&ready, quick);
        keep(&mut raw, "idle", found)?;
    }
    let cores = Cores::find()?;
    let tester =
        || -> Result<Tester> { Ok(Tester { program: tester::find(&tidewire)?, cores, seconds: measured }) };
    if options.wants("broadcast") {
        let found = broadcast::measure(cores, rounds, quick)?;
        keep(&mut raw, "broadcast", found)?;
    }
    if options.wants("scale") {
        let found = scale::measure(&tester()?, &tidewire, quick)?;
        keep(&mut raw, "scale", found)?;
    }
    if options.wants("echo") {
        let found = checks::measure(&ready)?;
        keep(&mut raw, "checks", found)?;
        let found = echo::measure(&tester()?, &ready, &workloads, rounds, |turns| {
            keep(&mut raw, "echo", turns.clone())
        })?;
        keep(&mut raw, "echo", found)?;
    }
    if options.wants("python") {
        let part =
            python::Part::prepare(tester()?, &options.list("workloads"), &peers, rounds, quick, &mut raw)?;
        part.measure(|found| keep(&mut raw, "python", found.clone()))?;
    }
    println!("the report: {}", folder.join("report.md").display());
    if options.has("save") {
        let results = report::results();
        report::write(&results, &raw)?;
        println!("kept in {}", results.display());
    }
    Ok(())
}

/// Builds or installs peers, and notes in the report which versions there are and which peers are not.
fn prepare(chosen: Vec<&'static Peer>, raw: &mut Value) -> Result<Vec<(&'static Peer, Vec<PathBuf>)>> {
    let mut ready = Vec::new();
    for peer in chosen {
        match peer.prepare() {
            Ok(prepared) => {
                raw["peers"][peer.library()] = json!(peer.version()?);
                ready.push((peer, prepared));
            }
            Err(error) if error.is::<Missing>() && !peer.is_ours() && !peer.is_bare() => {
                println!("{} is left out: {error:#}", peer.name);
                raw["missing"][peer.name] = json!(format!("{error:#}").lines().next());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(ready)
}

/// The commit, with a `+` where files differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| sh::capture(sh::command("git").args(arguments)).unwrap_or_default();
    let mark = if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { "+" };
    format!("{}{mark}", git(&["rev-parse", "--short=12", "HEAD"]).trim())
}
