//! A run of `connect` from the first attempt to the exit status: connections, one after the other with `--reconnect`.

use super::command::{self, Action};
use super::exit::Outcome;
use super::input::Input;
use super::output::{Item, Output, OutputError, print};
use super::queue::Queue;
use super::session::{Dial, Message};
use super::talk::talk;
use crate::ui::units;
use std::collections::VecDeque;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;
use tidewire::dial::Backoff;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

/// What the command line decides about a run.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Sent first on every connection.
    pub(crate) execute: Vec<Message>,
    /// Silence after the end of the input that ends the run; `None` for ever.
    pub(crate) linger: Option<Duration>,
    /// Messages taken from the input.
    pub(crate) send_limit: Option<u64>,
    /// Messages received, then the end.
    pub(crate) count: Option<u64>,
    pub(crate) reconnect: bool,
    /// Attempts in a row.
    pub(crate) max_attempts: Option<u32>,
    pub(crate) close_timeout: Duration,
}

/// What ends a run from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Ctrl-C in the editor.
    Key,
    /// SIGINT or SIGTERM.
    Signal(u8),
    /// The output takes nothing more.
    OutputGone,
    OutputFailed(String),
}

impl Stop {
    /// What the run comes to when there is no connection to close, or no time.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Key => Outcome::Signalled(2),
            Self::Signal(signal) => Outcome::Signalled(signal),
            Self::OutputGone => Outcome::OutputClosed,
            Self::OutputFailed(why) => Outcome::Local(why),
        }
    }
}

/// How long the output may take for the rest after a signal.
const FAREWELL: Duration = Duration::from_millis(500);

/// A connection that lasted this long starts the waits anew; a server that accepts and hangs up does not.
const PROVEN: Duration = Duration::from_secs(5);

/// Messages that may wait for a connection.
const HELD: usize = 1000;

/// The user's side of a run; it outlives connections.
pub(crate) struct User<'a, I> {
    pub(crate) input: &'a mut I,
    pub(crate) stops: &'a mut UnboundedReceiver<Stop>,
    pub(crate) queue: &'a Queue,
    /// What waits for the next connection, in order.
    pub(crate) held: VecDeque<Message>,
    /// The input has ended, or its limit is reached.
    pub(crate) ended: bool,
    /// Messages taken from the input.
    pub(crate) sent: u64,
    /// Messages received on all connections.
    pub(crate) received: u64,
}

/// Connects, talks, connects again where that is asked for, and returns when all that came is written.
///
/// `stops` is what both ends of the channel belong to: the caller's signals go in, and so does an output that fails.
pub(crate) async fn run<D: Dial, I: Input, O: Output>(
    dial: &mut D,
    input: &mut I,
    output: &mut O,
    options: &Options,
    (stop, stops): (UnboundedSender<Stop>, &mut UnboundedReceiver<Stop>),
) -> Outcome {
    let queue = Queue::default();
    let mut printer = pin!(print(output, &queue));
    let mut printing = true;
    let outcome = {
        let user = User {
            input,
            stops: &mut *stops,
            queue: &queue,
            held: VecDeque::new(),
            ended: false,
            sent: 0,
            received: 0,
        };
        let mut connections = pin!(connections(dial, user, options));
        loop {
            tokio::select! {
                outcome = &mut connections => break outcome,
                result = &mut printer, if printing => {
                    printing = false;
                    if let Err(error) = result {
                        // The receiver is alive: `connections` holds it.
                        let _ = stop.send(stop_of(error));
                    }
                }
            }
        }
    };
    queue.finish();
    if !printing {
        return outcome;
    }
    tokio::select! {
        result = printer => match result {
            Ok(()) | Err(OutputError::Gone) => outcome,
            Err(OutputError::Failed(why)) => Outcome::Local(why),
        },
        // A reader that takes nothing must not keep someone who wants to leave.
        Some(stop) = stops.recv() => stop.outcome(),
        () = tokio::time::sleep(FAREWELL), if matches!(outcome, Outcome::Signalled(_)) => outcome,
    }
}

fn stop_of(error: OutputError) -> Stop {
    match error {
        OutputError::Gone => Stop::OutputGone,
        OutputError::Failed(why) => Stop::OutputFailed(why),
    }
}

async fn connections<D: Dial, I: Input>(dial: &mut D, mut user: User<'_, I>, options: &Options) -> Outcome {
    let mut backoff = Backoff::default().stable_after(PROVEN);
    let mut was_connected = false;
    loop {
        let outcome = match user.away(dial.dial(), was_connected).await {
            Ok(Ok(session)) => {
                was_connected = true;
                let began = Instant::now();
                let outcome = talk(session, &mut user, options).await;
                backoff.connected_for(began.elapsed());
                outcome
            }
            Ok(Err(error)) => {
                if let Some(answer) = error.answer {
                    user.queue.push(Item::Headers(Rc::from(answer)));
                }
                Outcome::NotConnected { kind: error.kind, passing: error.passing, text: error.text }
            }
            Err(outcome) => return outcome,
        };
        let spent = options.max_attempts.is_some_and(|most| backoff.failures() >= most);
        if !options.reconnect || !outcome.may_reconnect() || spent {
            user.tell_unsent(&outcome);
            return outcome;
        }
        let wait = backoff.wait(random);
        let text = format!("{outcome}; connecting again in {}", units::duration(wait));
        user.queue.push(Item::Warning(text));
        if let Err(outcome) = user.away(tokio::time::sleep(wait), was_connected).await {
            return outcome;
        }
    }
}

/// A number from 0 up to 1; 1 itself where the system has no randomness.
fn random() -> f64 {
    getrandom::u32().map_or(1.0, |random| f64::from(random) / (f64::from(u32::MAX) + 1.0))
}

impl<I: Input> User<'_, I> {
    /// Waits for `future` without a connection. What a person types meanwhile is held; a pipe is not read.
    async fn away<F: Future>(&mut self, future: F, was_connected: bool) -> Result<F::Output, Outcome> {
        let mut future = pin!(future);
        let listening = was_connected && self.input.is_interactive();
        loop {
            tokio::select! {
                output = &mut future => return Ok(output),
                Some(stop) = self.stops.recv() => return Err(stop.outcome()),
                action = self.input.next(), if listening && !self.ended => match action {
                    Ok(Some(action)) => self.hold(action).await?,
                    Ok(None) => self.ended = true,
                    Err(why) => return Err(Outcome::Local(why)),
                },
            }
        }
    }

    async fn hold(&mut self, action: Action) -> Result<(), Outcome> {
        let message = match action {
            Action::Close(_) => return Err(Outcome::Left),
            Action::Send(message) => message,
            Action::File(path) => match read_file(&path).await {
                Ok(message) => message,
                Err(why) => return self.reply(why),
            },
            Action::Ping(_) | Action::Headers => return self.reply("not connected".into()),
            Action::ToggleJson => {
                self.queue.push(Item::ToggleJson);
                return Ok(());
            }
            Action::Help => return self.reply(command::help()),
            Action::Refuse(why) => return self.reply(why),
        };
        if self.held.len() >= HELD {
            return self
                .reply(format!("not connected, and {HELD} messages wait already: this one is not kept"));
        }
        self.held.push_back(message);
        self.sent += 1;
        self.reply(format!("not connected: kept and sent later ({} waiting)", self.held.len()))
    }

    #[expect(clippy::unnecessary_wraps, reason = "what `hold` returns")]
    fn reply(&self, text: String) -> Result<(), Outcome> {
        self.queue.push(Item::Reply(text));
        Ok(())
    }

    /// Says what of the input was not sent.
    fn tell_unsent(&self, outcome: &Outcome) {
        let cut_off = matches!(outcome, Outcome::ClosedByServer(_) | Outcome::Failed { .. });
        if cut_off && !self.ended && self.input.has_rest() {
            self.queue.push(Item::Warning("the rest of stdin was not sent".into()));
        }
        match self.held.len() {
            0 => {}
            1 => self.queue.push(Item::Warning("a message was not sent".into())),
            more => self.queue.push(Item::Warning(format!("{more} messages were not sent"))),
        }
    }
}

/// The largest file that is sent as one message.
const LARGEST_FILE: u64 = 1 << 30;

/// A file as a message: text where it is UTF-8, else binary.
pub(crate) async fn read_file(path: &str) -> Result<Message, String> {
    let refuse = |error: std::io::Error| format!("{path} can't be read: {error}");
    let metadata = tokio::fs::metadata(path).await.map_err(refuse)?;
    if !metadata.is_file() {
        return Err(format!("{path} is no file"));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(format!("{path} is larger than 1 GiB"));
    }
    let bytes = tokio::fs::read(path).await.map_err(refuse)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => Message::Text(text),
        Err(error) => Message::Binary(error.into_bytes().into()),
    })
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
