//! What carries a connection on: its transport, its reactor, its user.

use super::{
    Connection, Settled, Stage,
    telling::{News, Round},
};
use crate::{
    carrier::Carrier,
    face::Face,
    opening::{Answering, ClientOpening, Reading, Response, ServerOpening},
    reactor::Reactor,
    settings::Settings,
    state::Stand,
    waiter::Stepping,
    wire::{Ready, Wire},
};
use pyo3::{exceptions::PyConnectionError, prelude::*};
use std::{
    sync::{
        Arc, TryLockError,
        atomic::{AtomicBool, Ordering},
    },
    task::{self, Poll},
};
use tidewire::driver::{Alarm, Driver, now};
use tidewire_proto::{
    Connection as Core, Role, Time,
    deflate::DeflateParams,
    handshake::{Fields, HeaderView as _, Refusal, ResponseHead},
};

const READABLE: u8 = 1;
const ENDED: u8 = 2;

/// Keeps the time that a driver sets its alarm to.
struct Slot(Option<Time>);

impl Alarm for Slot {
    fn set(&mut self, at: Time, _: &mut task::Context<'_>) {
        self.0 = Some(at);
    }
}

/// Notes that a driver wants to be polled again.
#[derive(Default)]
struct Flag(AtomicBool);

impl task::Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

thread_local! {
    static FLAG: (Arc<Flag>, task::Waker) = {
        let flag = Arc::<Flag>::default();
        (Arc::clone(&flag), flag.into())
    };
}

impl Connection {
    /// The stage, unless somebody drives the connection just now.
    pub(super) fn try_stage(&self) -> Option<std::sync::MutexGuard<'_, Stage>> {
        match self.stage.try_lock() {
            Ok(stage) => Some(stage),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn key(&self) -> usize {
        self.key.load(Ordering::Relaxed)
    }

    /// Begins on a transport.
    pub(crate) fn carry(
        this: &Bound<'_, Self>,
        reactor: &Bound<'_, Reactor>,
        mut wire: Wire,
    ) -> PyResult<()> {
        let own = this.get();
        let is_new = match own.try_stage().as_deref() {
            Some(Stage::New(request)) => request.is_some() || own.base()?.server,
            _ => false,
        };
        if !is_new {
            return Err(PyConnectionError::new_err(
                "a connection is carried once: a client's after request(), a server's before anything else",
            ));
        }
        let key = Reactor::enter(reactor, this)?;
        own.key.store(key, Ordering::Relaxed);
        let opened = reactor.get().register(this.py(), &mut wire, key).map_err(PyErr::from).and_then(|()| {
            if let Some(addresses) = wire.addresses(this.py())? {
                let _set = own.addresses.set(Box::new(addresses));
            }
            let timeout = own.settings(this.py())?.get().open_timeout;
            let deadline = timeout.map(|timeout| now().after(timeout));
            if let Some(mut stage) = own.try_stage() {
                *stage = match std::mem::replace(&mut *stage, Stage::Gone) {
                    Stage::New(Some(request)) => {
                        let (bytes, handshake) = *request;
                        wire.push(&bytes)?;
                        Stage::Client(Box::new(ClientOpening::new(wire, Box::new(handshake), deadline)))
                    }
                    _ => Stage::Server(Box::new(ServerOpening::new(wire, deadline))),
                };
            }
            Ok(deadline)
        });
        match opened {
            Ok(deadline) => {
                if let Some(deadline) = deadline {
                    Reactor::arm(reactor, key, deadline)?;
                }
                Self::drive(this, reactor.get().stepping())
            }
            Err(error) => {
                let left = own.try_stage().map(|mut stage| std::mem::replace(&mut *stage, Stage::Gone));
                drop(left);
                // Whoever counts it has to learn of its end.
                Self::over(this).and(Err(error))
            }
        }
    }

    /// Begins on a transport of asyncio's.
    pub(crate) fn carry_transport(
        this: &Bound<'_, Self>,
        carrier: Carrier,
        transport: Py<PyAny>,
    ) -> PyResult<()> {
        let _set = this.get().transport.set(transport);
        let reactor = this.get().reactor(this.py())?.clone();
        reactor.get().is_here();
        Self::carry(this, &reactor, Wire::new(crate::wire::Raw::Transport(Box::new(carrier))))
    }

    /// Does something to the transport, and carries on. Nothing happens once it is gone.
    pub(crate) fn with_carrier(this: &Bound<'_, Self>, work: impl FnOnce(&mut Carrier)) -> PyResult<()> {
        this.get().reactor(this.py())?.get().is_here();
        if let Some(mut stage) = this.get().try_stage()
            && let Some(carrier) = stage.wire().and_then(Wire::carrier_mut)
        {
            work(carrier);
        }
        Self::drive(this, Stepping::Soon)
    }

    /// The operating system says something of the socket, or a deadline is there.
    pub(crate) fn ready(this: &Bound<'_, Self>, ready: Ready) -> PyResult<()> {
        let bits = if ready.readable { READABLE } else { 0 } | if ready.ended { ENDED } else { 0 };
        if bits != 0 {
            this.get().ready.fetch_or(bits, Ordering::Relaxed);
        }
        Self::drive(this, Stepping::Direct)
    }

    /// Goes on as far as it can. Where somebody drives the connection already, they do.
    pub(crate) fn drive(this: &Bound<'_, Self>, stepping: Stepping) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        let reactor = own.reactor(py)?;
        loop {
            let Some(mut stage) = own.try_stage() else { return Ok(()) };
            let bits = own.ready.swap(0, Ordering::Relaxed);
            if bits != 0
                && let Some(wire) = stage.wire()
            {
                wire.note(Ready { readable: bits & READABLE != 0, ended: bits & ENDED != 0 });
            }
            let outer = reactor.get().set_polling(true);
            let round = own.round(this, &mut stage);
            reactor.get().set_polling(outer);
            let fatal = match &mut *stage {
                Stage::Running(driver) => driver.application_mut().take_fatal(),
                _ => None,
            };
            let balanced =
                stage.wire().and_then(Wire::carrier_mut).map_or(Ok(()), |carrier| carrier.balance(py));
            drop(stage);
            let mut round = round?;
            let fatal = fatal.or(round.fatal.take());
            let told = own.tell(this, reactor, round, stepping);
            if let Some(fatal) = fatal {
                return Err(fatal);
            }
            balanced?;
            told?;
            let more = {
                let shared = own.shared.lock(py);
                (!shared.commands.is_empty() || shared.abort) && shared.stand < Stand::Closed
            };
            if !more || !matches!(own.try_stage().as_deref(), Some(Stage::Running(_))) {
                return Ok(());
            }
        }
    }

    /// One step of whatever stage the connection is in.
    fn round(&self, this: &Bound<'_, Self>, stage: &mut Stage) -> PyResult<Round> {
        let py = this.py();
        let mut round = Round::default();
        if !matches!(stage, Stage::New(_) | Stage::Gone) && self.shared.lock(py).abort {
            if let Stage::Running(driver) = stage {
                driver.abandon();
            }
            lose(py, stage, true, None, &mut round);
            return Ok(round);
        }
        match stage {
            Stage::New(_) | Stage::Gone => {}
            Stage::Server(opening) => match opening.read(now()) {
                Reading::Waits => round.alarm = opening.deadline,
                Reading::Asked(asked) => round.news.push(News::Asked(asked)),
                Reading::Refused(refusal) => {
                    round.news.push(News::Refused(refusal.status, refusal.log.clone()));
                    answer(stage, &refusal, &mut round);
                }
                Reading::Gone(count) => {
                    if count > 0 {
                        let why = "the client went in the midst of its request".to_owned();
                        round.news.push(News::Refused(0, why));
                    }
                    lose(py, stage, false, None, &mut round);
                }
            },
            Stage::Client(opening) => match opening.read(now()) {
                Response::Waits => round.alarm = opening.deadline,
                Response::Open { head, agreed, early } => {
                    let extensions = extensions(&head);
                    let Stage::Client(opening) = std::mem::replace(stage, Stage::Gone) else {
                        return Ok(round);
                    };
                    *stage = self.run(this, opening.into_wire(), agreed.deflate, early)?;
                    let compressed = agreed.deflate.is_some();
                    let settled = Settled { subprotocol: agreed.subprotocol, extensions, compressed };
                    let _set = self.agreed.set(Box::new(settled));
                    round.news.push(News::Opened(head));
                    round.again = true;
                }
                Response::Refused { head, why, body } => {
                    round.news.push(News::NotOpened { head, why, body });
                    lose(py, stage, false, None, &mut round);
                }
                Response::Failed(why) => lose(py, stage, true, Some(why), &mut round),
            },
            Stage::Answering(answering) => {
                let over = answering.go_on(now());
                let pending = answering.pending();
                round.alarm = Some(answering.deadline);
                round.again = answering.more;
                {
                    let mut shared = self.shared.lock(py);
                    shared.pending = pending;
                    if pending == 0 {
                        shared.wake_writers();
                    }
                }
                if over {
                    round.again = false;
                    lose(py, stage, false, None, &mut round);
                }
            }
            Stage::Running(driver) => {
                let mut slot = Slot(None);
                let (outcome, again) = FLAG.with(|(flag, waker)| {
                    flag.0.store(false, Ordering::Relaxed);
                    let outcome = driver.poll(&mut slot, &mut task::Context::from_waker(waker));
                    (outcome, flag.0.load(Ordering::Relaxed))
                });
                round.alarm = slot.0;
                round.again = again;
                if let Poll::Ready(outcome) = outcome {
                    let why = outcome.error.map(|error| error.to_string());
                    lose(py, stage, why.is_some(), why, &mut round);
                }
            }
        }
        Ok(round)
    }

    /// The stage of an open connection.
    pub(super) fn run(
        &self,
        this: &Bound<'_, Self>,
        wire: Wire,
        deflate: Option<DeflateParams>,
        early: Vec<u8>,
    ) -> PyResult<Stage> {
        let py = this.py();
        let settings = self.settings(py)?;
        let Settings { config, queue, write, .. } = settings.get();
        let role = if self.base()?.server { Role::Server } else { Role::Client };
        let core = Core::new(role, Arc::clone(config), deflate, now());
        let face = Face::new(Arc::clone(&self.shared), *queue, *write, this.clone().unbind());
        self.shared.lock(py).stand = Stand::Open;
        Ok(Stage::Running(Box::new(Driver::new(wire, core, face, early))))
    }

    /// Goes over to writing an answer.
    pub(super) fn answer_with(stage: &mut Stage) -> Option<&mut Answering> {
        if let Stage::Server(_) = stage
            && let Stage::Server(opening) = std::mem::replace(stage, Stage::Gone)
        {
            *stage = Stage::Answering(Box::new(Answering::new(opening.wire, now())));
        }
        match stage {
            Stage::Answering(answering) => Some(answering),
            _ => None,
        }
    }
}

impl Stage {
    pub(super) fn wire(&mut self) -> Option<&mut Wire> {
        match self {
            Self::Server(opening) => Some(&mut opening.wire),
            Self::Client(opening) => Some(&mut opening.wire),
            Self::Answering(answering) => Some(&mut answering.wire),
            Self::Running(driver) => Some(driver.transport_mut()),
            Self::New(_) | Self::Gone => None,
        }
    }

    pub(super) fn carrier(&self) -> Option<&Carrier> {
        match self {
            Self::Server(opening) => &opening.wire,
            Self::Client(opening) => &opening.wire,
            Self::Answering(answering) => &answering.wire,
            Self::Running(driver) => driver.transport(),
            Self::New(_) | Self::Gone => return None,
        }
        .carrier()
    }
}

/// The transport is over and done with. `cut`: what still waits to be written does not hold it.
fn lose(py: Python<'_>, stage: &mut Stage, cut: bool, why: Option<String>, round: &mut Round) {
    if let Stage::Running(driver) = stage {
        round.fatal = driver.application_mut().take_fatal();
    }
    if let Err(error) = stage.wire().map_or(Ok(()), |wire| wire.close(py, cut)) {
        round.fatal.get_or_insert(error);
    }
    *stage = Stage::Gone;
    round.over = true;
    round.alarm = None;
    round.news.push(News::Lost(why));
}

fn answer(stage: &mut Stage, refusal: &Refusal, round: &mut Round) {
    if let Some(answering) = Connection::answer_with(stage) {
        // A peer that is gone is not told; the next round finds out.
        let _told = answering.push(&refusal.to_bytes(), true, true);
        round.again = true;
        round.alarm = Some(answering.deadline);
    }
}

fn extensions(head: &ResponseHead) -> String {
    let values = head.headers().all("Sec-WebSocket-Extensions");
    values.map(String::from_utf8_lossy).collect::<Vec<_>>().join(", ")
}

/// The extensions that a 101 of ours agrees on.
pub(super) fn own_extensions(fields: &Fields) -> String {
    let value = fields.iter().find(|(name, _)| *name == "Sec-WebSocket-Extensions");
    value.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}
