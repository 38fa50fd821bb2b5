//! Which ends of a connection are worth another attempt, and when.

use super::ConnectError;
use crate::{dial::DialError, outcome::Error};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tidewire_proto::{
    CloseCode, CloseReason,
    error::Limit,
    handshake::{HandshakeError, HeaderView, ResponseHead},
};

/// A server's Retry-After counts up to this.
const LONGEST: Duration = Duration::from_hours(1);

/// Why there is no connection any more, or none yet.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Why {
    /// An attempt to connect failed.
    Connect(Arc<ConnectError>),
    /// The server closed the connection.
    Closed(CloseReason),
    /// The connection broke, or the server broke a rule.
    Lost(Error),
}

impl Why {
    /// Whether another attempt may succeed.
    ///
    /// | tried again | final |
    /// |---|---|
    /// | names, TCP, proxies, TLS handshakes that fail | a URL, header, proxy or TLS setting that can't be used |
    /// | a server that does not answer, or breaks off | redirects in a circle, answers that break RFC 6455 §4 |
    /// | 408, 425, 429, 5xx | any other status |
    /// | a connection that breaks or falls silent | a server that breaks the protocol or goes past a limit |
    /// | closed with 1001, 1006, 1011–1014 | closed with another code |
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Connect(error) => may_pass(error),
            Self::Closed(reason) => matches!(
                reason.code,
                CloseCode::GOING_AWAY
                    | CloseCode::ABNORMAL
                    | CloseCode::INTERNAL_ERROR
                    | CloseCode::SERVICE_RESTART
                    | CloseCode::TRY_AGAIN_LATER
                    | CloseCode::BAD_GATEWAY
            ),
            Self::Lost(Error::Vanished | Error::Io(_)) => true,
            Self::Lost(Error::Protocol(error)) => matches!(
                error,
                tidewire_proto::Error::Timeout(_) | tidewire_proto::Error::Limit(Limit::Memory)
            ),
            Self::Lost(_) => false,
        }
    }

    /// How long the server asks to be left alone (RFC 9110 §10.2.3), an hour at most.
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Connect(error) = self else { return None };
        retry_after(error.rejected()?.head.as_ref()?, SystemTime::now())
    }

    /// Whether it is a normal end: the server closed with 1000 or without a code.
    pub(super) fn is_normal(&self) -> bool {
        matches!(self, Self::Closed(reason)
            if matches!(reason.code, CloseCode::NORMAL | CloseCode::NO_STATUS))
    }
}

fn may_pass(error: &ConnectError) -> bool {
    match error {
        ConnectError::Url(_) | ConnectError::Setup(_) | ConnectError::Redirects { .. } => false,
        ConnectError::Dial(error) => !is_setting(error),
        ConnectError::Handshake(rejected) => match rejected.error {
            HandshakeError::Status { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            _ => false,
        },
        ConnectError::Ended { .. } | ConnectError::Broken(_) | ConnectError::Timeout { .. } => true,
    }
}

/// Whether it is the caller's to mend.
fn is_setting(error: &DialError) -> bool {
    use crate::dial::{Phase, ProxyError};
    #[cfg(feature = "tls")]
    {
        use crate::tls::TlsError;
        if let DialError::Tls(error) = error {
            return matches!(
                error,
                TlsError::Read { .. }
                    | TlsError::Pem { .. }
                    | TlsError::KeyMismatch { .. }
                    | TlsError::NoAuthorities { .. }
                    | TlsError::Config(_)
                    | TlsError::ServerName { .. }
            );
        }
    }
    match error {
        DialError::Timeout { .. } => false,
        DialError::Proxy { error: ProxyError::Authentication { .. }, .. } => true,
        error => error.phase() == Phase::Setup,
    }
}

fn retry_after(head: &ResponseHead, now: SystemTime) -> Option<Duration> {
    let value = head.headers().one("Retry-After").ok().flatten()?;
    let text = std::str::from_utf8(value).ok()?;
    let wait = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(wait.min(LONGEST))
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => error.fmt(f),
            Self::Closed(reason) => {
                write!(f, "the server closed the connection with {}", reason.code.0)?;
                match (reason.reason.as_str(), reason.code.describe()) {
                    ("", None) => Ok(()),
                    ("", Some(words)) => write!(f, " ({words})"),
                    (text, _) => write!(f, ": {}", text.escape_debug()),
                }
            }
            Self::Lost(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Why {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(error) => error.source(),
            Self::Closed(_) => None,
            Self::Lost(error) => error.source(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidewire_proto::handshake::HeadLimits;

    fn closed(code: u16) -> Why {
        Why::Closed(CloseReason::new(CloseCode(code), ""))
    }

    #[test]
    fn close_codes_that_pass() {
        let passing: Vec<u16> = (1000..=4999).filter(|code| closed(*code).is_transient()).collect();
        assert_eq!(passing, [1001, 1006, 1011, 1012, 1013, 1014]);
    }

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        for (value, seconds) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("999999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sun, 06 Nov 1994 08:49:07 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ] {
            let head = format!("HTTP/1.1 503 x\r\nRetry-After: {value}\r\n\r\n");
            let (head, _) = ResponseHead::parse(head.as_bytes(), &HeadLimits::default()).unwrap().unwrap();
            assert_eq!(retry_after(&head, now).map(|wait| wait.as_secs()), seconds, "{value}");
        }
    }
}
