//! Values of options: sizes, times, headers, credentials.

use std::fmt;
use std::time::Duration;

/// A number of bytes: `65536`, `64k`, `16MiB`. The units are powers of 1024, with `kB`, `MB` and `GB` for powers of 1000.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return Err("expected a size such as 65536, 64k or 16MiB".into()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a size such as 65536, 64k or 16MiB")?;
    number
        .checked_mul(factor)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| "this size is larger than memory can be".into())
}

/// The size of a message: at least one byte.
pub(crate) fn message_size(text: &str) -> Result<usize, String> {
    match size(text)? {
        0 => Err("0 would take no message: give a size such as 64k or 16MiB".into()),
        size => Ok(size),
    }
}

/// A length of time: `500ms`, `2s`, `1.5m`, `1h`; a plain number is in seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "expected a time such as 500ms, 2s, 5m or 1h";
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim_start() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(EXPECTED.into()),
    };
    let number: f64 = number.parse().map_err(|_| EXPECTED)?;
    // A year is for ever here, and keeps sums with the clock in range.
    Duration::try_from_secs_f64(number * seconds)
        .ok()
        .filter(|time| *time <= Duration::from_hours(366 * 24))
        .ok_or_else(|| "this time is longer than a year".into())
}

/// A time in which something has to happen.
pub(crate) fn limit(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("0 would leave no time at all: give a time such as 500ms or 10s".into()),
        time => Ok(time),
    }
}

/// A time that can be switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Optional(pub(crate) Option<Duration>);

/// A time, or `off`.
pub(crate) fn time_or_off(text: &str) -> Result<Optional, String> {
    match text {
        "off" | "none" => Ok(Optional(None)),
        _ => match duration(text)? {
            Duration::ZERO => Err("0 would never leave time: use off to switch it off".into()),
            time => Ok(Optional(Some(time))),
        },
    }
}

/// A time, or `forever`.
pub(crate) fn time_or_forever(text: &str) -> Result<Optional, String> {
    match text {
        "forever" | "-1" => Ok(Optional(None)),
        _ => duration(text).map(|time| Optional(Some(time))),
    }
}

fn is_token(text: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_token)
}

/// The name of a subprotocol: a token (RFC 6455 §4.1).
pub(crate) fn subprotocol(text: &str) -> Result<String, String> {
    if !is_token(text) {
        return Err(
            "a subprotocol's name is made of letters, digits and !#$%&'*+-.^_`|~, without spaces".into()
        );
    }
    Ok(text.into())
}

/// A header field of the handshake. Its value may be a secret and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// `Name: value`. The name is a token (RFC 9110 §5.1); CR, LF and NUL are refused, so that no other field can hide in the value.
///
/// What is wrong is told without the text: any part of it may be a secret.
pub(crate) fn header(text: &str) -> Result<Header, &'static str> {
    let (name, value) = text.split_once(':').ok_or("expected \"Name: value\"")?;
    if !is_token(name) {
        return Err("what stands before the colon is no header name");
    }
    if value.contains(|c: char| c.is_control() && c != '\t') {
        return Err("a header value can't hold control characters");
    }
    Ok(Header { name: name.into(), value: value.trim_matches([' ', '\t']).into() })
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: (hidden)", self.name)
    }
}

/// Credentials as typed: not judged while the command line is parsed, because a complaint there would show them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

/// Takes everything; [`credentials`] or [`header`] judges it.
#[expect(clippy::unnecessary_wraps, reason = "the signature of a value parser")]
pub(crate) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret(text.into()))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What the Authorization header says; never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Credentials {
    Basic { user: String, password: String },
    Bearer(String),
}

/// `USER:PASSWORD` or `Bearer TOKEN`.
pub(crate) fn credentials(text: &str) -> Result<Credentials, String> {
    if text.contains(char::is_control) {
        return Err("credentials can't hold control characters".into());
    }
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Ok(Credentials::Bearer(token.trim().into()))
        }
        _ => match text.split_once(':') {
            Some((user, password)) => Ok(Credentials::Basic { user: user.into(), password: password.into() }),
            None => Err("expected USER:PASSWORD or \"Bearer TOKEN\"".into()),
        },
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Basic { .. } => "Basic (hidden)",
            Self::Bearer(_) => "Bearer (hidden)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("65536", 65_536), ("64k", 65_536), ("16MiB", 16 << 20), ("1 GB", 1_000_000_000)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "k", "-1", "1.5M", "16 apples", "99999999999999999999", "18446744073709551615k"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations() {
        for (text, millis) in
            [("500ms", 500), ("2", 2000), ("2s", 2000), ("1.5m", 90_000), ("1h", 3_600_000), ("0", 0)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "-1s", "1d", "1.2.3s", "inf", "NaN", "9e9h", "99999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(time_or_off("off"), Ok(Optional(None)));
        assert!(time_or_off("0").is_err());
        assert_eq!(time_or_forever("forever"), Ok(Optional(None)));
        assert_eq!(time_or_forever("0"), Ok(Optional(Some(Duration::ZERO))));
    }

    #[test]
    fn what_could_never_work_is_refused() {
        assert_eq!(message_size("1"), Ok(1));
        assert!(message_size("0k").is_err());
        assert_eq!(limit("1ms"), Ok(Duration::from_millis(1)));
        assert!(limit("0s").is_err());
        assert_eq!(subprotocol("chat.v2").as_deref(), Ok("chat.v2"));
        for text in ["", "a b", "a,b", "é"] {
            assert!(subprotocol(text).is_err(), "{text:?}");
        }
    }

    /// edge 17: CR and LF in a header of the user's are refused.
    #[test]
    fn headers() {
        let parsed = header("X-Id:  a: b ").unwrap();
        assert_eq!((parsed.name.as_str(), parsed.value.as_str()), ("X-Id", "a: b"));
        assert_eq!(header("X-Empty:").unwrap().value, "");
        for text in ["nothing", ": x", "a b: c", "X: a\r\nY: b", "X\n: a", "é: x"] {
            assert!(header(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn credentials_are_read_and_never_shown() {
        let basic = credentials("me:pa:ss").unwrap();
        assert_eq!(basic, Credentials::Basic { user: "me".into(), password: "pa:ss".into() });
        let bearer = credentials("bearer abc").unwrap();
        assert_eq!(bearer, Credentials::Bearer("abc".into()));
        assert!(!format!("{basic:?}{bearer:?}").contains("pa:ss"));
        assert!(credentials("me").is_err());
        assert!(credentials("me:a\nb").is_err());
    }
}
