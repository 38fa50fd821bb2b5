//! The coordinator of a run: threads that generate load, stages in their order, and the report in the end.

use super::broadcast::Room;
use super::failure::Failure;
use super::local::{Stage, Totals};
use super::plan::Plan;
use super::report::{Mode, Report};
use super::summary::{Frame, Summary};
use super::usage::Process;
use super::watch::Watch;
use super::worker::{self, Fresh, Note, Order, Run, Status, lock, share};
use super::{limits, signals, usage};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::watch::{self, Sender};
use tokio::time::{sleep_until, timeout_at};

/// `cut_short` of a run that a signal ended.
pub(crate) const INTERRUPTED: &str = "interrupted";
/// How often progress is told while connections are opened.
const GLANCE: Duration = Duration::from_millis(200);
/// Silence after which replies that are missing are not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long closing handshakes may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a thread may take to answer an order.
const ANSWER: Duration = Duration::from_secs(30);

/// Runs the plan to its end, or to SIGINT.
///
/// # Errors
/// Where there is nothing to report: no connection came about, or the machine or the plan does not allow it.
pub(crate) fn run(plan: &Plan, watch: &mut dyn Watch) -> Result<Report, Failure> {
    limits::check(plan)?;
    let process = plan.pid.map(Process::new).transpose()?;
    let system = |error: std::io::Error| Failure::usage(format!("the system gives no event loop: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let (notify, notes) = mpsc::unbounded_channel();
    let (orders, receiver) = watch::channel(Order { number: 0, stage: Stage::Opening, fresh: None });
    let run = Arc::new(Run {
        plan: plan.clone(),
        base: Instant::now(),
        totals: Arc::new(Totals::default()),
        room: Arc::new(Room::new(plan.publishers, plan.depth)),
        handshake: Mutex::default(),
        failure: Mutex::default(),
        ramp: Mutex::default(),
    });
    let threads = (0..plan.threads).map(|index| {
        let (run, orders, notify) = (Arc::clone(&run), receiver.clone(), notify.clone());
        let name = format!("bench {index}");
        std::thread::Builder::new()
            .name(name)
            .spawn(move || worker::work(index, &run, orders, &notify))
            .map_err(system)
    });
    let threads = threads.collect::<Result<Vec<_>, _>>()?;
    let opening = Status { opening: plan.mode != Mode::Connect, ..Status::default() };
    let mut coordinator = Coordinator {
        run,
        orders,
        notes,
        threads,
        status: vec![opening; plan.threads],
        number: 0,
        interrupted: false,
    };
    runtime.block_on(async {
        signals::listen(notify).map_err(system)?;
        coordinator.conduct(process, watch).await
    })
}

struct Coordinator {
    run: Arc<Run>,
    orders: Sender<Order>,
    notes: UnboundedReceiver<Note>,
    threads: Vec<JoinHandle<std::io::Result<()>>>,
    status: Vec<Status>,
    number: u64,
    interrupted: bool,
}

impl Coordinator {
    async fn conduct(&mut self, process: Option<Process>, watch: &mut dyn Watch) -> Result<Report, Failure> {
        self.open(watch).await?;
        let plan = self.run.plan.clone();
        let mut summary = Summary::new(plan.mode);
        summary.opening(self.order(Stage::Opening, None).await?);
        if !plan.warm_up.is_zero() && !self.interrupted {
            self.order(Stage::Running, None).await?;
            self.until(Instant::now() + plan.warm_up, Self::is_dead).await;
        }
        let started = SystemTime::now();
        let cpu = (usage::process(), process.as_ref().and_then(Process::cpu));
        let began = Instant::now();
        let before = self.fresh().await?;
        summary.begin(before, !plan.warm_up.is_zero() && plan.count.is_none());
        let (ended, cut_short) = self.measure(began, &mut summary, watch).await?;
        let used = usage::process().since(cpu.0);
        let server = process.map(|process| (process.cpu(), process.resident(), process));
        if server.as_ref().is_some_and(|(cpu, resident, _)| cpu.is_none() || resident.is_none()) {
            summary.error("the process of --pid is gone");
        }
        let last = self.order(Stage::Draining, None).await?;
        watch.sample(&summary.interval(last, ended - began, self.alive()));
        self.drain(&mut summary).await?;
        summary.rest(self.order(Stage::Closing, None).await?, true);
        if plan.mode != Mode::Connect {
            summary.lost(self.in_flight());
        }
        self.until(Instant::now() + FAREWELL, |all| all.alive() == 0).await;
        summary.rest(self.order(Stage::Over, None).await?, false);
        for thread in self.threads.drain(..) {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
        let server = server.map(|(cpu_after, resident, process)| {
            let used = cpu_after.zip(cpu.1).map(|(after, before)| after.since(before));
            (process, used, resident)
        });
        if self.run.totals.opened.load(Ordering::Relaxed) == 0
            && let Some(failure) = lock(&self.run.failure).take()
        {
            return Err(failure);
        }
        Ok(summary.report(&self.run, started, ended - began, cut_short, used, server))
    }

    /// Waits for the connections; at least one has to come about.
    async fn open(&mut self, watch: &mut dyn Watch) -> Result<(), Failure> {
        if self.run.plan.mode == Mode::Connect {
            return Ok(());
        }
        let wanted = self.run.plan.connections as u64;
        loop {
            let done = self.until(Instant::now() + GLANCE, |all| !all.is_opening()).await;
            watch.opening(self.run.totals.opened.load(Ordering::Relaxed), wanted);
            if done || self.interrupted {
                break;
            }
        }
        if self.run.totals.opened.load(Ordering::Relaxed) > 0 {
            return Ok(());
        }
        Err(lock(&self.run.failure).take().unwrap_or_else(|| Failure {
            status: 130,
            text: "interrupted before a connection was open".into(),
        }))
    }

    /// Begins to count anew.
    async fn fresh(&mut self) -> Result<Vec<Frame>, Failure> {
        let budgets = self.budgets();
        let stage = if self.interrupted { Stage::Draining } else { Stage::Running };
        self.order(stage, Some(Fresh { budgets })).await
    }

    /// What each thread may send: of a count its part, by the connections that it has to send on.
    fn budgets(&self) -> Vec<u64> {
        let plan = &self.run.plan;
        let Some(count) = plan.count else { return vec![u64::MAX; plan.threads] };
        let senders: Vec<u64> = match plan.mode {
            Mode::Connect => {
                (0..plan.threads).map(|worker| share(plan.connections, plan.threads, worker) as u64).collect()
            }
            _ => self.status.iter().map(|status| status.senders).collect(),
        };
        let all = senders.iter().sum::<u64>().max(1);
        let part = |own: &u64| u64::try_from(u128::from(count) * u128::from(*own) / u128::from(all));
        let mut budgets: Vec<u64> = senders.iter().map(|own| part(own).unwrap_or(count)).collect();
        // The first that sends takes what the division left over.
        let first = senders.iter().position(|own| *own > 0).unwrap_or(0);
        budgets[first] += count - budgets.iter().sum::<u64>();
        budgets
    }

    /// Takes a sample each second until the time is over, the count reached, or nothing left to go on with.
    async fn measure(
        &mut self,
        began: Instant,
        summary: &mut Summary,
        watch: &mut dyn Watch,
    ) -> Result<(Instant, Option<String>), Failure> {
        let end = self.run.plan.duration.map(|duration| began + duration);
        let mut tick = began + Duration::from_secs(1);
        let mut heard = Instant::now();
        loop {
            let until = end.map_or(tick, |end| end.min(tick));
            let is_over =
                |all: &Self| all.interrupted || all.is_dead() || all.is_spent() || all.is_hopeless();
            if self.until(until, is_over).await || self.interrupted {
                let why = match self {
                    _ if self.interrupted => Some(INTERRUPTED.into()),
                    _ if self.is_hopeless() => Some("one handshake after the other failed".into()),
                    _ if self.is_counted() => None,
                    _ if self.is_dead() => Some("every connection has ended".into()),
                    _ => Some("connections ended before their part of the count was sent".into()),
                };
                return Ok((Instant::now(), why));
            }
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return Ok((now, None));
            }
            let frames = self.order(Stage::Running, None).await?;
            let sample = summary.interval(frames, now - began, self.alive());
            watch.sample(&sample);
            if sample.received > 0 {
                heard = now;
            }
            // A count is never reached once every connection waits for a reply that was lost.
            if end.is_none() && self.in_flight() > 0 && now - heard > 3 * PATIENCE {
                return Ok((now, Some(format!("no reply for {} seconds", (now - heard).as_secs()))));
            }
            tick += Duration::from_secs(1);
        }
    }

    /// Waits for replies for as long as some keep coming.
    async fn drain(&mut self, summary: &mut Summary) -> Result<(), Failure> {
        let mut before = u64::MAX;
        loop {
            let quiet =
                self.until(Instant::now() + PATIENCE, |all| all.in_flight() == 0 || all.is_dead()).await;
            // The threads tell by themselves only when nothing is left.
            summary.rest(self.order(Stage::Draining, None).await?, true);
            let now = self.in_flight();
            if quiet || self.interrupted || now >= before || now == 0 {
                return Ok(());
            }
            before = now;
        }
    }

    fn is_opening(&self) -> bool {
        self.status.iter().any(|status| status.opening)
    }

    fn is_dead(&self) -> bool {
        self.run.plan.mode != Mode::Connect && self.status.iter().all(|status| status.alive == 0)
    }

    /// Whether handshakes fail, all of them.
    fn is_hopeless(&self) -> bool {
        self.run.plan.mode == Mode::Connect && self.run.is_hopeless()
    }

    /// Whether the count is reached.
    fn is_counted(&self) -> bool {
        self.is_spent() && self.status.iter().all(|status| status.budget == 0)
    }

    /// Whether a count gets no further: each thread has sent its part, or has nothing left to send it on.
    fn is_spent(&self) -> bool {
        let storms = self.run.plan.mode == Mode::Connect;
        let is_stuck = |status: &Status| status.budget == 0 || status.senders == 0 && !storms;
        self.run.plan.count.is_some() && self.in_flight() == 0 && self.status.iter().all(is_stuck)
    }

    fn alive(&self) -> u64 {
        self.status.iter().map(|status| status.alive).sum()
    }

    fn in_flight(&self) -> u64 {
        match self.run.plan.mode {
            Mode::Broadcast => self.run.room.outstanding(),
            _ => self.status.iter().map(|status| status.in_flight).sum(),
        }
    }

    /// Waits for the time or the condition, which it tells; an interruption ends the wait, too.
    async fn until(&mut self, time: Instant, condition: impl Fn(&Self) -> bool) -> bool {
        let interruptible = !self.interrupted;
        while !condition(self) {
            tokio::select! {
                Some(note) = self.notes.recv() => self.take(&note),
                () = sleep_until(time.into()) => return false,
            }
            if interruptible && self.interrupted {
                return false;
            }
        }
        true
    }

    fn take(&mut self, note: &Note) {
        match *note {
            Note::Status(worker, status) | Note::Counted { worker, status, .. } => {
                self.status[worker] = status;
            }
            Note::Interrupted => self.interrupted = true,
        }
    }

    /// Gives an order to all threads, and gathers what they counted up to it.
    async fn order(&mut self, stage: Stage, fresh: Option<Fresh>) -> Result<Vec<Frame>, Failure> {
        self.number += 1;
        let number = self.number;
        self.orders.send_replace(Order { number, stage, fresh });
        let deadline = tokio::time::Instant::now() + ANSWER;
        let mut frames = Vec::with_capacity(self.threads.len());
        while frames.len() < self.threads.len() {
            let Ok(Some(note)) = timeout_at(deadline, self.notes.recv()).await else {
                return Err(Failure::usage("a thread of the generator does not answer any more"));
            };
            match note {
                Note::Counted { worker, order, tally, cpu, status } if order == number => {
                    self.status[worker] = status;
                    frames.push(Frame { worker, tally, cpu });
                }
                note => self.take(&note),
            }
        }
        Ok(frames)
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
