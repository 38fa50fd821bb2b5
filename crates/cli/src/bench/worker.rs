//! A thread that generates load: a runtime of its own, its share of the connections, and orders from the coordinator.

use super::baseline::Bare;
use super::broadcast::{Publisher, Receiver, Room};
use super::echo::Echo;
use super::failure::{self, Failure};
use super::idle::Idle;
use super::local::{Local, Schedule, Stage, Totals};
use super::plan::{Plan, Server};
use super::report::Mode;
use super::tally::Tally;
use super::usage::{self, Cpu};
use super::{pace, storm};
use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tidewire::Handshake;
use tokio::sync::{mpsc::UnboundedSender, watch};

/// Connections of a thread that are opened at a time.
const OPENING: usize = 32;

/// What the coordinator wants; each order is answered with what was counted since the one before.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) number: u64,
    pub(crate) stage: Stage,
    /// Set where a new count begins.
    pub(crate) fresh: Option<Fresh>,
}

#[derive(Clone, Debug)]
pub(crate) struct Fresh {
    /// Messages that each thread may send.
    pub(crate) budgets: Vec<u64>,
}

/// Where a thread stands.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Status {
    pub(crate) opening: bool,
    pub(crate) alive: u64,
    /// Those alive that send.
    pub(crate) senders: u64,
    pub(crate) in_flight: u64,
    /// Messages that may still be sent.
    pub(crate) budget: u64,
}

/// What a thread tells.
#[derive(Debug)]
pub(crate) enum Note {
    Status(usize, Status),
    /// The answer to an order.
    Counted {
        worker: usize,
        order: u64,
        tally: Box<Tally>,
        cpu: Cpu,
        status: Status,
    },
    /// SIGINT or SIGTERM came.
    Interrupted,
}

/// What all threads of a run have in common.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) plan: Plan,
    pub(crate) base: Instant,
    pub(crate) totals: Arc<Totals>,
    /// What broadcast mode shares.
    pub(crate) room: Arc<Room>,
    /// The first opening handshake that succeeded.
    pub(crate) handshake: Mutex<Option<Handshake>>,
    /// The first that failed.
    pub(crate) failure: Mutex<Option<Failure>>,
    /// Nanoseconds since the base at which connections were opened: the first and the last.
    pub(crate) ramp: Mutex<Option<(u64, u64)>>,
}

thread_local! {
    /// The next place of this thread that is to be opened, and the openers at work.
    static NEXT: Cell<usize> = const { Cell::new(0) };
    static OPENERS: Cell<usize> = const { Cell::new(0) };
}

/// The connections of thread `worker`.
pub(crate) fn share(total: usize, threads: usize, worker: usize) -> usize {
    (total + threads - 1 - worker) / threads
}

/// Runs until the order [`Stage::Over`].
///
/// # Errors
/// Where the system gives no event loop.
pub(crate) fn work(
    worker: usize,
    run: &Arc<Run>,
    orders: watch::Receiver<Order>,
    notes: &UnboundedSender<Note>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let places = share(run.plan.connections, run.plan.threads, worker);
    Local::new(&run.plan, run.base, places, Arc::clone(&run.totals)).install();
    runtime.block_on(control(worker, run, orders, notes));
    drop(runtime);
    Local::uninstall();
    Ok(())
}

async fn control(
    worker: usize,
    run: &Arc<Run>,
    mut orders: watch::Receiver<Order>,
    notes: &UnboundedSender<Note>,
) {
    let quiet = Local::with(|local| Arc::clone(&local.quiet));
    if run.plan.mode != Mode::Connect {
        OPENERS.set(OPENING);
        for _ in 0..OPENING {
            tokio::spawn(open(worker, Arc::clone(run)));
        }
    }
    // The coordinator outlives its threads: nothing here can find its ends closed.
    loop {
        tokio::select! {
            changed = orders.changed() => {
                if changed.is_err() {
                    return;
                }
                let order = orders.borrow_and_update().clone();
                let tally = Local::with(|local| std::mem::replace(&mut local.tally, Tally::new()));
                let cpu = usage::thread();
                apply(worker, run, &order);
                let note = Note::Counted { worker, order: order.number, tally: Box::new(tally), cpu, status: status() };
                if notes.send(note).is_err() || order.stage == Stage::Over {
                    return;
                }
            }
            () = quiet.notified() => {
                if notes.send(Note::Status(worker, status())).is_err() {
                    return;
                }
            }
        }
    }
}

fn status() -> Status {
    Local::with(|local| Status {
        opening: OPENERS.get() > 0,
        alive: local.alive,
        senders: local.senders,
        in_flight: local.in_flight,
        budget: local.budget,
    })
}

fn apply(worker: usize, run: &Arc<Run>, order: &Order) {
    Local::with(|local| {
        let starts = order.stage == Stage::Running && local.stage != Stage::Running;
        let changes = order.stage != local.stage;
        local.stage = order.stage;
        if let Some(fresh) = &order.fresh {
            local.budget = fresh.budgets[worker];
            if run.plan.is_count_warmed_up() {
                local.since = local.now();
            }
        }
        if starts && let Some(schedule) = schedule(worker, run, local.now()) {
            local.schedule = Some(schedule);
            tokio::spawn(pace::pace());
        }
        if changes {
            local.wake_all();
        }
        if starts && run.plan.mode == Mode::Connect {
            storm::start(worker, run);
        }
        local.settle();
    });
}

/// This thread's part of the rate.
#[expect(clippy::cast_precision_loss, reason = "numbers of connections")]
fn schedule(worker: usize, run: &Run, now: u64) -> Option<Schedule> {
    let plan = &run.plan;
    let all = plan.senders();
    let senders = share(all, plan.threads, worker);
    let rate = plan.rate? * senders as f64 / all as f64;
    (senders > 0).then(|| Schedule { start: now, period: 1e9 / rate, senders: senders as u64, released: 0 })
}

/// Opens one connection of this thread after the other.
async fn open(worker: usize, run: Arc<Run>) {
    let plan = &run.plan;
    let places = share(plan.connections, plan.threads, worker);
    loop {
        let place = NEXT.replace(NEXT.get() + 1);
        if place >= places || run.is_hopeless() {
            break;
        }
        let index = place * plan.threads + worker;
        if !plan.ramp.is_zero() {
            let part = u32::try_from(index).unwrap_or(u32::MAX);
            let at = run.base + plan.ramp * part / u32::try_from(plan.connections).unwrap_or(u32::MAX);
            tokio::time::sleep_until(at.into()).await;
        }
        if Local::with(|local| local.stage) != Stage::Opening {
            break;
        }
        open_one(&run, index, place).await;
    }
    OPENERS.set(OPENERS.get() - 1);
    if OPENERS.get() == 0 {
        Local::with(|local| local.quiet.notify_one());
    }
}

async fn open_one(run: &Run, index: usize, place: usize) {
    let plan = &run.plan;
    let number = u32::try_from(index).unwrap_or(u32::MAX);
    match &plan.server {
        Server::WebSocket { clients, url, .. } => match clients[index % clients.len()].establish(url).await {
            Ok(established) => {
                run.note_opened(Some(established.handshake()), true);
                note_sender(run, index);
                let kind = plan.payloads.kind();
                match plan.mode {
                    Mode::Idle => drop(tokio::spawn(established.drive(Idle::new(place)))),
                    Mode::Broadcast if index < plan.publishers => {
                        let publisher = Publisher::new(Arc::clone(&run.room), number, place, kind);
                        drop(tokio::spawn(established.drive(publisher)));
                    }
                    Mode::Broadcast => {
                        let receiver = Receiver::new(Arc::clone(&run.room), place, kind);
                        drop(tokio::spawn(established.drive(receiver)));
                    }
                    _ => drop(tokio::spawn(established.drive(Echo::new(number, place, kind)))),
                }
            }
            Err(error) => run.note_failed(&failure::kind(&error), true, || Failure::connecting(&error)),
        },
        Server::Bare { address, sources } => {
            let source = (!sources.is_empty()).then(|| sources[index % sources.len()]);
            match Bare::connect(*address, source, &plan.payloads, place).await {
                Ok(bare) => {
                    run.note_opened(None, true);
                    note_sender(run, index);
                    tokio::spawn(bare);
                }
                Err(error) => {
                    run.note_failed(&failure::io_kind(&error), true, || Failure::bare(*address, &error));
                }
            }
        }
    }
}

/// Counts a connection that sends, from when it is open.
fn note_sender(run: &Run, index: usize) {
    if index < run.plan.senders() {
        Local::with(|local| local.senders += 1);
    }
}

impl Run {
    /// Whether there is no sense in opening more: nothing ever opened, or handshakes are all there is to do.
    pub(crate) fn is_hopeless(&self) -> bool {
        const TRIES: u64 = 64;
        let is_all = self.plan.mode == Mode::Connect || self.totals.opened.load(Ordering::Relaxed) == 0;
        is_all && self.totals.streak.load(Ordering::Relaxed) >= TRIES
    }

    /// Counts a connection that is open, with the times that it took; not where it belongs to a warm-up.
    pub(crate) fn note_opened(&self, handshake: Option<&Handshake>, counted: bool) {
        let now = Local::with(|local| {
            local.opened();
            if !counted {
                return local.now();
            }
            let tally = &mut local.tally;
            tally.opened += 1;
            if let Some(handshake) = handshake {
                if let Some(dial) = handshake.dial() {
                    tally.dial.record(nanos(dial.dns + dial.tcp + dial.tunnel));
                    if handshake.url().is_secure() {
                        tally.tls.record(nanos(dial.tls));
                    }
                }
                tally.upgrade.record(nanos(handshake.upgrade()));
                tally.total.record(nanos(handshake.total()));
            }
            local.now()
        });
        let mut ramp = lock(&self.ramp);
        *ramp = Some(ramp.map_or((now, now), |(first, last)| (first.min(now), last.max(now))));
        drop(ramp);
        let mut kept = lock(&self.handshake);
        if kept.is_none() {
            *kept = handshake.cloned();
        }
    }

    /// Counts a connection that did not come about; not among the tried ones where it belongs to a warm-up.
    pub(crate) fn note_failed(&self, kind: &str, counted: bool, why: impl FnOnce() -> Failure) {
        self.totals.failed.fetch_add(1, Ordering::Relaxed);
        self.totals.streak.fetch_add(1, Ordering::Relaxed);
        Local::with(|local| {
            local.tally.failed += u64::from(counted);
            local.tally.error(kind);
        });
        lock(&self.failure).get_or_insert_with(why);
    }
}

pub(crate) fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// What a thread that panicked has left is as good as before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
