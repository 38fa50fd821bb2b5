//! What comes of driving a connection, told to Python, to the reactor, and to those that wait.

use super::{Connection, NONE};
use crate::{
    opening::{Asked, response_fields},
    reactor::Reactor,
    state::Stand,
    waiter::{Stepping, Waiter, Wake},
};
use pyo3::{exceptions::PyConnectionError, intern, prelude::*};
use std::sync::atomic::Ordering;
use tidewire_proto::{Time, handshake::ResponseHead};

/// What is told to Python once no lock is held.
pub(super) enum News {
    Asked(Asked),
    Refused(u16, String),
    Opened(ResponseHead),
    NotOpened { head: ResponseHead, why: String, body: Vec<u8> },
    Lost(Option<String>),
}

/// What one round of driving came to.
#[derive(Default)]
pub(super) struct Round {
    pub(super) news: Vec<News>,
    pub(super) alarm: Option<Time>,
    pub(super) again: bool,
    pub(super) over: bool,
    /// To be raised once all is told.
    pub(super) fatal: Option<PyErr>,
}

impl Connection {
    /// Tells everybody that a connection that was cut is over.
    pub(super) fn over(this: &Bound<'_, Self>) -> PyResult<()> {
        let reactor = this.get().reactor(this.py())?.clone();
        let round = Round { news: vec![News::Lost(None)], over: true, ..Round::default() };
        this.get().tell(this, &reactor, round, reactor.get().stepping())
    }

    /// Tells Python and the reactor what came of a round.
    pub(super) fn tell(
        &self,
        this: &Bound<'_, Self>,
        reactor: &Bound<'_, Reactor>,
        round: Round,
        stepping: Stepping,
    ) -> PyResult<()> {
        let py = this.py();
        if round.over {
            let key = self.key.swap(NONE, Ordering::Relaxed);
            if key != NONE {
                Reactor::leave(reactor, key)?;
            }
            let left = {
                let mut state = self.shared.lock(py);
                state.stand = Stand::Closed;
                state.pending = 0;
                state.end();
                state.leave()
            };
            drop(left);
        } else {
            let key = self.key();
            if let Some(at) = round.alarm {
                Reactor::arm(reactor, key, at)?;
            }
            if round.again {
                Reactor::again(reactor, key)?;
            }
        }
        // Whatever one of them raises, all are told.
        let mut told = Ok(());
        for news in round.news {
            told = told.and(Self::tell_of(this, news));
        }
        told.and(self.wake(py, stepping))
    }

    fn tell_of(this: &Bound<'_, Self>, news: News) -> PyResult<()> {
        let py = this.py();
        match news {
            News::Asked(asked) => {
                let Asked { method, target, fields, websocket } = asked;
                this.call_method1(intern!(py, "_on_request"), (method, target, fields, websocket)).map(drop)
            }
            News::Refused(status, why) => {
                this.call_method1(intern!(py, "_on_refused"), (status, why)).map(drop)
            }
            News::Opened(head) => respond(this, &head, &[], None),
            News::NotOpened { head, why, body } => respond(this, &head, &body, Some(&why)),
            News::Lost(why) => {
                let error = why.map(|why| PyConnectionError::new_err(why).into_value(py));
                this.call_method1(intern!(py, "_on_lost"), (error,)).map(drop)
            }
        }
    }

    /// Calls whoever waited for what is there now.
    pub(crate) fn wake(&self, py: Python<'_>, stepping: Stepping) -> PyResult<()> {
        let due = {
            let mut state = self.shared.lock(py);
            if state.due.is_empty() {
                return Ok(());
            }
            std::mem::take(&mut state.due)
        };
        let mut woken = Ok(());
        for wake in due {
            woken = woken.and(match wake {
                Wake::Task(waiter) => Waiter::wake(waiter.bind(py), stepping),
                Wake::Call(call) => call.call0(py).map(drop),
            });
        }
        woken
    }
}

fn respond(
    this: &Bound<'_, Connection>,
    head: &ResponseHead,
    body: &[u8],
    why: Option<&str>,
) -> PyResult<()> {
    let arguments = (head.status(), head.reason(), response_fields(head), body, why);
    this.call_method1(intern!(this.py(), "_on_response"), arguments).map(drop)
}
