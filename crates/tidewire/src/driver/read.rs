//! Reading: from the socket into the thread's buffer, from there to the application.

use super::{Application, Driver, Stash};
use crate::{context::Context, outcome::Error, tools::Tools};
use std::{
    io,
    pin::Pin,
    task::{self, Poll},
};
use tidewire_proto::{Input, Time};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Reads in one poll at most this often, so that a fast peer leaves room for others.
const ROUNDS: usize = 16;
/// What is gathered leaves from this many bytes on, also in mid-read.
const GATHERED: usize = 64 * 1024;

/// How reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The socket has no more, and wakes the task when it has.
    Drained,
    /// The application takes no more for now.
    Paused,
    /// The application has not yet taken what came before a violation.
    Held,
    /// There may be more; others come first, and the task was woken.
    Yielded,
}

impl<IO, A> Driver<IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Application,
{
    /// Reads and hands over all there is, or as much as is fair.
    pub(super) fn read(&mut self, tools: &mut Tools, now: Time, task: &mut task::Context<'_>) -> Read {
        for _ in 0..ROUNDS {
            if self.transport.read_ended {
                return Read::Drained;
            }
            if !self.takes() {
                self.connection.set_paused(true);
                return Read::Paused;
            }
            self.connection.set_paused(false);
            if let Some(stash) = self.stash.take() {
                self.hand_over_stash(stash, tools, now, task);
                if self.stash.is_some() && self.takes() {
                    self.connection.set_paused(true);
                    return Read::Held;
                }
                continue;
            }
            match self.read_once(tools, now, task) {
                Poll::Pending => return Read::Drained,
                Poll::Ready(Ok(0)) => {
                    self.read_end(Ok(()));
                    return Read::Drained;
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => {
                    self.read_end(Err(error));
                    return Read::Drained;
                }
            }
            if self.connection.outbox().pending() >= GATHERED {
                self.write(tools, now, task);
            }
        }
        task.waker().wake_by_ref();
        Read::Yielded
    }

    /// One read and what comes of it. Nothing of it outlives this call but what the application did not take.
    fn read_once(
        &mut self,
        tools: &mut Tools,
        now: Time,
        task: &mut task::Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Some(mut target) = self.connection.direct() {
            let count =
                std::task::ready!(tokio_util::io::poll_read_buf(Pin::new(&mut self.io), task, &mut target))?;
            self.hand_over(&mut Input::new(&mut []), tools, now, task);
            return Poll::Ready(Ok(count));
        }
        let mut buffer = std::mem::take(&mut tools.read);
        let mut target = ReadBuf::new(&mut buffer);
        let result = Pin::new(&mut self.io).poll_read(task, &mut target);
        let result = result.map_ok(|()| {
            let filled = target.filled_mut();
            let count = filled.len();
            let mut input = Input::new(filled);
            self.hand_over(&mut input, tools, now, task);
            let rest = input.rest();
            if !rest.is_empty() {
                self.stash = Some(Box::new(Stash(rest.to_vec())));
            }
            count
        });
        tools.read = buffer;
        result
    }

    fn hand_over_stash(
        &mut self,
        mut stash: Box<Stash>,
        tools: &mut Tools,
        now: Time,
        task: &mut task::Context<'_>,
    ) {
        let mut input = Input::new(&mut stash.0);
        self.hand_over(&mut input, tools, now, task);
        let left = input.rest().len();
        if left > 0 {
            let taken = stash.0.len() - left;
            stash.0.drain(..taken);
            self.stash = Some(stash);
        }
    }

    /// Turns input into events until it is used up or the application takes no more.
    fn hand_over(
        &mut self,
        input: &mut Input<'_>,
        tools: &mut Tools,
        now: Time,
        task: &mut task::Context<'_>,
    ) {
        while self.takes() {
            if A::HOLDS && self.connection.rejects(input.rest()) && self.application.holds(&self.connection) {
                break;
            }
            match self.connection.next(input, &mut tools.workspace, now) {
                Ok(Some(event)) => {
                    let mut context = Context::new(&mut self.connection, &mut tools.workspace, now);
                    self.application.event(&mut context, event);
                }
                Ok(None) => break,
                Err(error) => {
                    self.fail(error);
                    break;
                }
            }
            if self.connection.outbox().pending() >= GATHERED {
                self.write(tools, now, task);
            }
        }
    }

    fn read_end(&mut self, result: io::Result<()>) {
        self.transport.read_ended = true;
        if self.connection.phase().is_reading() {
            self.note(match result {
                Ok(()) => Error::Vanished,
                Err(error) => error.into(),
            });
            self.connection.end();
        } else if result.is_err() {
            self.transport.write_ended = true;
        }
    }
}
