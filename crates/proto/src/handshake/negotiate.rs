//! What both ends settle: version, subprotocol and extensions (RFC 6455 §4.1, §4.2.2). Client and server, HTTP/1.1 and
//! extended CONNECT read the headers by the same functions.

use super::error::SetupError;
use super::extensions::Extension;
use super::fields::HeaderView;
use super::grammar::{list, token};
use crate::deflate::parameters::{DeflateConfig, DeflateParams, NAME};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The version of the protocol (RFC 6455 §4.1).
pub const VERSION: &str = "13";

/// The most subprotocols that one request may offer.
pub const MAX_SUBPROTOCOLS: usize = 64;

/// What a handshake ended in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agreed {
    /// The subprotocol, one of those offered.
    pub subprotocol: Option<String>,
    /// permessage-deflate, where both ends want it.
    pub deflate: Option<DeflateParams>,
}

/// What is wrong with the subprotocols of a request.
pub(crate) enum SubprotocolError {
    Empty,
    NoToken(Vec<u8>),
    Twice(String),
    TooMany,
}

/// The subprotocols that a request offers, in the client's order: unique tokens, whose case counts.
pub(crate) fn subprotocols<H: HeaderView>(headers: &H) -> Result<Vec<String>, SubprotocolError> {
    let mut offered: Vec<String> = Vec::new();
    for value in headers.all("Sec-WebSocket-Protocol") {
        let before = offered.len();
        for element in list(value) {
            let name = token(element).ok_or_else(|| SubprotocolError::NoToken(element.to_owned()))?;
            if offered.iter().any(|have| have == name) {
                return Err(SubprotocolError::Twice(name.to_owned()));
            }
            if offered.len() == MAX_SUBPROTOCOLS {
                return Err(SubprotocolError::TooMany);
            }
            offered.push(name.to_owned());
        }
        if offered.len() == before {
            return Err(SubprotocolError::Empty);
        }
    }
    Ok(offered)
}

/// The subprotocols that a client is set up to offer, checked.
pub(crate) fn own_subprotocols<'a>(
    names: impl IntoIterator<Item = &'a str>,
) -> Result<Vec<String>, SetupError> {
    let mut own: Vec<String> = Vec::new();
    for name in names {
        if token(name.as_bytes()).is_none() {
            return Err(SetupError::Subprotocol(name.to_owned()));
        }
        if own.iter().any(|have| have == name) {
            return Err(SetupError::SubprotocolTwice(name.to_owned()));
        }
        own.push(name.to_owned());
    }
    Ok(own)
}

/// The first offer of permessage-deflate that `config` can take, and the reply to it.
pub(crate) fn accept_deflate(
    offers: &[Extension],
    config: &DeflateConfig,
) -> Option<(DeflateParams, String)> {
    offers.iter().filter(|offer| offer.name == NAME).find_map(|offer| config.accept_offer(offer.pairs()))
}

/// Whether one of the lists in the fields called `name` holds `wanted`, in any case of letters.
pub(crate) fn lists<H: HeaderView>(headers: &H, name: &str, wanted: &str) -> bool {
    headers.all(name).flat_map(list).any(|element| element.eq_ignore_ascii_case(wanted.as_bytes()))
}
