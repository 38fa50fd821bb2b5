//! The opening handshake of both ends, and the answer to a request that does not become a WebSocket.

use crate::{
    text::{latin1, pairs},
    wire::Wire,
};
use pyo3::{exceptions::PyValueError, prelude::*};
use std::{io, time::Duration};
use tidewire_proto::{
    Time,
    handshake::{
        self, Accepted, Agreed, Choice, ClientHandshake, Fields, HeadLimits, HeadScanner, HeaderView as _,
        Headers, Refusal, RequestHead, RequestView, ResponseHead, Switching,
    },
};

/// What is read at a time of a head; most fit.
const READ: usize = 1024;
/// The most that is kept of the body of a refusal.
const BODY: usize = 64 * 1024;
/// How long a peer may take to read an answer's next bytes.
const ANSWER: Duration = Duration::from_secs(30);
/// How long a peer that was answered may take to close.
const LINGER: Duration = Duration::from_secs(1);

/// Reads as long as there is room for `limit` bytes. `false` at the transport's end.
fn read_more(wire: &mut Wire, buffer: &mut Vec<u8>, limit: usize) -> io::Result<Option<bool>> {
    let length = buffer.len();
    buffer.resize((length + READ).min(limit.max(length)), 0);
    let read = wire.read(&mut buffer[length..]);
    buffer.truncate(length + read.as_ref().ok().copied().flatten().unwrap_or(0));
    Ok(read?.map(|count| count > 0))
}

fn field_pairs(headers: &Headers) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_owned(), latin1(value))).collect()
}

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

/// A client's side.
pub(crate) struct ClientOpening {
    pub(crate) wire: Wire,
    handshake: Box<ClientHandshake>,
    buffer: Vec<u8>,
    scanner: HeadScanner,
    pub(crate) deadline: Option<Time>,
    refused: Option<Box<(ResponseHead, String)>>,
}

/// What reading a response came to.
pub(crate) enum Response {
    Waits,
    Open {
        head: ResponseHead,
        agreed: Agreed,
        early: Vec<u8>,
    },
    /// A response that can be read, and why there is no WebSocket.
    Refused {
        head: ResponseHead,
        why: String,
        body: Vec<u8>,
    },
    Failed(String),
}

impl ClientOpening {
    pub(crate) fn new(wire: Wire, handshake: Box<ClientHandshake>, deadline: Option<Time>) -> Self {
        Self { wire, handshake, buffer: Vec::new(), scanner: HeadScanner::new(), deadline, refused: None }
    }

    pub(crate) fn read(&mut self, now: Time) -> Response {
        if let Err(error) = self.wire.push_on() {
            return Response::Failed(format!("the request could not be sent: {error}"));
        }
        loop {
            let late = self.deadline.is_some_and(|deadline| deadline <= now);
            let room = if self.refused.is_some() { BODY } else { usize::MAX };
            let more = read_more(&mut self.wire, &mut self.buffer, room);
            if self.refused.is_some() {
                let full = self.buffer.len() >= self.body_length();
                match more {
                    Ok(Some(true)) if !full => continue,
                    Ok(None) if !full && !late => return Response::Waits,
                    // What came of the body is what there is.
                    _ => return self.refusal(),
                }
            }
            match more {
                Ok(Some(true)) => {}
                Ok(None) if late => {
                    return Response::Failed(
                        "the server did not answer the opening handshake in time".to_owned(),
                    );
                }
                Ok(None) => return Response::Waits,
                Ok(Some(false)) => {
                    let what = if self.buffer.is_empty() {
                        "without a response"
                    } else {
                        "in the midst of its response"
                    };
                    return Response::Failed(format!("the server closed the connection {what}"));
                }
                Err(error) => return Response::Failed(format!("the connection broke: {error}")),
            }
            if let Some(response) = self.head() {
                return response;
            }
        }
    }

    /// Reads as many heads as there are; `None` while the final one, or a refusal's body, is still to come.
    fn head(&mut self) -> Option<Response> {
        let limits = HeadLimits::default();
        loop {
            let parsed = match self.scanner.find(&self.buffer, &limits) {
                Ok(None) => return None,
                Ok(Some(_)) => ResponseHead::parse(&self.buffer, &limits),
                Err(error) => Err(error),
            };
            let (head, end) = match parsed {
                Ok(Some(found)) => found,
                Ok(None) => return None,
                Err(error) => return Some(Response::Failed(format!("the response can't be read: {error}"))),
            };
            self.buffer.drain(..end);
            if head.is_interim() {
                self.scanner = HeadScanner::new();
                continue;
            }
            return match self.handshake.check_response(&head) {
                Ok(agreed) => Some(Response::Open { head, agreed, early: std::mem::take(&mut self.buffer) }),
                Err(error) => {
                    self.refused = Some(Box::new((head, error.to_string())));
                    (self.buffer.len() >= self.body_length()).then(|| self.refusal())
                }
            };
        }
    }

    /// How much of the body is waited for.
    fn body_length(&self) -> usize {
        let Some(refused) = &self.refused else { return 0 };
        if refused.0.status() == 101 {
            return 0;
        }
        let length = refused.0.headers().one("Content-Length").ok().flatten();
        let length = length.and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok());
        length.unwrap_or(BODY).min(BODY)
    }

    fn refusal(&mut self) -> Response {
        match self.refused.take() {
            Some(refused) => {
                let (head, why) = *refused;
                self.buffer.truncate(BODY);
                Response::Refused { head, why, body: std::mem::take(&mut self.buffer) }
            }
            None => Response::Waits,
        }
    }

    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }
}

/// What Python sees of a response's head.
pub(crate) fn response_fields(head: &ResponseHead) -> Vec<(String, String)> {
    field_pairs(head.headers())
}

/// An answer on its way out, and what is done until the peer has read it.
pub(crate) struct Answering {
    pub(crate) wire: Wire,
    last: bool,
    shut: bool,
    left: usize,
    pub(crate) deadline: Time,
}

impl Answering {
    pub(crate) fn new(wire: Wire, now: Time) -> Self {
        Self { wire, last: false, shut: false, left: usize::MAX, deadline: now.after(ANSWER) }
    }

    pub(crate) fn push(&mut self, bytes: &[u8], last: bool) -> io::Result<()> {
        self.last |= last;
        self.wire.push(bytes)
    }

    /// Bytes that wait to be written.
    pub(crate) fn pending(&self) -> usize {
        self.wire.pushed()
    }

    /// Goes on; `true` once the peer has the answer, or does not want it.
    pub(crate) fn go_on(&mut self, now: Time) -> bool {
        if self.wire.push_on().is_err() {
            return true;
        }
        if self.pending() != self.left {
            self.left = self.pending();
            self.deadline = now.after(ANSWER);
        }
        if self.last && self.left == 0 && !self.shut {
            self.shut = true;
            self.deadline = now.after(LINGER);
            if self.wire.shutdown().is_err() {
                return true;
            }
        }
        // What a peer still sends is thrown away: a reset would take the answer with it.
        let mut thrown_away = [0; READ];
        loop {
            match self.wire.read(&mut thrown_away) {
                Ok(Some(0)) if self.shut => return true,
                Ok(Some(0) | None) => break,
                Ok(Some(_)) => {}
                Err(_) => return true,
            }
        }
        self.deadline <= now
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
