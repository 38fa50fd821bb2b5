//! The payload of a close frame (RFC 6455 §5.5.1).

use super::CloseCode;
use crate::error::Violation;
use alloc::string::String;
use core::fmt;

/// The longest reason a close frame can carry, in bytes: 125 less the code.
pub const MAX_REASON: usize = 123;

/// A code with its reason: what a close frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// The status code; [`CloseCode::NO_STATUS`] where the frame was empty.
    pub code: CloseCode,
    /// The reason, at most [`MAX_REASON`] bytes of UTF-8; often empty.
    pub reason: String,
}

impl CloseReason {
    /// A code with a reason; a reason above [`MAX_REASON`] bytes is cut at a character.
    pub fn new(code: CloseCode, reason: &str) -> Self {
        Self { code, reason: truncate(reason).into() }
    }

    /// What an empty close frame says: [`CloseCode::NO_STATUS`].
    pub fn empty() -> Self {
        Self { code: CloseCode::NO_STATUS, reason: String::new() }
    }

    /// Reads the payload of a close frame (RFC 6455 §5.5.1).
    ///
    /// # Errors
    /// [`Violation`] for a payload of one byte, a code that must not be sent, or a reason that is not UTF-8.
    pub fn parse(payload: &[u8]) -> Result<Self, Violation> {
        match payload {
            [] => Ok(Self::empty()),
            [_] => Err(Violation::ClosePayload),
            [high, low, reason @ ..] => {
                let code = CloseCode(u16::from_be_bytes([*high, *low]));
                if !code.is_sendable() {
                    return Err(Violation::CloseCode(code));
                }
                let reason = core::str::from_utf8(reason).map_err(|_| Violation::CloseReason)?;
                Ok(Self { code, reason: reason.into() })
            }
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            write!(f, "{}", self.code)
        } else {
            write!(f, "{}: {}", self.code, self.reason)
        }
    }
}

/// The longest beginning of `reason` that fits a close frame and ends with a whole character.
pub fn truncate(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(MAX_REASON)]
}
