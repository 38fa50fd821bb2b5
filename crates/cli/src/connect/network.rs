//! The traits of [`session`](super::session) on the `tidewire` library: the only file that knows it.

use super::plan::Plan;
use super::session::{
    CloseCode, Dial, DialError, DialErrorKind, Event, Failure, FailureKind, Handshake, Head, Message,
    Receiver, Sender, Session, Timings,
};
use crate::args::ConnectArgs;
use crate::args::values::Credentials;
use bytes::Bytes;
use std::path::Path;
use tidewire::{Client, ConnectError, Proxy, WebSocket, WsReceiver, WsSender};

/// Opens connections to the plan's URL.
pub(crate) struct Dialer {
    client: Client,
    url: String,
}

impl Dialer {
    /// # Errors
    /// One sentence: which option can't be used.
    pub(crate) fn new(plan: &Plan, args: &ConnectArgs) -> Result<Self, String> {
        let mut client = Client::new()
            .deflate(!args.no_deflate)
            .connect_timeout(args.connect_timeout)
            .max_redirects(args.location)
            .max_message(args.max_message)
            .ping_interval(args.ping_interval.0);
        for header in &args.headers {
            client = client.header(&header.name, &header.value);
        }
        for subprotocol in &args.subprotocols {
            client = client.subprotocol(subprotocol);
        }
        if let Some(origin) = &args.origin {
            client = client.origin(origin);
        }
        client = match &plan.credentials {
            Some(Credentials::Basic { user, password }) => client.basic_auth(user, password),
            Some(Credentials::Bearer(token)) => client.bearer(token),
            None => client,
        };
        if args.insecure {
            client = client.insecure();
        }
        if let Some(ca) = &args.ca {
            client = client.ca_file(readable(ca)?);
        }
        if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
            client = client.client_certificate(readable(cert)?, readable(key)?);
        }
        if let Some(proxy) = &args.proxy {
            let parsed = proxy.parse::<Proxy>();
            client = client.proxy(parsed.map_err(|why| format!("--proxy {proxy} can't be used: {why}"))?);
        }
        if args.no_proxy {
            client = client.no_proxy();
        }
        Ok(Self { client, url: plan.url.clone() })
    }
}

fn readable(path: &Path) -> Result<&Path, String> {
    let opened = std::fs::File::open(path);
    opened.map(|_| path).map_err(|error| format!("{} can't be read: {error}", path.display()))
}

impl Dial for Dialer {
    type Session = Open;

    async fn dial(&mut self) -> Result<Open, DialError> {
        let socket = self.client.connect(&self.url).await.map_err(|error| dial_error(&error))?;
        let handshake = handshake(&socket, &self.url);
        Ok(Open { socket, handshake })
    }
}

/// An open connection of the library's.
pub(crate) struct Open {
    socket: WebSocket,
    handshake: Handshake,
}

impl Session for Open {
    type Sender = WsSender;
    type Receiver = WsReceiver;

    fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    fn split(self) -> (WsSender, WsReceiver) {
        self.socket.split()
    }
}

impl Sender for WsSender {
    async fn send(&mut self, message: Message) -> Result<(), Failure> {
        let message = match message {
            Message::Text(text) => tidewire::Message::Text(text.into()),
            Message::Binary(bytes) => tidewire::Message::Binary(bytes),
        };
        Self::send(self, message).await.map_err(|error| failure(&error))
    }

    async fn ping(&mut self, payload: Bytes) -> Result<(), Failure> {
        Self::ping(self, payload).await.map_err(|error| failure(&error))
    }

    async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Failure> {
        Self::close(self, code, reason).await.map_err(|error| failure(&error))
    }
}

impl Receiver for WsReceiver {
    async fn next(&mut self) -> Result<Option<Event>, Failure> {
        let event = self.next_event().await.map_err(|error| failure(&error))?;
        Ok(event.map(|event| match event {
            tidewire::Event::Message(tidewire::Message::Text(text)) => {
                Event::Message(Message::Text((*text).to_owned()))
            }
            tidewire::Event::Message(tidewire::Message::Binary(bytes)) => {
                Event::Message(Message::Binary(bytes))
            }
            tidewire::Event::Ping(payload) => Event::Ping(payload),
            tidewire::Event::Pong(payload, round_trip) => Event::Pong(payload, round_trip),
            tidewire::Event::Close(reason) => Event::Close(reason),
        }))
    }
}

fn handshake(socket: &WebSocket, url: &str) -> Handshake {
    let info = socket.handshake();
    let fields = |headers: &http::HeaderMap| {
        let fields = headers.iter();
        fields
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect()
    };
    Handshake {
        url: info.url.clone().unwrap_or_else(|| url.into()),
        peer: info.peer_addr,
        request: Head { start: info.request_line.clone(), fields: fields(&info.request_headers) },
        response: Head { start: format!("HTTP/1.1 {}", info.status), fields: fields(&info.headers) },
        subprotocol: info.subprotocol.clone(),
        extensions: info.extensions.clone(),
        redirects: info.redirects.clone(),
        timings: Timings {
            dns: info.timings.dns,
            tcp: info.timings.tcp,
            tls: info.timings.tls,
            upgrade: info.timings.upgrade,
        },
    }
}

fn dial_error(error: &ConnectError) -> DialError {
    let kind = match error {
        ConnectError::Refused(status) => DialErrorKind::Refused(Some(*status)),
        ConnectError::Handshake(_) => DialErrorKind::Refused(None),
        ConnectError::Timeout => DialErrorKind::Timeout,
        ConnectError::Usage(_) => DialErrorKind::Usage,
        _ => DialErrorKind::Unreachable,
    };
    DialError { kind, text: error.to_string() }
}

fn failure(error: &tidewire::Error) -> Failure {
    let kind = match error {
        tidewire::Error::Protocol(tidewire_proto::Error::Timeout(_)) => FailureKind::Timeout,
        tidewire::Error::Protocol(_) => FailureKind::Protocol,
        _ => FailureKind::Lost,
    };
    Failure { kind, text: error.to_string() }
}
