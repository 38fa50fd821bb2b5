//! `tidewire bench`: a load generator that checks what comes back.

mod baseline;
mod broadcast;
mod content;
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
pub(crate) mod show;
mod signals;
mod sources;
mod storm;
mod summary;
mod tally;
mod track;
mod usage;
pub(crate) mod watch;
mod worker;

use crate::args::BenchArgs;
use crate::ui;
use failure::Failure;
use plan::Plan;
use report::Report;
use show::{Show, threshold};

/// Runs `tidewire bench`.
pub(crate) fn run(args: &BenchArgs) -> u8 {
    let done = if args.output.compare.is_empty() { measure(args) } else { compare(args) };
    done.unwrap_or_else(|failure| {
        ui::error(&failure.text);
        failure.status
    })
}

fn compare(args: &BenchArgs) -> Result<u8, Failure> {
    show::compare(&args.output.compare, args.output.color).map_err(Failure::usage)?;
    Ok(0)
}

fn measure(args: &BenchArgs) -> Result<u8, Failure> {
    let plan = Plan::new(args)?;
    let show = Show::open(&args.output).map_err(Failure::usage)?;
    let (report, found) = match &args.output.find_rate {
        Some(condition) => search(&plan, &show, condition)?,
        None => (Some(run_once(&plan, &show)?), true),
    };
    let Some(report) = report else { return Ok(threshold::STATUS) };
    let held = show.finish(&report).map_err(Failure::usage)?;
    Ok(match status(&report) {
        0 if !(held && found) => threshold::STATUS,
        status => status,
    })
}

fn run_once(plan: &Plan, show: &Show) -> Result<Report, Failure> {
    engine::run(plan, &mut *show.watch(plan.mode))
}

/// Runs at one rate after the other; the report of the highest that holds, or of the last where none does.
fn search(
    plan: &Plan,
    show: &Show,
    condition: &threshold::Condition,
) -> Result<(Option<Report>, bool), Failure> {
    if plan.mode == report::Mode::Idle {
        return Err(Failure::usage("--find-rate needs messages or handshakes: --mode idle has none"));
    }
    let start = plan.rate.unwrap_or(FIRST_RATE);
    let found = show.find_rate(condition, start, &mut |rate| {
        let report = run_once(&Plan { rate: Some(rate), ..plan.clone() }, show)?;
        match &report.cut_short {
            Some(why) if why == engine::INTERRUPTED => {
                Err(Failure { status: INTERRUPTED, text: "interrupted in the middle of the search".into() })
            }
            _ => Ok(report),
        }
    })?;
    let holds = found.rate.is_some();
    Ok((found.report, holds))
}

/// Where a search begins that was given no rate, per second.
const FIRST_RATE: f64 = 1000.0;
/// The exit status behind Ctrl-C.
const INTERRUPTED: u8 = 130;

/// The exit status that a report comes to: interrupted, or something wrong with the server, or 0.
fn status(report: &Report) -> u8 {
    match &report.cut_short {
        Some(why) if why == engine::INTERRUPTED => INTERRUPTED,
        Some(_) => 1,
        None => u8::from(report.faults != report::Faults::default()),
    }
}
