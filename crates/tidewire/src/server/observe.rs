//! What a server tells whoever watches it.

use super::{
    listen::Peer,
    request::{Opened, Request},
};
use crate::outcome::{Error, Outcome};
use std::io;

/// Watches a server: access lines, metrics. Every method has an empty default.
pub trait Observer: Send + Sync + 'static {
    /// A connection is open.
    fn opened(&self, opened: &Opened) {
        let _ = opened;
    }

    /// A connection that was open is over. `error` is what the application's handler returned.
    fn closed(&self, request: &Request, outcome: &Outcome, error: Option<&Error>) {
        let _ = (request, outcome, error);
    }

    /// A request was refused, or a TLS handshake failed.
    fn refused(&self, refused: &Refused<'_>) {
        let _ = refused;
    }

    /// A connection could not be accepted; the server goes on.
    fn accept_failed(&self, error: &io::Error) {
        let _ = error;
    }

    /// Whether [`closed`](Self::closed) is of interest: it keeps the request for as long as the connection lives.
    fn wants_closed(&self) -> bool {
        false
    }
}

/// A request that was refused.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// Where it came from.
    pub peer: &'a Peer,
    /// The status it was answered with; `None` where TLS failed before it.
    pub status: Option<u16>,
    /// Why, and the option that would let it in, where there is one.
    pub why: &'a str,
}

/// Watches nothing.
pub(crate) struct Nobody;

impl Observer for Nobody {}
