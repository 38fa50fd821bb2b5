//! All sockets of one event loop behind one descriptor, and the deadlines of its connections.

mod listening;

use crate::{
    connection::Connection,
    lock::lock,
    waiter::Stepping,
    wire::{Ready, Wire},
};
use listening::Listening;
use mio::{Events, Poll, Registry};
use pyo3::{
    gc::{PyTraverseError, PyVisit},
    intern,
    prelude::*,
    types::PyDict,
};
use slab::Slab;
use std::{
    collections::VecDeque,
    io,
    os::fd::AsRawFd as _,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tidewire::driver::now;
use tidewire_proto::Time;

/// Events taken in one turn.
const EVENTS: usize = 1024;
/// All deadlines are looked at when the nearest is due, and at most this often.
const SWEEP: Duration = Duration::from_millis(1);

/// What is behind a key.
struct Entry {
    what: What,
    /// When it wants to be looked at.
    at: Option<Time>,
}

enum What {
    Connection(Py<Connection>),
    Listener(Listening, Py<PyAny>),
}

#[derive(Default)]
struct Table {
    entries: Slab<Entry>,
    /// What the operating system said and nobody has looked at yet.
    ready: VecDeque<(usize, Ready)>,
    /// Who has to be looked at again.
    again: VecDeque<usize>,
    /// A turn was asked for.
    scheduled: bool,
    /// The timer, and when it is due.
    timer: Option<(Py<PyAny>, Time)>,
    /// The timer has to be set to the nearest deadline.
    rearm: bool,
    watching: bool,
    /// When the loop was last told that accepting fails.
    told: Option<Time>,
}

impl Table {
    /// The connection behind a key.
    fn connection(&self, py: Python<'_>, key: usize) -> Option<Py<Connection>> {
        match &self.entries.get(key)?.what {
            What::Connection(connection) => Some(connection.clone_ref(py)),
            What::Listener(..) => None,
        }
    }
}

/// All plain sockets of one event loop, and the deadlines of all its connections.
#[pyclass(frozen, module = "tidewire._core")]
pub(crate) struct Reactor {
    event_loop: Py<PyAny>,
    /// The thread that the loop runs on: where it ran last.
    thread: AtomicUsize,
    /// There while there is something to watch: a loop that is left alone holds no descriptor of ours.
    poll: Mutex<Option<(Poll, Events)>>,
    table: Mutex<Table>,
    /// The loop is inside of `turn`.
    turning: AtomicBool,
    /// A driver is polled, and may be calling into Python.
    polling: AtomicBool,
}

/// What no other thread that runs has.
fn this_thread() -> usize {
    thread_local! {
        static MARK: u8 = const { 0 };
    }
    MARK.with(|mark| std::ptr::from_ref(mark) as usize)
}

impl Reactor {
    fn table(&self, py: Python<'_>) -> MutexGuard<'_, Table> {
        lock(py, &self.table)
    }

    pub(crate) fn event_loop(&self) -> &Py<PyAny> {
        &self.event_loop
    }

    pub(crate) fn is_own_thread(&self) -> bool {
        this_thread() == self.thread.load(Ordering::Relaxed)
    }

    /// The loop calls, on this thread. It may have run on another one before.
    pub(crate) fn is_here(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
    }

    /// Whether this is the loop's thread, where the loop may have gone on in another one.
    pub(crate) fn is_running_here(&self, py: Python<'_>) -> PyResult<bool> {
        if self.is_own_thread() {
            return Ok(true);
        }
        let running = py.import("asyncio")?.call_method0("_get_running_loop")?;
        let is_here = running.is(&self.event_loop);
        if is_here {
            self.is_here();
        }
        Ok(is_here)
    }

    pub(crate) fn is_turning(&self) -> bool {
        self.turning.load(Ordering::Relaxed)
    }

    /// Whether a driver is being polled on the loop's thread, by which Python is called just now.
    pub(crate) fn is_polling(&self) -> bool {
        self.polling.load(Ordering::Relaxed)
    }

    pub(crate) fn set_polling(&self, polling: bool) -> bool {
        self.polling.swap(polling, Ordering::Relaxed)
    }

    /// How tasks may be woken from where we are, unless the loop called us.
    pub(crate) fn stepping(&self) -> Stepping {
        if self.is_own_thread() { Stepping::Soon } else { Stepping::Foreign }
    }

    /// Enters a connection; its key.
    pub(crate) fn enter(this: &Bound<'_, Self>, connection: &Bound<'_, Connection>) -> PyResult<usize> {
        Self::watch(this)?;
        let what = What::Connection(connection.clone().unbind());
        Ok(this.get().table(this.py()).entries.insert(Entry { what, at: None }))
    }

    pub(crate) fn register(&self, py: Python<'_>, wire: &mut Wire, key: usize) -> io::Result<()> {
        self.with_registry(py, |registry| wire.register(registry, key))
    }

    fn with_registry(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&Registry) -> io::Result<()>,
    ) -> io::Result<()> {
        match &*self.poll(py) {
            Some((poll, _)) => work(poll.registry()),
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn poll(&self, py: Python<'_>) -> MutexGuard<'_, Option<(Poll, Events)>> {
        lock(py, &self.poll)
    }

    /// Forgets a connection.
    pub(crate) fn leave(this: &Bound<'_, Self>, key: usize) -> PyResult<()> {
        let entry = this.get().table(this.py()).entries.try_remove(key);
        drop(entry);
        if this.get().is_own_thread() { this.get().unwatch(this.py()) } else { Self::schedule(this) }
    }

    /// Looks at a connection again in this turn, or the next.
    pub(crate) fn again(this: &Bound<'_, Self>, key: usize) -> PyResult<()> {
        this.get().table(this.py()).again.push_back(key);
        if this.get().is_turning() && this.get().is_own_thread() { Ok(()) } else { Self::schedule(this) }
    }

    /// Wants a connection looked at, at a time.
    pub(crate) fn arm(this: &Bound<'_, Self>, key: usize, at: Time) -> PyResult<()> {
        let due = {
            let mut table = this.get().table(this.py());
            if let Some(entry) = table.entries.get_mut(key) {
                entry.at = Some(at);
            }
            table.timer.as_ref().is_none_or(|(_, due)| at < *due)
        };
        if !due {
            return Ok(());
        }
        if this.get().is_own_thread() {
            return Self::set_timer(this, at);
        }
        this.get().table(this.py()).rearm = true;
        Self::schedule(this)
    }

    fn set_timer(this: &Bound<'_, Self>, at: Time) -> PyResult<()> {
        let py = this.py();
        let delay = at.since(now()).max(SWEEP).as_secs_f64();
        let tick = this.getattr(intern!(py, "tick"))?;
        let timer =
            this.get().event_loop.call_method1(py, intern!(py, "call_later"), (delay, tick))?.clone_ref(py);
        let before = this.get().table(py).timer.replace((timer, at));
        if let Some((before, _)) = before {
            before.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }

    /// Asks the loop for a turn.
    fn schedule(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        if std::mem::replace(&mut this.get().table(py).scheduled, true) {
            return Ok(());
        }
        let name = if this.get().is_own_thread() { "call_soon" } else { "call_soon_threadsafe" };
        let turn = this.getattr(intern!(py, "turn"))?;
        let called = this.get().event_loop.call_method1(py, name, (turn,));
        if called.is_err() {
            this.get().table(py).scheduled = false;
        }
        called.map(drop)
    }

    /// Registers with the loop.
    fn watch(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        if std::mem::replace(&mut this.get().table(py).watching, true) {
            return Ok(());
        }
        let begun = Poll::new().map_err(PyErr::from).and_then(|poll| {
            let descriptor = poll.as_raw_fd();
            *this.get().poll(py) = Some((poll, Events::with_capacity(EVENTS)));
            let turn = this.getattr(intern!(py, "turn"))?;
            this.get().event_loop.call_method1(py, "add_reader", (descriptor, turn)).map(drop)
        });
        if begun.is_err() {
            this.get().table(py).watching = false;
            this.get().poll(py).take();
        }
        begun
    }

    /// Leaves the loop once there is nothing left to watch. On the loop's thread.
    fn unwatch(&self, py: Python<'_>) -> PyResult<()> {
        let timer = {
            let mut table = self.table(py);
            if !table.entries.is_empty() || !table.watching {
                return Ok(());
            }
            table.watching = false;
            table.timer.take()
        };
        // Closed behind the loop's registration.
        let poll = self.poll(py).take();
        if self.event_loop.call_method0(py, "is_closed")?.is_truthy(py)? {
            return Ok(());
        }
        if let Some((timer, _)) = timer {
            timer.call_method0(py, "cancel")?;
        }
        if let Some((poll, _)) = &poll {
            self.event_loop.call_method1(py, "remove_reader", (poll.as_raw_fd(),))?;
        }
        Ok(())
    }

    /// Tells the loop of an error nobody else can be told of.
    fn report(&self, py: Python<'_>, message: &str, error: PyErr) -> PyResult<()> {
        let context = PyDict::new(py);
        context.set_item("message", message)?;
        context.set_item("exception", error.into_value(py))?;
        self.event_loop.call_method1(py, "call_exception_handler", (context,))?;
        Ok(())
    }

    /// Looks at one entry.
    fn look(this: &Bound<'_, Self>, key: usize, ready: Ready) -> PyResult<()> {
        let py = this.py();
        let connection = this.get().table(py).connection(py, key);
        match connection {
            Some(connection) => Connection::ready(connection.bind(py), ready),
            // Where there is no listener either, nothing is accepted.
            None => Self::accept(this, key),
        }
    }

    fn take(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let reactor = this.get();
        loop {
            // Under one lock: most of what is ready is a connection.
            let (key, ready, connection) = {
                let mut table = reactor.table(py);
                let Some((key, ready)) = table.ready.pop_front() else { break };
                (key, ready, table.connection(py, key))
            };
            match connection {
                Some(connection) => Connection::ready(connection.bind(py), ready)?,
                None => Self::look(this, key, ready)?,
            }
        }
        // Who comes up again while these are looked at has its turn later.
        let again = reactor.table(py).again.len();
        for _ in 0..again {
            let next = reactor.table(py).again.pop_front();
            let Some(key) = next else { break };
            Self::look(this, key, Ready::default())?;
        }
        Ok(())
    }
}

#[pymethods]
impl Reactor {
    #[new]
    fn new(event_loop: Py<PyAny>) -> Self {
        Self {
            poll: Mutex::default(),
            event_loop,
            thread: AtomicUsize::new(this_thread()),
            table: Mutex::default(),
            turning: AtomicBool::new(false),
            polling: AtomicBool::new(false),
        }
    }

    // The loop holds its reactor, and is held by it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        let Ok(table) = self.table.try_lock() else { return Ok(()) };
        if let Some((timer, _)) = &table.timer {
            visit.call(timer)?;
        }
        for (_, entry) in &table.entries {
            match &entry.what {
                What::Connection(connection) => visit.call(connection)?,
                What::Listener(_, factory) => visit.call(factory)?,
            }
        }
        Ok(())
    }

    fn __clear__(&self) {
        let cleared = self
            .table
            .try_lock()
            .ok()
            .map(|mut table| (std::mem::take(&mut table.entries), table.timer.take()));
        drop(cleared);
    }

    /// What the loop calls when one of the sockets is ready, or somebody asked for it.
    fn turn(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let reactor = this.get();
        reactor.is_here();
        reactor.table(py).scheduled = false;
        if reactor.turning.swap(true, Ordering::Relaxed) {
            return Self::schedule(this);
        }
        {
            let mut poll = reactor.poll(py);
            if let Some((poll, events)) = &mut *poll {
                match poll.poll(events, Some(Duration::ZERO)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        reactor.turning.store(false, Ordering::Relaxed);
                        return Err(error.into());
                    }
                }
                let mut table = reactor.table(py);
                table.ready.extend(events.iter().map(|event| (event.token().0, Ready::from(event))));
            }
        }
        let taken = Self::take(this);
        reactor.turning.store(false, Ordering::Relaxed);
        let (left, rearm, empty) = {
            let mut table = reactor.table(py);
            let left = !table.again.is_empty() || !table.ready.is_empty();
            (left, std::mem::take(&mut table.rearm), table.entries.is_empty())
        };
        if left {
            Self::schedule(this)?;
        }
        if rearm {
            Self::rearm(this)?;
        }
        if empty {
            reactor.unwatch(py)?;
        }
        taken
    }

    /// What the loop calls when the nearest deadline is there.
    fn tick(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let now = now();
        {
            let mut table = this.get().table(py);
            table.timer = None;
            table.rearm = true;
            let Table { entries, again, .. } = &mut *table;
            for (key, entry) in entries.iter_mut() {
                if entry.at.take_if(|at| *at <= now).is_some() {
                    again.push_back(key);
                }
            }
        }
        Self::turn(this)
    }
}

impl Reactor {
    /// Sets the timer to the nearest deadline there is.
    fn rearm(this: &Bound<'_, Self>) -> PyResult<()> {
        let nearest = {
            let table = this.get().table(this.py());
            let nearest = table.entries.iter().filter_map(|(_, entry)| entry.at).min();
            nearest.filter(|at| table.timer.as_ref().is_none_or(|(_, due)| at < due))
        };
        nearest.map_or(Ok(()), |at| Self::set_timer(this, at))
    }
}
