//! Writing: all that was gathered leaves at once.

use super::{Application, Driver};
use crate::tools::Tools;
use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{self, Poll},
};
use tidewire_proto::{Time, close::Phase};
use tokio::io::{AsyncRead, AsyncWrite};

/// Pieces in one vectored write.
const PIECES: usize = 16;

impl<IO, A> Driver<IO, A>
where
    IO: AsyncRead + AsyncWrite + Unpin,
    A: Application,
{
    /// Writes until nothing waits or the socket takes no more.
    pub(super) fn write(&mut self, tools: &mut Tools, now: Time, task: &mut task::Context<'_>) {
        while !self.connection.outbox().is_empty() {
            match self.write_once(task) {
                Poll::Pending => return,
                Poll::Ready(Ok(count)) if count > 0 => {
                    self.transport.unflushed = true;
                    self.connection.wrote(count, &mut tools.workspace, now);
                }
                Poll::Ready(Ok(_)) => return self.write_failed(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Err(error)) => return self.write_failed(error),
            }
        }
        if self.transport.unflushed {
            match Pin::new(&mut self.io).poll_flush(task) {
                Poll::Pending => {}
                Poll::Ready(Ok(())) => self.transport.unflushed = false,
                Poll::Ready(Err(error)) => self.write_failed(error),
            }
        }
    }

    fn write_once(&mut self, task: &mut task::Context<'_>) -> Poll<io::Result<usize>> {
        let mut chunks = self.connection.outbox().chunks();
        let Some(first) = chunks.next() else { return Poll::Ready(Ok(0)) };
        let Some(second) = chunks.next() else { return Pin::new(&mut self.io).poll_write(task, first) };
        let mut slices = [IoSlice::new(&[]); PIECES];
        let mut count = 0;
        for chunk in [first, second].into_iter().chain(chunks).take(PIECES) {
            slices[count] = IoSlice::new(chunk);
            count += 1;
        }
        Pin::new(&mut self.io).poll_write_vectored(task, &slices[..count])
    }

    /// The peer takes no more. What it sent before is still read: it may have said why.
    fn write_failed(&mut self, error: io::Error) {
        self.connection.outbox_mut().discard();
        self.transport.write_ended = true;
        self.transport.unflushed = false;
        if matches!(self.connection.phase(), Phase::Open | Phase::Sent) {
            self.note(error.into());
            if self.transport.read_ended {
                self.connection.end();
            }
        }
    }
}
