//! Sec-WebSocket-Key and Sec-WebSocket-Accept (RFC 6455 §4.1, §4.2.2): HTTP/1.1 alone has them.

use alloc::string::String;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use core::fmt;
use sha1_smol::Sha1;

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The text of a client's key: 16 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key([u8; 24]);

/// The text of the server's answer to a key: a SHA-1 in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accept([u8; 28]);

impl Key {
    /// The key of 16 random bytes.
    pub fn new(nonce: [u8; 16]) -> Self {
        let mut text = [0; 24];
        encode(&nonce, &mut text);
        Self(text)
    }

    /// Reads a key: strict base64 (RFC 4648 §4: padded, no bits set behind the last byte) of 16 bytes.
    ///
    /// # Errors
    /// What the value is instead.
    pub fn parse(value: &[u8]) -> Result<Self, KeyError> {
        match STANDARD.decode(value) {
            Err(_) => Err(KeyError::Base64),
            Ok(nonce) if nonce.len() != 16 => Err(KeyError::Length(nonce.len())),
            Ok(_) => value.try_into().map(Self).map_err(|_| KeyError::Base64),
        }
    }

    /// The accept value that proves this key was read (RFC 6455 §4.2.2).
    pub fn accept(&self) -> Accept {
        let mut text = [0; 28];
        encode(&sha1(&[&self.0, GUID]), &mut text);
        Accept(text)
    }

    /// The key as it stands in the header.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }

    /// Judges a server's Sec-WebSocket-Accept against this key: byte for byte (RFC 6455 §4.1).
    ///
    /// # Errors
    /// In what way the value is wrong.
    pub fn verify(&self, value: &[u8]) -> Result<(), AcceptError> {
        if value == self.accept().0 {
            return Ok(());
        }
        match STANDARD.decode(value) {
            Err(_) => Err(AcceptError::Base64),
            Ok(digest) if digest == sha1(&[&self.0]) => Err(AcceptError::Wrong(Mistake::NoGuid)),
            Ok(digest) if self.is_of_decoded_key(&digest) => Err(AcceptError::Wrong(Mistake::DecodedKey)),
            Ok(digest) if digest.len() == 40 && digest.iter().all(u8::is_ascii_hexdigit) => {
                Err(AcceptError::Wrong(Mistake::HexDigest))
            }
            Ok(digest) if digest.len() != 20 => Err(AcceptError::Length(digest.len())),
            Ok(_) => Err(AcceptError::Wrong(Mistake::OtherKey)),
        }
    }

    fn is_of_decoded_key(&self, digest: &[u8]) -> bool {
        STANDARD.decode(self.0).is_ok_and(|nonce| digest == sha1(&[&nonce, GUID]))
    }
}

impl Accept {
    /// The accept value as it stands in the header: 28 characters.
    pub fn as_str(&self) -> &str {
        ascii(&self.0)
    }
}

/// Base64 of `bytes` into a text of exactly its size.
fn encode(bytes: &[u8], text: &mut [u8]) {
    let written = STANDARD.encode_slice(bytes, text);
    debug_assert!(written.is_ok(), "the text has the size that base64 needs");
}

fn ascii(text: &[u8]) -> &str {
    core::str::from_utf8(text).expect("base64 is ASCII")
}

fn sha1(parts: &[&[u8]]) -> [u8; 20] {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hash.digest().bytes()
}

/// What is wrong with a Sec-WebSocket-Key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No base64.
    Base64,
    /// Base64 of another number of bytes than 16.
    Length(usize),
}

/// What is wrong with a Sec-WebSocket-Accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptError {
    /// No base64.
    Base64,
    /// Base64 of another number of bytes than 20.
    Length(usize),
    /// A digest, not the one of our key.
    Wrong(Mistake),
}

/// How a server may have come to its wrong accept value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// The key was hashed alone.
    NoGuid,
    /// The key was decoded before it was hashed.
    DecodedKey,
    /// The digest was written in hexadecimal first.
    HexDigest,
    /// None of these: a cached answer, or one to another key.
    OtherKey,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base64 => f.write_str("it is not base64"),
            Self::Length(bytes) => write!(f, "it is base64 of {bytes} bytes"),
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Base64 => "it is not base64",
            Self::Length(bytes) => {
                return write!(f, "it is base64 of {bytes} bytes, not of the 20 of a SHA-1");
            }
            Self::Wrong(Mistake::NoGuid) => {
                "it is the hash of the key alone: the GUID of RFC 6455 was not appended"
            }
            Self::Wrong(Mistake::DecodedKey) => {
                "the key was decoded before hashing: its text is what is hashed"
            }
            Self::Wrong(Mistake::HexDigest) => {
                "it is base64 of the digest in hexadecimal, not of its 20 bytes"
            }
            Self::Wrong(Mistake::OtherKey) => "it answers another key than the one that was sent",
        })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The value of an `Authorization: Basic` header (RFC 7617).
pub(crate) fn basic(user: &[u8], password: &[u8]) -> String {
    let pair = [user, b":", password].concat();
    let mut value = String::from("Basic ");
    STANDARD.encode_string(pair, &mut value);
    value
}
