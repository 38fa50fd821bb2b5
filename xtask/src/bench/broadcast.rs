//! What a broadcast costs: one message to 10,000 subscribers, against a bare `write` of the same bytes to as many sockets.

use super::figures::{Cell, Spread};
use super::machine::{self, Cores, on_cores};
use super::peers::{Server, release_example, release_peer};
use super::report::Section;
use crate::sh::{self, Process, seconds};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;

const SUBSCRIBERS: usize = 10_000;
const SIZES: [usize; 2] = [64, 1024];

pub(super) fn measure(cores: Cores, rounds: u32, quick: bool) -> Result<Value> {
    let ours = release_example("fan_out")?;
    let bare = release_peer("fan-out", None)?;
    let drain = release_peer("drain", None)?;
    let subscribers = if quick { 1_000 } else { SUBSCRIBERS };
    let mut all = Vec::new();
    for round in 1..=rounds {
        for size in SIZES {
            let cost = |program, words: &[&str]| -> Result<f64> {
                one(cores, sh::command(program), &drain, words, subscribers, size, quick)
            };
            let (limit, ours) = (cost(&bare, &["bare"])?, cost(&ours, &[])?);
            println!("broadcast: {size} B, bare {limit:.0} ns, tidewire {ours:.0} ns a delivery");
            all.push(json!({
                "round": round, "size": size, "subscribers": subscribers, "limit_ns": limit, "tidewire_ns": ours,
            }));
        }
    }
    Ok(all.into())
}

/// Nanoseconds of the sending process for each message that it delivers.
fn one(
    cores: Cores,
    mut server: std::process::Command,
    drain: &std::path::Path,
    words: &[&str],
    subscribers: usize,
    size: usize,
    quick: bool,
) -> Result<f64> {
    let messages = if quick { 50 } else { 200 };
    server.args(["0", &subscribers.to_string(), &size.to_string(), &messages.to_string()]);
    let log = sh::log("bench-broadcast")?;
    let server = on_cores(&[cores.server], || Server::start(&mut server, "bench-broadcast"))?;
    let mut command = sh::command(drain);
    command
        .args([&server.port.to_string(), &subscribers.to_string(), &messages.to_string(), &size.to_string()])
        .args(words);
    let mut drain =
        on_cores(&[cores.tester], || Process::start(&mut command, Some(&log.with_extension("drain"))))?;
    let limit = seconds(120);
    drain.wait_for("open", limit).with_context(|| server.tail())?;
    // What opening costs is over before the messages begin, a second after the last subscriber has come.
    std::thread::sleep(Duration::from_millis(500));
    let before = machine::process_seconds(server.id())?;
    drain.wait_for("done", limit).with_context(|| server.tail())?;
    let used = machine::process_seconds(server.id())? - before;
    #[expect(clippy::cast_precision_loss, reason = "a few million")]
    Ok(used * 1e9 / (subscribers * messages) as f64)
}

pub(super) fn section(found: &Value) -> Section {
    let mut text = String::from(
        "## Broadcast\n\nProcessor time of the sending process for a delivery, against a loop of bare `write` calls over as many \
         sockets. Median [least–most].\n\n| bytes | subscribers | bare, ns | tidewire, ns | ratio |\n|---|---|---|---|---|\n",
    );
    let entries = || found.as_array().into_iter().flatten();
    let mut sizes: Vec<&Value> = entries().map(|entry| &entry["size"]).collect();
    sizes.dedup();
    sizes.sort_by_key(|size| size.as_u64());
    sizes.dedup();
    for size in sizes {
        let these = || entries().filter(|entry| &entry["size"] == size);
        let of = |name: &'static str| Spread::of(these().filter_map(|entry| entry[name].as_f64()));
        let ratio =
            these().filter_map(|entry| Some(entry["tidewire_ns"].as_f64()? / entry["limit_ns"].as_f64()?));
        let cell = |spread: Option<Spread>, digits| {
            spread.map_or("–".to_owned(), |spread| Cell { spread, digits, mark: "" }.to_string())
        };
        let subscribers = these().next().map_or(&Value::Null, |entry| &entry["subscribers"]);
        let _ = write!(
            text,
            "| {size} | {subscribers} | {} | {} | {} |\n",
            cell(of("limit_ns"), 0),
            cell(of("tidewire_ns"), 0),
            cell(Spread::of(ratio), 2)
        );
    }
    Section { text, plots: vec![] }
}
