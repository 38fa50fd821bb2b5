//! The workloads over all peers, in turns.

use super::figures::{Cell, Spread};
use super::peers::{LIMIT_NAME, OURS, Peer};
use super::plot::{self, Bars, Group};
use super::report::{Section, join};
use super::tester::{Figures, Tester};
use super::workloads::{WORKLOADS, Workload};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The workloads that are asked for.
pub(super) fn chosen(names: &[String]) -> Result<Vec<&'static Workload>> {
    let is = |workload: &Workload, name: &str| name.eq_ignore_ascii_case(&workload.name.to_string());
    for name in names {
        ensure!(
            WORKLOADS.iter().any(|workload| is(workload, name)),
            "no workload is called {name:?}: A to H are"
        );
    }
    let wanted = |workload: &&Workload| names.is_empty() || names.iter().any(|name| is(workload, name));
    Ok(WORKLOADS.iter().filter(wanted).collect())
}

/// Every round each peer has its turn in each workload, one after the other, so that what disturbs the machine disturbs all.
pub(super) fn measure(
    tester: &Tester,
    peers: &[(&Peer, Vec<PathBuf>)],
    workloads: &[&Workload],
    rounds: u32,
    mut keep: impl FnMut(&Value) -> Result<()>,
) -> Result<Value> {
    let mut turns = Vec::new();
    for round in 1..=rounds {
        for workload in workloads {
            for (peer, prepared) in peers {
                if workload.deflate && !peer.deflate && !peer.is_bare() {
                    continue;
                }
                let turn = tester.turn(peer, prepared, workload);
                let mut entry = match &turn {
                    Ok(figures) => figures.to_json(),
                    Err(error) => json!({ "failed": format!("{error:#}").lines().next() }),
                };
                match &turn {
                    Ok(figures) => println!(
                        "round {round} {} {:<26} {:>9.2} µs {:>10.0}/s{}",
                        workload.name,
                        peer.name,
                        figures.cpu / 1e3,
                        figures.rate,
                        if figures.counts() { "" } else { "  dropped: others were busy" },
                    ),
                    Err(error) => {
                        println!("round {round} {} {}: FAILED: {error:#}", workload.name, peer.name);
                    }
                }
                entry["peer"] = json!(peer.name);
                entry["workload"] = json!(workload.name);
                entry["round"] = json!(round);
                turns.push(entry);
            }
        }
        keep(&Value::from(turns.clone()))?;
    }
    Ok(Value::from(turns))
}

/// All that is known of one peer in one workload, by round.
type Turns = BTreeMap<u64, Figures>;

/// Turns, by peer and workload.
pub(super) struct Table {
    peers: Vec<String>,
    pub(super) workloads: Vec<String>,
    turns: BTreeMap<(String, String), Turns>,
    dropped: usize,
    failures: BTreeMap<String, usize>,
}

impl Table {
    pub(super) fn read(turns: &Value) -> Self {
        let mut table = Self {
            peers: Vec::new(),
            workloads: Vec::new(),
            turns: BTreeMap::new(),
            dropped: 0,
            failures: BTreeMap::new(),
        };
        for turn in turns.as_array().into_iter().flatten() {
            let text = |name: &str| turn[name].as_str().unwrap_or_default().to_owned();
            let (peer, workload) = (text("peer"), text("workload"));
            for (list, name) in [(&mut table.peers, &peer), (&mut table.workloads, &workload)] {
                if !list.contains(name) {
                    list.push(name.clone());
                }
            }
            match Figures::from_json(turn) {
                Some(figures) if figures.counts() => {
                    let round = turn["round"].as_u64().unwrap_or_default();
                    table.turns.entry((peer, workload)).or_default().insert(round, figures);
                }
                Some(_) => table.dropped += 1,
                None => {
                    *table
                        .failures
                        .entry(format!("{peer} in {workload}: {}", text("failed")))
                        .or_default() += 1;
                }
            }
        }
        table
    }

    fn turns(&self, peer: &str, workload: &str) -> impl Iterator<Item = (&u64, &Figures)> {
        self.turns.get(&(peer.to_owned(), workload.to_owned())).into_iter().flatten()
    }

    fn spread(&self, peer: &str, workload: &str, figure: impl Fn(&Figures) -> f64) -> Option<Spread> {
        Spread::of(self.turns(peer, workload).map(|(_, figures)| figure(figures)))
    }

    /// Processor time in units of what the bare echo took in the same round.
    fn ratio(&self, peer: &str, workload: &str) -> Option<Spread> {
        self.ratio_to(peer, LIMIT_NAME, workload)
    }

    /// Processor time in units of what another peer took in the same round.
    pub(super) fn ratio_to(&self, peer: &str, other: &str, workload: &str) -> Option<Spread> {
        let others: BTreeMap<u64, f64> =
            self.turns(other, workload).map(|(round, figures)| (*round, figures.cpu)).collect();
        let ratios = self.turns(peer, workload);
        Spread::of(ratios.filter_map(|(round, figures)| Some(figures.cpu / others.get(round)?)))
    }

    /// The workloads and what each sends.
    pub(super) fn about(&self) -> String {
        let known = WORKLOADS.iter().filter(|workload| self.workloads.contains(&workload.name.to_string()));
        join(known.map(|workload| format!("- {}: {}\n", workload.name, workload.about)), "")
    }

    /// A table for each thing that was measured.
    pub(super) fn figures(&self) -> String {
        let mut text = String::new();
        for (title, digits, figure) in [
            ("Processor time of the server for a message, µs", 2, (|it| it.cpu / 1e3) as fn(&Figures) -> f64),
            ("Thousands of messages per second", 1, |it| it.rate / 1e3),
            ("Round trip, 99 of 100 within µs", 0, |it| it.p99 / 1e3),
            ("Round trip, half of all within µs", 0, |it| it.p50 / 1e3),
        ] {
            let _ = write!(text, "\n### {title}\n\n");
            text.push_str(&self.rows(|peer, workload| {
                Some(Cell { spread: self.spread(peer, workload, figure)?, digits, mark: "" })
            }));
        }
        text
    }

    /// What was dropped, what failed, and how busy the tester was.
    pub(super) fn remarks(&self) -> String {
        let mut text = format!("\n{} turns were dropped because others were busy.\n", self.dropped);
        for (failure, count) in &self.failures {
            let _ = writeln!(text, "\nFailed {count} times: {failure}");
        }
        let busiest = self.turns.values().flatten().map(|(_, figures)| figures.tester).fold(0.0, f64::max);
        let _ = writeln!(text, "\nThe busiest the tester was: {:.0} % of its core.", busiest * 100.0);
        text
    }

    fn rows(&self, cell: impl Fn(&str, &str) -> Option<Cell>) -> String {
        let mut text =
            format!("| | {} |\n|---|{}\n", self.workloads.join(" | "), "---|".repeat(self.workloads.len()));
        for peer in &self.peers {
            let cells = self.workloads.iter().map(|workload| cell(peer, workload));
            let cells = cells.map(|cell| cell.map_or("–".to_owned(), |cell| cell.to_string()));
            let name = if peer.starts_with(OURS) { format!("**{peer}**") } else { peer.clone() };
            let _ = writeln!(text, "| {name} | {} |", join(cells, " | "));
        }
        text
    }
}

pub(super) fn section(turns: &Value) -> Section {
    let table = Table::read(turns);
    let mut text = format!("## Echo\n\n{}", table.about());
    let _ = write!(
        text,
        "\n### Processor time of the server for a message, as a ratio to the bare TCP echo\n\nUser and system, all threads, \
         against `{LIMIT_NAME}` in the same round. Median [least–most] of the rounds. `≈`: its range and that of `{OURS}` \
         overlap, or there were fewer than three rounds: a tie; `<`: it takes less than `{OURS}`.\n\n"
    );
    text.push_str(&table.rows(|peer, workload| {
        let (ratio, ours) = (table.ratio(peer, workload)?, table.ratio(OURS, workload));
        let compared = ours.filter(|_| peer != OURS && peer != LIMIT_NAME);
        Some(Cell { spread: ratio, digits: 2, mark: compared.map_or("", |ours| ratio.against(&ours)) })
    }));
    text.push_str("\n![ratios](ratios.svg)\n");
    text.push_str(&table.figures());
    text.push_str(&verdicts(&table));
    text.push_str(&table.remarks());
    Section { text, plots: vec![("ratios.svg".to_owned(), ratios(&table))] }
}

/// Who is ahead in each workload, and whether that is more than the spread.
fn verdicts(table: &Table) -> String {
    let mut text = String::from("\n### Who is ahead\n\n");
    for workload in &table.workloads {
        let Some(ours) = table.ratio(OURS, workload) else { continue };
        let others = table.peers.iter().filter(|peer| !peer.starts_with(OURS) && *peer != LIMIT_NAME);
        let rated = others.filter_map(|peer| Some((peer, table.ratio(peer, workload)?)));
        let Some((best, ratio)) = rated.min_by(|(_, a), (_, b)| a.median.total_cmp(&b.median)) else {
            continue;
        };
        let verdict = match ratio.against(&ours) {
            "≈" => "a tie",
            "<" => "it leads",
            _ => "we lead",
        };
        let _ = writeln!(
            text,
            "- {workload}: we {:.2}, the best of the others {best} with {:.2}: {verdict}",
            ours.median, ratio.median
        );
    }
    text
}

fn ratios(table: &Table) -> String {
    let groups = table.workloads.iter().map(|workload| Group {
        name: workload.clone(),
        bars: table
            .peers
            .iter()
            .filter(|peer| *peer != LIMIT_NAME)
            .filter_map(|peer| Some((peer.clone(), table.ratio(peer, workload)?, peer.starts_with(OURS))))
            .collect(),
    });
    plot::bars(&Bars {
        title: "Processor time of the server for a message; the bare TCP echo is 1",
        groups: groups.collect(),
        line: Some(1.0),
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Four rounds in B, of which the last of ours was disturbed, and one turn in H that failed.
    pub(in super::super) fn canned() -> Value {
        let mut turns = Vec::new();
        for round in 1..=4 {
            for (peer, cpu) in [("limit", 5000.0), ("tidewire", 5100.0), ("slow", 9000.0), ("near", 5150.0)] {
                let others = if peer == "tidewire" && round == 4 { 0.5 } else { 0.0 };
                turns.push(json!({
                    "peer": peer, "workload": "B", "round": round, "cpu_ns": cpu + f64::from(round) * 50.0,
                    "rate": 1e5, "p50_ns": 1e5, "p99_ns": 2e5, "tester_busy": 0.7, "others": others,
                }));
            }
        }
        turns.push(json!({"peer": "slow", "workload": "H", "round": 1, "failed": "it broke"}));
        Value::from(turns)
    }

    #[test]
    fn the_section_says_who_is_ahead() {
        let section = section(&canned());
        assert!(section.text.contains("| **tidewire** | 1.02 [1.02–1.02] | – |"), "{}", section.text);
        assert!(section.text.contains("| near | 1.03 [1.03–1.03] | – |"), "{}", section.text);
        assert!(section.text.contains("- B: we 1.02, the best of the others near with 1.03"));
        assert!(
            section.text.contains("1 turns were dropped") && section.text.contains("slow in H: it broke")
        );
        assert!(section.plots[0].1.contains("</svg>"));
    }
}
