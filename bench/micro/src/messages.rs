//! Headers, whole messages and permessage-deflate.

use crate::race::Race;
use bytes::BytesMut;
use std::{hint::black_box, sync::Arc};
use testkit::samples;
use tidewire_proto::{
    Config, Connection, Opcode, Prepared, Role, Time, Workspace,
    deflate::{Compressor, Inflater},
    frame::{self, Header, Rules},
};

pub(crate) fn deflate() {
    let json = samples::json(1024).into_bytes();
    let size = json.len();
    let mut compressed = BytesMut::new();
    let mut compressor = Compressor::new(15, Compressor::LEVEL, Compressor::MEM_LEVEL);
    compressor.compress_message(&json, &mut compressed, false);
    let (mut out, mut inflater, mut plain) =
        (BytesMut::with_capacity(2 * size), Inflater::new(), BytesMut::with_capacity(2 * size));
    Race::new(format!("permessage-deflate, 1 KiB of JSON, {} B compressed", compressed.len()), size, 1)
        .way("compress", move || {
            out.clear();
            compressor.compress_message(black_box(&json), &mut out, false);
        })
        .way("inflate", move || {
            plain.clear();
            let result = inflater.inflate_message(black_box(&compressed), &mut plain, 1 << 20, None);
            assert!(result.is_ok() && plain.len() == size);
        })
        .run();
}

pub(crate) fn frame() {
    for (length, name) in [(125, "2 + 4 bytes"), (1024, "4 + 4 bytes"), (1 << 20, "10 + 4 bytes")] {
        let header =
            Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask: Some([1, 2, 3, 4]), length };
        let bytes = frame::encode(&header).to_vec();
        let rules = Rules { role: Role::Server, message: false, deflate: false };
        Race::new(format!("header, {name}"), bytes.len(), 1)
            .way("encode", move || {
                black_box(frame::encode(black_box(&header)));
            })
            .way("decode", move || {
                assert!(matches!(black_box(frame::decode(black_box(&bytes), rules)), Ok(Some(_))));
            })
            .run();
    }
}

pub(crate) fn message() {
    for (size, name) in [(125, "125 B"), (1024, "1 KiB"), (16 * 1024, "16 KiB")] {
        let text = samples::ascii(size);
        let prepared = Prepared::new(text.as_str());
        let queue = text.clone();
        let (mut server, mut prepared_server, mut client) =
            (Sender::new(Role::Server), Sender::new(Role::Server), Sender::new(Role::Client));
        Race::new(format!("send and write, {name}"), size, 1)
            .way("server", move || {
                server.send(|connection, workspace| {
                    connection.send(black_box(text.as_str()), workspace).is_ok()
                });
            })
            .way("server, prepared", move || {
                prepared_server.send(|connection, workspace| {
                    connection.send_prepared(black_box(&prepared), workspace).is_ok()
                });
            })
            .way("client", move || {
                client.send(|connection, workspace| {
                    connection.send(black_box(queue.as_str()), workspace).is_ok()
                });
            })
            .run();
    }
}

struct Sender {
    connection: Connection,
    workspace: Workspace,
    buffer: Option<Vec<u8>>,
}

impl Sender {
    fn new(role: Role) -> Self {
        let config = Arc::new(Config::default());
        Self {
            connection: Connection::new(role, config, None, Time::default()),
            workspace: Workspace::new(Box::new(|key| key.fill(7))),
            buffer: Some(Vec::with_capacity(64 * 1024)),
        }
    }

    /// Queues a message into a lent buffer, and takes it as written.
    fn send(&mut self, queue: impl FnOnce(&mut Connection, &mut Workspace) -> bool) {
        let outbox = self.connection.outbox_mut();
        assert!(outbox.lend(self.buffer.take().unwrap_or_default()).is_none());
        assert!(queue(&mut self.connection, &mut self.workspace));
        let pending = self.connection.outbox().chunks().map(|chunk| black_box(chunk).len()).sum();
        self.connection.wrote(pending, &mut self.workspace, Time::default());
        self.buffer = Some(self.connection.outbox_mut().reclaim());
    }
}
