//! What browsers hide from a page, kept for the console page to ask for: the request as received, extensions, counts.

use crate::ui::units;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tidewire::{Opened, Outcome, Side, Stats, server::Peer};

/// The parameter by which a page names the connection it will ask about.
const PARAMETER: &str = "_tidewire=";
/// The characters of a token: 128 random bits in base64url.
const TOKEN: usize = 22;
/// Connections told about at most; closed ones are forgotten first, then the oldest.
const KEPT: usize = 256;
/// Of those, connections of one address at most: a stranger can't make the others be forgotten.
const KEPT_OF_ONE: usize = 32;

/// The connections that pages asked to be told about.
#[derive(Default)]
pub(super) struct Inspections {
    kept: Mutex<Kept>,
}

/// What is told about one connection.
pub(super) struct Inspection {
    /// The peer's, where it came by IP.
    address: Option<IpAddr>,
    request: Value,
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    stats: Stats,
    latency: Option<Duration>,
    closed: Option<Value>,
    age: Option<Duration>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

type Kept = VecDeque<(String, Arc<Inspection>)>;

fn is_token(text: &str) -> bool {
    text.len() == TOKEN && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// Forgets one that `among` holds for: the oldest closed one, else the oldest.
fn forget(kept: &mut Kept, among: impl Fn(&Inspection) -> bool) {
    let closed = kept.iter().position(|(_, one)| among(one) && lock(&one.state).closed.is_some());
    if let Some(at) = closed.or_else(|| kept.iter().position(|(_, one)| among(one))) {
        kept.remove(at);
    }
}

impl Inspections {
    /// Begins to keep what is told about a connection whose URL holds a token.
    pub(super) fn begin(&self, opened: &Opened) -> Option<Arc<Inspection>> {
        let token = opened.request.query()?.split('&').find_map(|pair| pair.strip_prefix(PARAMETER))?;
        if !is_token(token) {
            return None;
        }
        let inspection = Arc::new(Inspection::new(opened));
        self.keep(token, &inspection).then_some(inspection)
    }

    /// Makes room and keeps it; `false` where the token is taken.
    fn keep(&self, token: &str, inspection: &Arc<Inspection>) -> bool {
        let mut kept = lock(&self.kept);
        if kept.iter().any(|(have, _)| have == token) {
            return false;
        }
        if kept.iter().filter(|(_, other)| other.address == inspection.address).count() >= KEPT_OF_ONE {
            forget(&mut kept, |other| other.address == inspection.address);
        }
        if kept.len() >= KEPT {
            forget(&mut kept, |_| true);
        }
        kept.push_back((token.to_owned(), Arc::clone(inspection)));
        true
    }

    /// What is known about the connection of `token`.
    pub(super) fn report(&self, token: &str) -> Option<Value> {
        let inspection =
            lock(&self.kept).iter().find(|(have, _)| have == token).map(|(_, found)| Arc::clone(found))?;
        Some(inspection.report())
    }
}

impl Inspection {
    fn new(opened: &Opened) -> Self {
        let head = opened.request.head();
        let headers: Vec<_> = head
            .headers()
            .iter()
            .map(|(name, value)| json!([name, String::from_utf8_lossy(value)]))
            .collect();
        let request = json!({
            "request": {
                "method": head.method(),
                "target": head.raw_target(),
                "version": "HTTP/1.1",
                "headers": headers,
            },
            "peer": opened.request.peer().to_string(),
            "subprotocol": opened.subprotocol,
            "extensions": opened.deflate.as_ref().map(ToString::to_string),
        });
        let address = match opened.request.peer() {
            Peer::Tcp(address) => Some(address.ip()),
            Peer::Unix => None,
        };
        Self { address, request, opened: Instant::now(), state: Mutex::default() }
    }

    pub(super) fn note(&self, stats: &Stats, latency: Option<Duration>) {
        let mut known = lock(&self.state);
        known.stats = *stats;
        known.latency = latency.or(known.latency);
    }

    pub(super) fn end(&self, outcome: &Outcome) {
        self.note(&outcome.stats, outcome.latency);
        let by = match outcome.by {
            Side::Here => "server",
            Side::Peer => "peer",
        };
        let mut state = lock(&self.state);
        state.age = Some(self.opened.elapsed());
        state.closed = Some(json!({"code": outcome.close.code.0, "reason": outcome.close.reason, "by": by}));
    }

    fn report(&self) -> Value {
        let state = lock(&self.state);
        let mut report = self.request.clone();
        let age = state.age.unwrap_or_else(|| self.opened.elapsed());
        let more = json!({
            "rtt_us": state.latency.map(units::micros),
            "messages_in": state.stats.messages_in,
            "messages_out": state.stats.messages_out,
            "bytes_in": state.stats.bytes_in,
            "bytes_out": state.stats.bytes_out,
            "wire_in": state.stats.wire_in,
            "wire_out": state.stats.wire_out,
            "age_ms": units::micros(age) / 1000,
            "closed": state.closed,
        });
        if let (Value::Object(report), Value::Object(more)) = (&mut report, more) {
            report.extend(more);
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspection(last: u16, closed: bool) -> Arc<Inspection> {
        let [high, low] = last.to_be_bytes();
        let address = Some(IpAddr::from([127, 0, high, low]));
        let state = State { closed: closed.then_some(Value::Null), ..State::default() };
        Arc::new(Inspection {
            address,
            request: Value::Null,
            opened: Instant::now(),
            state: Mutex::new(state),
        })
    }

    fn holds(all: &Inspections, token: &str) -> bool {
        lock(&all.kept).iter().any(|(have, _)| have == token)
    }

    #[test]
    fn a_token_is_22_characters_of_base64url() {
        assert!(is_token("0123456789abcdefXYZ_-0"));
        for text in ["", "0123456789abcdefXYZ_-", "0123456789abcdefXYZ_-01", "0123456789abcdefXYZ_+0"] {
            assert!(!is_token(text), "{text}");
        }
    }

    #[test]
    fn one_address_makes_only_its_own_be_forgotten() {
        let all = Inspections::default();
        assert!(all.keep("other", &inspection(1, true)));
        for number in 0..100 {
            assert!(all.keep(&number.to_string(), &inspection(2, false)));
        }
        assert!(!all.keep("99", &inspection(3, false)), "a token is kept once");
        assert_eq!(lock(&all.kept).len(), 1 + KEPT_OF_ONE);
        assert!(holds(&all, "other") && holds(&all, "99") && !holds(&all, "0"));
    }

    #[test]
    fn closed_connections_are_forgotten_first() {
        let all = Inspections::default();
        for number in 0..256_u16 {
            assert!(all.keep(&number.to_string(), &inspection(number, number == 7)));
        }
        assert!(all.keep("new", &inspection(256, false)));
        assert!(!holds(&all, "7") && holds(&all, "0"));
        assert!(all.keep("newer", &inspection(257, false)));
        assert!(!holds(&all, "0"));
        assert_eq!(lock(&all.kept).len(), KEPT);
    }
}
