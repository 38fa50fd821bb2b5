//! What a client asked for, and what the application answers before the 101.

use super::listen::Peer;
use tidewire_proto::{
    deflate::DeflateParams,
    handshake::{Fields, Offer, Refusal, RequestHead, error::SetupError},
};

/// A request that wants to become a WebSocket, as it was received.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) head: RequestHead,
    pub(crate) offer: Offer,
    pub(crate) peer: Peer,
    pub(crate) tls: bool,
}

impl Request {
    /// The path, without the query; percent-encoded as it came.
    pub fn path(&self) -> &str {
        self.head.target().map_or("/", |target| target.path)
    }

    /// The query, without its question mark; percent-encoded as it came.
    pub fn query(&self) -> Option<&str> {
        self.head.target().ok().and_then(|target| target.query)
    }

    /// The first header of this name, in any case, where it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.head.headers().iter();
        headers
            .find(|(have, _)| have.eq_ignore_ascii_case(name))
            .and_then(|(_, value)| std::str::from_utf8(value).ok())
    }

    /// The whole head, with the headers' names and order as received.
    pub fn head(&self) -> &RequestHead {
        &self.head
    }

    /// The subprotocols offered, in the client's order of preference.
    pub fn subprotocols(&self) -> &[String] {
        &self.offer.subprotocols
    }

    /// Where it comes from.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether it came over TLS.
    pub fn is_tls(&self) -> bool {
        self.tls
    }
}

/// What the application makes of a request.
#[derive(Clone, Debug)]
pub struct Verdict(pub(crate) Result<Terms, Box<Refusal>>);

/// On which terms a request is accepted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    pub(crate) subprotocol: Option<String>,
    pub(crate) headers: Fields,
}

impl Verdict {
    /// Let it in, without a subprotocol.
    pub fn accept() -> Self {
        Self(Ok(Terms::default()))
    }

    /// Turn it away with a status of 400–599, and a text for whoever sent the request.
    pub fn refuse(status: u16, text: impl Into<String>) -> Self {
        Self(Err(Box::new(Refusal::new(status, text))))
    }

    /// Speak this subprotocol, which must be one of those offered.
    #[must_use]
    pub fn subprotocol(mut self, name: impl Into<String>) -> Self {
        if let Ok(terms) = &mut self.0 {
            terms.subprotocol = Some(name.into());
        }
        self
    }

    /// Adds a header to the response.
    ///
    /// # Errors
    /// The name or value can't stand in a header.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, SetupError> {
        match &mut self.0 {
            Ok(terms) => terms.headers.push(name, value)?,
            Err(refusal) => refusal.headers.push(name, value)?,
        }
        Ok(self)
    }
}

/// What a handshake ended in.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The request.
    pub request: Request,
    /// The subprotocol agreed on.
    pub subprotocol: Option<String>,
    /// permessage-deflate, where it was agreed on.
    pub deflate: Option<DeflateParams>,
}
