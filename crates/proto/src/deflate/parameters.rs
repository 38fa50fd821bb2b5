//! The parameters of permessage-deflate (RFC 7692 §7.1): one value, read by the handshake and by the codec.

use super::compress::Compressor;
use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt::{self, Write as _};

/// The extension's token (RFC 7692 §7).
pub const NAME: &str = "permessage-deflate";

const MIN_WINDOW_BITS: u8 = 8;
const MAX_WINDOW_BITS: u8 = 15;

const SERVER_NO_CONTEXT_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_NO_CONTEXT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_MAX_WINDOW_BITS: &str = "server_max_window_bits";
const CLIENT_MAX_WINDOW_BITS: &str = "client_max_window_bits";

/// What both ends agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeflateParams {
    /// The server compresses each message afresh (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// The client compresses each message afresh (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// log2 of the server's window, 8–15 (§7.1.2.1).
    pub server_max_window_bits: u8,
    /// log2 of the client's window, 8–15 (§7.1.2.2).
    pub client_max_window_bits: u8,
}

/// What one end wants of permessage-deflate. The default takes no context over, either way, so that an idle
/// connection holds no window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeflateConfig {
    /// Whether the extension is offered or accepted at all.
    pub enabled: bool,
    /// Asks that the server compresses each message afresh (§7.1.1.1).
    pub server_no_context_takeover: bool,
    /// Asks that the client compresses each message afresh (§7.1.1.2).
    pub client_no_context_takeover: bool,
    /// The largest window of the server, 8–15. Other values count as the nearest.
    pub server_max_window_bits: u8,
    /// The largest window of the client, 8–15. Other values count as the nearest.
    /// A server can't ask it of a client that does not offer the parameter: such a client gets 15.
    pub client_max_window_bits: u8,
    /// The level of compression: 1, fastest, to 9, smallest.
    pub level: u8,
    /// The memory level: 1, least memory, to 9.
    pub mem_level: u8,
    /// Messages of fewer bytes are sent plain.
    pub threshold: usize,
}

impl Default for DeflateConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            server_max_window_bits: MAX_WINDOW_BITS,
            client_max_window_bits: MAX_WINDOW_BITS,
            level: Compressor::LEVEL,
            mem_level: Compressor::MEM_LEVEL,
            threshold: 64,
        }
    }
}

impl DeflateConfig {
    /// Level and memory level.
    pub(crate) fn levels(&self) -> (u8, u8) {
        (self.level.clamp(1, 9), self.mem_level.clamp(1, 9))
    }

    /// Neither offered nor accepted.
    pub fn disabled() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// The client's offer, an element of `Sec-WebSocket-Extensions`; `None` where the extension is disabled.
    pub fn offer(&self) -> Option<String> {
        let parameters = Parameters {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: (self.server_bits() < MAX_WINDOW_BITS).then(|| self.server_bits()),
            client_max_window_bits: Some(match self.client_bits() {
                MAX_WINDOW_BITS => ClientBits::Any,
                bits => ClientBits::Bits(bits),
            }),
        };
        self.enabled.then(|| parameters.to_text())
    }

    /// The server's answer to one offer, given as its parameters: what is agreed, and the element of
    /// `Sec-WebSocket-Extensions` that says so. `None` declines it: the extension is disabled, or a parameter is unknown,
    /// repeated or malformed.
    pub fn accept_offer<'a>(
        &self,
        offer: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Option<(DeflateParams, String)> {
        let offer = Parameters::read(offer).ok().filter(|_| self.enabled)?;
        let server_bits = self.server_bits().min(offer.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS));
        // §7.1.2.2: only a client that offers the parameter can be asked for a smaller window.
        let client_bits = match offer.client_max_window_bits {
            None => MAX_WINDOW_BITS,
            Some(ClientBits::Any) => self.client_bits(),
            Some(ClientBits::Bits(bits)) => self.client_bits().min(bits),
        };
        let agreed = DeflateParams {
            server_no_context_takeover: self.server_no_context_takeover || offer.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover || offer.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        };
        let reply = Parameters {
            server_no_context_takeover: agreed.server_no_context_takeover,
            client_no_context_takeover: agreed.client_no_context_takeover,
            server_max_window_bits: (offer.server_max_window_bits.is_some() || server_bits < MAX_WINDOW_BITS)
                .then_some(server_bits),
            client_max_window_bits: (client_bits < MAX_WINDOW_BITS).then_some(ClientBits::Bits(client_bits)),
        };
        Some((agreed, reply.to_text()))
    }

    /// What the server's reply, given as its parameters, makes of [`offer`](Self::offer).
    ///
    /// # Errors
    /// The reply is malformed, or does not keep to the offer: the client fails the connection (RFC 7692 §5.1).
    pub fn confirm<'a>(
        &self,
        reply: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) -> Result<DeflateParams, ParameterError> {
        let reply = Parameters::read(reply)?;
        if self.server_no_context_takeover && !reply.server_no_context_takeover {
            return Err(ParameterError::NotConfirmed(SERVER_NO_CONTEXT_TAKEOVER));
        }
        let server_offer = self.server_bits();
        let server_bits = match reply.server_max_window_bits {
            None if server_offer < MAX_WINDOW_BITS => {
                return Err(ParameterError::NotConfirmed(SERVER_MAX_WINDOW_BITS));
            }
            Some(bits) if bits > server_offer => {
                return Err(ParameterError::AboveOffer(SERVER_MAX_WINDOW_BITS, bits, server_offer));
            }
            bits => bits.unwrap_or(MAX_WINDOW_BITS),
        };
        let client_offer = self.client_bits();
        let client_bits = match reply.client_max_window_bits {
            None => client_offer,
            Some(ClientBits::Any) => return Err(ParameterError::ValueMissing(CLIENT_MAX_WINDOW_BITS)),
            Some(ClientBits::Bits(bits)) if bits > client_offer => {
                return Err(ParameterError::AboveOffer(CLIENT_MAX_WINDOW_BITS, bits, client_offer));
            }
            Some(ClientBits::Bits(bits)) => bits,
        };
        Ok(DeflateParams {
            server_no_context_takeover: reply.server_no_context_takeover,
            // The hint of our offer binds us even where the reply leaves it out (§7.1.1.2).
            client_no_context_takeover: self.client_no_context_takeover || reply.client_no_context_takeover,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        })
    }

    fn server_bits(&self) -> u8 {
        self.server_max_window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS)
    }

    fn client_bits(&self) -> u8 {
        self.client_max_window_bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS)
    }
}

/// The four parameters as an offer or a reply names them.
#[derive(Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: Option<ClientBits>,
}

/// The value of `client_max_window_bits`, which an offer may leave out.
#[derive(Clone, Copy)]
enum ClientBits {
    Any,
    Bits(u8),
}

impl fmt::Display for DeflateParams {
    /// As an element of `Sec-WebSocket-Extensions`; windows of 15 bits go without saying.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let smaller = |bits: u8| (bits < MAX_WINDOW_BITS).then_some(bits);
        let parameters = Parameters {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: smaller(self.server_max_window_bits),
            client_max_window_bits: smaller(self.client_max_window_bits).map(ClientBits::Bits),
        };
        f.write_str(&parameters.to_text())
    }
}

impl Parameters {
    fn read<'a>(list: impl IntoIterator<Item = (&'a str, Option<&'a str>)>) -> Result<Self, ParameterError> {
        let mut read = Self::default();
        for (name, value) in list {
            match name {
                SERVER_NO_CONTEXT_TAKEOVER => {
                    set_flag(&mut read.server_no_context_takeover, SERVER_NO_CONTEXT_TAKEOVER, value)?;
                }
                CLIENT_NO_CONTEXT_TAKEOVER => {
                    set_flag(&mut read.client_no_context_takeover, CLIENT_NO_CONTEXT_TAKEOVER, value)?;
                }
                SERVER_MAX_WINDOW_BITS => {
                    let value = value.ok_or(ParameterError::ValueMissing(SERVER_MAX_WINDOW_BITS))?;
                    let bits = window_bits(SERVER_MAX_WINDOW_BITS, value)?;
                    set_once(&mut read.server_max_window_bits, SERVER_MAX_WINDOW_BITS, bits)?;
                }
                CLIENT_MAX_WINDOW_BITS => {
                    let bits = match value {
                        None => ClientBits::Any,
                        Some(value) => ClientBits::Bits(window_bits(CLIENT_MAX_WINDOW_BITS, value)?),
                    };
                    set_once(&mut read.client_max_window_bits, CLIENT_MAX_WINDOW_BITS, bits)?;
                }
                _ => return Err(ParameterError::Unknown(name.to_owned())),
            }
        }
        Ok(read)
    }

    fn to_text(&self) -> String {
        let mut text = NAME.to_owned();
        let mut push = |name: &str, bits: Option<u8>| {
            text.push_str("; ");
            text.push_str(name);
            if let Some(bits) = bits {
                // Writing to a String can't fail.
                let _ = write!(text, "={bits}");
            }
        };
        if self.server_no_context_takeover {
            push(SERVER_NO_CONTEXT_TAKEOVER, None);
        }
        if self.client_no_context_takeover {
            push(CLIENT_NO_CONTEXT_TAKEOVER, None);
        }
        if let Some(bits) = self.server_max_window_bits {
            push(SERVER_MAX_WINDOW_BITS, Some(bits));
        }
        match self.client_max_window_bits {
            None => {}
            Some(ClientBits::Any) => push(CLIENT_MAX_WINDOW_BITS, None),
            Some(ClientBits::Bits(bits)) => push(CLIENT_MAX_WINDOW_BITS, Some(bits)),
        }
        text
    }
}

fn set_flag(flag: &mut bool, name: &'static str, value: Option<&str>) -> Result<(), ParameterError> {
    if value.is_some() {
        return Err(ParameterError::ValueUnexpected(name));
    }
    if core::mem::replace(flag, true) { Err(ParameterError::Twice(name)) } else { Ok(()) }
}

fn set_once<T>(slot: &mut Option<T>, name: &'static str, value: T) -> Result<(), ParameterError> {
    if slot.replace(value).is_some() { Err(ParameterError::Twice(name)) } else { Ok(()) }
}

/// A decimal number from 8 to 15 without a leading zero (§7.1.2).
fn window_bits(name: &'static str, value: &str) -> Result<u8, ParameterError> {
    match value.as_bytes() {
        [digit @ b'8'..=b'9'] => Ok(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Ok(10 + digit - b'0'),
        _ => Err(ParameterError::WindowBits(name, value.to_owned())),
    }
}

/// What is wrong with the parameters of permessage-deflate that the peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParameterError {
    /// A parameter that RFC 7692 does not have.
    Unknown(String),
    /// A parameter given twice.
    Twice(&'static str),
    /// A value where none belongs.
    ValueUnexpected(&'static str),
    /// No value where one belongs.
    ValueMissing(&'static str),
    /// A window that is not a number from 8 to 15 without a leading zero.
    WindowBits(&'static str, String),
    /// The reply leaves out what the offer demands.
    NotConfirmed(&'static str),
    /// The reply's window, then the smaller one that was offered.
    AboveOffer(&'static str, u8, u8),
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "{NAME} has no parameter {name:?} (RFC 7692 §7.1)"),
            Self::Twice(name) => write!(f, "{name} is given twice (RFC 7692 §7.1)"),
            Self::ValueUnexpected(name) => write!(f, "{name} takes no value (RFC 7692 §7.1.1)"),
            Self::ValueMissing(name) => write!(f, "{name} needs a value here (RFC 7692 §7.1.2)"),
            Self::WindowBits(name, value) => {
                write!(
                    f,
                    "{name}={value:?} is not a number from 8 to 15 without a leading zero (RFC 7692 §7.1.2)"
                )
            }
            Self::NotConfirmed(name) => write!(f, "the reply leaves out {name}, which the offer demands"),
            Self::AboveOffer(name, reply, offer) => {
                write!(f, "the reply says {name}={reply}, above the {offer} of the offer")
            }
        }
    }
}

impl core::error::Error for ParameterError {}
