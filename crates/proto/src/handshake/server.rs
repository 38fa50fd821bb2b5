//! The server's side of the opening handshake (RFC 6455 §4.2).

use super::error::SetupError;
use super::extensions::{self, Extension};
use super::fields::{Fields, HeaderView, Several};
use super::grammar::show;
use super::head::{Headers, RequestHead, Version};
use super::key::{Accept, Key};
use super::negotiate::{
    Agreed, MAX_SUBPROTOCOLS, SubprotocolError, VERSION, accept_deflate, lists, subprotocols,
};
use super::origin::OriginPolicy;
use super::refusal::Refusal;
use super::{authority::Authority, target::TargetError};
use crate::deflate::parameters::DeflateConfig;
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What the rules look at in a request, whichever library read it.
#[derive(Debug)]
pub struct RequestView<'a, H> {
    /// The method.
    pub method: &'a str,
    /// The version.
    pub version: Version,
    /// Host and port of the request target, where it has them: absolute form, `:authority`.
    pub authority: Option<&'a str>,
    /// The header fields.
    pub headers: &'a H,
}

impl<'a> TryFrom<&'a RequestHead> for RequestView<'a, Headers> {
    type Error = TargetError;

    fn try_from(head: &'a RequestHead) -> Result<Self, TargetError> {
        let authority = head.target()?.authority;
        Ok(Self { method: head.method(), version: head.version(), authority, headers: head.headers() })
    }
}

/// Whom a server lets in.
#[derive(Clone, Debug, Default)]
pub struct ServerPolicy {
    /// The origins.
    pub origin: OriginPolicy,
    /// The listener is bound to a loopback address: the Host header must name the machine itself, or the host of an
    /// entry of `origin` (DNS rebinding).
    pub loopback: bool,
}

/// A request that may become a WebSocket, and what it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The subprotocols, in the client's order of preference; unique.
    pub subprotocols: Vec<String>,
    /// The extensions, in the client's order of preference.
    pub extensions: Vec<Extension>,
}

/// A request of HTTP/1.1 that may become a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// What it offers.
    pub offer: Offer,
    /// The answer to its key.
    pub accept: Accept,
}

/// What the application answers to an offer. The default takes no subprotocol and no extension.
#[derive(Clone, Debug, Default)]
pub struct Choice<'a> {
    /// One of the subprotocols offered.
    pub subprotocol: Option<&'a str>,
    /// How permessage-deflate is taken, where it is offered.
    pub deflate: Option<&'a DeflateConfig>,
    /// More headers.
    pub headers: Fields,
}

/// The response 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switching {
    /// All its headers.
    pub headers: Fields,
    /// What it settles.
    pub agreed: Agreed,
}

/// Whether a request means to become a WebSocket: its Upgrade header names it, or it carries a header that only such a
/// request has. All others are for an HTTP service.
pub fn is_websocket<H: HeaderView>(headers: &H) -> bool {
    const SIGNS: [&str; 6] = [
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Version",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Extensions",
        // The drafts before version 4 had two keys.
        "Sec-WebSocket-Key1",
        "Sec-WebSocket-Key2",
    ];
    lists(headers, "Upgrade", "websocket") || SIGNS.iter().any(|name| headers.all(name).next().is_some())
}

/// Judges a request of HTTP/1.1 (RFC 6455 §4.2.1).
///
/// # Errors
/// The refusal to send before the connection is closed.
pub fn check<H: HeaderView>(
    request: &RequestView<'_, H>,
    policy: &ServerPolicy,
) -> Result<Accepted, Refusal> {
    let headers = request.headers;
    if request.method != "GET" {
        let text = format!("A WebSocket is opened with GET, not {}.", show(request.method.as_bytes()));
        return Err(Refusal::new(405, text).with("Allow", "GET"));
    }
    if request.version < Version::Http11 {
        return Err(Refusal::new(
            505,
            "A WebSocket needs HTTP/1.1; the request is of HTTP/1.0. Is a proxy in between?",
        ));
    }
    if headers.all("Transfer-Encoding").next().is_some()
        || headers.all("Content-Length").any(|value| value != b"0")
    {
        return Err(Refusal::new(
            400,
            "A request for a WebSocket has no body: leave out Content-Length and Transfer-Encoding.",
        ));
    }
    if headers.all("Host").next().is_none() {
        return Err(Refusal::new(400, "The Host header is missing (RFC 9112 §3.2)."));
    }
    if !lists(headers, "Upgrade", "websocket") {
        return Err(Refusal::new(
            400,
            "The header \"Upgrade: websocket\" is missing. Where the client sent it, a proxy in between takes it away: \
             tell the proxy to pass on Upgrade and Connection.",
        ));
    }
    if !lists(headers, "Connection", "upgrade") {
        return Err(Refusal::new(
            400,
            "The header \"Connection: Upgrade\" is missing. Where the client sent it, a proxy in between takes it away: \
             tell the proxy to pass on Upgrade and Connection.",
        ));
    }
    check_version(headers)?;
    let accept = check_key(headers)?;
    let offer = check_offer(request, policy)?;
    Ok(Accepted { offer, accept })
}

/// Judges what every opening handshake has, also that of HTTP/2 and HTTP/3 (RFC 8441 §5, RFC 9220): version, Host or
/// `:authority`, Origin, subprotocols and extensions.
///
/// # Errors
/// The refusal to send.
pub fn check_offer<H: HeaderView>(
    request: &RequestView<'_, H>,
    policy: &ServerPolicy,
) -> Result<Offer, Refusal> {
    check_version(request.headers)?;
    check_origin(request, policy)?;
    let subprotocols = subprotocols(request.headers).map_err(|error| {
        let what = match error {
            SubprotocolError::Empty => "it names none".to_owned(),
            SubprotocolError::NoToken(bytes) => format!("\"{}\" is not a token", show(&bytes)),
            SubprotocolError::Twice(name) => format!("\"{name}\" stands twice"),
            SubprotocolError::TooMany => format!("it names more than {MAX_SUBPROTOCOLS}"),
        };
        Refusal::new(400, format!("Sec-WebSocket-Protocol can't be read: {what} (RFC 6455 §4.1)."))
    })?;
    let extensions = extensions::parse(request.headers.all("Sec-WebSocket-Extensions")).map_err(|error| {
        Refusal::new(400, format!("Sec-WebSocket-Extensions can't be read: {error} (RFC 6455 §9.1)."))
    })?;
    Ok(Offer { subprotocols, extensions })
}

/// Judges Host and Origin alone, as a plain HTTP service on the same listener wants it, too.
///
/// # Errors
/// The refusal to send: 403, or 400 for a Host or Origin that stands twice or can't be read.
pub fn check_origin<H: HeaderView>(
    request: &RequestView<'_, H>,
    policy: &ServerPolicy,
) -> Result<(), Refusal> {
    let twice = |name: &str| Refusal::new(400, format!("The header {name} stands twice."));
    let header = request.headers.one("Host").map_err(|Several| twice("Host"))?;
    let host = request.authority.map(str::as_bytes).or(header).unwrap_or_default();
    if let Err(error) = Authority::parse(host) {
        return Err(Refusal::new(400, format!("The Host header can't be read: {error}.")));
    }
    let origin = request.headers.one("Origin").map_err(|Several| twice("Origin"))?;
    if policy.loopback && !policy.origin.admits_host_on_loopback(host) {
        let hint = option_for(host, |allowed| allowed.admits_host_on_loopback(host)).map_or_else(
            || "it can't be allowed by name".to_owned(),
            |option| format!("to answer to it, give {option} (OriginPolicy::allow)"),
        );
        let host = show(host);
        return Err(Refusal {
            log: format!(
                "refused a request for host {host} on a loopback address, where only names of this machine are answered; \
                 {hint}"
            ),
            ..Refusal::new(
                403,
                format!("This server answers to names of its own machine only, not to {host}."),
            )
        });
    }
    if !policy.origin.admits(origin, host) {
        let (seen, hint) = match origin {
            Some(origin) => (
                format!("Pages of the origin {}", show(origin)),
                option_for(origin, |allowed| allowed.admits(Some(origin), b"")).map_or_else(
                    || "that origin can't be allowed by name".to_owned(),
                    |option| format!("to let them in, give {option} (OriginPolicy::allow)"),
                ),
            ),
            None => (
                "Requests without an Origin header".to_owned(),
                "to let them in, give an OriginPolicy that admits them".to_owned(),
            ),
        };
        return Err(Refusal {
            log: format!("{seen} may not connect to {}; {hint}", show(host)),
            ..Refusal::new(403, format!("{seen} may not connect to this server."))
        });
    }
    Ok(())
}

/// The option of a command line that lets in what a stranger sent as `text`. The line may be pasted into a shell, so there
/// is one only where the text is an entry for itself alone: no pattern, no option, nothing outside the entries' grammar,
/// which has no character that single quotes do not hold.
fn option_for(text: &[u8], admitted: impl Fn(&OriginPolicy) -> bool) -> Option<String> {
    /// The longest host is 255 bytes long; a line of the log stays short.
    const LONGEST: usize = 300;
    let entry = core::str::from_utf8(text).ok()?;
    if entry.len() > LONGEST || entry.contains('*') || entry.starts_with('-') {
        return None;
    }
    let allowed = OriginPolicy::only_listed(false).allow(entry).ok()?;
    admitted(&allowed).then(|| format!("--origin '{entry}'"))
}

fn check_version<H: HeaderView>(headers: &H) -> Result<(), Refusal> {
    let seen = match headers.one("Sec-WebSocket-Version") {
        Ok(Some(version)) if version == VERSION.as_bytes() => return Ok(()),
        Ok(Some(version)) => format!("asks for version \"{}\"", show(version)),
        Ok(None) => "names no version".to_owned(),
        Err(Several) => "names several versions".to_owned(),
    };
    let text =
        format!("Version {VERSION} of the WebSocket protocol (RFC 6455) is spoken here; the request {seen}.");
    Err(Refusal::new(426, text).with("Upgrade", "websocket").with("Sec-WebSocket-Version", VERSION))
}

fn check_key<H: HeaderView>(headers: &H) -> Result<Accept, Refusal> {
    let what = match headers.one("Sec-WebSocket-Key") {
        Ok(Some(value)) => match Key::parse(value) {
            Ok(key) => return Ok(key.accept()),
            Err(error) => format!("can't be used: {error}"),
        },
        Ok(None) => "is missing".to_owned(),
        Err(Several) => "stands twice".to_owned(),
    };
    Err(Refusal::new(
        400,
        format!("Sec-WebSocket-Key {what}; it is 16 random bytes in base64 (RFC 6455 §4.1)."),
    ))
}

impl Offer {
    /// The first of `ours`, in our order of preference, that is offered.
    pub fn pick<'a>(&self, ours: &[&'a str]) -> Option<&'a str> {
        ours.iter().find(|own| self.subprotocols.iter().any(|offered| offered == *own)).copied()
    }

    /// What a choice makes of the offer, and the headers that tell the client.
    ///
    /// # Errors
    /// The subprotocol was not offered, or a header is one that the handshake writes itself.
    pub fn agree(&self, choice: &Choice<'_>) -> Result<Switching, SetupError> {
        let mut headers = Fields::new();
        let mut agreed = Agreed::default();
        if let Some(name) = choice.subprotocol {
            if !self.subprotocols.iter().any(|offered| offered == name) {
                return Err(SetupError::SubprotocolNotOffered(name.to_owned()));
            }
            headers.push_ours("Sec-WebSocket-Protocol", name);
            agreed.subprotocol = Some(name.to_owned());
        }
        let taken = choice.deflate.and_then(|config| accept_deflate(&self.extensions, config));
        if let Some((params, reply)) = taken {
            headers.push_ours("Sec-WebSocket-Extensions", &reply);
            agreed.deflate = Some(params);
        }
        for (name, value) in choice.headers.iter() {
            headers.push_users(name, value)?;
        }
        Ok(Switching { headers, agreed })
    }
}

impl Accepted {
    /// The 101 to a choice. Write [`to_bytes`](Switching::to_bytes), then nothing but frames.
    ///
    /// # Errors
    /// As [`Offer::agree`].
    pub fn respond(&self, choice: &Choice<'_>) -> Result<Switching, SetupError> {
        let Switching { headers: settled, agreed } = self.offer.agree(choice)?;
        let mut headers = Fields::new();
        headers.push_ours("Upgrade", "websocket");
        headers.push_ours("Connection", "Upgrade");
        headers.push_ours("Sec-WebSocket-Accept", self.accept.as_str());
        headers.append(settled);
        Ok(Switching { headers, agreed })
    }
}

impl Switching {
    /// The response's head in HTTP/1.1, up to and with its empty line.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = b"HTTP/1.1 101 Switching Protocols\r\n".to_vec();
        self.headers.write(&mut out);
        out.extend_from_slice(b"\r\n");
        out
    }
}
