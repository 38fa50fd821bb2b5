//! From an open connection to the task that drives it, for each of the two tiers.

use super::{
    observe::Observer,
    request::{Opened, Request},
    task::{Place, Task},
};
use crate::{
    channel::Channel,
    driver::{Application, Driver},
    handler::{Handled, Handler},
    joined::Joined,
    outcome::{Error, Outcome, Report, Result},
    websocket::WebSocket,
};
use std::{future::Future, sync::Arc};
use tidewire_proto::Connection;
use tokio::io::{AsyncRead, AsyncWrite};

/// Starts what the application does on a connection.
pub(crate) trait Launch: Send + Sync + 'static {
    fn launch<IO>(
        &self,
        io: IO,
        connection: Connection,
        early: Vec<u8>,
        opened: Opened,
        observer: &Arc<dyn Observer>,
        place: Place,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static;
}

/// The fast tier: a handler for each connection.
pub(crate) struct Handlers<F>(pub(crate) F);

impl<F, H> Launch for Handlers<F>
where
    F: Fn(&Opened) -> H + Send + Sync + 'static,
    H: Handler,
{
    fn launch<IO>(
        &self,
        io: IO,
        connection: Connection,
        early: Vec<u8>,
        opened: Opened,
        observer: &Arc<dyn Observer>,
        place: Place,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        observer.opened(&opened);
        let handled = Handled::new((self.0)(&opened), report(observer, opened.request));
        start(io, connection, handled, early, place);
    }
}

/// The owned tier: a future for each connection.
pub(crate) struct Futures<F>(pub(crate) F);

impl<F, U> Launch for Futures<F>
where
    F: Fn(WebSocket) -> U + Send + Sync + 'static,
    U: Future<Output = Result<()>> + Send + 'static,
{
    fn launch<IO>(
        &self,
        io: IO,
        connection: Connection,
        early: Vec<u8>,
        opened: Opened,
        observer: &Arc<dyn Observer>,
        place: Place,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        observer.opened(&opened);
        let report = report(observer, opened.request.clone());
        let channel = Arc::new(Channel::new(connection.config().limits.outbox));
        let user = (self.0)(WebSocket::of_server(Arc::clone(&channel), opened));
        start(io, connection, Joined::new(channel, user, report), early, place);
    }
}

fn start<IO, A>(io: IO, connection: Connection, application: A, early: Vec<u8>, place: Place)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Application + Send + 'static,
{
    // A task of its own, so that the handshake's memory goes. Boxed, since the runtime rounds its tasks up to 128 bytes.
    tokio::spawn(Box::pin(Task::new(Driver::new(io, connection, application, early), place)));
}

fn report(observer: &Arc<dyn Observer>, request: Request) -> Option<Report> {
    observer.wants_closed().then(|| {
        let observer = Arc::clone(observer);
        Box::new(move |outcome: &Outcome, error: Option<&Error>| observer.closed(&request, outcome, error))
            as Report
    })
}
