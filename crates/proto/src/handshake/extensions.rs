//! Sec-WebSocket-Extensions (RFC 6455 §9.1): `name; parameter; parameter=value, name …`, over any number of lines.

use super::grammar::{is_tchar, token};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The most extensions that one head may name.
pub const MAX_EXTENSIONS: usize = 32;
/// The most parameters that one extension may have.
pub const MAX_PARAMETERS: usize = 16;

/// One element of Sec-WebSocket-Extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The extension's token.
    pub name: String,
    /// Its parameters, in order; a name may stand twice.
    pub parameters: Vec<Parameter>,
}

/// A parameter of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The parameter's token.
    pub name: String,
    /// Its value, unquoted: a token; `None` where no `=` stands.
    pub value: Option<String>,
}

impl Extension {
    /// The parameters as pairs of name and value.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parameters.iter().map(|parameter| (parameter.name.as_str(), parameter.value.as_deref()))
    }
}

/// Reads the values of all Sec-WebSocket-Extensions headers of a head, in time linear in their length.
///
/// # Errors
/// A value that is not of the grammar, or more than the limits of this module allow.
pub fn parse<'a>(values: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Extension>, ExtensionsError> {
    let mut extensions = Vec::new();
    for value in values {
        let before = extensions.len();
        let mut cursor = Cursor { value, at: 0 };
        loop {
            cursor.skip(b" \t,");
            if cursor.peek().is_none() {
                break;
            }
            if extensions.len() == MAX_EXTENSIONS {
                return Err(ExtensionsError::TooMany);
            }
            extensions.push(cursor.extension()?);
        }
        if extensions.len() == before {
            return Err(ExtensionsError::Empty);
        }
    }
    Ok(extensions)
}

struct Cursor<'a> {
    value: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn extension(&mut self) -> Result<Extension, ExtensionsError> {
        let name = self.token()?;
        let mut parameters = Vec::new();
        loop {
            self.skip(b" \t");
            match self.peek() {
                None | Some(b',') => return Ok(Extension { name, parameters }),
                Some(b';') if parameters.len() == MAX_PARAMETERS => return Err(ExtensionsError::TooMany),
                Some(b';') => self.at += 1,
                Some(_) => return Err(ExtensionsError::Unexpected(self.at)),
            }
            self.skip(b" \t");
            let name = self.token()?;
            self.skip(b" \t");
            let value = if self.peek() == Some(b'=') {
                self.at += 1;
                self.skip(b" \t");
                Some(if self.peek() == Some(b'"') { self.quoted()? } else { self.token()? })
            } else {
                None
            };
            parameters.push(Parameter { name, value });
        }
    }

    fn token(&mut self) -> Result<String, ExtensionsError> {
        let rest = &self.value[self.at..];
        let length = rest.iter().position(|&byte| !is_tchar(byte)).unwrap_or(rest.len());
        let found = token(&rest[..length]).ok_or(ExtensionsError::Unexpected(self.at))?;
        self.at += length;
        Ok(found.to_owned())
    }

    /// A quoted string; what it says must be a token (RFC 6455 §9.1).
    fn quoted(&mut self) -> Result<String, ExtensionsError> {
        let start = self.at;
        let mut said = String::new();
        self.at += 1;
        loop {
            let mut byte = self.peek().ok_or(ExtensionsError::Unbalanced(start))?;
            self.at += 1;
            match byte {
                b'"' if said.is_empty() => return Err(ExtensionsError::NoToken(start)),
                b'"' => return Ok(said),
                b'\\' => {
                    byte = self.peek().ok_or(ExtensionsError::Unbalanced(start))?;
                    self.at += 1;
                }
                _ => {}
            }
            if !is_tchar(byte) {
                return Err(ExtensionsError::NoToken(start));
            }
            said.push(char::from(byte));
        }
    }

    fn peek(&self) -> Option<u8> {
        self.value.get(self.at).copied()
    }

    fn skip(&mut self, set: &[u8]) {
        while self.peek().is_some_and(|byte| set.contains(&byte)) {
            self.at += 1;
        }
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (name, value) in self.pairs() {
            match value {
                Some(value) => write!(f, "; {name}={value}")?,
                None => write!(f, "; {name}")?,
            }
        }
        Ok(())
    }
}

/// What is wrong with a Sec-WebSocket-Extensions header. Offsets count bytes of the value, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionsError {
    /// The header names no extension.
    Empty,
    /// Something else than a token, or than a `;`, `,` or the end behind one.
    Unexpected(usize),
    /// A quoted string without its end.
    Unbalanced(usize),
    /// A quoted string that does not say a token.
    NoToken(usize),
    /// More than [`MAX_EXTENSIONS`] or [`MAX_PARAMETERS`].
    TooMany,
}

impl fmt::Display for ExtensionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it names no extension"),
            Self::Unexpected(at) => write!(f, "byte {at} can't stand there"),
            Self::Unbalanced(at) => write!(f, "the quoted string at byte {at} has no end"),
            Self::NoToken(at) => write!(f, "the quoted string at byte {at} does not say a token"),
            Self::TooMany => {
                write!(
                    f,
                    "it names more than {MAX_EXTENSIONS} extensions, or one of more than {MAX_PARAMETERS} parameters"
                )
            }
        }
    }
}

impl core::error::Error for ExtensionsError {}
