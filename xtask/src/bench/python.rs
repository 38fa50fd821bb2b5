//! Python: the faces of our package beside the servers that Python has, on uvloop and on the standard library's loop.

use super::broadcast::{Audience, SIZES};
use super::echo::{self, Table};
use super::figures::{Cell, Spread};
use super::peers::{self, Peer};
use super::report::{Section, join};
use super::tester::Tester;
use super::workloads::Workload;
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

const LOOPS: [&str; 2] = ["uvloop", "asyncio"];
/// What is measured unless other workloads are asked for.
const USUAL: [&str; 2] = ["B", "D"];
/// A face of ours, what it is compared with on the same loop, and the share of that one's time that it is meant to take at most.
const AIMS: [(&str, &str, f64); 3] = [
    ("tidewire callback", "picows", 0.8),
    ("tidewire async", "websockets", 0.33),
    ("tidewire async", "aiohttp", 0.6),
];
const BROADCAST_AIM: f64 = 0.2;
const SUBSCRIBERS: usize = 5_000;

type Ready = Vec<(&'static Peer, Vec<PathBuf>)>;

/// All that is needed to measure.
pub(super) struct Part {
    tester: Tester,
    workloads: Vec<&'static Workload>,
    servers: Ready,
    broadcasters: Ready,
    audience: Audience,
    rounds: u32,
}

impl Part {
    pub(super) fn prepare(
        tester: Tester,
        workloads: &[String],
        names: &[String],
        rounds: u32,
        quick: bool,
        raw: &mut Value,
    ) -> Result<Self> {
        let usual = USUAL.map(str::to_owned);
        let workloads = echo::chosen(if workloads.is_empty() { &usual } else { workloads })?;
        let mut ready = |list| super::prepare(peers::chosen(list, names)?, raw);
        let (servers, broadcasters) = (ready(peers::PYTHON)?, ready(peers::PYTHON_BROADCAST)?);
        let (subscribers, messages) = if quick { (500, 100) } else { (SUBSCRIBERS, 100) };
        let audience = Audience::new(tester.cores, subscribers, messages)?;
        Ok(Self { tester, workloads, servers, broadcasters, audience, rounds })
    }

    /// The echo, and then the broadcast. `keep` gets all there is, whenever there is more.
    pub(super) fn measure(&self, mut keep: impl FnMut(&Value) -> Result<()>) -> Result<()> {
        let mut found = json!({});
        found["echo"] = echo::measure(&self.tester, &self.servers, &self.workloads, self.rounds, |turns| {
            keep(&json!({ "echo": turns }))
        })?;
        let mut all = Vec::new();
        for round in 1..=self.rounds {
            for size in SIZES {
                for (peer, prepared) in &self.broadcasters {
                    let cost = self.audience.cost(&mut peer.command(prepared, false), &[], size)?;
                    println!(
                        "round {round} broadcast of {size} B, {:<20} {cost:>7.0} ns a delivery",
                        peer.name
                    );
                    all.push(json!({
                        "round": round, "size": size, "subscribers": self.audience.subscribers, "peer": peer.name,
                        "ns": cost,
                    }));
                }
            }
            found["broadcast"] = json!(all);
            keep(&found)?;
        }
        Ok(())
    }
}

pub(super) fn section(found: &Value) -> Section {
    let table = Table::read(&found["echo"]);
    let mut text = format!(
        "## Python\n\n{}\nThe last word of a name is the loop. `bare` is a TCP echo on it, a `BufferedProtocol` that writes what \
         was read.\n\n### Processor time of the server for a message, as a ratio on the same loop\n\nUser and system, all \
         threads, in the same round. Median [least–most] of the rounds.\n\n| | loop | {} | aim |\n|---|---|{}---|\n",
        table.about(),
        table.workloads.join(" | "),
        "---|".repeat(table.workloads.len()),
    );
    let bare = ["tidewire callback", "tidewire async", "picows", "aiohttp", "websockets"];
    let bare = bare.map(|ours| (ours, "bare", None));
    for (ours, other, aim) in AIMS.map(|(ours, other, aim)| (ours, other, Some(aim))).into_iter().chain(bare)
    {
        for on in LOOPS {
            let ratio = |workload: &String| {
                table.ratio_to(&format!("{ours} {on}"), &format!("{other} {on}"), workload)
            };
            let cells = table.workloads.iter().map(|workload| cell(ratio(workload), 2));
            let aim = aim.map_or(String::new(), |aim| format!("{aim}"));
            let _ = writeln!(text, "| {ours} ÷ {other} | {on} | {} | {aim} |", join(cells, " | "));
        }
    }
    text.push_str(&table.figures());
    text.push_str(&table.remarks());
    text.push_str(&broadcasts(&found["broadcast"]));
    Section { text, plots: vec![] }
}

fn broadcasts(found: &Value) -> String {
    let entries = || found.as_array().into_iter().flatten();
    let Some(first) = entries().next() else { return String::new() };
    let mut text = format!(
        "\n### Broadcast to {} connections\n\nProcessor time of the sending process for a delivery, ns. The aim for the ratio is \
         {BROADCAST_AIM}.\n\n| bytes | loop | tidewire | websockets | tidewire ÷ websockets |\n|---|---|---|---|---|\n",
        first["subscribers"],
    );
    for size in SIZES {
        for on in LOOPS {
            let of = |library: &str| -> Vec<(&Value, f64)> {
                let name = format!("{library} {on}");
                let these = entries().filter(|entry| entry["size"] == size && entry["peer"] == name.as_str());
                these.filter_map(|entry| Some((&entry["round"], entry["ns"].as_f64()?))).collect()
            };
            let (ours, theirs) = (of("tidewire"), of("websockets"));
            let spread = |of: &[(&Value, f64)]| cell(Spread::of(of.iter().map(|(_, ns)| *ns)), 0);
            let same = |round: &Value| theirs.iter().find(|(other, _)| *other == round);
            let ratio = Spread::of(ours.iter().filter_map(|(round, ns)| Some(ns / same(round)?.1)));
            let _ = writeln!(
                text,
                "| {size} | {on} | {} | {} | {} |",
                spread(&ours),
                spread(&theirs),
                cell(ratio, 2)
            );
        }
    }
    text
}

fn cell(spread: Option<Spread>, digits: usize) -> String {
    spread.map_or("–".to_owned(), |spread| Cell { spread, digits, mark: "" }.to_string())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two rounds in B of two servers on each loop, and one of a broadcast.
    pub(in super::super) fn canned() -> Value {
        let (mut echo, mut broadcast) = (Vec::new(), Vec::new());
        for round in 1..=2 {
            for (peer, cpu) in [("tidewire callback uvloop", 6000.0), ("picows uvloop", 8000.0)] {
                echo.push(json!({
                    "peer": peer, "workload": "B", "round": round, "cpu_ns": cpu, "rate": 1e5, "p50_ns": 1e5,
                    "p99_ns": 2e5, "tester_busy": 0.7, "others": 0.0,
                }));
            }
        }
        for (peer, ns) in [("tidewire asyncio", 1500.0), ("websockets asyncio", 6000.0)] {
            broadcast.push(json!({"round": 1, "size": 64, "subscribers": 5000, "peer": peer, "ns": ns}));
        }
        json!({ "echo": echo, "broadcast": broadcast })
    }

    #[test]
    fn ratios_are_those_of_the_same_loop_and_round() {
        let text = section(&canned()).text;
        assert!(text.contains("| tidewire callback ÷ picows | uvloop | 0.75 [0.75–0.75] | 0.8 |"), "{text}");
        assert!(text.contains("| tidewire callback ÷ picows | asyncio | – | 0.8 |"), "{text}");
        assert!(
            text.contains("| 64 | asyncio | 1500 [1500–1500] | 6000 [6000–6000] | 0.25 [0.25–0.25] |"),
            "{text}"
        );
        assert!(text.contains("| 1024 | uvloop | – | – | – |"), "{text}");
    }
}
