//! A connection after its handshake: frames in, events out; messages in, frames out.
//!
//! The contract in one sentence: after every call that takes `&mut Connection`, drain its events
//! ([`next`](Connection::next)), write its [outbox](Connection::outbox), then arm its [deadline](Connection::deadline).

mod codec;
mod incoming;
mod lifecycle;
mod outgoing;

pub use lifecycle::Closing;

use crate::{
    close::Phase, config::Config, deadline::Deadlines, deflate::DeflateParams, outbox::Outbox,
    pieces::Pieces, role::Role, stats::Stats, time::Time,
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
    incoming: Incoming,
    outbox: Outbox,
    deadlines: Deadlines,
    config: Arc<Config>,
    dedicated: Option<Box<Dedicated>>,
    pieces: Pieces,
    late_pong: Option<Box<[u8]>>,
    closing: Option<Box<Closing>>,
    stats: Stats,
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
            incoming: Incoming::default(),
            outbox: Outbox::default(),
            deadlines: Deadlines::new(now),
            config,
            dedicated,
            pieces: Pieces::default(),
            late_pong: None,
            closing: None,
            stats: Stats::default(),
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
        &self.outbox
    }

    /// The outbox, to lend it a buffer.
    #[inline]
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Whether more waits to be written than the high-water mark allows: whoever adds to it should wait.
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.outbox.held() >= self.config.limits.outbox
    }

    /// What went over the connection so far.
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The round trip of the last ping of our own that was answered.
    pub fn latency(&self) -> Option<Duration> {
        self.deadlines.latency()
    }
}
