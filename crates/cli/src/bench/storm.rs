//! Connect mode: opening handshakes one after the other, on each of several slots.

use super::failure::{self, Failure};
use super::idle::Brief;
use super::local::{Local, Stage};
use super::plan::Server;
use super::worker::{Run, share};
use std::cell::Cell;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// A slot whose handshake failed rests: a server that is gone is not asked as fast as a processor can.
const REST: Duration = Duration::from_millis(10);

thread_local! {
    /// With a rate: the handshakes of the schedule that were taken up.
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// Starts the slots of this thread.
pub(crate) fn start(worker: usize, run: &Arc<Run>) {
    for place in 0..share(run.plan.connections, run.plan.threads, worker) {
        tokio::spawn(slot(place * run.plan.threads + worker, place, Arc::clone(run)));
    }
}

async fn slot(index: usize, place: usize, run: Arc<Run>) {
    let Server::WebSocket { clients, url, .. } = &run.plan.server else { return };
    let client = &clients[index % clients.len()];
    while let Some(intended) = turn(place).await {
        if run.is_hopeless() {
            break;
        }
        let counted = Local::with(|local| {
            local.budget -= 1;
            local.in_flight += 1;
            local.counts()
        });
        match client.establish(url).await {
            Ok(established) => {
                run.note_opened(Some(established.handshake()), counted);
                if let Some(intended) = intended.filter(|_| counted) {
                    Local::with(|local| local.tally.latency.record(local.now().saturating_sub(intended)));
                }
                established.drive(Brief::default()).await;
            }
            Err(error) => {
                run.note_failed(&failure::kind(&error), counted, || Failure::connecting(&error));
                tokio::time::sleep(REST).await;
            }
        }
        Local::with(|local| {
            local.in_flight -= 1;
            local.settle();
        });
    }
}

/// Waits until a handshake is to be made, and tells when it was due; `None` when no more are.
async fn turn(place: usize) -> Option<Option<u64>> {
    poll_fn(|task| {
        Local::with(|local| {
            if local.stage != Stage::Running || local.budget == 0 {
                return Poll::Ready(None);
            }
            let Some(schedule) = local.schedule else { return Poll::Ready(Some(None)) };
            let next = TAKEN.get();
            if next < schedule.released {
                TAKEN.set(next + 1);
                return Poll::Ready(Some(Some(schedule.due(next))));
            }
            local.wakers[place] = Some(task.waker().clone());
            Poll::Pending
        })
    })
    .await
}
