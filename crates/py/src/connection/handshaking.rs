//! The opening handshake, and answers that are none.

use super::{Connection, Settled, Stage, driving::own_extensions, errors::value_error};
use crate::{
    opening::{ServerOpening, choice, response_fields},
    reactor::Reactor,
    text::wire,
};
use pyo3::{exceptions::PyRuntimeError, prelude::*, types::PyTuple};
use std::net::IpAddr;
use tidewire_proto::handshake::{ClientHandshake, HeadLimits, Refusal, ResponseHead, ServerPolicy, WsUrl};

/// Status, reason, fields, body, a line for the log.
type Refused = (u16, String, Vec<(String, String)>, Vec<u8>, String);

/// A refusal, as Python makes a response of it.
fn refused(refusal: &Refusal) -> PyResult<Refused> {
    let bytes = refusal.to_bytes();
    let (head, end) = ResponseHead::parse(&bytes, &HeadLimits::default())
        .ok()
        .flatten()
        .ok_or_else(|| PyRuntimeError::new_err("a refusal can't be read"))?;
    let (fields, body) = (response_fields(&head), bytes[end..].to_vec());
    Ok((head.status(), head.reason().to_owned(), fields, body, refusal.log.clone()))
}

impl Connection {
    fn server_opening<R>(&self, work: impl FnOnce(&mut ServerOpening) -> PyResult<R>) -> PyResult<R> {
        match self.try_stage().as_deref_mut() {
            Some(Stage::Server(opening)) if opening.has_head() => work(opening),
            _ => Err(PyRuntimeError::new_err("there is no request that waits for an answer")),
        }
    }

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
            let _told = answering.push(bytes, last, own.reactor(py)?.get().is_own_thread());
            own.shared.lock(py).pending = answering.pending();
        }
        Reactor::again(own.reactor(py)?, own.key())
    }
}

impl Connection {
    /// Whom this connection lets in: one that came to a loopback address names this machine.
    fn policy(&self, py: Python<'_>) -> PyResult<ServerPolicy> {
        let policy = &self.settings(py)?.get().policy;
        let loopback = policy.loopback && self.is_on_loopback(py)?;
        Ok(ServerPolicy { origin: policy.origin.clone(), loopback })
    }

    fn is_on_loopback(&self, py: Python<'_>) -> PyResult<bool> {
        let own = self.address(py, true)?;
        let Ok(own) = own.bind(py).cast::<PyTuple>() else { return Ok(false) };
        let Ok(host) = own.get_item(0)?.extract::<String>() else { return Ok(false) };
        Ok(host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback()))
    }
}

#[pymethods]
impl Connection {
    fn check(&self, py: Python<'_>) -> PyResult<Option<Refused>> {
        let policy = &self.policy(py)?;
        self.server_opening(|opening| opening.check(policy))?.as_ref().map(refused).transpose()
    }

    fn check_origin(&self, py: Python<'_>) -> PyResult<Option<Refused>> {
        let policy = &self.policy(py)?;
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
            let _written = wire.push_from(&switching.to_bytes(), own.reactor(py)?.get().is_own_thread());
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
}
