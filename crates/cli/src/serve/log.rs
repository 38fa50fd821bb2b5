//! The server's lines: one for each connection that opens and closes, one for each refusal.

use super::lines::Lines;
use crate::{
    args::{LogFormat, LogLevel},
    ui::{
        escape, json,
        style::{Palette, Style},
        units,
    },
};
use serde_json::{Value, json};
use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};
use tidewire::{
    CloseCode, MessageRef, Opened, Outcome, Side,
    server::{Observer, Peer, Refused},
};

/// Writes the lines that its level lets through.
#[derive(Clone)]
pub(super) struct AccessLog(Arc<Log>);

struct Log {
    format: LogFormat,
    level: LogLevel,
    palette: Palette,
    lines: Lines,
    connections: AtomicU64,
}

/// How long the reader of the log may take for the last lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// A line for people: when, which connection, what, from where, and the rest.
struct Line<'a> {
    style: Style,
    number: Option<u64>,
    verb: &'static str,
    peer: Option<&'a Peer>,
    text: String,
}

impl AccessLog {
    /// # Errors
    ///
    /// The system gives no thread.
    pub(super) fn new(format: LogFormat, level: LogLevel, palette: Palette) -> io::Result<Self> {
        let lines = Lines::new(io::stdout(), move |lost| lost_line(format, lost))?;
        Ok(Self(Arc::new(Log { format, level, palette, lines, connections: AtomicU64::new(0) })))
    }

    pub(super) fn format(&self) -> LogFormat {
        self.0.format
    }

    pub(super) fn palette(&self) -> &Palette {
        &self.0.palette
    }

    /// Where to go, for programs.
    pub(super) fn listening(&self, url: &str, page: Option<&str>) {
        if self.0.level >= LogLevel::Error {
            print(&json_line(&json!({"event": "listening", "url": url, "page": page}), &now()));
        }
    }

    /// A connection is open. What is returned tells of its messages and its end; nothing where the log has no word of those.
    pub(super) fn opened(&self, opened: &Opened) -> Option<Box<Access>> {
        let number = self.0.connections.fetch_add(1, Ordering::Relaxed) + 1;
        if self.0.level < LogLevel::Info {
            return None;
        }
        let (request, deflate) = (&opened.request, opened.deflate.is_some());
        let fields = json!({
            "event": "open",
            "connection": number,
            "peer": request.peer().to_string(),
            // A query may hold tokens.
            "target": request.path(),
            "origin": request.header("Origin"),
            "subprotocol": opened.subprotocol,
            "deflate": deflate,
        });
        let palette = &self.0.palette;
        self.0.write(LogLevel::Info, &fields, || {
            let mut text = request.path().to_owned();
            if let Some(name) = &opened.subprotocol {
                text.push_str(" · ");
                text.push_str(name);
            }
            if deflate {
                text.push_str(" · deflate");
            }
            let peer = Some(request.peer());
            Some(Line { style: palette.sent, number: Some(number), verb: "open", peer, text })
        });
        let peer = request.peer().clone();
        Some(Box::new(Access { log: self.clone(), number, peer, opened: Instant::now() }))
    }

    /// The last line of a graceful stop, and the time to write all of them.
    pub(super) fn stopped(&self) {
        let count = self.0.connections.load(Ordering::Relaxed);
        let style = self.0.palette.dim;
        self.0.write(LogLevel::Info, &json!({"event": "stopped", "connections": count}), || {
            let text = format!("after {}", units::count(count, "connection"));
            Some(Line { style, number: None, verb: "stopped", peer: None, text })
        });
        self.0.lines.finish(PATIENCE);
    }
}

impl Log {
    fn write<'a>(&self, level: LogLevel, fields: &Value, line: impl FnOnce() -> Option<Line<'a>>) {
        if level > self.level {
            return;
        }
        let mut text = match self.format {
            LogFormat::Human => match line() {
                Some(line) => self.render(&now(), &line),
                None => return,
            },
            LogFormat::Json => json_line(fields, &now()),
        };
        text.push('\n');
        self.lines.push(text);
    }

    /// `14:54:09Z  #12    close   127.0.0.1:36240       …`
    fn render(&self, time: &str, line: &Line<'_>) -> String {
        // Of 2026-11-22T14:54:09.256Z the hours, minutes and seconds.
        let time = time.get(11..19).unwrap_or(time);
        let number = line.number.map_or(String::new(), |number| format!("#{number}"));
        let verb = line.style.paint(format!("{:<7}", line.verb));
        // As wide as an IPv4 address and its port can be.
        let peer = line.peer.map_or(String::new(), |peer| format!("{:<21}  ", peer.to_string()));
        let start = self.palette.dim.paint(format!("{time}Z  {number:<6}"));
        format!("{start} {verb} {peer}{}", escape::line(&line.text))
    }
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now()).to_string()
}

fn json_line(fields: &Value, time: &str) -> String {
    let mut line = json!({"time": time});
    if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
        line.extend(fields.clone());
    }
    json::safe(&line.to_string()).into_owned()
}

/// Says, in the place of lines that found no room, how many those were.
fn lost_line(format: LogFormat, lost: u64) -> String {
    let time = now();
    match format {
        LogFormat::Human => {
            let time = time.get(11..19).unwrap_or(&time);
            format!("{time}Z  … {} lost: the log's reader is too slow\n", units::count(lost, "line"))
        }
        LogFormat::Json => json_line(&json!({"event": "lost", "lines": lost}), &time) + "\n",
    }
}

/// Writes a line to stdout at once, before there are connections. Where nobody reads it any more, serving goes on.
pub(super) fn print(line: &str) {
    let _gone = writeln!(io::stdout().lock(), "{line}");
}

/// The lines of one connection.
pub(super) struct Access {
    log: AccessLog,
    number: u64,
    peer: Peer,
    opened: Instant,
}

impl Access {
    /// A message came.
    pub(super) fn message(&self, message: &MessageRef<'_>) {
        let log = &self.log.0;
        if log.level < LogLevel::Debug {
            return;
        }
        let size = message.as_bytes().len();
        let kind = if message.as_text().is_some() { "text" } else { "binary" };
        let fields = json!({"event": "message", "connection": self.number, "kind": kind, "bytes": size});
        log.write(LogLevel::Debug, &fields, || {
            let text = format!("{kind}, {}", units::size(size as u64));
            Some(self.line(log.palette.received, "message", text))
        });
    }

    /// The connection is over.
    pub(super) fn closed(&self, outcome: &Outcome) {
        let (log, stats, close) = (&self.log.0, &outcome.stats, &outcome.close);
        let by = match outcome.by {
            Side::Here => "server",
            Side::Peer => "client",
        };
        let error = outcome.error.as_ref().map(ToString::to_string);
        let lasted = self.opened.elapsed();
        let fields = json!({
            "event": "close",
            "connection": self.number,
            "peer": self.peer.to_string(),
            "code": close.code.0,
            "reason": close.reason,
            "by": by,
            "error": error,
            "seconds": lasted.as_secs_f64(),
            "messages_in": stats.messages_in,
            "messages_out": stats.messages_out,
            "bytes_in": stats.bytes_in,
            "bytes_out": stats.bytes_out,
            "rtt_us": outcome.latency.map(units::micros),
        });
        log.write(LogLevel::Info, &fields, || {
            let mut text = format!(
                "{close} · by the {by} · {} · in {} ({}) · out {} ({})",
                units::duration(lasted),
                stats.messages_in,
                units::size(stats.bytes_in),
                stats.messages_out,
                units::size(stats.bytes_out),
            );
            if let Some(error) = &error {
                text.push_str(" · ");
                text.push_str(error);
            }
            let usual = [CloseCode::NORMAL, CloseCode::GOING_AWAY, CloseCode::NO_STATUS];
            let palette = &log.palette;
            let style = if usual.contains(&close.code) { palette.received } else { palette.number };
            Some(self.line(style, "close", text))
        });
    }

    fn line(&self, style: Style, verb: &'static str, text: String) -> Line<'_> {
        Line { style, number: Some(self.number), verb, peer: Some(&self.peer), text }
    }
}

impl Observer for AccessLog {
    fn refused(&self, refused: &Refused<'_>) {
        let fields = json!({
            "event": "refuse",
            "peer": refused.peer.to_string(),
            "status": refused.status,
            "why": refused.why,
        });
        let style = self.0.palette.error;
        self.0.write(LogLevel::Warn, &fields, || {
            let status = refused.status.map_or(String::new(), |status| format!("{status} "));
            let text = format!("{status}{}", refused.why);
            Some(Line { style, number: None, verb: "refuse", peer: Some(refused.peer), text })
        });
    }

    fn accept_failed(&self, error: &io::Error) {
        let style = self.0.palette.error;
        self.0.write(LogLevel::Error, &json!({"event": "accept", "error": error.to_string()}), || {
            let text = format!(
                "no connection can be accepted: {error}; is the limit of open files (ulimit -n) reached?"
            );
            Some(Line { style, number: None, verb: "error", peer: None, text })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_line_commands_no_terminal_and_keeps_its_values() {
        let reason = "\u{9b}2J\u{7f}\u{202e}\u{e0001}\x1b é";
        let line = json_line(&json!({"reason": reason}), "now");
        assert!(line.contains("\"\\u009b2J\\u007f\\u202e\\udb40\\udc01\\u001b é\""), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["reason"], reason);
    }

    #[test]
    fn lost_lines_are_told_in_the_form_of_the_log() {
        let line: Value = serde_json::from_str(&lost_line(LogFormat::Json, 3)).unwrap();
        assert_eq!((&line["event"], &line["lines"]), (&"lost".into(), &3.into()));
        assert!(lost_line(LogFormat::Human, 3).ends_with("… 3 lines lost: the log's reader is too slow\n"));
    }
}
