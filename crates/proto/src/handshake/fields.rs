//! Header fields: how the rules look at them, and those that the user adds to ours.

use super::error::SetupError;
use super::grammar::{is_field_byte, token};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// Header fields that can be looked up by name, in any case of letters.
///
/// For `http::HeaderMap` it is `self.0.get_all(name).iter().map(HeaderValue::as_bytes)` in a type around it.
pub trait HeaderView {
    /// The values of all fields called `name`, in order, without white space around them.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]>;

    /// The value of the field `name`: `None` without one, an error where there are several.
    fn one<'a>(&'a self, name: &'a str) -> Result<Option<&'a [u8]>, Several> {
        let mut values = self.all(name);
        let first = values.next();
        if values.next().is_some() { Err(Several) } else { Ok(first) }
    }
}

/// A field that may stand once stands more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Several;

/// Header fields to be sent: each name is a token, no value holds CR, LF, NUL or another control character.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    /// No fields.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a field; the name leaves in the case it is given in. Bytes above 127 in the value leave as they are.
    ///
    /// # Errors
    /// The name is no token, or the value holds a control character: a line break there would begin a new header.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), SetupError> {
        let value = value.as_ref();
        if token(name.as_bytes()).is_none() {
            return Err(SetupError::HeaderName(name.to_owned()));
        }
        if let Some(&byte) = value.iter().find(|&&byte| !is_field_byte(byte)) {
            return Err(SetupError::HeaderValue(name.to_owned(), byte));
        }
        self.0.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Adds a field of the user's to a message of the handshake.
    ///
    /// # Errors
    /// As [`push`](Self::push), and for a name that the handshake itself writes.
    pub(crate) fn push_users(&mut self, name: &str, value: &[u8]) -> Result<(), SetupError> {
        const OURS: [&str; 4] = ["Connection", "Upgrade", "Content-Length", "Transfer-Encoding"];
        let prefix = name.get(..14).unwrap_or_default();
        if prefix.eq_ignore_ascii_case("Sec-WebSocket-")
            || OURS.iter().any(|our| our.eq_ignore_ascii_case(name))
        {
            return Err(SetupError::Reserved(name.to_owned()));
        }
        self.push(name, value)
    }

    /// Adds a field of ours, whose name and value are known to be good.
    pub(crate) fn push_ours(&mut self, name: &str, value: &str) {
        debug_assert!(
            token(name.as_bytes()).is_some() && value.bytes().all(is_field_byte),
            "{name}: {value}"
        );
        self.0.push((name.to_owned(), value.as_bytes().to_owned()));
    }

    /// Adds the fields of `more` behind these.
    pub(crate) fn append(&mut self, mut more: Self) {
        self.0.append(&mut more.0);
    }

    /// Takes away every field called `name`.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
    }

    /// Takes away every field whose name is none of `names`.
    pub(crate) fn keep(&mut self, names: &[&str]) {
        self.0.retain(|(have, _)| names.iter().any(|name| have.eq_ignore_ascii_case(name)));
    }

    /// Whether a field is called `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// Names and values in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
    }

    /// Writes each field as a line of HTTP/1.1.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
}

impl HeaderView for Fields {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.iter().filter(move |(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
