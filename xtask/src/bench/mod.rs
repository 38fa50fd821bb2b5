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
mod report;
mod scale;
mod tester;
mod workloads;

use crate::steps::Missing;
use crate::{Options, cargo, sh};
use anyhow::{Result, ensure};
use machine::Cores;
use serde_json::{Map, Value, json};
use tester::Tester;

pub(crate) use hold::{CLIENT as HOLD_CLIENT, client as hold_client};

const PARTS: [&str; 5] = ["echo", "idle", "hold", "scale", "broadcast"];

pub(crate) fn step(options: &Options) -> Result<()> {
    for name in &options.only {
        ensure!(PARTS.contains(&name.as_str()), "bench has no part {name:?}: {} are", PARTS.join(", "));
    }
    let quick = options.has("quick");
    let rounds: u32 = options.value("rounds")?.unwrap_or(if quick { 2 } else { 5 });
    let measured: f64 = options.value("seconds")?.unwrap_or(if quick { 1.0 } else { 3.0 });
    ensure!(rounds > 0 && measured > 0.0, "a measurement takes at least a round and some time");
    let workloads = echo::chosen(&options.list("workloads"))?;
    let chosen = peers::chosen(&options.list("peers"))?;
    machine::raise_descriptors()?;
    let tidewire = cargo::release_tidewire()?;
    let mut raw = json!({
        "format": 1,
        "started": sh::capture(sh::command("date").args(["-u", "+%Y-%m-%d %H:%M UTC"]))?.trim(),
        "commit": commit(),
        "machine": machine::describe()?,
        "rounds": rounds,
        "seconds": measured,
    });
    let mut ready = Vec::new();
    let (mut versions, mut missing) = (Map::new(), Map::new());
    if options.wants("echo") || options.wants("idle") {
        for peer in chosen {
            match peer.prepare() {
                Ok(prepared) => {
                    versions.insert(peer.library().to_owned(), json!(peer.version()?));
                    ready.push((peer, prepared));
                }
                Err(error) if error.is::<Missing>() && !peer.is_ours() && !peer.is_bare() => {
                    println!("{} is left out: {error:#}", peer.name);
                    missing.insert(peer.name.to_owned(), json!(format!("{error:#}").lines().next()));
                }
                Err(error) => return Err(error),
            }
        }
    }
    raw["peers"] = versions.into();
    raw["missing"] = missing.into();
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
    println!("the report: {}", folder.join("report.md").display());
    if options.has("save") {
        let results = report::results();
        report::write(&results, &raw)?;
        println!("kept in {}", results.display());
    }
    Ok(())
}

/// The commit, with a `+` where files differ from it.
fn commit() -> String {
    let git = |arguments: &[&str]| sh::capture(sh::command("git").args(arguments)).unwrap_or_default();
    let mark = if git(&["status", "--porcelain", "--untracked-files=no"]).is_empty() { "" } else { "+" };
    format!("{}{mark}", git(&["rev-parse", "--short=12", "HEAD"]).trim())
}
