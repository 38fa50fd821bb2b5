//! What a broadcast costs: one message to 10,000 subscribers, against a bare `write` of the same bytes to as many sockets.

use super::figures::{Cell, Spread};
use super::machine::{self, Cores, on_cores};
use super::peers::{Server, release_example, release_peer};
use super::report::Section;
use crate::sh::{self, Process, seconds};
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

const SUBSCRIBERS: usize = 10_000;
pub(super) const SIZES: [usize; 2] = [64, 1024];

/// Who listens, and for how long.
pub(super) struct Audience {
    cores: Cores,
    /// The program that opens the connections and reads.
    drain: PathBuf,
    pub(super) subscribers: usize,
    messages: usize,
}

pub(super) fn measure(cores: Cores, rounds: u32, quick: bool) -> Result<Value> {
    let (ours, bare) = (release_example("fan_out")?, release_peer("fan-out", None)?);
    let (subscribers, messages) = if quick { (1_000, 50) } else { (SUBSCRIBERS, 200) };
    let audience = Audience::new(cores, subscribers, messages)?;
    let mut all = Vec::new();
    for round in 1..=rounds {
        for size in SIZES {
            let limit = audience.cost(sh::command(&bare).arg("0"), &["bare"], size)?;
            let ours = audience.cost(sh::command(&ours).arg("127.0.0.1:0"), &[], size)?;
            println!("broadcast: {size} B, bare {limit:.0} ns, tidewire {ours:.0} ns a delivery");
            all.push(json!({
                "round": round, "size": size, "subscribers": subscribers, "limit_ns": limit, "tidewire_ns": ours,
            }));
        }
    }
    Ok(all.into())
}

impl Audience {
    pub(super) fn new(cores: Cores, subscribers: usize, messages: usize) -> Result<Self> {
        Ok(Self { cores, drain: release_peer("drain", None)?, subscribers, messages })
    }

    /// Nanoseconds of the sending process for each message that it delivers.
    pub(super) fn cost(&self, server: &mut Command, words: &[&str], size: usize) -> Result<f64> {
        let server = on_cores(&[self.cores.server], || Server::start(server, "bench-broadcast"))?;
        let numbers = [usize::from(server.port), self.subscribers, self.messages, size];
        let mut drain = sh::command(&self.drain);
        drain.args(numbers.map(|number| number.to_string())).args(words);
        let log = sh::log("bench-drain")?;
        let mut drain = on_cores(&[self.cores.tester], || Process::start(&mut drain, Some(&log)))?;
        let limit = seconds(120);
        drain.wait_for("open", limit).with_context(|| server.tail())?;
        // What opening costs is over before the messages begin, a second after the last subscriber has come.
        std::thread::sleep(Duration::from_millis(500));
        let before = machine::process_seconds(server.id())?;
        drain.wait_for("done", limit).with_context(|| server.tail())?;
        let used = machine::process_seconds(server.id())? - before;
        #[expect(clippy::cast_precision_loss, reason = "a few million")]
        Ok(used * 1e9 / (self.subscribers * self.messages) as f64)
    }
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
        let _ = writeln!(
            text,
            "| {size} | {subscribers} | {} | {} | {} |",
            cell(of("limit_ns"), 0),
            cell(of("tidewire_ns"), 0),
            cell(Spread::of(ratio), 2)
        );
    }
    Section { text, plots: vec![] }
}
