//! Our server as connections grow, as messages grow, and with one worker and two.

use super::peers::Server;
use super::plot::{self, Lines};
use super::report::Section;
use super::tester::{Figures, Tester};
use super::workloads::Workload;
use crate::sh;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

const CONNECTIONS: [u32; 6] = [100, 300, 1_000, 3_000, 8_000, 15_000];
/// Bytes of a message while connections grow.
const SMALL: u32 = 125;
const SIZES: [u32; 6] = [16, 256, 4 << 10, 64 << 10, 1 << 20, 16 << 20];
/// Connections while messages grow.
const FEW: u32 = 16;

pub(super) fn measure(tester: &Tester, tidewire: &Path, quick: bool) -> Result<Value> {
    let mut all = Vec::new();
    let step = if quick { 3 } else { 1 };
    let by_connections =
        CONNECTIONS.iter().step_by(step).map(|count| ("connections", *count, Workload::echo(*count, SMALL)));
    let by_size = SIZES.iter().step_by(step).map(|size| ("size", *size, Workload::echo(FEW, *size)));
    for (by, at, workload) in by_connections.chain(by_size) {
        for workers in [1, 2] {
            let figures = one(tester, tidewire, workers, &workload);
            let figures = figures.with_context(|| format!("{workers} workers, {by} {at}"))?;
            println!(
                "scale: {workers} workers, {by} {at}: {:.2} µs {:.0}/s",
                figures.cpu / 1e3,
                figures.rate
            );
            let mut entry = figures.to_json();
            entry["workers"] = json!(workers);
            entry["by"] = json!(by);
            entry["at"] = json!(at);
            all.push(entry);
        }
    }
    Ok(all.into())
}

/// Server and tester on both cores: two workers need them.
fn one(tester: &Tester, tidewire: &Path, workers: u32, workload: &Workload) -> Result<Figures> {
    let mut command = sh::command(tidewire);
    command.args([
        "serve",
        "--port",
        "0",
        "--quiet",
        "--no-console",
        "--no-deflate",
        "--max-message",
        "64MiB",
    ]);
    command.args(["--workers", &workers.to_string()]);
    let server = Server::start(&mut command, "bench-scale")?;
    let cores = [tester.cores.server, tester.cores.tester];
    tester.load(&server, workload, false, &cores, &[]).with_context(|| server.tail())
}

pub(super) fn section(found: &Value) -> Section {
    let mut text = String::from(
        "## Scale\n\nOur server with one worker and with two. Here the two cores are shared with the tester, so that messages per \
         second with two workers say little; the processor time for a message says what growing costs.\n",
    );
    let mut plots = Vec::new();
    for (by, title, x) in [
        ("connections", format!("Messages of {SMALL} B"), "connections"),
        ("size", format!("{FEW} connections"), "bytes of a message"),
    ] {
        let _ = writeln!(
            text,
            "\n### {title}\n\n| {x} | workers | µs of the server for a message | messages/s | 99 of 100 within µs |\n|---|---|---|---|---|"
        );
        let mut curves = vec![("1 worker".to_owned(), Vec::new()), ("2 workers".to_owned(), Vec::new())];
        for entry in found.as_array().into_iter().flatten().filter(|entry| entry["by"] == by) {
            let Some(figures) = Figures::from_json(entry) else { continue };
            let busy = if figures.counts() { "" } else { " (others were busy)" };
            let _ = writeln!(
                text,
                "| {} | {} | {:.2}{busy} | {:.0} | {:.0} |",
                entry["at"],
                entry["workers"],
                figures.cpu / 1e3,
                figures.rate,
                figures.p99 / 1e3
            );
            let line = usize::from(entry["workers"] == 2);
            curves[line].1.push((entry["at"].as_f64().unwrap_or(1.0), figures.cpu / 1e3));
        }
        let name = format!("scale-{by}.svg");
        let _ = writeln!(text, "\n![by {by}]({name})");
        plots.push((
            name,
            plot::lines(&Lines { title: &title, x, y: "µs of the server for a message", curves }),
        ));
    }
    Section { text, plots }
}
