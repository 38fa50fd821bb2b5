//! The traits of [`session`](super::session) on the `tidewire` library: the only file that knows it.

use super::plan::Plan;
use super::session::{
    CloseCode, Dial, DialError, DialErrorKind, Event, Failure, FailureKind, Handshake, Head, Message,
    Receiver, Sender, Session, Timings,
};
use crate::args::values::{Credentials, Header};
use crate::args::{ConnectArgs, OpeningArgs};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tidewire::client::{Rejected, Why};
use tidewire::dial::{Phase, Proxy, Target};
use tidewire::proto::deflate::DeflateConfig;
use tidewire::proto::error::Limit;
use tidewire::proto::handshake::{HandshakeError, HeaderView as _, ResponseHead};
use tidewire::tls::TlsOptions;
use tidewire::{Client, ConnectError, Incoming, WebSocket, Writer};

/// Opens connections to the plan's URL.
pub(crate) struct Dialer {
    client: Client,
    url: String,
    timeout: Duration,
    verbose: bool,
}

/// By how much the limit of all steps together lies above those of single ones, which can tell what they waited for.
const ALLOWANCE: Duration = Duration::from_millis(200);

impl Dialer {
    /// # Errors
    /// One sentence: which option can't be used.
    pub(crate) fn new(plan: &Plan, args: &ConnectArgs) -> Result<Self, String> {
        let mut client = client(&args.opening, &plan.headers, plan.credentials.as_ref())?
            .max_message(args.max_message)
            .ping_interval(args.ping_interval.0)
            .target(plan.socket.clone().map(Target::Unix))
            .config(|config| config.timing.close_timeout = args.close_timeout);
        if args.no_deflate {
            client = client.deflate(DeflateConfig::disabled());
        }
        Ok(Self {
            client,
            url: plan.url.clone(),
            timeout: args.opening.connect_timeout,
            verbose: args.verbose,
        })
    }
}

/// A client as the options for opening describe it.
///
/// # Errors
/// One sentence: which option can't be used.
pub(crate) fn client(
    args: &OpeningArgs,
    headers: &[Header],
    credentials: Option<&Credentials>,
) -> Result<Client, String> {
    let redirects = usize::try_from(args.location).unwrap_or(usize::MAX);
    let mut client = Client::new()
        .connect_timeout(args.connect_timeout)
        .handshake_timeout(args.connect_timeout)
        .max_redirects(redirects)
        .subprotocols(&args.subprotocols);
    for header in headers {
        client = client.header(&header.name, &header.value);
    }
    if let Some(origin) = &args.origin {
        client = client.origin(origin);
    }
    client = match credentials {
        Some(Credentials::Basic { user, password }) => client.basic_auth(user, password),
        Some(Credentials::Bearer(token)) => client.bearer(token),
        None => client,
    };
    if let Some(tls) = tls(args) {
        // Files that can't be used are told of before anything is dialled.
        client = client.tls_config(tls.build().map_err(|error| error.to_string())?);
    }
    if let Some(proxy) = &args.proxy {
        client = client.proxy(proxy.parse::<Proxy>().map_err(|error| format!("--proxy: {error}"))?);
    }
    Ok(if args.no_proxy { client.no_proxy() } else { client })
}

/// What the options say of TLS; `None` where they say nothing.
fn tls(args: &OpeningArgs) -> Option<TlsOptions> {
    if !args.insecure && args.ca.is_none() && args.cert.is_none() {
        return None;
    }
    let mut tls = TlsOptions::new().insecure(args.insecure);
    if let Some(ca) = &args.ca {
        tls = tls.system_roots(false).authority(ca.as_path());
    }
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        tls = tls.client_certificate(cert.as_path(), key.as_path());
    }
    Some(tls)
}

impl Dial for Dialer {
    type Session = Open;

    async fn dial(&mut self) -> Result<Open, DialError> {
        let connecting = self.client.connect(&self.url);
        match tokio::time::timeout(self.timeout + ALLOWANCE, connecting).await {
            Ok(Ok(socket)) => Ok(Open { handshake: handshake(&socket, &self.url), socket }),
            Ok(Err(error)) => {
                let (kind, text) = (kind(&error), text(&error));
                let rejected = error.rejected().filter(|_| self.verbose);
                let answer = rejected.and_then(answer).map(Box::new);
                Err(DialError { kind, passing: Why::Connect(Arc::new(error)).is_transient(), text, answer })
            }
            Err(_) => {
                let text = format!(
                    "the connection was not open within {:?}: --connect-timeout gives more time",
                    self.timeout
                );
                Err(DialError { kind: DialErrorKind::Timeout, passing: true, text, answer: None })
            }
        }
    }
}

/// An open connection of the library's.
pub(crate) struct Open {
    socket: WebSocket,
    handshake: Handshake,
}

impl Session for Open {
    type Sender = Writer;
    type Receiver = Events;

    fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    fn split(self) -> (Writer, Events) {
        let (writer, receiver) = self.socket.split();
        (writer, Events { receiver, ended: false })
    }
}

impl Sender for Writer {
    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        let message = match message {
            Message::Text(text) => tidewire::Message::Text(text.into()),
            Message::Binary(bytes) => tidewire::Message::Binary(bytes),
        };
        (**self).send(message).await.map_err(|error| failure(&error))
    }

    async fn ping(&mut self, payload: Bytes) -> Result<(), Failure> {
        (**self).ping(payload).await.map_err(|error| failure(&error))
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        (**self).flush().await.map_err(|error| failure(&error))
    }

    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Failure> {
        self.start_close(code, reason).map_err(|error| failure(&error))?;
        Sender::flush(self).await
    }
}

/// The receiving half; the end of the library's stream of messages becomes [`Event::Close`], and then the end.
pub(crate) struct Events {
    receiver: tidewire::Receiver,
    ended: bool,
}

impl Receiver for Events {
    async fn next(&mut self) -> Result<Option<Event>, Failure> {
        if self.ended {
            return Ok(None);
        }
        Ok(match self.receiver.recv_any().await.map_err(|error| failure(&error))? {
            Some(Incoming::Message(tidewire::Message::Text(text))) => {
                Some(Event::Message(Message::Text((*text).to_owned())))
            }
            Some(Incoming::Message(tidewire::Message::Binary(bytes))) => {
                Some(Event::Message(Message::Binary(bytes)))
            }
            Some(Incoming::Ping(payload)) => Some(Event::Ping(payload)),
            Some(Incoming::Pong(payload, round_trip)) => Some(Event::Pong(payload, round_trip)),
            // What a later library tells besides.
            Some(_) => return Box::pin(self.next()).await,
            None => {
                self.ended = true;
                let reason = self.receiver.close_reason();
                reason.filter(|reason| reason.code != CloseCode::ABNORMAL).map(Event::Close)
            }
        })
    }
}

fn handshake(socket: &WebSocket, url: &str) -> Handshake {
    let Some(info) = socket.handshake() else { return Handshake { url: url.into(), ..Handshake::default() } };
    let response = info.response();
    let extensions = info.extensions();
    let dial = info.dial();
    let taken = |time: Duration| (!time.is_zero()).then_some(time);
    Handshake {
        url: info.url().to_string(),
        peer: dial.and_then(|dial| dial.peer),
        proxy: dial.and_then(|dial| dial.proxy.as_ref()).map(ToString::to_string),
        request: request(info.request()),
        response: response_head(response),
        subprotocol: info.subprotocol().map(str::to_owned),
        extensions: (!extensions.is_empty()).then_some(extensions),
        redirects: info.redirects().iter().map(|hop| format!("{} ({})", hop.url, hop.status)).collect(),
        timings: Timings {
            dns: dial.and_then(|dial| taken(dial.dns)),
            tcp: dial.and_then(|dial| taken(dial.tcp)),
            proxy: dial.and_then(|dial| taken(dial.tunnel)),
            tls: dial.and_then(|dial| taken(dial.tls)),
            upgrade: Some(info.upgrade()),
        },
    }
}

fn response_head(head: &ResponseHead) -> Head {
    let fields = head.headers().iter();
    Head {
        start: format!("HTTP/1.1 {} {}", head.status(), head.reason()),
        fields: fields
            .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
            .collect(),
    }
}

/// The answer of a server that does not upgrade, where it can be read. The library does not keep the request.
fn answer(rejected: &Rejected) -> Option<Handshake> {
    let response = response_head(rejected.head.as_ref()?);
    Some(Handshake { url: rejected.url.to_string(), response, ..Handshake::default() })
}

/// The request that we wrote: a line, and fields of one line each.
fn request(bytes: &[u8]) -> Head {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split("\r\n").filter(|line| !line.is_empty());
    let start = lines.next().unwrap_or_default().to_owned();
    let fields = lines.filter_map(|line| line.split_once(": "));
    Head { start, fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect() }
}

pub(crate) fn kind(error: &ConnectError) -> DialErrorKind {
    match error {
        _ if error.is_timeout() => DialErrorKind::Timeout,
        ConnectError::Url(_) | ConnectError::Setup(_) => DialErrorKind::Usage,
        ConnectError::Dial(error) if error.phase() == Phase::Setup => DialErrorKind::Usage,
        ConnectError::Handshake(_) | ConnectError::Redirects { .. } => DialErrorKind::Refused,
        _ => DialErrorKind::Unreachable,
    }
}

/// The error, and what can be said besides for someone with a command line.
pub(crate) fn text(error: &ConnectError) -> String {
    let Some(rejected) = error.rejected() else { return error.to_string() };
    match &rejected.error {
        // An alert (RFC 8446 §5.1).
        _ if rejected.received.starts_with(&[0x15, 0x03]) => {
            "the server speaks TLS on this port: use wss://".into()
        }
        HandshakeError::Redirect { .. } => format!("{error}; -L follows it"),
        HandshakeError::Status { .. } => match said(rejected) {
            Some(said) => format!("{error}. It says: {said}"),
            None => error.to_string(),
        },
        _ => error.to_string(),
    }
}

/// The first line of an answer in plain text, cut to a length that suits a sentence.
fn said(rejected: &Rejected) -> Option<String> {
    const LONGEST: usize = 300;
    let kind = rejected.head.as_ref()?.headers().one("Content-Type").ok().flatten()?;
    let body = std::str::from_utf8(rejected.body()).ok().filter(|_| kind.starts_with(b"text/plain"))?;
    let line = body.lines().find(|line| !line.trim().is_empty())?.trim();
    Some(line.chars().take(LONGEST).collect())
}

fn failure(error: &tidewire::Error) -> Failure {
    let kind = match error {
        tidewire::Error::Protocol(tidewire::proto::Error::Timeout(_)) => FailureKind::Timeout,
        tidewire::Error::Protocol(_) => FailureKind::Protocol,
        _ => FailureKind::Lost,
    };
    let text = match error {
        tidewire::Error::Protocol(tidewire::proto::Error::Limit(Limit::Message | Limit::Frame)) => {
            format!("{error}; --max-message takes larger ones")
        }
        _ => error.to_string(),
    };
    Failure { kind, text }
}
