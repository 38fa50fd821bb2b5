//! A client's side: a request, and a response's head.

use super::{field_pairs, read_more};
use crate::wire::Wire;
use tidewire_proto::{
    Time,
    handshake::{Agreed, ClientHandshake, HeadLimits, HeadScanner, HeaderView as _, ResponseHead},
};

/// The most that is kept of the body of a refusal.
const BODY: usize = 64 * 1024;

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
