//! One connection, from its handshake to its end: both directions at once, each held back by its own far end.

use super::command::{self, Action};
use super::exit::{self, Outcome};
use super::input::Input;
use super::output::{Item, Received};
use super::run::{Options, Stop, User, read_file};
use super::session::{
    CloseCode, CloseReason, Event, Failure, FailureKind, Handshake, Message, Receiver, Sender, Session,
};
use super::writer::{Outgoing, Sent, Writer};
use bytes::Bytes;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::time::Instant;

/// Said of a message that was begun when the connection broke.
const UNSURE: &str = "the connection ended while a message was being sent: it may not have arrived";

/// Why we began the closing handshake.
#[derive(Debug)]
enum Why {
    /// The user said so.
    User,
    /// `--count` messages have come.
    Count,
    /// `--linger` ran out.
    Silent,
    /// Something from outside.
    Stopped(Stop),
    /// The input can't be used.
    Input(String),
}

struct Closing {
    why: Why,
    code: CloseCode,
    /// Until then the server has to answer; set when our close frame is out, or at once for those in a hurry.
    deadline: Option<Instant>,
}

struct Talk<'t, 'u, 's, I, S> {
    user: &'t mut User<'u, I>,
    options: &'t Options,
    handshake: Rc<Handshake>,
    writer: Writer<'s, S>,
    began: Instant,
    /// The last message, either way.
    last_message: Instant,
    /// Since when the server could have answered everything.
    quiet_since: Instant,
    /// The user's pings that wait for their pong.
    pings: Vec<(Bytes, Instant)>,
    pings_sent: u64,
    closing: Option<Closing>,
    close_sent: bool,
    /// The server's close frame, and whether it came before ours went out.
    close_received: Option<(CloseReason, bool)>,
    send_failure: Option<Failure>,
    /// Our limit for an end that the server has begun, or that a failed send announces.
    end_deadline: Option<Instant>,
}

/// Talks until the connection is over. What was not sent is left in `user.held`.
pub(crate) async fn talk<C: Session, I: Input>(
    session: C,
    user: &mut User<'_, I>,
    options: &Options,
) -> Outcome {
    let handshake = Rc::new(session.handshake().clone());
    user.queue.push(Item::Connected(handshake.clone()));
    let (sender, mut receiver) = session.split();
    let mut writer = Writer::new(sender);
    for message in &options.execute {
        writer.push(Outgoing::Preamble(message.clone()));
    }
    for message in user.held.drain(..) {
        writer.push(Outgoing::Message(message));
    }
    if user.ended {
        writer.push(Outgoing::Flush);
    }
    let now = Instant::now();
    let mut talk = Talk {
        user,
        options,
        handshake,
        writer,
        began: now,
        last_message: now,
        quiet_since: now,
        pings: Vec::new(),
        pings_sent: 0,
        closing: None,
        close_sent: false,
        close_received: None,
        send_failure: None,
        end_deadline: None,
    };
    let end = talk.until_end(&mut receiver).await;
    talk.settle().await;
    talk.outcome(end)
}

/// How the receiving half ended.
enum End {
    Closed,
    Failed(Failure),
    /// A deadline of ours passed.
    Deadline,
    /// Asked twice: at once.
    Now(Stop),
}

impl<'s, I: Input, S: Sender + 's> Talk<'_, '_, 's, I, S> {
    async fn until_end<R: Receiver>(&mut self, receiver: &mut R) -> End {
        loop {
            let held_back = !self.user.queue.is_writable();
            let turn = Instant::now();
            let deadline = self.deadline(held_back);
            let wants_input = self.wants_input();
            tokio::select! {
                (sent, result) = self.writer.done() => self.sent(sent, result),
                () = self.user.queue.writable(), if held_back => self.shift_deadlines(turn.elapsed()),
                event = receiver.next(), if !held_back => match event {
                    Ok(Some(event)) => self.event(event),
                    Ok(None) => return End::Closed,
                    Err(failure) => return End::Failed(failure),
                },
                action = self.user.input.next(), if wants_input => self.input(action).await,
                Some(stop) = self.user.stops.recv() => {
                    if self.closing.is_some() {
                        return End::Now(stop);
                    }
                    self.stop(stop);
                }
                () = sleep_until(deadline) => {
                    if self.closing.is_some() || self.end_deadline.is_some() {
                        return End::Deadline;
                    }
                    self.close(Why::Silent, CloseReason::new(CloseCode::NORMAL, ""));
                }
            }
        }
    }

    /// Takes note of what was handed over and not yet asked about.
    async fn settle(&mut self) {
        loop {
            let done = {
                let mut done = pin!(self.writer.done());
                poll_fn(|task| Poll::Ready(done.as_mut().poll(task))).await
            };
            let Poll::Ready((sent, result)) = done else { return };
            self.sent(sent, result);
        }
    }

    /// When the next thing has to have happened. While the output holds us back the server can't be blamed, so only
    /// someone in a hurry has a deadline then.
    fn deadline(&self, held_back: bool) -> Option<Instant> {
        match &self.closing {
            Some(Closing { why: Why::Stopped(_), deadline, .. }) => *deadline,
            _ if held_back => None,
            Some(Closing { deadline, .. }) => deadline.or(self.end_deadline),
            None if self.end_deadline.is_some() => self.end_deadline,
            None if self.user.ended && self.writer.is_idle() => {
                self.options.linger.map(|linger| self.quiet_since + linger)
            }
            None => None,
        }
    }

    fn shift_deadlines(&mut self, by: Duration) {
        self.quiet_since += by;
        let closing = self.closing.as_mut().and_then(|closing| closing.deadline.as_mut());
        for deadline in closing.into_iter().chain(&mut self.end_deadline) {
            *deadline += by;
        }
    }

    /// A pipe is read as fast as the server takes it; a person is always heard.
    fn wants_input(&self) -> bool {
        let over = self.closing.is_some() || self.send_failure.is_some() || self.close_received.is_some();
        !self.user.ended && !over && (self.user.input.is_interactive() || !self.writer.is_behind())
    }

    fn sent(&mut self, sent: Sent, result: Result<(), Failure>) {
        let now = Instant::now();
        self.quiet_since = now;
        match (sent, result) {
            (Sent::Message, Ok(())) => self.last_message = now,
            (Sent::Ping | Sent::Flush, Ok(())) => {}
            (Sent::Close, Ok(())) => {
                self.close_sent = true;
                if let Some(closing) = &mut self.closing {
                    closing.deadline.get_or_insert(now + self.options.close_timeout);
                }
            }
            // The receiving half may still hold messages and the reason: it has the last word, within bounds.
            (sent, Err(failure)) => {
                if matches!(sent, Sent::Message | Sent::Flush) {
                    self.user.queue.push(Item::Warning(UNSURE.into()));
                }
                let waiting = self.writer.take_waiting();
                self.keep(waiting);
                self.send_failure.get_or_insert(failure);
                self.end_deadline.get_or_insert(now + self.options.close_timeout);
            }
        }
    }

    fn event(&mut self, event: Event) {
        let now = Instant::now();
        match event {
            Event::Message(message) => self.message(message, now),
            Event::Ping(payload) => self.user.queue.push(Item::Ping(payload)),
            Event::Pong(payload, round_trip) => {
                let asked = self.pings.iter().position(|(sent, _)| *sent == payload);
                let measured = asked.map(|index| now - self.pings.remove(index).1);
                let asked = measured.is_some();
                self.user.queue.push(Item::Pong { payload, round_trip: round_trip.or(measured), asked });
            }
            Event::Close(reason) => {
                let by_server = self.closes_by_itself(&reason);
                self.close_received = Some((reason, by_server));
                self.end_deadline.get_or_insert(now + self.options.close_timeout);
            }
        }
    }

    /// Whether the server's close is its own doing and no answer to ours. An answer repeats our code (RFC 6455 §5.5.1)
    /// or is a normal one; a server that has another thing to tell closed at the same time.
    fn closes_by_itself(&self, reason: &CloseReason) -> bool {
        let ours = self.closing.as_ref().map(|closing| closing.code);
        let asked = self.close_sent || self.writer.is_closing();
        !asked || !(exit::is_normal(reason.code) || ours == Some(reason.code))
    }

    fn message(&mut self, message: Message, now: Instant) {
        if self.options.count.is_some_and(|count| self.user.received >= count) {
            return;
        }
        self.user.received += 1;
        let received = Received { message, at: now - self.began, since: now - self.last_message };
        self.user.queue.push(Item::Received(received));
        self.last_message = now;
        self.quiet_since = now;
        if self.options.count == Some(self.user.received) && self.closing.is_none() {
            self.close(Why::Count, CloseReason::new(CloseCode::NORMAL, ""));
        }
    }

    async fn input(&mut self, action: Result<Option<Action>, String>) {
        match action {
            Ok(Some(action)) => self.act(action).await,
            Ok(None) => self.input_ended(),
            Err(why) => self.close(Why::Input(why), CloseReason::new(CloseCode::GOING_AWAY, "")),
        }
    }

    fn input_ended(&mut self) {
        self.user.ended = true;
        self.quiet_since = Instant::now();
        self.writer.push(Outgoing::Flush);
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Send(message) => self.send(message),
            Action::File(path) => match read_file(&path).await {
                Ok(message) => self.send(message),
                Err(why) => self.reply(why),
            },
            Action::Ping(payload) => {
                self.pings_sent += 1;
                let payload = payload.unwrap_or_else(|| self.pings_sent.to_string().into());
                self.pings.push((payload.clone(), Instant::now()));
                self.writer.push(Outgoing::Ping(payload));
            }
            Action::Close(reason) => self.close(Why::User, reason),
            Action::ToggleJson => self.user.queue.push(Item::ToggleJson),
            Action::Headers => self.user.queue.push(Item::Headers(self.handshake.clone())),
            Action::Help => self.reply(command::help()),
            Action::Refuse(why) => self.reply(why),
        }
    }

    fn send(&mut self, message: Message) {
        self.writer.push(Outgoing::Message(message));
        self.user.sent += 1;
        if self.options.send_limit.is_some_and(|limit| self.user.sent >= limit) {
            self.input_ended();
        }
    }

    fn reply(&self, text: String) {
        self.user.queue.push(Item::Reply(text));
    }

    /// Begins the closing handshake, behind what waits to be sent.
    fn close(&mut self, why: Why, reason: CloseReason) {
        self.closing = Some(Closing { why, code: reason.code, deadline: None });
        self.writer.push(Outgoing::Close(reason));
    }

    /// Begins it before what waits, and without patience.
    fn stop(&mut self, stop: Stop) {
        let waiting = self.writer.take_waiting();
        self.keep(waiting);
        self.writer.push(Outgoing::Close(CloseReason::new(CloseCode::NORMAL, "")));
        let deadline = Some(Instant::now() + self.options.close_timeout);
        self.closing = Some(Closing { why: Why::Stopped(stop), code: CloseCode::NORMAL, deadline });
    }

    /// Leaves what was not begun to the next connection.
    fn keep(&mut self, waiting: impl IntoIterator<Item = Outgoing>) {
        self.user.held.extend(waiting.into_iter().filter_map(|outgoing| match outgoing {
            Outgoing::Message(message) => Some(message),
            Outgoing::Preamble(_) | Outgoing::Ping(_) | Outgoing::Flush | Outgoing::Close(_) => None,
        }));
    }

    fn outcome(mut self, end: End) -> Outcome {
        if self.writer.is_sending_message() {
            self.user.queue.push(Item::Warning(UNSURE.into()));
        }
        let waiting = self.writer.take_waiting();
        self.keep(waiting);
        let (wanted, got) = (self.options.count.unwrap_or(0), self.user.received);
        let short = got < wanted;
        let closed_by_server = matches!(self.close_received, Some((_, true)));
        if let End::Now(stop) = end {
            return stop.outcome();
        }
        match self.closing.take().map(|closing| closing.why) {
            Some(Why::Stopped(Stop::Key)) => {}
            Some(Why::Stopped(stop)) => return stop.outcome(),
            Some(Why::Input(why)) => return Outcome::Local(why),
            Some(Why::Silent) if short && !closed_by_server => {
                return Outcome::Short { wanted, got, silent: true };
            }
            Some(Why::User | Why::Count | Why::Silent) => {}
            None => return self.ended_by_server(end, short.then_some((wanted, got))),
        }
        match (end, self.close_received.take()) {
            (_, Some((reason, true))) => Outcome::ClosedByServer(reason),
            (_, Some((reason, false))) => Outcome::ClosedByUs(reason),
            (End::Failed(Failure { kind: FailureKind::Lost, .. }) | End::Closed, None) => {
                Outcome::ClosedByUs(CloseReason { code: CloseCode::ABNORMAL, reason: String::new() })
            }
            (End::Failed(failure), None) if failure.kind != FailureKind::Timeout => {
                Outcome::Failed { kind: failure.kind, text: failure.text }
            }
            (End::Failed(_) | End::Deadline | End::Now(_), None) => Outcome::CloseUnanswered,
        }
    }

    fn ended_by_server(self, end: End, short: Option<(u64, u64)>) -> Outcome {
        if let Some((reason, _)) = self.close_received {
            let outcome = Outcome::ClosedByServer(reason);
            return match short {
                Some((wanted, got))
                    if outcome.status() == 0 && !(self.options.reconnect && outcome.may_reconnect()) =>
                {
                    Outcome::Short { wanted, got, silent: false }
                }
                _ => outcome,
            };
        }
        let failure = match (end, self.send_failure) {
            (End::Failed(failure), _) | (_, Some(failure)) => failure,
            (_, None) => Failure {
                kind: FailureKind::Lost,
                text: "the server ended the connection without a close".into(),
            },
        };
        Outcome::Failed { kind: failure.kind, text: failure.text }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
