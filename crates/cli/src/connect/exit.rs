//! How `connect` ended: one sentence for people, one number for scripts.

use super::session::{CloseCode, CloseReason, DialErrorKind, FailureKind};
use std::fmt;
use tidewire::client::Why;

/// The end of a run of `connect`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The server began the closing handshake.
    ClosedByServer(CloseReason),
    /// We began it, and the server answered, or ended the connection (1006).
    ClosedByUs(CloseReason),
    /// The user left while `--reconnect` was at work.
    Left,
    /// We began it, and the server did not answer in time.
    CloseUnanswered,
    /// It ended before the messages that `-1` or `--count` asks for had come; `silent` where `--linger` ran out.
    Short { wanted: u64, got: u64, silent: bool },
    /// No connection came about.
    NotConnected { kind: DialErrorKind, passing: bool, text: String },
    /// The connection broke.
    Failed { kind: FailureKind, text: String },
    /// Input or output of ours can't be used.
    Local(String),
    /// Whoever reads our output went away: `connect … | head -1`.
    OutputClosed,
    /// A signal ended it (SIGINT 2, SIGTERM 15).
    Signalled(u8),
}

/// The table as it stands in `--help` and the manual page.
pub(crate) const TABLE: &str = "\
Exit status:
  0    closed normally: by the server with 1000, 1001 or no code, or by us
  1    the input or output can't be used: bad UTF-8, an unreadable file, …
  2    the command line can't be understood
  3    no connection: name, TCP, proxy or TLS
  4    the server refused the handshake, or is no WebSocket server
  5    the server closed with another code
  6    the server broke the protocol, or sent more than --max-message
  7    time ran out: connecting, a ping, the close, or --linger before --count
  8    the server closed before the messages that -1 or --count asks for
  9    the connection was lost without a close
  130  interrupted (143: terminated)";

impl Outcome {
    /// The exit status.
    pub(crate) const fn status(&self) -> u8 {
        match self {
            Self::ClosedByServer(reason) if is_normal(reason.code) => 0,
            Self::ClosedByUs(_) | Self::Left | Self::OutputClosed => 0,
            Self::Local(_) | Self::NotConnected { kind: DialErrorKind::Usage, .. } => 1,
            Self::NotConnected { kind: DialErrorKind::Unreachable, .. } => 3,
            Self::NotConnected { kind: DialErrorKind::Refused, .. } => 4,
            Self::ClosedByServer(_) => 5,
            Self::Failed { kind: FailureKind::Protocol, .. } => 6,
            Self::CloseUnanswered
            | Self::Short { silent: true, .. }
            | Self::NotConnected { kind: DialErrorKind::Timeout, .. }
            | Self::Failed { kind: FailureKind::Timeout, .. } => 7,
            Self::Short { silent: false, .. } => 8,
            Self::Failed { kind: FailureKind::Lost, .. } => 9,
            Self::Signalled(signal) => 128 + *signal,
        }
    }

    /// Whether another attempt can help; asked by `--reconnect`.
    pub(crate) fn may_reconnect(&self) -> bool {
        match self {
            Self::ClosedByServer(reason) => Why::Closed(reason.clone()).is_transient(),
            Self::NotConnected { passing, .. } => *passing,
            Self::Failed { kind, .. } => matches!(kind, FailureKind::Lost | FailureKind::Timeout),
            _ => false,
        }
    }
}

/// Whether a close with this code by the server is a success.
pub(crate) const fn is_normal(code: CloseCode) -> bool {
    matches!(code, CloseCode::NORMAL | CloseCode::GOING_AWAY | CloseCode::NO_STATUS)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedByServer(reason) => write!(f, "closed by the server: {reason}"),
            Self::ClosedByUs(reason) if reason.code == CloseCode::ABNORMAL => {
                f.write_str("closed by us, the server ended the connection without an answer")
            }
            Self::Left => f.write_str("left while not connected"),
            Self::ClosedByUs(reason) => write!(f, "closed by us, the server answered: {reason}"),
            Self::CloseUnanswered => f.write_str("closed by us, the server did not answer the close in time"),
            Self::Short { wanted, got, silent } => {
                let why = if *silent { "the server stayed silent for --linger" } else { "the server closed" };
                write!(f, "{why} after {got} of {wanted} messages")
            }
            Self::NotConnected { text, .. } | Self::Failed { text, .. } | Self::Local(text) => {
                f.write_str(text)
            }
            Self::OutputClosed => f.write_str("the reader of the output has gone"),
            Self::Signalled(2) => f.write_str("interrupted"),
            Self::Signalled(_) => f.write_str("terminated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16) -> Outcome {
        Outcome::ClosedByServer(CloseReason::new(CloseCode(code), ""))
    }

    #[test]
    fn every_status_of_the_table_is_the_one_returned() {
        let not = |kind| Outcome::NotConnected { kind, passing: false, text: String::new() };
        let failed = |kind| Outcome::Failed { kind, text: String::new() };
        let short = |silent| Outcome::Short { wanted: 2, got: 1, silent };
        for (outcome, status) in [
            (closed(1000), 0),
            (closed(1001), 0),
            (closed(1005), 0),
            (closed(1008), 5),
            (closed(4000), 5),
            (Outcome::ClosedByUs(CloseReason::new(CloseCode(1000), "")), 0),
            (Outcome::OutputClosed, 0),
            (Outcome::Local(String::new()), 1),
            (not(DialErrorKind::Usage), 1),
            (not(DialErrorKind::Unreachable), 3),
            (not(DialErrorKind::Refused), 4),
            (not(DialErrorKind::Timeout), 7),
            (failed(FailureKind::Protocol), 6),
            (failed(FailureKind::Timeout), 7),
            (failed(FailureKind::Lost), 9),
            (Outcome::CloseUnanswered, 7),
            (short(true), 7),
            (short(false), 8),
            (Outcome::Signalled(2), 130),
            (Outcome::Signalled(15), 143),
        ] {
            assert_eq!(outcome.status(), status, "{outcome:?}");
            assert!(TABLE.contains(&status.to_string()), "{status} is not in the table");
        }
    }

    #[test]
    fn only_what_passes_with_time_is_tried_again() {
        let refused =
            |passing| Outcome::NotConnected { kind: DialErrorKind::Refused, passing, text: String::new() };
        for (outcome, again) in [
            (closed(1000), false),
            (closed(1001), true),
            (closed(1005), false),
            (closed(1008), false),
            (closed(1012), true),
            (closed(4001), false),
            (Outcome::Failed { kind: FailureKind::Lost, text: String::new() }, true),
            (Outcome::Failed { kind: FailureKind::Protocol, text: String::new() }, false),
            (refused(false), false),
            (refused(true), true),
        ] {
            assert_eq!(outcome.may_reconnect(), again, "{outcome:?}");
        }
    }

    #[test]
    fn a_close_names_code_words_and_reason() {
        assert_eq!(closed(1000).to_string(), "closed by the server: 1000 (normal closure)");
        let reason = CloseReason::new(CloseCode(4000), "bye");
        assert_eq!(Outcome::ClosedByServer(reason).to_string(), "closed by the server: 4000: bye");
    }
}
