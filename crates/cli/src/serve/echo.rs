//! What `tidewire serve` does with a message: sends it back.

use super::{inspect::Inspection, log::Access};
use std::{sync::Arc, time::Duration};
use tidewire::{Context, Handler, MessageRef, Outcome};

pub(super) struct Echo {
    /// Present where the console page asked to be told about this connection.
    inspection: Option<Arc<Inspection>>,
    access: Option<Box<Access>>,
}

impl Echo {
    pub(super) fn new(inspection: Option<Arc<Inspection>>, access: Option<Box<Access>>) -> Self {
        Self { inspection, access }
    }

    fn note(&self, ws: &Context<'_>) {
        if let Some(inspection) = &self.inspection {
            inspection.note(ws.stats(), ws.latency());
        }
    }
}

impl Handler for Echo {
    fn on_open(&mut self, ws: &mut Context<'_>, _: &tidewire::Opening) {
        if self.inspection.is_some() {
            // The first round trip is shown at once, not after the ping interval.
            ws.measure_latency();
        }
    }

    #[inline]
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        if let Some(access) = &self.access {
            access.message(&message);
        }
        ws.send(message);
        self.note(ws);
    }

    fn on_pong(&mut self, ws: &mut Context<'_>, _: &[u8], _: Option<Duration>) {
        self.note(ws);
    }

    fn on_end(&mut self, outcome: &Outcome) {
        if let Some(access) = &self.access {
            access.closed(outcome);
        }
        if let Some(inspection) = &self.inspection {
            inspection.end(outcome);
        }
    }
}
