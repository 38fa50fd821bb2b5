//! What tests of the protocol share: a wire builder, a reference decoder, a driver of one connection, and two
//! connections in memory with a virtual clock.
#![expect(clippy::missing_panics_doc, reason = "a test kit panics where an expectation is not met")]

pub mod counting;
pub mod drive;
pub mod model;
pub mod pair;
pub mod samples;
pub mod script;
pub mod wire;

use std::sync::Arc;
use tidewire_proto::{
    Config, Connection, Role, Time, Workspace, close::CloseReason, deflate::DeflateParams, event::Event,
};

/// Both ends' contexts are taken over, with the largest windows.
pub const TAKEOVER: DeflateParams = DeflateParams {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
};

/// No context is taken over, with the largest windows.
pub const NO_TAKEOVER: DeflateParams =
    DeflateParams { server_no_context_takeover: true, client_no_context_takeover: true, ..TAKEOVER };

/// A workspace whose masking keys count from 1, so that runs repeat.
pub fn workspace() -> Workspace {
    let mut count = 0u32;
    let entropy = move |block: &mut [u8]| {
        for key in block.chunks_exact_mut(4) {
            count += 1;
            key.copy_from_slice(&count.to_be_bytes());
        }
    };
    Workspace::new(Box::new(entropy))
}

/// What a connection is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The end under test.
    pub role: Role,
    /// Its settings.
    pub config: Arc<Config>,
    /// What the handshake agreed on.
    pub deflate: Option<DeflateParams>,
}

impl Setup {
    /// A server or client with the default settings and no extension.
    pub fn new(role: Role) -> Self {
        Self { role, config: Arc::new(Config::default()), deflate: None }
    }

    /// The same with other settings.
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// The same with permessage-deflate.
    #[must_use]
    pub fn deflate(mut self, params: impl Into<Option<DeflateParams>>) -> Self {
        self.deflate = params.into();
        self
    }

    /// The connection, its handshake ended at the beginning of time.
    pub fn connect(&self) -> Connection {
        Connection::new(self.role, Arc::clone(&self.config), self.deflate, Time::default())
    }

    /// The end that sends to this one.
    pub fn peer(&self) -> Role {
        match self.role {
            Role::Server => Role::Client,
            Role::Client => Role::Server,
        }
    }

    /// Whether the peer compresses with the context of its earlier messages, and log2 of its window.
    pub fn peer_compression(&self) -> Option<(bool, u8)> {
        self.deflate.map(|params| match self.peer() {
            Role::Server => (!params.server_no_context_takeover, params.server_max_window_bits),
            Role::Client => (!params.client_no_context_takeover, params.client_max_window_bits),
        })
    }
}

/// An event that owns what it shows. Pieces of a message are joined before they come here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// The peer's close frame.
    Close(CloseReason),
}

impl Seen {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// A binary message.
    pub fn binary(bytes: impl AsRef<[u8]>) -> Self {
        Self::Binary(bytes.as_ref().into())
    }
}

/// Joins the pieces of messages and holds their flags to what the documentation says.
#[derive(Debug, Default)]
pub struct Joiner {
    started: Option<(tidewire_proto::Kind, Vec<u8>)>,
}

impl Joiner {
    /// The event on its own; `None` while a message is unfinished.
    ///
    /// # Panics
    /// Where the flags of a piece contradict the pieces before it, or a finished text is not UTF-8.
    pub fn take(&mut self, event: Event<'_>) -> Option<Seen> {
        Some(match event {
            Event::Message(message) => match message.as_text() {
                Some(text) => Seen::text(core::str::from_utf8(text.as_bytes()).expect("text is UTF-8")),
                None => Seen::binary(message.as_bytes()),
            },
            Event::Piece(piece) => {
                assert_eq!(piece.first, self.started.is_none(), "`first` stands on the first piece only");
                assert!(piece.last || !piece.payload.is_empty(), "only the last piece may be empty");
                let (kind, mut joined) = self.started.take().unwrap_or((piece.kind, Vec::new()));
                assert_eq!(kind, piece.kind);
                joined.extend_from_slice(&piece.payload);
                if !piece.last {
                    self.started = Some((kind, joined));
                    return None;
                }
                match kind {
                    tidewire_proto::Kind::Text => {
                        Seen::Text(String::from_utf8(joined).expect("text is UTF-8"))
                    }
                    tidewire_proto::Kind::Binary => Seen::Binary(joined),
                }
            }
            Event::Ping(payload) => Seen::Ping(payload.to_vec()),
            Event::Pong { payload, .. } => Seen::Pong(payload.to_vec()),
            Event::Close(reason) => Seen::Close(reason),
        })
    }
}
