//! Connections that are held, and those that are closed as soon as they are open.

use super::local::{Local, Stage};
use std::task::Waker;
use std::time::Duration;
use tidewire::{CloseCode, Context, Handler, MessageRef, Outcome};

/// Closes the connection as a client that has what it wants.
pub(crate) fn leave(ws: &mut Context<'_>) {
    let closed = ws.close(CloseCode::NORMAL, "");
    debug_assert!(closed.is_ok(), "1000 can be sent");
}

/// One connection of idle mode: counts the server's pings, which the library answers, and times the answers to its own.
#[derive(Debug)]
pub(crate) struct Idle {
    /// On its thread.
    place: u32,
    registered: bool,
    closing: bool,
}

impl Idle {
    /// The connection at `place` of its thread.
    pub(crate) fn new(place: usize) -> Self {
        Self { place: u32::try_from(place).expect("fewer places"), registered: false, closing: false }
    }
}

impl Handler for Idle {
    fn on_message(&mut self, _ws: &mut Context<'_>, message: MessageRef<'_>) {
        Local::with(|local| local.tally.received.add(message.as_bytes().len()));
    }

    fn on_ping(&mut self, _ws: &mut Context<'_>, payload: &[u8]) {
        Local::with(|local| local.tally.received.add(payload.len()));
    }

    fn on_pong(&mut self, _ws: &mut Context<'_>, _payload: &[u8], latency: Option<Duration>) {
        if let Some(latency) = latency {
            let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            Local::with(|local| local.tally.latency.record(nanos));
        }
    }

    fn on_turn(&mut self, ws: &mut Context<'_>, waker: &Waker) {
        Local::with(|local| {
            if !self.registered {
                self.registered = true;
                local.wakers[self.place as usize] = Some(waker.clone());
            }
            if local.stage == Stage::Closing && !self.closing {
                self.closing = true;
                leave(ws);
            }
        });
    }

    fn on_end(&mut self, outcome: &Outcome) {
        Local::with(|local| {
            local.wakers[self.place as usize] = None;
            local.ended(Some(outcome));
        });
    }
}

/// A connection that has served its purpose once it is open.
#[derive(Debug, Default)]
pub(crate) struct Brief {
    closing: bool,
}

impl Handler for Brief {
    fn on_message(&mut self, _ws: &mut Context<'_>, _message: MessageRef<'_>) {}

    fn on_turn(&mut self, ws: &mut Context<'_>, _waker: &Waker) {
        if !self.closing {
            self.closing = true;
            leave(ws);
        }
    }

    fn on_end(&mut self, outcome: &Outcome) {
        Local::with(|local| local.ended(Some(outcome)));
    }
}
