//! Closing, failing, deadlines.

use super::Connection;
use crate::{
    Opcode,
    close::{Action, CloseCode, CloseReason, Phase, Step},
    deadline::Due,
    error::{Error, Misuse, Timeout},
    mask::MaskingKeys,
    time::Time,
    workspace::Workspace,
};
use alloc::{boxed::Box, string::ToString, vec::Vec};

/// The close frames of both ends, as far as there are any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Closing {
    /// The peer's close frame came before ours was sent.
    pub by_peer: bool,
    /// Ours.
    pub sent: Option<CloseReason>,
    /// The peer's.
    pub received: Option<CloseReason>,
}

impl Connection {
    /// The close frames that were exchanged so far.
    pub fn closing(&self) -> Closing {
        self.closing.as_deref().cloned().unwrap_or_default()
    }

    /// Begins the closing handshake (RFC 6455 §7.1.2). A second call changes nothing.
    ///
    /// [`CloseCode::NO_STATUS`] sends an empty close frame. A reason above 123 bytes is cut at a character.
    ///
    /// # Errors
    /// [`Misuse::CloseCode`] where the code must not be sent (RFC 6455 §7.4); the connection stays open.
    pub fn close(
        &mut self,
        code: CloseCode,
        reason: &str,
        workspace: &mut Workspace,
        now: Time,
    ) -> Result<(), Misuse> {
        if code != CloseCode::NO_STATUS && !code.is_sendable() {
            return Err(Misuse::CloseCode(code));
        }
        let (phase, action) = self.phase.step(Step::Close);
        self.phase = phase;
        if action == Action::SendClose {
            let none = code == CloseCode::NO_STATUS;
            let reason = if none { CloseReason::empty() } else { CloseReason::new(code, reason) };
            self.send_close(reason, &mut workspace.keys, now);
        }
        Ok(())
    }

    /// The transport ended: nothing more comes, and nothing more can be sent.
    pub fn end(&mut self) {
        (self.phase, _) = self.phase.step(Step::End);
    }

    /// Whether nothing is left to read or to write, so that the transport may be closed.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Gone || (!self.phase.is_reading() && self.outward.outbox.is_empty())
    }

    /// Says whether the caller reads at present. While it does not, and nothing waits to be written,
    /// the peer's silence means nothing.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
        if !self.watching() {
            self.outward.deadlines.unwatch();
        }
    }

    /// Notes that `count` bytes of the outbox were written.
    #[inline]
    pub fn wrote(&mut self, count: usize, workspace: &mut Workspace, now: Time) {
        self.outward.outbox.advance(count);
        self.inward.stats.wire_out += count as u64;
        if count > 0 {
            self.outward.deadlines.bytes_went(self.outward.outbox.is_empty(), now);
        }
        if !self.watching() {
            self.outward.deadlines.unwatch();
        }
        if self.late_pong.is_some()
            && !self.is_congested()
            && let Some(pong) = self.late_pong.take()
        {
            self.control(Opcode::Pong, pong.as_bytes(), &mut workspace.keys);
        }
    }

    /// When [`handle_deadline`](Self::handle_deadline) wants to be called next. It may lie earlier than it
    /// turns out to be needed, never later.
    pub fn deadline(&self) -> Option<Time> {
        if self.phase == Phase::Gone {
            None
        } else {
            self.outward.deadlines.next(&self.config.timing, self.watching())
        }
    }

    /// Does what is due: pings, or gives a silent peer up.
    ///
    /// # Errors
    /// [`Error::Timeout`] where the peer is given up. After [`Timeout::Close`] the transport should be dropped;
    /// after the others a close frame is in the outbox.
    pub fn handle_deadline(&mut self, workspace: &mut Workspace, now: Time) -> Result<(), Error> {
        if self.phase == Phase::Gone {
            return Ok(());
        }
        match self.outward.deadlines.due(now, &self.config.timing, self.watching()) {
            Due::Nothing => Ok(()),
            Due::Ping => {
                self.measure_latency(workspace, now);
                Ok(())
            }
            Due::GiveUp(Timeout::Close) => {
                self.phase = Phase::Gone;
                Err(Error::Timeout(Timeout::Close))
            }
            Due::GiveUp(timeout) => Err(self.fail(Error::Timeout(timeout), &mut workspace.keys, now)),
        }
    }

    /// Sends a ping of the connection's own, ahead of its interval; the pong sets [`latency`](Self::latency).
    /// Does nothing once the closing handshake began.
    pub fn measure_latency(&mut self, workspace: &mut Workspace, now: Time) {
        if self.phase == Phase::Open {
            let payload = self.outward.deadlines.next_ping(now);
            self.control(Opcode::Ping, &payload, &mut workspace.keys);
        }
    }

    /// Fails the connection (RFC 6455 §7.1.7): tells the peer why, and reads no more.
    pub(super) fn fail(&mut self, error: Error, keys: &mut MaskingKeys, now: Time) -> Error {
        let (phase, action) = self.phase.step(Step::Fail);
        self.phase = phase;
        self.late_pong = None;
        self.inward.incoming.forget();
        self.outward.deadlines.closing(now, &self.config.timing);
        if let (Action::SendClose, Some(code)) = (action, error.close_code()) {
            let reason = match &error {
                Error::Protocol(violation) => violation.to_string(),
                Error::Limit(limit) => limit.to_string(),
                Error::Timeout(timeout) => timeout.to_string(),
                Error::Usage(misuse) => misuse.to_string(),
            };
            self.send_close(CloseReason::new(code, &reason), keys, now);
        }
        error
    }

    /// Takes the peer's close frame and answers it.
    pub(super) fn peer_close(&mut self, reason: &CloseReason, keys: &mut MaskingKeys, now: Time) {
        let (phase, action) = self.phase.step(Step::PeerClose);
        self.phase = phase;
        self.late_pong = None;
        self.inward.incoming.forget();
        self.outward.deadlines.closing(now, &self.config.timing);
        self.closing.get_or_insert_default().received = Some(reason.clone());
        if action == Action::Echo {
            self.closing.get_or_insert_default().by_peer = true;
            self.send_close(reason.clone(), keys, now);
        }
    }

    fn send_close(&mut self, reason: CloseReason, keys: &mut MaskingKeys, now: Time) {
        let mut payload = Vec::new();
        if reason.code != CloseCode::NO_STATUS {
            payload.extend_from_slice(&reason.code.0.to_be_bytes());
            payload.extend_from_slice(reason.reason.as_bytes());
        }
        self.late_pong = None;
        self.control(Opcode::Close, &payload, keys);
        self.outward.deadlines.closing(now, &self.config.timing);
        self.closing.get_or_insert_with(Box::default).sent = Some(reason);
    }

    fn watching(&self) -> bool {
        !self.paused || !self.outward.outbox.is_empty()
    }
}
