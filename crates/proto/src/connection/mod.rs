//! A connection after its handshake: frames in, events out; messages in, frames out.
//!
//! The contract in one sentence: after every call that takes `&mut Connection`, drain its events
//! ([`next`](Connection::next)), write its [outbox](Connection::outbox), then arm its [deadline](Connection::deadline).

mod codec;
mod incoming;
mod lifecycle;
mod outgoing;
mod position;
mod special;

pub use lifecycle::Closing;

use crate::{
    close::Phase, config::Config, control::Control, deadline::Deadlines, deflate::DeflateParams,
    outbox::Outbox, pieces::Pieces, role::Role, stats::Stats, time::Time,
};
use alloc::{boxed::Box, sync::Arc};
use codec::Dedicated;
use core::time::Duration;
use incoming::Incoming;

/// One end of a WebSocket connection, without I/O.
#[derive(Debug)]
pub struct Connection {
    role: Role,
    phase: Phase,
    paused: bool,
    deflate: Option<DeflateParams>,
    config: Arc<Config>,
    dedicated: Option<Box<Dedicated>>,
    pieces: Pieces,
    late_pong: Option<Box<Control>>,
    closing: Option<Box<Closing>>,
    inward: Box<Inward>,
    outward: Box<Outward>,
}

/// What comes. Two parts of 104 bytes instead of one connection of 300: such small ones lie in what the allocator leaves
/// between the tasks of a server.
#[derive(Debug, Default)]
struct Inward {
    incoming: Incoming,
    stats: Stats,
}

/// What goes, and when.
#[derive(Debug)]
struct Outward {
    outbox: Outbox,
    deadlines: Deadlines,
}

impl Connection {
    /// A connection whose handshake ended now, with what it agreed on.
    pub fn new(role: Role, config: Arc<Config>, deflate: Option<DeflateParams>, now: Time) -> Self {
        let dedicated = Dedicated::new(role, &config, deflate.as_ref());
        Self {
            role,
            phase: Phase::Open,
            paused: false,
            deflate,
            config,
            dedicated,
            pieces: Pieces::default(),
            late_pong: None,
            closing: None,
            inward: Box::default(),
            outward: Box::new(Outward { outbox: Outbox::default(), deadlines: Deadlines::new(now) }),
        }
    }

    /// Which end we are.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The settings.
    pub const fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// How permessage-deflate was agreed on; `None` where it was not.
    pub const fn deflate(&self) -> Option<&DeflateParams> {
        self.deflate.as_ref()
    }

    /// How far the closing handshake has come.
    #[inline]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What waits to be written.
    #[inline]
    pub const fn outbox(&self) -> &Outbox {
        &self.outward.outbox
    }

    /// The outbox, to lend it a buffer.
    #[inline]
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outward.outbox
    }

    /// Whether more waits to be written than the high-water mark allows: whoever adds to it should wait.
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.outward.outbox.held() >= self.config.limits.outbox
    }

    /// What went over the connection so far.
    pub const fn stats(&self) -> &Stats {
        &self.inward.stats
    }

    /// The round trip of the last ping of our own that was answered.
    pub fn latency(&self) -> Option<Duration> {
        self.outward.deadlines.latency()
    }
}
