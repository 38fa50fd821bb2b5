//! The answer to a request that does not become a WebSocket.

use super::READ;
use crate::wire::Wire;
use std::{io, time::Duration};
use tidewire_proto::Time;

/// How long a peer may take to read an answer's next bytes.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a peer that was answered may take to close.
const LINGER: Duration = Duration::from_secs(1);
/// Reads of what is thrown away, before others have their turn.
const ROUNDS: usize = 64;

/// An answer on its way out, and what is done until the peer has read it.
pub(crate) struct Answering {
    pub(crate) wire: Wire,
    last: bool,
    shut: bool,
    left: usize,
    /// The peer sends more than was read.
    pub(crate) more: bool,
    pub(crate) deadline: Time,
}

impl Answering {
    pub(crate) fn new(wire: Wire, now: Time) -> Self {
        Self { wire, last: false, shut: false, left: usize::MAX, more: false, deadline: now.after(ANSWER) }
    }

    pub(crate) fn push(&mut self, bytes: &[u8], last: bool, is_own_thread: bool) -> io::Result<()> {
        self.last |= last;
        self.wire.push_from(bytes, is_own_thread)
    }

    /// Bytes that wait to be written.
    pub(crate) fn pending(&self) -> usize {
        self.wire.pushed()
    }

    /// Goes on; `true` once the peer has the answer, or does not want it.
    pub(crate) fn go_on(&mut self, now: Time) -> bool {
        if self.wire.push_on().is_err() {
            return true;
        }
        if self.pending() != self.left {
            self.left = self.pending();
            self.deadline = now.after(ANSWER);
        }
        if self.last && self.left == 0 && !self.shut {
            self.shut = true;
            self.deadline = now.after(LINGER);
            if self.wire.shutdown().is_err() {
                return true;
            }
        }
        // What a peer still sends is thrown away: a reset would take the answer with it.
        let mut thrown_away = [0; READ];
        self.more = true;
        for _ in 0..ROUNDS {
            match self.wire.read(&mut thrown_away) {
                Ok(Some(0)) if self.shut => return true,
                Ok(Some(0) | None) => {
                    self.more = false;
                    break;
                }
                Ok(Some(_)) => {}
                Err(_) => return true,
            }
        }
        self.deadline <= now
    }
}
