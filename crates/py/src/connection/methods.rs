//! What Python calls.

use super::{Base, Connection, Settled, Stage, driving::own_extensions};
use crate::{
    awaitable::{Awaitable, Done, For},
    handler::Handler,
    opening::{choice, response_fields},
    reactor::Reactor,
    settings::Settings,
    state::{Arrived, Command, Stand},
    text::{Form, decoded, lend, owned, wire},
    waiter::{Stepping, Waiter, Wake},
};
use pyo3::{
    exceptions::{PyRuntimeError, PyTypeError, PyValueError},
    intern,
    prelude::*,
    sync::PyOnceLock,
    types::{PyBytes, PyDict, PyString, PyTuple, PyType},
};
use tidewire_proto::{
    CloseCode, Kind, MessageRef,
    error::Misuse,
    handshake::{ClientHandshake, HeadLimits, Refusal, ResponseHead, WsUrl},
};

/// What is gathered leaves from this many bytes on.
const GATHERED: usize = 64 * 1024;

fn concurrency(py: Python<'_>, why: &'static str) -> PyErr {
    static ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match ERROR.import(py, "tidewire.exceptions", "ConcurrencyError") {
        Ok(error) => PyErr::from_type(error.clone(), why),
        Err(missing) => missing,
    }
}

fn value_error(error: &impl ToString) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Status, reason, fields, body, a line for the log.
type Refused = (u16, String, Vec<(String, String)>, Vec<u8>, String);

/// A refusal, as Python makes a response of it.
fn refused(refusal: &Refusal) -> PyResult<Refused> {
    let bytes = refusal.to_bytes();
    let (head, end) = ResponseHead::parse(&bytes, &HeadLimits::default())
        .ok()
        .flatten()
        .ok_or_else(|| PyRuntimeError::new_err("a refusal can't be read"))?;
    Ok((
        head.status(),
        head.reason().to_owned(),
        response_fields(&head),
        bytes[end..].to_vec(),
        refusal.log.clone(),
    ))
}

impl Connection {
    fn closed_error(this: &Bound<'_, Self>) -> PyErr {
        match this.call_method0(intern!(this.py(), "_closed_error")) {
            Ok(error) => PyErr::from_value(error),
            Err(error) => error,
        }
    }

    /// A message that is there already.
    pub(crate) fn take<'py>(
        this: &Bound<'py, Self>,
        decode: Option<bool>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = this.py();
        let own = this.get();
        let (arrived, resume) = {
            let mut state = own.shared.lock(py);
            if state.streaming {
                state.streaming = false;
                drop(state);
                own.stream(false);
                state = own.shared.lock(py);
            }
            if state.next_is_piece() && !(state.has_last_piece() || state.ended) {
                return Ok(None);
            }
            match state.pop() {
                Some(arrived) => (arrived, own.resumes(py, &mut state)?),
                None if state.ended => {
                    drop(state);
                    return Err(Self::closed_error(this));
                }
                None => return Ok(None),
            }
        };
        if resume {
            Reactor::again(own.reactor(py)?, own.key())?;
        }
        match arrived {
            Arrived::Message { object, .. } => decoded(object.into_bound(py), decode).map(Some),
            Arrived::Piece { kind, bytes, last } => Self::join(this, kind, bytes, last, decode),
        }
    }

    fn resumes(&self, py: Python<'_>, state: &mut crate::state::State) -> PyResult<bool> {
        let resumes = state.paused && state.may_resume(self.settings(py)?.get().queue.low);
        state.paused &= !resumes;
        Ok(resumes)
    }

    /// A message that came in pieces, made whole.
    fn join<'py>(
        this: &Bound<'py, Self>,
        kind: Kind,
        mut bytes: Vec<u8>,
        mut last: bool,
        decode: Option<bool>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = this.py();
        let mut state = this.get().shared.lock(py);
        while !last {
            match state.pop() {
                Some(Arrived::Piece { bytes: more, last: end, .. }) => {
                    bytes.extend_from_slice(&more);
                    last = end;
                }
                other => {
                    if let Some(other) = other {
                        state.unpop(other);
                    }
                    // The connection ended in the midst of the message.
                    drop(state);
                    return Err(Self::closed_error(this));
                }
            }
        }
        state.cut.clear();
        drop(state);
        let object = match kind {
            Kind::Text => PyString::new(py, &String::from_utf8_lossy(&bytes)).into_any(),
            Kind::Binary => PyBytes::new(py, &bytes).into_any(),
        };
        decoded(object, decode).map(Some)
    }

    /// A piece of a message that is there already.
    pub(crate) fn take_piece(this: &Bound<'_, Self>) -> PyResult<Option<(Py<PyAny>, bool)>> {
        let py = this.py();
        let own = this.get();
        let (arrived, mut cut, resume) = {
            let mut state = own.shared.lock(py);
            if !state.streaming {
                state.streaming = true;
                drop(state);
                own.stream(true);
                state = own.shared.lock(py);
            }
            match state.pop() {
                Some(arrived) => {
                    let resume = own.resumes(py, &mut state)?;
                    (arrived, std::mem::take(&mut state.cut), resume)
                }
                None if state.ended => {
                    drop(state);
                    return Err(Self::closed_error(this));
                }
                None => return Ok(None),
            }
        };
        if resume {
            Reactor::again(own.reactor(py)?, own.key())?;
        }
        Ok(Some(match arrived {
            Arrived::Message { object, .. } => (object, true),
            Arrived::Piece { kind: Kind::Binary, bytes, last } => {
                (PyBytes::new(py, &bytes).into_any().unbind(), last)
            }
            Arrived::Piece { kind: Kind::Text, bytes, last } => {
                cut.extend_from_slice(&bytes);
                // The core has judged the text; it may end inside a character.
                let whole = match std::str::from_utf8(&cut) {
                    Ok(_) => cut.len(),
                    Err(error) => error.valid_up_to(),
                };
                let text = PyString::new(py, &String::from_utf8_lossy(&cut[..whole])).into_any().unbind();
                cut.drain(..whole);
                own.shared.lock(py).cut = cut;
                (text, last)
            }
        }))
    }

    /// Changes how messages are handed over now; where the connection is being driven, whoever drives it does.
    fn stream(&self, streaming: bool) {
        if let Some(Stage::Running(driver)) = self.try_stage().as_deref_mut() {
            driver.apply(|face, context| face.stream(context, streaming));
        }
    }

    /// Whether senders need not wait.
    pub(crate) fn has_room(this: &Bound<'_, Self>) -> PyResult<bool> {
        let py = this.py();
        let own = this.get();
        let state = own.shared.lock(py);
        if state.ended {
            drop(state);
            return Err(Self::closed_error(this));
        }
        Ok(state.pending <= own.settings(py)?.get().write.high || state.stand == Stand::Connecting)
    }

    /// Joins those that wait, in place of `before`.
    pub(crate) fn wait(
        this: &Bound<'_, Self>,
        wake: Wake,
        for_room: bool,
        before: Option<&Py<Waiter>>,
    ) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        if !own.reactor(py)?.get().is_own_thread() && matches!(wake, Wake::Task(_)) {
            return Err(PyRuntimeError::new_err(
                "this connection belongs to the event loop of another thread: await it there, or use tidewire.sync",
            ));
        }
        let mut state = own.shared.lock(py);
        if for_room {
            state.writers.push(wake);
            return Ok(());
        }
        let own_before = match (&state.reader, before) {
            (Some(Wake::Task(waits)), Some(before)) => waits.is(before),
            (None, _) => true,
            _ => false,
        };
        if !own_before {
            drop(state);
            return Err(concurrency(
                py,
                "recv is called while another recv waits for a message: one at a time",
            ));
        }
        let replaced = state.reader.replace(wake);
        drop(state);
        drop(replaced);
        Ok(())
    }

    /// Takes a waiter that gave up out of the queues.
    pub(crate) fn forget(&self, py: Python<'_>, waiter: &Py<Waiter>) -> Vec<Wake> {
        let is_it = |wake: &Wake| matches!(wake, Wake::Task(other) if other.is(waiter));
        let mut left = Vec::new();
        let mut state = self.shared.lock(py);
        left.extend(state.reader.take_if(|wake| is_it(wake)));
        let (gone, kept) = std::mem::take(&mut state.writers).into_iter().partition(is_it);
        state.writers = kept;
        drop(state);
        left.extend::<Vec<_>>(gone);
        left
    }

    /// Does something on the connection at once, or as soon as it can be reached.
    fn give(this: &Bound<'_, Self>, command: Command) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        let size = match &command {
            Command::Message(_, bytes) | Command::Piece(_, bytes, _) => bytes.len(),
            Command::Prepared(prepared) => prepared.message().as_bytes().len(),
            _ => 0,
        };
        {
            let mut state = own.shared.lock(py);
            state.commands.push_back(command);
            state.pending += size;
        }
        Self::carry_on(this)
    }

    /// Drives the connection now, where that can be; else as soon as it can.
    fn carry_on(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        let reactor = own.reactor(py)?;
        if !reactor.get().is_own_thread() {
            return Reactor::again(reactor, own.key());
        }
        if reactor.get().is_polling() {
            // Who is driven sees to its own commands; others have their turn.
            return if own.try_stage().is_none() { Ok(()) } else { Reactor::again(reactor, own.key()) };
        }
        Self::drive(this, Stepping::Soon)
    }

    /// Sends a message; whether senders need not wait.
    fn hand(this: &Bound<'_, Self>, message: MessageRef<'_>) -> PyResult<bool> {
        let py = this.py();
        let own = this.get();
        let reactor = own.reactor(py)?;
        let high = own.settings(py)?.get().write.high;
        let (first, batch) = {
            let state = own.shared.lock(py);
            match state.stand {
                Stand::Open => {}
                Stand::Connecting => {
                    return Err(PyRuntimeError::new_err(
                        "the opening handshake is not done: nothing can be sent yet",
                    ));
                }
                Stand::Closing | Stand::Closed => {
                    drop(state);
                    return Err(Self::closed_error(this));
                }
            }
            if state.sending_pieces {
                drop(state);
                return Err(concurrency(py, "a message is being sent in fragments: finish it first"));
            }
            (state.commands.is_empty(), state.has_arrived())
        };
        let stage = if first && reactor.get().is_own_thread() { own.try_stage() } else { None };
        if let Some(mut stage) = stage
            && let Stage::Running(driver) = &mut *stage
        {
            let (sent, pending) = driver.apply(|_, context| (context.try_send(message), context.pending()));
            drop(stage);
            own.shared.lock(py).pending = pending;
            match sent {
                Ok(()) => {}
                Err(Misuse::Closed) => return Err(Self::closed_error(this)),
                Err(misuse) => return Err(value_error(&misuse)),
            }
            if pending < GATHERED && (reactor.get().is_polling() || (batch && reactor.get().is_turning())) {
                Reactor::again(reactor, own.key())?;
                return Ok(pending <= high);
            }
            Self::carry_on(this)?;
        } else {
            Self::give(this, Command::Message(message.kind(), message.as_bytes().to_vec()))?;
        }
        Ok(own.shared.lock(py).pending <= high)
    }

    /// What is not open takes nothing more.
    fn check_open(this: &Bound<'_, Self>) -> PyResult<()> {
        let stand = this.get().shared.lock(this.py()).stand;
        match stand {
            Stand::Open => Ok(()),
            Stand::Connecting => {
                Err(PyRuntimeError::new_err("the opening handshake is not done: nothing can be sent yet"))
            }
            Stand::Closing | Stand::Closed => Err(Self::closed_error(this)),
        }
    }

    fn control(
        this: &Bound<'_, Self>,
        payload: &[u8],
        command: impl FnOnce(Vec<u8>) -> Command,
    ) -> PyResult<()> {
        if payload.len() > 125 {
            return Err(value_error(&Misuse::ControlTooLong));
        }
        Self::check_open(this)?;
        Self::give(this, command(payload.to_vec()))
    }

    /// Sends a message that was encoded for many; `false` in the midst of a fragmented one.
    pub(crate) fn send_prepared(
        this: &Bound<'_, Self>,
        prepared: &tidewire_proto::Prepared,
    ) -> PyResult<bool> {
        {
            let state = this.get().shared.lock(this.py());
            if state.stand != Stand::Open {
                return Ok(true);
            }
            if state.sending_pieces {
                return Ok(false);
            }
        }
        Self::give(this, Command::Prepared(prepared.clone()))?;
        Ok(true)
    }

    fn server_opening<R>(
        &self,
        work: impl FnOnce(&mut crate::opening::ServerOpening) -> PyResult<R>,
    ) -> PyResult<R> {
        match self.try_stage().as_deref_mut() {
            Some(Stage::Server(opening)) if opening.has_head() => work(opening),
            _ => Err(PyRuntimeError::new_err("there is no request that waits for an answer")),
        }
    }
}

#[pymethods]
impl Connection {
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        let _ = (args, kwargs);
        Self::blank()
    }

    fn __init__(&self, reactor: Py<Reactor>, settings: Py<Settings>, server: bool) -> PyResult<()> {
        self.base
            .set(Base { reactor, settings, server })
            .map_err(|_| PyRuntimeError::new_err("Connection.__init__ was called before"))
    }

    #[getter]
    fn watch_pongs(&self, py: Python<'_>) -> bool {
        self.shared.lock(py).watch_pongs
    }

    #[setter]
    fn set_watch_pongs(&self, py: Python<'_>, watch: bool) {
        self.shared.lock(py).watch_pongs = watch;
    }

    fn check(&self, py: Python<'_>) -> PyResult<Option<Refused>> {
        let policy = &self.settings(py)?.get().policy;
        self.server_opening(|opening| opening.check(policy))?.as_ref().map(refused).transpose()
    }

    fn check_origin(&self, py: Python<'_>) -> PyResult<Option<Refused>> {
        let policy = &self.settings(py)?.get().policy;
        self.server_opening(|opening| opening.check_origin(policy))?.as_ref().map(refused).transpose()
    }

    #[getter]
    fn offered(&self) -> Vec<String> {
        self.server_opening(|opening| Ok(opening.offered())).unwrap_or_default()
    }

    fn negotiate(
        &self,
        py: Python<'_>,
        subprotocol: Option<&str>,
        fields: Vec<(String, String)>,
    ) -> PyResult<Vec<(String, String)>> {
        let fields = crate::text::fields(fields)?;
        let deflate = &self.settings(py)?.get().config.deflate;
        self.server_opening(|opening| opening.negotiate(&choice(subprotocol, fields, deflate)))
    }

    fn open(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        own.server_opening(|opening| {
            if opening.is_negotiated() {
                Ok(())
            } else {
                Err(PyRuntimeError::new_err("negotiate() has to come before open()"))
            }
        })?;
        if let Some(mut stage) = own.try_stage()
            && let Stage::Server(opening) = std::mem::replace(&mut *stage, Stage::Gone)
            && let Some((mut wire, switching, early)) = opening.open()
        {
            let settled = Settled {
                extensions: own_extensions(&switching.headers),
                compressed: switching.agreed.deflate.is_some(),
                subprotocol: switching.agreed.subprotocol.clone(),
            };
            let _set = own.agreed.set(Box::new(settled));
            // Where writing fails, the driver finds the connection broken.
            let _written = wire.push(&switching.to_bytes());
            *stage = own.run(this, wire, switching.agreed.deflate, early)?;
        }
        Reactor::again(own.reactor(py)?, own.key())
    }

    fn respond(this: &Bound<'_, Self>, response: &[u8]) -> PyResult<()> {
        Self::push_answer(this, response, true)
    }

    fn respond_more(this: &Bound<'_, Self>, data: &[u8], last: bool) -> PyResult<Py<PyAny>> {
        Self::push_answer(this, data, last)?;
        Self::drained(this)
    }

    #[pyo3(signature = (url, subprotocols, fields))]
    #[expect(clippy::needless_pass_by_value, reason = "arguments of Python")]
    fn request(
        this: &Bound<'_, Self>,
        url: &str,
        subprotocols: Vec<String>,
        fields: Vec<(String, String)>,
    ) -> PyResult<()> {
        let own = this.get();
        let url = WsUrl::parse(url).map_err(|error| value_error(&error))?;
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        let mut handshake = ClientHandshake::new(nonce)
            .subprotocols(subprotocols.iter().map(String::as_str))
            .map_err(|error| value_error(&error))?
            .deflate(own.settings(this.py())?.get().config.deflate.clone());
        for (name, value) in &fields {
            handshake = handshake.header(name, wire(value)).map_err(|error| value_error(&error))?;
        }
        match own.try_stage().as_deref_mut() {
            Some(Stage::New(request)) => {
                *request = Some(Box::new((handshake.request(&url), handshake)));
                Ok(())
            }
            _ => Err(PyRuntimeError::new_err("request() comes before there is a transport")),
        }
    }

    #[pyo3(signature = (decode = None))]
    fn recv(this: Py<Self>, decode: Option<bool>) -> Awaitable {
        Awaitable::new(this, For::Message(decode))
    }

    #[pyo3(signature = (decode = None))]
    fn recv_nowait<'py>(
        this: &Bound<'py, Self>,
        decode: Option<bool>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Self::take(this, decode)
    }

    fn recv_piece(this: &Bound<'_, Self>) -> Awaitable {
        Awaitable::new(this.clone().unbind(), For::Piece)
    }

    fn recv_piece_nowait(this: &Bound<'_, Self>) -> PyResult<Option<(Py<PyAny>, bool)>> {
        Self::take_piece(this)
    }

    fn on_readable(this: &Bound<'_, Self>, call: Option<Py<PyAny>>) -> PyResult<()> {
        let py = this.py();
        let replaced = {
            let mut state = this.get().shared.lock(py);
            let replaced = std::mem::replace(&mut state.reader, call.map(Wake::Call));
            if state.has_arrived() || state.ended {
                state.wake_reader();
            }
            replaced
        };
        drop(replaced);
        this.get().wake(py, Stepping::Foreign)
    }

    fn on_writable(this: &Bound<'_, Self>, call: Option<Py<PyAny>>) -> PyResult<()> {
        let py = this.py();
        let high = this.get().settings(py)?.get().write.high;
        {
            let mut state = this.get().shared.lock(py);
            state.writers.extend(call.map(Wake::Call));
            if state.pending <= high || state.ended {
                state.wake_writers();
            }
        }
        this.get().wake(py, Stepping::Foreign)
    }

    fn __aiter__(this: Py<Self>) -> Py<Self> {
        this
    }

    fn __anext__(this: Py<Self>) -> Awaitable {
        Awaitable::new(this, For::Next)
    }

    #[pyo3(signature = (message, text = None))]
    fn send(this: &Bound<'_, Self>, message: &Bound<'_, PyAny>, text: Option<bool>) -> PyResult<Py<PyAny>> {
        let py = this.py();
        let sending_pieces = this.get().shared.lock(py).sending_pieces;
        let sent = if sending_pieces {
            None
        } else {
            lend(message, text, |message| Self::hand(this, message))?.transpose()?
        };
        match sent {
            Some(true) => Done::get(py),
            Some(false) => Self::drained(this),
            None => this.call_method1(intern!(py, "_send_fragments"), (message, text)).map(Bound::unbind),
        }
    }

    #[pyo3(signature = (message, text = None))]
    fn send_nowait(this: &Bound<'_, Self>, message: &Bound<'_, PyAny>, text: Option<bool>) -> PyResult<bool> {
        match lend(message, text, |message| Self::hand(this, message))? {
            Some(sent) => sent,
            None => Err(PyTypeError::new_err("a message is str or bytes-like")),
        }
    }

    fn send_piece(
        this: &Bound<'_, Self>,
        piece: &Bound<'_, PyAny>,
        text: bool,
        last: bool,
    ) -> PyResult<Py<PyAny>> {
        Self::check_open(this)?;
        let (_, bytes) = owned(piece, None)?;
        this.get().shared.lock(this.py()).sending_pieces = !last;
        let kind = if text { Kind::Text } else { Kind::Binary };
        Self::give(this, Command::Piece(kind, bytes, last))?;
        Self::drained(this)
    }

    #[getter]
    fn sending_pieces(&self, py: Python<'_>) -> bool {
        self.shared.lock(py).sending_pieces
    }

    fn write_ping(this: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        Self::control(this, data, Command::Ping)
    }

    fn write_pong(this: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        Self::control(this, data, Command::Pong)
    }

    #[pyo3(signature = (code = 1000, reason = ""))]
    fn begin_close(this: &Bound<'_, Self>, code: u16, reason: &str) -> PyResult<()> {
        let code = CloseCode(code);
        if code != CloseCode::NO_STATUS && !code.is_sendable() {
            return Err(value_error(&Misuse::CloseCode(code)));
        }
        let stand = this.get().shared.lock(this.py()).stand;
        match stand {
            Stand::Connecting => Self::abort(this),
            Stand::Open => {
                Self::give(this, Command::Close(code, reason.to_owned()))?;
                let mut state = this.get().shared.lock(this.py());
                if state.stand == Stand::Open {
                    state.stand = Stand::Closing;
                }
                Ok(())
            }
            Stand::Closing | Stand::Closed => Ok(()),
        }
    }

    fn drained(this: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        let py = this.py();
        let state = this.get().shared.lock(py);
        if state.pending <= this.get().settings(py)?.get().write.high {
            drop(state);
            return Done::get(py);
        }
        drop(state);
        Ok(Py::new(py, Awaitable::new(this.clone().unbind(), For::Room))?.into_any())
    }

    fn flush(this: &Bound<'_, Self>) -> PyResult<()> {
        Self::drive(this, this.get().reactor(this.py())?.get().stepping())
    }

    fn abort(this: &Bound<'_, Self>) -> PyResult<()> {
        let py = this.py();
        this.get().shared.lock(py).abort = true;
        let cut = this.get().cut(py)?;
        if cut { Self::over(this) } else { Self::carry_on(this) }
    }

    #[pyo3(signature = (handler, payload = "native"))]
    fn set_handler(this: &Bound<'_, Self>, handler: &Bound<'_, PyAny>, payload: &str) -> PyResult<()> {
        let form = match payload {
            "native" => Form::Native,
            "bytes" => Form::Bytes,
            "memoryview" => Form::View,
            other => {
                return Err(PyValueError::new_err(format!(
                    "payload is \"{other}\": give \"native\", \"bytes\" or \"memoryview\""
                )));
            }
        };
        let handler = Box::new(Handler::new(this.clone().unbind(), handler, form)?);
        let py = this.py();
        let (stand, before) = {
            let mut state = this.get().shared.lock(py);
            (state.stand, state.handler.replace(handler))
        };
        drop(before);
        if stand == Stand::Open { Self::carry_on(this) } else { Ok(()) }
    }

    #[getter]
    fn state(&self, py: Python<'_>) -> u8 {
        self.shared.lock(py).stand as u8
    }

    #[getter]
    fn subprotocol(&self) -> Option<&str> {
        self.agreed.get()?.subprotocol.as_deref()
    }

    #[getter]
    fn compressed(&self) -> bool {
        self.agreed.get().is_some_and(|agreed| agreed.compressed)
    }

    #[getter]
    fn extensions(&self) -> &str {
        self.agreed.get().map_or("", |agreed| &agreed.extensions)
    }

    #[getter]
    fn latency(&self, py: Python<'_>) -> f64 {
        self.shared.lock(py).latency.map_or(0.0, |latency| latency.as_secs_f64())
    }

    #[getter]
    fn pending(&self, py: Python<'_>) -> usize {
        self.shared.lock(py).pending
    }

    #[getter]
    fn remote_address(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.address(py, false)
    }

    #[getter]
    fn local_address(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        self.address(py, true)
    }

    #[getter]
    fn transport(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.transport.get().map(|transport| transport.clone_ref(py))
    }

    fn fileno(&self) -> i32 {
        self.try_stage().and_then(|mut stage| stage.wire()?.descriptor()).unwrap_or(-1)
    }

    #[getter]
    fn close_frames(&self, py: Python<'_>) -> CloseFrames {
        let state = self.shared.lock(py);
        let frame = |reason: &tidewire_proto::CloseReason| (reason.code.0, reason.reason.clone());
        let closing = state.closing.as_deref();
        let received = closing.and_then(|closing| closing.received.as_ref().map(frame));
        let sent = closing.and_then(|closing| closing.sent.as_ref().map(frame));
        let first = closing.filter(|closing| closing.received.is_some()).map(|closing| closing.by_peer);
        (received, sent, first, state.error.clone())
    }

    #[getter]
    fn close_code(&self, py: Python<'_>) -> Option<u16> {
        let state = self.shared.lock(py);
        match state.closing.as_deref().and_then(|closing| closing.received.as_ref()) {
            Some(received) => Some(received.code.0),
            None if state.ended => Some(CloseCode::ABNORMAL.0),
            None => None,
        }
    }

    #[getter]
    fn close_reason(&self, py: Python<'_>) -> Option<String> {
        let state = self.shared.lock(py);
        match state.closing.as_deref().and_then(|closing| closing.received.as_ref()) {
            Some(received) => Some(received.reason.clone()),
            None => state.ended.then(String::new),
        }
    }

    #[getter]
    fn stats(&self, py: Python<'_>) -> (u64, u64, u64, u64) {
        let stats = self.shared.lock(py).stats;
        (stats.messages_in, stats.messages_out, stats.wire_in, stats.wire_out)
    }
}

/// Received, sent, whether it was received first, what went wrong.
type CloseFrames = (Option<(u16, String)>, Option<(u16, String)>, Option<bool>, Option<String>);

impl Connection {
    fn push_answer(this: &Bound<'_, Self>, bytes: &[u8], last: bool) -> PyResult<()> {
        let py = this.py();
        let own = this.get();
        {
            let mut stage = own.try_stage().ok_or_else(|| {
                PyRuntimeError::new_err("the connection is busy: answer from its own loop's thread")
            })?;
            let answering = Self::answer_with(&mut stage)
                .ok_or_else(|| PyRuntimeError::new_err("there is no request that waits for an answer"))?;
            // A peer that is gone is not told; the next round finds out.
            let _told = answering.push(bytes, last);
            own.shared.lock(py).pending = answering.pending();
        }
        Reactor::again(own.reactor(py)?, own.key())
    }

    fn address(&self, py: Python<'_>, local: bool) -> PyResult<Py<PyAny>> {
        if let Some(addresses) = self.addresses.get() {
            return Ok(if local { &addresses.0 } else { &addresses.1 }.clone_ref(py));
        }
        let Some(transport) = self.transport.get() else { return Ok(py.None()) };
        let name = if local { "sockname" } else { "peername" };
        transport.call_method1(py, "get_extra_info", (name,))
    }

    /// Cuts the transport, unless the connection is being driven.
    fn cut(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(mut stage) = self.try_stage() else { return Ok(false) };
        match &mut *stage {
            Stage::Gone | Stage::Running(_) => Ok(false),
            stage => {
                let closed = stage.wire().map_or(Ok(()), |wire| wire.close(py, true));
                *stage = Stage::Gone;
                closed.map(|()| true)
            }
        }
    }
}
