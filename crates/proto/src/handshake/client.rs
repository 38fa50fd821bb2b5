//! The client's side of the opening handshake (RFC 6455 §4.1).

use super::error::{HandshakeError, SetupError};
use super::extensions;
use super::fields::{Fields, HeaderView, Several};
use super::grammar::{list, show, token};
use super::head::{ResponseHead, Version};
use super::key::{Key, basic};
use super::negotiate::{Agreed, VERSION, lists, own_subprotocols};
use super::url::WsUrl;
use crate::deflate::parameters::{DeflateConfig, DeflateParams, NAME};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// A request for a WebSocket, and the judge of its response.
#[derive(Clone, Debug)]
pub struct ClientHandshake {
    key: Key,
    subprotocols: Vec<String>,
    deflate: DeflateConfig,
    headers: Fields,
}

impl ClientHandshake {
    /// A handshake without subprotocols and extensions. `nonce` is random, and new for each request (RFC 6455 §4.1).
    pub fn new(nonce: [u8; 16]) -> Self {
        let (subprotocols, headers) = (Vec::new(), Fields::new());
        Self { key: Key::new(nonce), subprotocols, deflate: DeflateConfig::disabled(), headers }
    }

    /// Offers these subprotocols, the most wanted first.
    ///
    /// # Errors
    /// A name is no token, or stands twice.
    pub fn subprotocols<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Result<Self, SetupError> {
        self.subprotocols = own_subprotocols(names)?;
        Ok(self)
    }

    /// Offers permessage-deflate.
    #[must_use]
    pub fn deflate(mut self, config: DeflateConfig) -> Self {
        self.deflate = config;
        self
    }

    /// Adds a header. A second Host, Origin or Authorization takes the place of the first, and Host that of the URL's.
    /// Of all headers added, only Origin and User-Agent go along with a redirect to another origin.
    ///
    /// # Errors
    /// The name is no token or one that the handshake writes itself; the value holds a control character.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, SetupError> {
        if ["Host", "Origin", "Authorization"].iter().any(|single| single.eq_ignore_ascii_case(name)) {
            self.headers.remove(name);
        }
        self.headers.push_users(name, value.as_ref())?;
        Ok(self)
    }

    /// Logs in with a user and a password (RFC 7617), in place of those of the URL.
    ///
    /// # Errors
    /// The user's name holds a colon.
    pub fn basic_auth(self, user: &str, password: &str) -> Result<Self, SetupError> {
        if user.contains(':') {
            return Err(SetupError::User(user.to_owned()));
        }
        self.header("Authorization", basic(user.as_bytes(), password.as_bytes()))
    }

    /// The same handshake with another nonce, for another request.
    #[must_use]
    pub fn nonce(mut self, nonce: [u8; 16]) -> Self {
        self.key = Key::new(nonce);
        self
    }

    /// The same handshake for the URL that a redirect leads to. To another origin it goes without the user's headers, but
    /// for Origin and User-Agent: any other may be a secret (RFC 9110 §15.4).
    #[must_use]
    pub fn redirected(mut self, from: &WsUrl, to: &WsUrl, nonce: [u8; 16]) -> Self {
        if !from.same_origin(to) {
            self.headers.keep(&["Origin", "User-Agent"]);
        }
        self.nonce(nonce)
    }

    /// The key that the request carries.
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The whole request. The URL's user and password become its Authorization, where the user gave none.
    pub fn request(&self, url: &WsUrl) -> Vec<u8> {
        let mut head = Fields::new();
        if !self.headers.contains("Host") {
            head.push_ours("Host", &url.host_header());
        }
        head.push_ours("Upgrade", "websocket");
        head.push_ours("Connection", "Upgrade");
        head.push_ours("Sec-WebSocket-Key", self.key.as_str());
        head.push_ours("Sec-WebSocket-Version", VERSION);
        if !self.subprotocols.is_empty() {
            head.push_ours("Sec-WebSocket-Protocol", &self.subprotocols.join(", "));
        }
        if let Some(offer) = self.deflate.offer() {
            head.push_ours("Sec-WebSocket-Extensions", &offer);
        }
        if let Some(value) = url.basic_authorization().filter(|_| !self.headers.contains("Authorization")) {
            head.push_ours("Authorization", &value);
        }
        let mut out = Vec::with_capacity(512);
        for part in ["GET ", url.target(), " HTTP/1.1\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        head.append(self.headers.clone());
        head.write(&mut out);
        out.extend_from_slice(b"\r\n");
        out
    }

    /// Judges the final response. What follows its head in the same bytes are frames.
    ///
    /// # Errors
    /// Why there is no WebSocket: the server refused or redirects, or its 101 breaks a rule.
    pub fn check_response(&self, head: &ResponseHead) -> Result<Agreed, HandshakeError> {
        let headers = head.headers();
        if head.status() != 101 {
            return Err(refused(head));
        }
        if head.version() < Version::Http11 {
            return Err(HandshakeError::Http10);
        }
        let mut upgrades = headers.all("Upgrade").flat_map(list);
        match (upgrades.next(), upgrades.next()) {
            (Some(protocol), None) if protocol.eq_ignore_ascii_case(b"websocket") => {}
            (None, _) => return Err(HandshakeError::UpgradeMissing),
            (Some(_), Some(_)) => return Err(HandshakeError::UpgradeTwice),
            (Some(protocol), None) => return Err(HandshakeError::UpgradeOther(show(protocol))),
        }
        if !lists(headers, "Connection", "upgrade") {
            return Err(HandshakeError::ConnectionMissing);
        }
        match headers.one("Sec-WebSocket-Accept") {
            Ok(Some(value)) => {
                self.key.verify(value).map_err(|error| HandshakeError::Accept(error, show(value)))?;
            }
            Ok(None) => return Err(HandshakeError::AcceptMissing),
            Err(Several) => return Err(HandshakeError::AcceptTwice),
        }
        Ok(Agreed { deflate: self.check_extensions(headers)?, subprotocol: self.check_subprotocol(headers)? })
    }

    /// Judges the extensions of a reply, in HTTP/1.1 and by extended CONNECT.
    pub(crate) fn check_extensions<H: HeaderView>(
        &self,
        headers: &H,
    ) -> Result<Option<DeflateParams>, HandshakeError> {
        let mut agreed = None;
        for extension in extensions::parse(headers.all("Sec-WebSocket-Extensions"))? {
            if extension.name != NAME || !self.deflate.enabled {
                return Err(HandshakeError::ExtensionNotOffered(extension.name));
            }
            if agreed.replace(self.deflate.confirm(extension.pairs())?).is_some() {
                return Err(HandshakeError::ExtensionTwice(extension.name));
            }
        }
        Ok(agreed)
    }

    /// Judges the subprotocol of a reply, in HTTP/1.1 and by extended CONNECT.
    pub(crate) fn check_subprotocol<H: HeaderView>(
        &self,
        headers: &H,
    ) -> Result<Option<String>, HandshakeError> {
        let Some(value) =
            headers.one("Sec-WebSocket-Protocol").map_err(|Several| HandshakeError::SubprotocolTwice)?
        else {
            return Ok(None);
        };
        let name = token(value).ok_or_else(|| HandshakeError::SubprotocolNoToken(show(value)))?;
        if !self.subprotocols.iter().any(|offered| offered == name) {
            return Err(HandshakeError::SubprotocolNotOffered(name.to_owned()));
        }
        Ok(Some(name.to_owned()))
    }
}

fn refused(head: &ResponseHead) -> HandshakeError {
    let status = head.status();
    let location = head.headers().all("Location").next();
    match (status, location) {
        (301 | 302 | 303 | 307 | 308, Some(location)) => {
            HandshakeError::Redirect { status, location: location.to_owned() }
        }
        _ => HandshakeError::Status { status, reason: head.reason().to_owned() },
    }
}
