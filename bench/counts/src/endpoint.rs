//! One end as a driver runs it: a lent buffer, reads, events, writes.

use std::hint::black_box;
use testkit::Setup;
use tidewire_proto::{Connection, Event, Input, MessageRef, Time, Workspace};

const NOW: Time = Time::from_micros(1);

pub(crate) struct Endpoint {
    connection: Connection,
    workspace: Workspace,
    buffer: Vec<u8>,
}

impl Endpoint {
    pub(crate) fn new(setup: &Setup) -> Self {
        Self {
            connection: setup.connect(),
            workspace: testkit::workspace(),
            buffer: Vec::with_capacity(64 * 1024),
        }
    }

    /// Takes one read, sends every message back if `echo` says so, and writes it all.
    #[inline]
    pub(crate) fn read(&mut self, bytes: &mut [u8], echo: bool) {
        self.writing(|connection, workspace| {
            let mut input = Input::new(black_box(bytes));
            while let Some(event) = connection.next(&mut input, workspace, NOW).expect("the frames are right")
            {
                match black_box(event) {
                    Event::Message(message) if echo => {
                        connection.send(message, workspace).expect("it is open");
                    }
                    _ => {}
                }
            }
        });
    }

    #[inline]
    pub(crate) fn send(&mut self, message: MessageRef<'_>) {
        self.writing(|connection, workspace| {
            connection.send(black_box(message), workspace).expect("it is open");
        });
    }

    /// Lends the buffer, and takes what then waits as written.
    #[inline]
    fn writing(&mut self, act: impl FnOnce(&mut Connection, &mut Workspace)) {
        let own = self.connection.outbox_mut().lend(std::mem::take(&mut self.buffer));
        assert!(own.is_none(), "nothing was left unwritten");
        act(&mut self.connection, &mut self.workspace);
        let pending = self.connection.outbox().chunks().map(|chunk| black_box(chunk).len()).sum();
        self.connection.wrote(pending, &mut self.workspace, NOW);
        self.buffer = self.connection.outbox_mut().reclaim();
    }

    /// Messages received and sent so far.
    pub(crate) fn messages(&self) -> (u64, u64) {
        let stats = self.connection.stats();
        (stats.messages_in, stats.messages_out)
    }
}
