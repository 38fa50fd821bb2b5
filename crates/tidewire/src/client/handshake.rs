//! What is told of a client's opening handshake.

use crate::dial::DialInfo;
use std::time::Duration;
use tidewire_proto::{
    deflate::DeflateParams,
    handshake::{Agreed, ResponseHead, WsUrl},
};

/// How a client's connection came about.
#[derive(Clone, Debug)]
pub struct Handshake {
    pub(super) url: WsUrl,
    pub(super) hops: Vec<Hop>,
    pub(super) request: Vec<u8>,
    pub(super) response: ResponseHead,
    pub(super) agreed: Agreed,
    pub(super) dial: Option<DialInfo>,
    pub(super) upgrade: Duration,
    pub(super) total: Duration,
}

/// A redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hop {
    /// The URL that redirected.
    pub url: WsUrl,
    /// 301, 302, 303, 307 or 308.
    pub status: u16,
}

impl Handshake {
    /// The URL that was connected to in the end.
    pub const fn url(&self) -> &WsUrl {
        &self.url
    }

    /// The redirects that led there.
    pub fn redirects(&self) -> &[Hop] {
        &self.hops
    }

    /// The request as it was sent. It may hold secrets: Authorization, Cookie.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The head of the response, as it was received.
    pub const fn response(&self) -> &ResponseHead {
        &self.response
    }

    /// The subprotocol agreed on.
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol.as_deref()
    }

    /// permessage-deflate, where it was agreed on.
    pub const fn deflate(&self) -> Option<&DeflateParams> {
        self.agreed.deflate.as_ref()
    }

    /// The extensions in the server's words; empty where there are none.
    pub fn extensions(&self) -> String {
        let all = self.response.headers().iter();
        let ours = all.filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Extensions"));
        ours.map(|(_, value)| String::from_utf8_lossy(value)).collect::<Vec<_>>().join(", ")
    }

    /// Addresses, and the times that name, TCP, proxy and TLS took; `None` over a stream of the caller's.
    pub const fn dial(&self) -> Option<&DialInfo> {
        self.dial.as_ref()
    }

    /// From the first byte of the request to the last of the response's head.
    pub const fn upgrade(&self) -> Duration {
        self.upgrade
    }

    /// Dialling and upgrade together, without the redirects before.
    pub const fn total(&self) -> Duration {
        self.total
    }
}
