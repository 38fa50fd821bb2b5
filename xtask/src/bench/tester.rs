//! One turn: a fresh server on its core, `tidewire bench` on the other, and what the two and the rest of the machine used.

use super::machine::{self, Cores, on_cores};
use super::peers::{Peer, Server};
use super::workloads::Workload;
use crate::sh::{self, seconds};
use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A turn in which others took more of the machine than this is dropped.
pub(super) const OTHERS: f64 = 0.3;

/// How turns are run.
pub(super) struct Tester {
    pub(super) program: PathBuf,
    pub(super) cores: Cores,
    /// Measured seconds of a turn.
    pub(super) seconds: f64,
}

/// What one turn has shown.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures {
    /// Processor time of the server for a message that came back, in nanoseconds.
    pub(super) cpu: f64,
    /// Messages per second.
    pub(super) rate: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
    /// The share of its core that the busiest thread of the tester used.
    pub(super) tester: f64,
    /// The share of the machine that others used meanwhile.
    pub(super) others: f64,
}

impl Tester {
    pub(super) fn turn(&self, peer: &Peer, prepared: &[PathBuf], workload: &Workload) -> Result<Figures> {
        let mut command = peer.command(prepared, workload.deflate);
        let log = format!("bench-{}", peer.name.replace([' ', '/'], "-"));
        let server = on_cores(&[self.cores.server], || Server::start(&mut command, &log))?;
        let figures = self.load(&server, workload, peer.is_bare(), &[self.cores.tester], &[]);
        figures.with_context(|| format!("{}{}", peer.name, server.tail()))
    }

    /// Puts load on a server; `more` are further options of the tester.
    pub(super) fn load(
        &self,
        server: &Server,
        workload: &Workload,
        bare: bool,
        cores: &[usize],
        more: &[&str],
    ) -> Result<Figures> {
        let scheme = if bare { "tcp" } else { "ws" };
        let mut command = sh::command(&self.program);
        command.arg("bench").args(workload.options(bare)).args(more);
        command.args([
            "--duration",
            &format!("{}s", self.seconds),
            "--warm-up",
            &format!("{}s", self.seconds / 3.0),
        ]);
        command.args(["--pid", &server.id().to_string(), "--threads", "1", "--quiet", "--json", "-"]);
        command.arg(format!("{scheme}://127.0.0.1:{}/", server.port).trim_end_matches(if bare {
            "/"
        } else {
            ""
        }));
        let log = sh::log("bench-tester")?;
        let (before, began) = (Used::now(server)?, Instant::now());
        let text = on_cores(cores, || sh::output(&mut command, &log, seconds(300)))?;
        let (after, took) = (Used::now(server)?, began.elapsed().as_secs_f64());
        let report: Value = serde_json::from_str(&text)
            .with_context(|| format!("what the tester wrote is no JSON: {text:.200}"))?;
        let others = (after.all - before.all) - (after.ours - before.ours);
        let cores = std::thread::available_parallelism()?.get();
        #[expect(clippy::cast_precision_loss, reason = "a few cores")]
        let others = (others / (took * cores as f64)).max(0.0);
        read(&report, workload.deflate && !bare, others)
    }
}

/// Seconds of processor time.
struct Used {
    all: f64,
    /// Of the server, the tester and this program.
    ours: f64,
}

impl Used {
    fn now(server: &Server) -> Result<Self> {
        let children = getrusage(UsageWho::RUSAGE_CHILDREN)?;
        let ended = children.user_time() + children.system_time();
        #[expect(clippy::cast_precision_loss, reason = "microseconds of years are exact")]
        let ended = ended.num_microseconds() as f64 / 1e6;
        let (server, this) =
            (machine::process_seconds(server.id())?, machine::process_seconds(std::process::id())?);
        Ok(Self { all: machine::all_seconds()?, ours: ended + server + this })
    }
}

/// Reads a report of `tidewire bench`, and refuses one that is no clean run.
fn read(report: &Value, deflate: bool, others: f64) -> Result<Figures> {
    let number = |pointer: &str| {
        report
            .pointer(pointer)
            .and_then(Value::as_f64)
            .with_context(|| format!("the report has no {pointer}"))
    };
    for fault in ["lost", "duplicated", "reordered", "corrupted"] {
        let count = number(&format!("/faults/{fault}"))?;
        ensure!(count == 0.0, "{count} messages {fault}");
    }
    for kind in ["closes", "errors"] {
        let found = report.get(kind).and_then(Value::as_object).context("a report without errors")?;
        ensure!(found.is_empty(), "{kind}: {found:?}");
    }
    ensure!(number("/connections/failed")? == 0.0, "connections failed");
    if let Some(reason) = report["cut_short"].as_str() {
        bail!("the run was cut short: {reason}");
    }
    let extension = report.pointer("/target/extension").and_then(Value::as_str).unwrap_or_default();
    ensure!(extension.contains("permessage-deflate") == deflate, "the server agreed on {extension:?}");
    let messages = number("/received/messages")?;
    ensure!(messages > 0.0, "no message came back");
    Ok(Figures {
        cpu: (number("/server/user_s")? + number("/server/system_s")?) * 1e9 / messages,
        rate: messages / number("/elapsed_s")?,
        p50: number("/latency/p50_ns")?,
        p99: number("/latency/p99_ns")?,
        tester: number("/generator/busiest")?,
        others,
    })
}

impl Figures {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "cpu_ns": self.cpu, "rate": self.rate, "p50_ns": self.p50, "p99_ns": self.p99,
            "tester_busy": self.tester, "others": self.others,
        })
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let number = |name: &str| value[name].as_f64();
        Some(Self {
            cpu: number("cpu_ns")?,
            rate: number("rate")?,
            p50: number("p50_ns")?,
            p99: number("p99_ns")?,
            tester: number("tester_busy")?,
            others: number("others")?,
        })
    }

    /// Whether others left the machine to it.
    pub(super) fn counts(&self) -> bool {
        self.others <= OTHERS
    }
}

/// The tester: our own program, built as users build it.
pub(super) fn find(tidewire: &Path) -> Result<PathBuf> {
    let known = sh::capture(sh::command(tidewire).args(["bench", "--help"]));
    known.context("the tester is `tidewire bench`, which this program does not have")?;
    Ok(tidewire.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canned() -> Value {
        json!({
            "elapsed_s": 2.0, "cut_short": null, "target": {"extension": null},
            "connections": {"failed": 0}, "received": {"messages": 1000},
            "latency": {"p50_ns": 10, "p99_ns": 20}, "closes": {}, "errors": {},
            "faults": {"lost": 0, "duplicated": 0, "reordered": 0, "corrupted": 0},
            "generator": {"busiest": 0.5}, "server": {"user_s": 0.001, "system_s": 0.004},
        })
    }

    #[test]
    fn a_report_is_read() {
        let figures = read(&canned(), false, 0.1).unwrap();
        assert!((figures.cpu - 5000.0).abs() < 1e-6 && (figures.rate - 500.0).abs() < 1e-6);
        assert_eq!(Figures::from_json(&figures.to_json()), Some(figures.clone()));
        assert!(figures.counts() && !Figures { others: 0.31, ..figures }.counts());
    }

    #[test]
    fn a_run_that_is_not_clean_is_refused() {
        for (pointer, value) in [
            ("/faults/corrupted", json!(1)),
            ("/errors", json!({"connection refused": 3})),
            ("/connections/failed", json!(1)),
            ("/cut_short", json!("interrupted")),
            ("/target/extension", json!("permessage-deflate")),
            ("/received/messages", json!(0)),
        ] {
            let mut report = canned();
            *report.pointer_mut(pointer).unwrap() = value;
            assert!(read(&report, false, 0.0).is_err(), "{pointer}");
        }
    }
}
