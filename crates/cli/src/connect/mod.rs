//! `tidewire connect`: a client in a terminal, and an exact one in a pipe.

mod codec;
mod command;
mod display;
mod editor;
pub(crate) mod exit;
pub(crate) mod framing;
mod input;
pub(crate) mod network;
mod output;
pub(crate) mod plan;
mod queue;
mod run;
#[cfg(test)]
mod scripted;
pub(crate) mod session;
mod talk;
pub(crate) mod url;
mod writer;

use crate::FAILURE;
use crate::args::ConnectArgs;
use crate::ui::{self, style::Palette};
use display::Display;
use exit::Outcome;
use input::{Input, NoInput, PipeInput};
use output::{Item, Output, PipeOutput};
use plan::{Plan, Terminals};
use run::Stop;
use session::Dial;
use std::io;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Runs `tidewire connect`.
pub(crate) fn run(args: &ConnectArgs) -> u8 {
    let terminals = Terminals::of_this_process();
    let outcome = Plan::new(args, terminals).and_then(|plan| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("the runtime can't be started: {error}"))?;
        let outcome = runtime.block_on(async {
            let mut dial = network::Dialer::new(&plan, args)?;
            start(&plan, args, terminals, &mut dial).await
        });
        // A read of stdin that is under way would keep the runtime until the next line.
        runtime.shutdown_background();
        outcome
    });
    match outcome {
        Ok(outcome) => outcome.status(),
        Err(why) => {
            ui::error(&why);
            FAILURE
        }
    }
}

type Stops = (UnboundedSender<Stop>, UnboundedReceiver<Stop>);

async fn start<D: Dial>(
    plan: &Plan,
    args: &ConnectArgs,
    terminals: Terminals,
    dial: &mut D,
) -> Result<Outcome, String> {
    let stops = mpsc::unbounded_channel();
    signals(&stops.0).map_err(|error| format!("signals can't be heard: {error}"))?;
    let palette = Palette::new(args.color.enabled(terminals.stdout));
    let display = Display::new(plan.display.clone(), palette);
    if plan.editor {
        return in_editor(plan, args, display, dial, stops).await;
    }
    let mut output =
        PipeOutput::new(tokio::io::stdout(), io::stderr(), plan.encoder, display, terminals.stdout);
    let outcome = if plan.no_input {
        talk(plan, dial, &mut NoInput, &mut output, stops).await
    } else {
        let mut input = PipeInput::new(tokio::io::stdin(), plan.framing, plan.decoding, plan.escape);
        talk(plan, dial, &mut input, &mut output, stops).await
    };
    let is_expected = match &outcome {
        Outcome::OutputClosed => true,
        Outcome::ClosedByUs(_) => !args.verbose,
        outcome => args.quiet && outcome.status() == 0,
    };
    if !is_expected {
        ui::error(&outcome.to_string());
    }
    Ok(outcome)
}

async fn talk<D: Dial, I: Input, O: Output>(
    plan: &Plan,
    dial: &mut D,
    input: &mut I,
    output: &mut O,
    (stop, mut stops): Stops,
) -> Outcome {
    run::run(dial, input, output, &plan.options, (stop, &mut stops)).await
}

async fn in_editor<D: Dial>(
    plan: &Plan,
    args: &ConnectArgs,
    display: Display,
    dial: &mut D,
    stops: Stops,
) -> Result<Outcome, String> {
    let colored = args.color.enabled(true);
    let (mut input, mut output) = editor::open(display, colored, !args.no_history, stops.0.clone())?;
    let outcome = talk(plan, dial, &mut input, &mut output, stops).await;
    if outcome != Outcome::OutputClosed && !(args.quiet && outcome.status() == 0) {
        // Where the terminal is gone, the exit status is all that is left to tell.
        let _ = output.write(Item::Reply(outcome.to_string()));
        let _ = output.flush().await;
    }
    output.restore();
    Ok(outcome)
}

/// Turns SIGINT and SIGTERM into stops.
#[cfg(unix)]
fn signals(stop: &UnboundedSender<Stop>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let mut signals = signal(kind)?;
        let stop = stop.clone();
        let number = u8::try_from(kind.as_raw_value()).unwrap_or(0);
        tokio::spawn(async move {
            while signals.recv().await.is_some() && stop.send(Stop::Signal(number)).is_ok() {}
        });
    }
    Ok(())
}

/// Turns Ctrl-C into stops.
#[cfg(not(unix))]
fn signals(stop: &UnboundedSender<Stop>) -> io::Result<()> {
    let stop = stop.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() && stop.send(Stop::Signal(2)).is_ok() {}
    });
    Ok(())
}
