//! A server's side: a request's head, and the answer 101.

use super::{field_pairs, read_more};
use crate::{text::pairs, wire::Wire};
use pyo3::{exceptions::PyValueError, prelude::*};
use tidewire_proto::{
    Time,
    handshake::{
        self, Accepted, Choice, Fields, HeadLimits, HeadScanner, Refusal, RequestHead, RequestView, Switching,
    },
};

/// A request, as Python sees it.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) websocket: bool,
}

/// What reading a request's head came to.
pub(crate) enum Reading {
    Waits,
    Asked(Asked),
    Refused(Refusal),
    /// The peer went; how many bytes it had sent.
    Gone(usize),
}

/// A server's side, from the first byte to the answer.
pub(crate) struct ServerOpening {
    pub(crate) wire: Wire,
    buffer: Vec<u8>,
    scanner: HeadScanner,
    pub(crate) deadline: Option<Time>,
    head: Option<Box<(RequestHead, usize)>>,
    accepted: Option<Box<Accepted>>,
    switching: Option<Box<Switching>>,
}

impl ServerOpening {
    pub(crate) fn new(wire: Wire, deadline: Option<Time>) -> Self {
        Self {
            wire,
            buffer: Vec::new(),
            scanner: HeadScanner::new(),
            deadline,
            head: None,
            accepted: None,
            switching: None,
        }
    }

    pub(crate) fn has_head(&self) -> bool {
        self.head.is_some()
    }

    pub(crate) fn read(&mut self, now: Time) -> Reading {
        if self.head.is_some() {
            return Reading::Waits;
        }
        let limits = HeadLimits::default();
        loop {
            match read_more(&mut self.wire, &mut self.buffer, usize::MAX) {
                Ok(Some(true)) => {}
                Ok(None) => break,
                Ok(Some(false)) | Err(_) => return Reading::Gone(self.buffer.len()),
            }
            match self.scanner.find(&self.buffer, &limits) {
                Ok(None) => {}
                Ok(Some(_)) => {
                    return match RequestHead::parse(&self.buffer, &limits) {
                        Ok(Some((head, end))) => {
                            let asked = Asked {
                                method: head.method().to_owned(),
                                target: head.raw_target().to_owned(),
                                fields: field_pairs(head.headers()),
                                websocket: handshake::is_websocket(head.headers()),
                            };
                            self.head = Some(Box::new((head, end)));
                            // The application takes the time that it takes.
                            self.deadline = None;
                            Reading::Asked(asked)
                        }
                        Ok(None) => Reading::Waits,
                        Err(error) => Reading::Refused(error.into()),
                    };
                }
                Err(error) => return Reading::Refused(error.into()),
            }
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return Reading::Refused(Refusal::new(408, "The head of the request took too long."));
        }
        Reading::Waits
    }

    pub(crate) fn check(&mut self, policy: &handshake::ServerPolicy) -> PyResult<Option<Refusal>> {
        let head = self.head()?;
        if !handshake::is_websocket(head.headers()) {
            return Ok(Some(Refusal::only_websockets()));
        }
        let checked = RequestView::try_from(head)
            .map_err(Refusal::from)
            .and_then(|view| handshake::check(&view, policy));
        Ok(match checked {
            Ok(accepted) => {
                self.accepted = Some(Box::new(accepted));
                None
            }
            Err(refusal) => Some(refusal),
        })
    }

    /// Judges Host and Origin of a request that is no WebSocket.
    pub(crate) fn check_origin(&self, policy: &handshake::ServerPolicy) -> PyResult<Option<Refusal>> {
        let head = self.head()?;
        Ok(RequestView::try_from(head)
            .map_err(Refusal::from)
            .and_then(|view| handshake::check_origin(&view, policy))
            .err())
    }

    fn head(&self) -> PyResult<&RequestHead> {
        match &self.head {
            Some(head) => Ok(&head.0),
            None => Err(PyValueError::new_err("no request has come yet")),
        }
    }

    pub(crate) fn offered(&self) -> Vec<String> {
        self.accepted.as_ref().map(|accepted| accepted.offer.subprotocols.clone()).unwrap_or_default()
    }

    pub(crate) fn negotiate(&mut self, choice: &Choice<'_>) -> PyResult<Vec<(String, String)>> {
        let accepted = self
            .accepted
            .as_ref()
            .ok_or_else(|| PyValueError::new_err("check() has to admit the request first"))?;
        let switching = accepted.respond(choice).map_err(|error| PyValueError::new_err(error.to_string()))?;
        let fields = pairs(&switching.headers);
        self.switching = Some(Box::new(switching));
        Ok(fields)
    }

    pub(crate) fn is_negotiated(&self) -> bool {
        self.switching.is_some()
    }

    /// The 101, what it settles, and what came behind the request.
    pub(crate) fn open(self) -> Option<(Wire, Switching, Vec<u8>)> {
        let (_, end) = *self.head?;
        Some((self.wire, *self.switching?, self.buffer[end..].to_vec()))
    }
}

/// The header fields of a choice.
pub(crate) fn choice<'a>(
    subprotocol: Option<&'a str>,
    fields: Fields,
    deflate: &'a tidewire_proto::deflate::DeflateConfig,
) -> Choice<'a> {
    Choice { subprotocol, deflate: Some(deflate), headers: fields }
}
