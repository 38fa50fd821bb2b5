//! From an open connection to the task that drives it, for each of the two tiers.

use super::{
    observe::Observer,
    request::{Opened, Request},
    task::{Life, Place, Task},
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
    ) -> Life
    where
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
    ) -> Life
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        observer.opened(&opened);
        let handled = Handled::new((self.0)(&opened), report(observer, opened.request));
        life(io, connection, handled, early, place)
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
    ) -> Life
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        observer.opened(&opened);
        let report = report(observer, opened.request.clone());
        let channel = Arc::new(Channel::new(connection.config().limits.outbox));
        let user = (self.0)(WebSocket::of_server(Arc::clone(&channel), opened));
        life(io, connection, Joined::new(channel, user, report), early, place)
    }
}

fn life<IO, A>(io: IO, connection: Connection, application: A, early: Vec<u8>, place: Place) -> Life
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Application + Send + 'static,
{
    Life::of(Task::new(Driver::new(io, connection, application, early), place))
}

fn report(observer: &Arc<dyn Observer>, request: Request) -> Option<Report> {
    observer.wants_closed().then(|| {
        let observer = Arc::clone(observer);
        Box::new(move |outcome: &Outcome, error: Option<&Error>| observer.closed(&request, outcome, error))
            as Report
    })
}
