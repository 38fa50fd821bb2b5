//! Text that was judged once and need not be judged again.
#![expect(unsafe_code, reason = "bytes that were validated become a str")]

use alloc::string::String;
use bytes::Bytes;
use core::{fmt, ops::Deref};

/// Owned UTF-8 text; cloning shares the bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Text(Bytes);

impl Text {
    /// Text of these bytes; gives them back where they are not UTF-8.
    ///
    /// # Errors
    /// The bytes themselves, untouched.
    pub fn from_utf8(bytes: Bytes) -> Result<Self, Bytes> {
        if crate::utf8::is_valid(&bytes) { Ok(Self(bytes)) } else { Err(bytes) }
    }

    /// Text of a received payload.
    pub(crate) fn from_validated(bytes: Bytes) -> Self {
        debug_assert!(crate::utf8::is_valid(&bytes));
        Self(bytes)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        validated(&self.0)
    }

    /// The bytes of the text, shared.
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

/// A received text payload as text. Private to the crate: a caller passes bytes that [`crate::utf8`] has judged.
pub(crate) fn validated(bytes: &[u8]) -> &str {
    debug_assert!(crate::utf8::is_valid(bytes));
    // SAFETY: every caller holds bytes that `utf8` found valid: `Text`'s constructors, and messages of kind text,
    // which only `str`, `Text` and the receiving path (which validates before it delivers) can make.
    unsafe { core::str::from_utf8_unchecked(bytes) }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Bytes::from(text.into_bytes()))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}
