//! The closing handshake (RFC 6455 §7) as a table.

/// How far the closing handshake has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Messages go both ways.
    Open,
    /// Our close frame is sent; the peer's is awaited, and its messages still come.
    Sent,
    /// Both close frames are exchanged.
    Closed,
    /// The peer broke the protocol or a limit; it was told, and nothing more of it is read.
    Failed,
    /// The transport ended.
    Gone,
}

/// What moves the handshake on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// The application closes.
    Close,
    /// The peer's close frame came.
    PeerClose,
    /// The connection is failed (RFC 6455 §7.1.7).
    Fail,
    /// The transport ended.
    End,
}

/// What goes out on a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Nothing,
    /// Our close frame.
    SendClose,
    /// The peer's close frame, back to it (RFC 6455 §5.5.1).
    Echo,
}

use Action::{Echo, Nothing, SendClose};
use Phase::{Closed, Failed, Gone, Open, Sent};

/// Rows: [`Phase`]; columns: [`Step`].
#[rustfmt::skip]
const TABLE: [[(Phase, Action); 4]; 5] = [
    //           Close              PeerClose          Fail                 End
    /* Open   */ [(Sent, SendClose),   (Closed, Echo),     (Failed, SendClose), (Gone, Nothing)],
    /* Sent   */ [(Sent, Nothing),     (Closed, Nothing),  (Failed, Nothing),   (Gone, Nothing)],
    /* Closed */ [(Closed, Nothing),   (Closed, Nothing),  (Closed, Nothing),   (Closed, Nothing)],
    /* Failed */ [(Failed, Nothing),   (Failed, Nothing),  (Failed, Nothing),   (Failed, Nothing)],
    /* Gone   */ [(Gone, Nothing),     (Gone, Nothing),    (Gone, Nothing),     (Gone, Nothing)],
];

impl Phase {
    /// Takes a step: the phase that follows and what goes out.
    pub const fn step(self, step: Step) -> (Self, Action) {
        TABLE[self as usize][step as usize]
    }

    /// Whether frames of the peer are still read.
    #[inline]
    pub const fn is_reading(self) -> bool {
        matches!(self, Open | Sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHASES: [Phase; 5] = [Open, Sent, Closed, Failed, Gone];
    const STEPS: [Step; 4] = [Step::Close, Step::PeerClose, Step::Fail, Step::End];

    /// edge 40: whatever the order of steps, at most one close frame of ours goes out.
    #[test]
    fn at_most_one_close_frame_is_sent() {
        let mut paths = alloc::vec![(Open, 0)];
        for _ in 0..6 {
            paths = paths
                .into_iter()
                .flat_map(|(phase, sent)| {
                    STEPS.map(|step| {
                        let (next, action) = phase.step(step);
                        (next, sent + u32::from(action != Nothing))
                    })
                })
                .collect();
            assert!(paths.iter().all(|&(_, sent)| sent <= 1));
        }
    }

    #[test]
    fn the_end_is_the_end() {
        for phase in PHASES.into_iter().filter(|phase| !phase.is_reading()) {
            for step in STEPS {
                assert_eq!(phase.step(step), (phase, Nothing));
            }
        }
    }
}
