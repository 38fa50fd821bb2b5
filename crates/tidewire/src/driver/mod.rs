//! What drives a connection: reads, hands over, writes, keeps time.
//!
//! [`Server`](crate::Server) and [`Client`](crate::Client) use it inside of tasks. Whoever has an event loop of another
//! kind makes a [`Driver`] of a connection and of whatever reads and writes without blocking, and polls it when its
//! transport is ready, when its [`Alarm`] is due, and when its application has something to send. No runtime is needed.

use read::Read;

mod read;
mod write;

pub use crate::{alarm::Alarm, clock::now};

use crate::{
    clock,
    context::Context,
    outcome::{Error, Outcome},
    tools::Tools,
};
use std::{
    pin::Pin,
    task::{self, Poll},
};
use tidewire_proto::{CloseCode, Connection, Event, Role, Time, close::Phase, error::Timeout};
use tokio::io::{AsyncRead, AsyncWrite};

/// To be called by the child of a fork, before it drives anything: parent and child must not draw the same masking keys
/// (RFC 6455 §10.3).
pub fn forked() {
    Tools::forget();
}

/// What a connection is driven for.
pub trait Application: Unpin {
    /// Takes what came from the peer.
    fn event(&mut self, context: &mut Context<'_>, event: Event<'_>);

    /// Whether more may come; where not, reading pauses until a later poll.
    fn accepts(&self, connection: &Connection) -> bool;

    /// Whether [`holds`](Self::holds) is asked.
    const HOLDS: bool = false;

    /// Whether a violation that comes behind messages waits: those who take messages later than they came can then still
    /// answer them. Asked again in each poll.
    fn holds(&self, connection: &Connection) -> bool {
        let _ = connection;
        false
    }

    /// Does what the rest of the program asks for. Called in each poll, after reading.
    fn poll(&mut self, context: &mut Context<'_>, task: &mut task::Context<'_>);

    /// Learns how much still waits to be written, after writing.
    /// Says whether it could do more now: what it kept back for want of room has room.
    fn written(&mut self, connection: &Connection) -> bool;

    /// The connection is over: called once.
    fn ended(&mut self, outcome: &Outcome);

    /// What the application still does once the connection is over.
    fn poll_rest(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        let _ = task;
        Poll::Ready(())
    }
}

/// Drives one connection to its end.
pub struct Driver<IO, A> {
    io: IO,
    connection: Connection,
    application: A,
    /// What was read and could not be handed over yet.
    stash: Option<Box<Stash>>,
    /// When the alarm is set to.
    armed: Option<Time>,
    transport: Transport,
    error: Option<Box<Error>>,
}

#[derive(Debug, Default)]
struct Stash(Vec<u8>);

/// What the transport still does.
#[derive(Clone, Copy, Debug, Default)]
struct Transport {
    /// The peer's end was read.
    read_ended: bool,
    /// Writing failed, or our end was sent.
    write_ended: bool,
    /// Something was written since the last flush.
    unflushed: bool,
}

impl<IO, A: Application> Driver<IO, A> {
    /// Ends the connection at once, without a close frame.
    pub fn abandon(&mut self) {
        self.connection.end();
        let error = self.error.take().map_or(Error::Cut, |error| *error);
        let outcome = Outcome::new(&self.connection, Some(error));
        self.application.ended(&outcome);
    }

    /// What is read from and written to.
    pub const fn transport(&self) -> &IO {
        &self.io
    }

    /// What is read from and written to.
    pub fn transport_mut(&mut self) -> &mut IO {
        &mut self.io
    }

    /// What the connection is driven for.
    pub const fn application(&self) -> &A {
        &self.application
    }

    /// What the connection is driven for.
    pub fn application_mut(&mut self) -> &mut A {
        &mut self.application
    }

    /// The connection.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Lets the application do something on the connection at once. What it sends leaves with the next poll.
    pub fn apply<R>(&mut self, work: impl FnOnce(&mut A, &mut Context<'_>) -> R) -> R {
        Tools::with(|tools| {
            let context = &mut Context::new(&mut self.connection, &mut tools.workspace, clock::now());
            work(&mut self.application, context)
        })
    }

    /// Closes the transport, and leaves the application.
    pub fn into_application(self) -> A {
        self.application
    }
}

impl<IO, A> Driver<IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Application,
{
    /// Drives `connection` over `io`. `early` are the bytes that came behind the handshake.
    pub fn new(io: IO, connection: Connection, application: A, early: Vec<u8>) -> Self {
        Self {
            io,
            connection,
            application,
            stash: (!early.is_empty()).then(|| Box::new(Stash(early))),
            armed: None,
            transport: Transport::default(),
            error: None,
        }
    }

    fn run(
        &mut self,
        tools: &mut Tools,
        alarm: &mut impl Alarm,
        task: &mut task::Context<'_>,
    ) -> Poll<Outcome> {
        let now = clock::now();
        self.keep_time(tools, now);
        loop {
            let read = self.read(tools, now, task);
            let context = &mut Context::new(&mut self.connection, &mut tools.workspace, now);
            self.application.poll(context, task);
            self.write(tools, now, task);
            if self.application.written(&self.connection) {
                task.waker().wake_by_ref();
            }
            // What is paused has not registered for wake-ups of the socket.
            let goes_on = match read {
                Read::Paused => self.takes(),
                Read::Held => !self.application.holds(&self.connection),
                Read::Drained | Read::Yielded => false,
            };
            if !goes_on {
                break;
            }
        }
        if self.is_over(task) {
            let outcome = Outcome::new(&self.connection, self.error.take().map(|error| *error));
            self.application.ended(&outcome);
            return Poll::Ready(outcome);
        }
        self.arm(alarm, task);
        Poll::Pending
    }

    /// Whether what the peer sends is taken. Once nothing can be written, it is in any case: no more than what lies in
    /// the transport can come, and the end is behind it.
    fn takes(&self) -> bool {
        !self.connection.phase().is_reading()
            || self.transport.write_ended
            || self.application.accepts(&self.connection)
    }

    /// Begins the closing handshake; the next poll carries it out.
    pub(crate) fn close(&mut self, code: CloseCode, reason: &str, task: &mut task::Context<'_>) {
        let closed = Tools::with(|tools| {
            let now = clock::now();
            // What was sent before goes out before.
            self.application.poll(&mut Context::new(&mut self.connection, &mut tools.workspace, now), task);
            self.connection.close(code, reason, &mut tools.workspace, now)
        });
        debug_assert!(closed.is_ok(), "the library's own codes can be sent");
    }

    /// Notes why the connection ends, if nothing was noted before.
    fn note(&mut self, error: Error) {
        self.error.get_or_insert_with(|| Box::new(error));
    }

    fn fail(&mut self, error: tidewire_proto::Error) {
        self.note(Error::Protocol(error));
    }

    /// Whether nothing is left to do: both ends have closed, or one is gone.
    fn is_over(&mut self, task: &mut task::Context<'_>) -> bool {
        let Transport { read_ended, write_ended, unflushed } = self.transport;
        match self.connection.phase() {
            Phase::Open | Phase::Sent => false,
            Phase::Gone => true,
            Phase::Closed | Phase::Failed => {
                let drained = self.connection.outbox().is_empty() && !unflushed;
                // RFC 6455 §7.1.1: the server closes the transport first. What the peer still sends is read and
                // thrown away, so that a reset does not overtake our close frame.
                let ours = self.connection.role() == Role::Server || self.connection.phase() == Phase::Failed;
                if drained && !write_ended && (ours || read_ended) {
                    self.transport.write_ended = Pin::new(&mut self.io).poll_shutdown(task).is_ready();
                }
                read_ended && self.transport.write_ended
            }
        }
    }

    fn keep_time(&mut self, tools: &mut Tools, now: Time) {
        if self.armed.take_if(|armed| *armed <= now).is_none() {
            return;
        }
        match self.connection.handle_deadline(&mut tools.workspace, now) {
            // The close frames were exchanged; only the transport's end is late.
            Err(tidewire_proto::Error::Timeout(Timeout::Close))
                if self.connection.closing().received.is_some() => {}
            Err(error) => self.fail(error),
            Ok(()) => {}
        }
    }

    /// Sets the alarm, unless it comes early enough: deadlines mostly move away.
    fn arm(&mut self, alarm: &mut impl Alarm, task: &mut task::Context<'_>) {
        let Some(deadline) = self.connection.deadline() else { return };
        if self.armed.is_none_or(|armed| deadline < armed) {
            self.armed = Some(deadline);
            alarm.set(deadline, task);
        }
    }

    /// Goes on as far as it can; ready once the connection is over. The same `alarm` comes with each call.
    pub fn poll(&mut self, alarm: &mut impl Alarm, task: &mut task::Context<'_>) -> Poll<Outcome> {
        Tools::with(|tools| {
            let kept = self.connection.outbox_mut().lend(std::mem::take(&mut tools.cork));
            let lent = kept.is_none();
            if let Some(kept) = kept {
                tools.cork = kept;
            }
            let result = self.run(tools, alarm, task);
            if lent {
                tools.cork = self.connection.outbox_mut().reclaim();
            } else {
                self.connection.outbox_mut().shrink();
            }
            result
        })
    }
}
