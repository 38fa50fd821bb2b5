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

/// A header field of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// `Name: value`. The name is a token (RFC 9110 §5.1); CR, LF and NUL are refused, so that no other field can hide in the value.
pub(crate) fn header(text: &str) -> Result<Header, String> {
    let (name, value) = text.split_once(':').ok_or("expected \"Name: value\"")?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(format!("{name:?} is no header name"));
    }
    if value.contains(|c: char| c.is_control() && c != '\t') {
        return Err("a header value can't hold control characters".into());
    }
    Ok(Header { name: name.into(), value: value.trim_matches([' ', '\t']).into() })
}

/// Credentials as typed: not judged while the command line is parsed, because a complaint there would show them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

/// Takes everything; [`credentials`] judges it.
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
