//! `tidewire bench`: a load generator that checks what comes back.

mod baseline;
mod broadcast;
mod distribution;
mod echo;
mod engine;
mod failure;
mod idle;
mod limits;
mod local;
mod pace;
mod payload;
mod plan;
pub(crate) mod report;
mod signals;
mod sources;
mod storm;
mod summary;
mod tally;
mod track;
mod usage;
mod watch;
mod worker;

use crate::args::BenchArgs;
use crate::ui;
use failure::Failure;
use plan::Plan;
use report::{Report, Sample};
use std::io::{self, Write as _};
use std::process::ExitCode;
use watch::Watch;

/// Runs `tidewire bench`.
pub(crate) fn run(args: &BenchArgs) -> ExitCode {
    match measure(args) {
        Ok(report) => ExitCode::from(status(&report)),
        Err(failure) => {
            ui::error(&failure.text);
            ExitCode::from(failure.status)
        }
    }
}

fn measure(args: &BenchArgs) -> Result<Report, Failure> {
    let plan = Plan::new(args)?;
    let report = engine::run(&plan, &mut Unwatched)?;
    print(args, &report).map_err(|error| Failure::usage(format!("the report can't be written: {error}")))?;
    Ok(report)
}

/// The exit status that a report comes to: interrupted, or something wrong with the server, or 0.
fn status(report: &Report) -> u8 {
    match &report.cut_short {
        Some(why) if why == engine::INTERRUPTED => 130,
        Some(_) => 1,
        None => u8::from(report.faults != report::Faults::default()),
    }
}

struct Unwatched;

impl Watch for Unwatched {
    fn opening(&mut self, _opened: u64, _wanted: u64) {}

    fn sample(&mut self, _sample: &Sample) {}
}

fn print(args: &BenchArgs, report: &Report) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, report)?;
        return writeln!(out);
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of messages")]
    let rate = report.received.messages as f64 / report.elapsed_s;
    writeln!(out, "{} messages in {:.2} s: {rate:.0}/s", report.received.messages, report.elapsed_s)?;
    if let Some(latency) = &report.latency {
        let (p50, p99, max) = (latency.p50_ns / 1000, latency.p99_ns / 1000, latency.max_ns / 1000);
        writeln!(out, "latency p50 {p50} µs, p99 {p99} µs, max {max} µs")?;
    }
    writeln!(out, "{:?}\n{:?}", report.faults, report.generator)
}
