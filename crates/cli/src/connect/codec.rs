//! Bytes written as text: hexadecimal and base64, as typed and as piped in.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads hexadecimal digits; white space between bytes is skipped.
pub(crate) fn hex(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for &byte in text {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b' ' | b'\t' | b'\r' | b'\n' if high.is_none() => continue,
            _ => return Err(format!("{:?} is no hexadecimal digit of a pair", char::from(byte))),
        };
        match high.take() {
            None => high = Some(digit),
            Some(high) => out.push(high << 4 | digit),
        }
    }
    match high {
        None => Ok(out),
        Some(_) => Err("a hexadecimal digit is left over: each byte takes two".into()),
    }
}

/// Reads base64 (RFC 4648 §4), padded or not; white space is skipped.
pub(crate) fn base64(text: &[u8]) -> Result<Vec<u8>, String> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    BASE64.decode(text).map_err(|error| format!("this is no base64: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal() {
        assert_eq!(hex(b"00 fF\t10\r"), Ok(vec![0, 255, 16]));
        assert_eq!(hex(b""), Ok(vec![]));
        for wrong in [&b"0"[..], b"0 0", b"0x00", b"gg"] {
            assert!(hex(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn base64_with_and_without_padding() {
        assert_eq!(base64(b"aGk="), Ok(b"hi".to_vec()));
        assert_eq!(base64(b"aG k\n"), Ok(b"hi".to_vec()));
        assert!(base64(b"a").is_err());
        assert!(base64(b"a-_=").is_err());
    }
}
