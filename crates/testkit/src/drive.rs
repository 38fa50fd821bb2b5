//! One connection, fed with bytes in any cut.

use crate::{Joiner, Seen, Setup, model, wire, workspace};
use bytes::BufMut as _;
use tidewire_proto::{
    Connection, Error, Input, Role, Time, Workspace,
    config::Delivery,
    error::{Limit, Violation},
};

/// What came of a stream of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The events in order, messages whole.
    pub seen: Vec<Seen>,
    /// How the connection failed.
    pub error: Option<Error>,
    /// What the connection wants written.
    pub sent: Vec<u8>,
}

/// How a stream is cut into reads.
#[derive(Clone, Debug)]
pub enum Cuts {
    /// One read.
    Whole,
    /// Reads of these sizes, over and over; a zero is an empty read.
    Sizes(Vec<usize>),
    /// The same, and where the connection has a buffer for the rest of a large frame, into that.
    Direct(Vec<usize>),
}

/// One end and what it needs.
#[derive(Debug)]
pub struct Driver {
    /// The connection.
    pub connection: Connection,
    /// Its workspace.
    pub workspace: Workspace,
    /// The time of every call.
    pub now: Time,
    joiner: Joiner,
}

impl Driver {
    /// A connection as `setup` says.
    pub fn new(setup: &Setup) -> Self {
        Self {
            connection: setup.connect(),
            workspace: workspace(),
            now: Time::default(),
            joiner: Joiner::default(),
        }
    }

    /// Gives the connection one read; what it made of it.
    ///
    /// # Errors
    /// Those of [`Connection::next`]; the events before it are in `seen`.
    pub fn feed(&mut self, bytes: &[u8], seen: &mut Vec<Seen>) -> Result<(), Error> {
        let mut bytes = bytes.to_vec();
        let mut input = Input::new(&mut bytes);
        while let Some(event) = self.connection.next(&mut input, &mut self.workspace, self.now)? {
            seen.extend(self.joiner.take(event));
        }
        assert!(input.is_empty(), "`next` says `None` with bytes left over");
        Ok(())
    }

    /// Gives the connection one read and expects no failure.
    ///
    /// # Panics
    /// Where the connection fails.
    pub fn take(&mut self, bytes: impl AsRef<[u8]>) -> Vec<Seen> {
        let mut seen = Vec::new();
        self.feed(bytes.as_ref(), &mut seen).expect("the stream is right");
        seen
    }

    /// Gives the connection one read and expects that it fails.
    ///
    /// # Panics
    /// Where it does not.
    pub fn fail(&mut self, bytes: impl AsRef<[u8]>) -> Error {
        self.feed(bytes.as_ref(), &mut Vec::new()).expect_err("the stream is wrong")
    }

    /// Gives the connection one read, straight into its own buffer where it has one.
    ///
    /// # Errors
    /// Those of [`Connection::next`].
    pub fn feed_direct(&mut self, mut bytes: &[u8], seen: &mut Vec<Seen>) -> Result<(), Error> {
        loop {
            let taken = self.connection.direct().map(|mut room| {
                let count = room.remaining_mut().min(bytes.len());
                room.put_slice(&bytes[..count]);
                count
            });
            match taken {
                None | Some(0) => return self.feed(bytes, seen),
                Some(count) => bytes = &bytes[count..],
            }
            self.feed(&[], seen)?;
        }
    }

    /// Writes the whole outbox; what was in it.
    pub fn written(&mut self) -> Vec<u8> {
        let mut written = Vec::new();
        // What is written may make room for more.
        while !self.connection.outbox().is_empty() {
            let bytes = self.connection.outbox().chunks().collect::<Vec<_>>().concat();
            assert_eq!(bytes.len(), self.connection.outbox().pending());
            self.connection.wrote(bytes.len(), &mut self.workspace, self.now);
            written.extend(bytes);
        }
        written
    }
}

/// Feeds `stream` to a connection as `setup` says.
///
/// # Panics
/// Where the connection breaks its own contract.
pub fn run(setup: &Setup, stream: &[u8], cuts: &Cuts) -> Outcome {
    let mut driver = Driver::new(setup);
    let (sizes, direct) = match cuts {
        Cuts::Whole => (vec![stream.len()], false),
        Cuts::Sizes(sizes) => (sizes.clone(), false),
        Cuts::Direct(sizes) => (sizes.clone(), true),
    };
    assert!(sizes.iter().any(|&size| size > 0) || stream.is_empty());
    let mut seen = Vec::new();
    let mut error = None;
    let mut rest = stream;
    for size in sizes.into_iter().cycle() {
        if rest.is_empty() || error.is_some() {
            break;
        }
        let (chunk, after) = rest.split_at(size.min(rest.len()));
        rest = after;
        let result =
            if direct { driver.feed_direct(chunk, &mut seen) } else { driver.feed(chunk, &mut seen) };
        error = result.err();
    }
    if error.is_some() {
        let count = seen.len();
        assert_eq!(driver.feed(stream, &mut seen), Ok(()), "a failed connection reads no more");
        assert_eq!(seen.len(), count, "a failed connection has no events");
    }
    Outcome { seen, error, sent: driver.written() }
}

/// The replies of an outcome as opcode and payload; their masks and bits are held to the role.
///
/// # Panics
/// Where a reply is not one whole frame as the role sends it.
pub fn replies(setup: &Setup, outcome: &Outcome) -> Vec<(u8, Vec<u8>)> {
    let (frames, rest) = wire::parse(&outcome.sent);
    assert_eq!(rest, 0, "whole frames only");
    frames
        .into_iter()
        .map(|frame| {
            assert!(frame.fin && frame.rsv == 0);
            assert_eq!(frame.mask.is_some(), setup.role == Role::Client);
            (frame.opcode, frame.payload)
        })
        .collect()
}

/// Whether an error may come of a compressed message: in pieces it is found as soon as the bytes show it, before control
/// frames between the fragments that follow; and of two wrongs, the one that is there first.
fn from_inflating(error: Option<&Error>) -> bool {
    matches!(
        error,
        Some(Error::Protocol(Violation::Deflate | Violation::InvalidUtf8) | Error::Limit(Limit::Message))
    )
}

/// Holds a connection, fed with `stream` in these cuts, to what the [reference decoder](model) makes of it.
///
/// # Panics
/// Where they differ.
pub fn check(setup: &Setup, stream: &[u8], cuts: &Cuts) {
    let expected = model::decode(setup, stream);
    let outcome = run(setup, stream, cuts);
    let early = setup.config.delivery == Delivery::Streaming
        && setup.deflate.is_some()
        && from_inflating(outcome.error.as_ref());
    if early {
        let (before, behind) =
            expected.seen.split_at_checked(outcome.seen.len()).expect("no more than expected");
        assert_eq!(outcome.seen, before);
        let is_message = |seen: &Seen| matches!(seen, Seen::Text(_) | Seen::Binary(_));
        assert!(!behind.iter().any(is_message), "what inflates is delivered");
    } else {
        assert_eq!(outcome.error, expected.error);
        assert_eq!(outcome.seen, expected.seen);
        assert_eq!(replies(setup, &outcome), expected.replies);
    }
}
