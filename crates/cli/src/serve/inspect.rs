//! What browsers hide from a page, kept for the console page to ask for: the request as received, extensions, counts.

use crate::ui::units;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tidewire::{Opened, Outcome, Side, Stats};

/// The parameter by which a page names the connection it will ask about.
const PARAMETER: &str = "_tidewire=";
/// Connections told about at most; the oldest are forgotten first.
const KEPT: usize = 256;

/// The connections that pages asked to be told about.
#[derive(Default)]
pub(super) struct Inspections {
    kept: Mutex<VecDeque<(String, Arc<Inspection>)>>,
}

/// What is told about one connection.
pub(super) struct Inspection {
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

impl Inspections {
    /// Begins to keep what is told about a connection whose URL holds a token.
    pub(super) fn begin(&self, opened: &Opened) -> Option<Arc<Inspection>> {
        let token = opened.request.query()?.split('&').find_map(|pair| pair.strip_prefix(PARAMETER))?;
        if token.len() < 16 || token.len() > 64 {
            return None;
        }
        let inspection = Arc::new(Inspection::new(opened));
        let mut kept = lock(&self.kept);
        if kept.iter().any(|(have, _)| have == token) {
            return None;
        }
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((token.to_owned(), Arc::clone(&inspection)));
        Some(inspection)
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
        Self { request, opened: Instant::now(), state: Mutex::default() }
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
