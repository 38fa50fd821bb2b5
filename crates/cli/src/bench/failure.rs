//! Why there is no report, and which kinds of failure there are.

use crate::connect::network;
use crate::connect::session::DialErrorKind;
use std::io;
use std::net::SocketAddr;
use tidewire::ConnectError;
use tidewire::dial::{DialError, Phase};

/// A run that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit status.
    pub(crate) status: u8,
    pub(crate) text: String,
}

impl Failure {
    /// What was asked for can't be done.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self { status: 1, text: text.into() }
    }

    /// As `connect` tells it.
    pub(crate) fn connecting(error: &ConnectError) -> Self {
        let status = match network::kind(error) {
            DialErrorKind::Usage => 1,
            DialErrorKind::Unreachable => 3,
            DialErrorKind::Refused => 4,
            DialErrorKind::Timeout => 7,
        };
        Self { status, text: network::text(error) }
    }

    pub(crate) fn bare(address: SocketAddr, error: &io::Error) -> Self {
        Self { status: 3, text: format!("{address} can't be connected to: {error}") }
    }
}

/// Few words for an error that is counted.
pub(crate) fn kind(error: &ConnectError) -> String {
    match error {
        _ if error.is_timeout() => "timeout".into(),
        ConnectError::Dial(DialError::Connect { attempts, .. }) => {
            attempts.last().map_or_else(|| "no address".into(), |attempt| io_kind(&attempt.error))
        }
        ConnectError::Dial(error) => match error.phase() {
            Phase::Dns => "name not resolved".into(),
            Phase::Proxy => "proxy".into(),
            Phase::Tls => "TLS".into(),
            _ => "not reached".into(),
        },
        ConnectError::Broken(error) => io_kind(error),
        ConnectError::Ended { .. } => "closed during the handshake".into(),
        _ => error.status().map_or_else(|| "handshake refused".into(), |status| format!("HTTP {status}")),
    }
}

pub(crate) fn io_kind(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrNotAvailable => "no local port left".into(),
        // EMFILE, ENFILE
        _ if matches!(error.raw_os_error(), Some(23 | 24)) => "no file descriptor left".into(),
        io::ErrorKind::Other | io::ErrorKind::InvalidInput => error.to_string(),
        kind => kind.to_string(),
    }
}
