//! Messages: borrowed from the buffer they were read into, or owned.

use crate::{
    copy,
    text::{Text, validated},
};
use alloc::{string::String, vec::Vec};
use bytes::{Bytes, BytesMut};
use core::ops::Deref;

/// The two kinds of message (RFC 6455 §5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
}

impl From<Kind> for crate::Opcode {
    #[inline]
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Text => Self::Text,
            Kind::Binary => Self::Binary,
        }
    }
}

/// Where the bytes of a payload live.
#[derive(Debug)]
pub enum Payload<'a> {
    /// In the caller's buffer.
    Borrowed(&'a [u8]),
    /// In a buffer that was made for this message: it came in pieces, or compressed.
    Owned(BytesMut),
    /// In a buffer shared with others.
    Shared(Bytes),
}

impl Payload<'_> {
    /// The payload as `Bytes`: copied where it is borrowed, else moved.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Borrowed(bytes) => copy::owned(bytes),
            Self::Owned(bytes) => bytes.freeze(),
            Self::Shared(bytes) => bytes,
        }
    }

    /// The same payload, borrowed for a shorter time.
    pub fn as_borrowed(&self) -> Payload<'_> {
        Payload::Borrowed(self)
    }
}

impl Deref for Payload<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A whole message that may borrow from the buffer it was read into. Text is always UTF-8.
#[derive(Debug)]
pub struct MessageRef<'a> {
    kind: Kind,
    payload: Payload<'a>,
}

impl<'a> MessageRef<'a> {
    /// A text message.
    #[inline]
    pub const fn text(text: &'a str) -> Self {
        Self { kind: Kind::Text, payload: Payload::Borrowed(text.as_bytes()) }
    }

    /// A binary message.
    #[inline]
    pub const fn binary(bytes: &'a [u8]) -> Self {
        Self { kind: Kind::Binary, payload: Payload::Borrowed(bytes) }
    }

    /// A message whose text was judged.
    #[inline]
    pub(crate) const fn validated(kind: Kind, payload: Payload<'a>) -> Self {
        Self { kind, payload }
    }

    /// Text or binary.
    #[inline]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The payload's bytes, of either kind.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.payload
    }

    /// The text; `None` on a binary message.
    #[inline]
    pub fn as_text(&self) -> Option<&str> {
        match self.kind {
            Kind::Text => Some(validated(&self.payload)),
            Kind::Binary => None,
        }
    }

    /// The payload where it is.
    #[inline]
    pub(crate) const fn payload(&self) -> &Payload<'a> {
        &self.payload
    }

    /// Kind and payload.
    #[inline]
    pub fn into_parts(self) -> (Kind, Payload<'a>) {
        (self.kind, self.payload)
    }

    /// The message on its own; copies only what is borrowed.
    #[must_use]
    pub fn into_owned(self) -> Message {
        match self.kind {
            Kind::Text => Message::Text(Text::from_validated(self.payload.into_bytes())),
            Kind::Binary => Message::Binary(self.payload.into_bytes()),
        }
    }
}

/// A message that owns its payload; cloning shares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
    Text(Text),
    /// Bytes.
    Binary(Bytes),
}

impl Message {
    /// Text or binary.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Text(_) => Kind::Text,
            Self::Binary(_) => Kind::Binary,
        }
    }

    /// The payload's bytes, of either kind.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// The text; `None` on a binary message.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Binary(_) => None,
        }
    }

    /// The payload's bytes, shared.
    pub fn into_bytes(self) -> Bytes {
        match self {
            Self::Text(text) => text.into_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }
}

impl From<Message> for MessageRef<'_> {
    fn from(message: Message) -> Self {
        let kind = message.kind();
        Self { kind, payload: Payload::Shared(message.into_bytes()) }
    }
}

impl<'a> From<&'a str> for MessageRef<'a> {
    fn from(text: &'a str) -> Self {
        Self::text(text)
    }
}

impl<'a> From<&'a [u8]> for MessageRef<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::binary(bytes)
    }
}

impl<'a> From<&'a String> for MessageRef<'a> {
    fn from(text: &'a String) -> Self {
        Self::text(text)
    }
}

impl<'a> From<&'a Message> for MessageRef<'a> {
    fn from(message: &'a Message) -> Self {
        Self { kind: message.kind(), payload: Payload::Borrowed(message.as_bytes()) }
    }
}

impl From<MessageRef<'_>> for Message {
    fn from(message: MessageRef<'_>) -> Self {
        message.into_owned()
    }
}

macro_rules! message_from {
    ($($source:ty => $variant:ident),* $(,)?) => {$(
        impl From<$source> for Message {
            fn from(source: $source) -> Self {
                Self::$variant(source.into())
            }
        }

        impl From<$source> for MessageRef<'_> {
            fn from(source: $source) -> Self {
                Message::from(source).into()
            }
        }
    )*};
}

message_from!(String => Text, Text => Text, Vec<u8> => Binary, Bytes => Binary);

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}
