//! The server's lines: where to go, one for each connection that opens and closes, one for each refusal.

use crate::{
    args::{LogFormat, LogLevel, ServeArgs},
    ui::escape,
};
use serde_json::json;
use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};
use tidewire::{
    Error, Listener, MessageRef, Opened, Outcome, Request, Side,
    server::{Observer, Refused},
};

/// Writes the lines that its level lets through.
#[derive(Clone)]
pub(super) struct AccessLog {
    format: LogFormat,
    level: LogLevel,
    connections: Arc<AtomicU64>,
}

impl AccessLog {
    pub(super) fn new(format: LogFormat, level: LogLevel) -> Self {
        Self { format, level, connections: Arc::default() }
    }

    /// A log of each message, where the level asks for it.
    pub(super) fn messages(&self) -> Option<MessageLog> {
        (self.level >= LogLevel::Debug).then(|| MessageLog(self.clone()))
    }

    /// The last line of a graceful stop.
    pub(super) fn stopped(&self) {
        let count = self.connections.load(Ordering::Relaxed);
        self.write(LogLevel::Info, &json!({"event": "stopped", "connections": count}), || {
            format!("stopped; {count} connections were served")
        });
    }

    fn write(&self, level: LogLevel, fields: &serde_json::Value, human: impl FnOnce() -> String) {
        if level > self.level {
            return;
        }
        let time = humantime::format_rfc3339_millis(SystemTime::now());
        let line = match self.format {
            LogFormat::Human => format!("{time} {}", escape::line(&human())),
            LogFormat::Json => {
                let mut line = json!({"time": time.to_string()});
                if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
                    line.extend(fields.clone());
                }
                line.to_string()
            }
        };
        print(&line);
    }
}

/// Writes a line to stdout. Where nobody reads it any more, serving goes on.
fn print(line: &str) {
    let _gone = writeln!(io::stdout().lock(), "{line}");
}

impl Observer for AccessLog {
    fn opened(&self, opened: &Opened) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let (request, deflate) = (&opened.request, opened.deflate.is_some());
        let fields = json!({
            "event": "open",
            "peer": request.peer().to_string(),
            "target": request.head().raw_target(),
            "origin": request.header("Origin"),
            "subprotocol": opened.subprotocol,
            "deflate": deflate,
        });
        self.write(LogLevel::Info, &fields, || {
            let subprotocol =
                opened.subprotocol.as_ref().map_or(String::new(), |name| format!(" subprotocol {name}"));
            let deflate = if deflate { " deflate" } else { "" };
            format!("{} open   {}{subprotocol}{deflate}", request.peer(), request.path())
        });
    }

    fn closed(&self, request: &Request, outcome: &Outcome, error: Option<&Error>) {
        let (stats, close) = (&outcome.stats, &outcome.close);
        let by = match outcome.by {
            Side::Here => "server",
            Side::Peer => "peer",
        };
        let error = error.or(outcome.error.as_ref()).map(ToString::to_string);
        let fields = json!({
            "event": "close",
            "peer": request.peer().to_string(),
            "code": close.code.0,
            "reason": close.reason,
            "by": by,
            "error": error,
            "messages_in": stats.messages_in,
            "messages_out": stats.messages_out,
            "bytes_in": stats.bytes_in,
            "bytes_out": stats.bytes_out,
            "rtt_us": outcome.latency.map(|latency| latency.as_micros() as u64),
        });
        self.write(LogLevel::Info, &fields, || {
            let why = error.as_ref().map_or(String::new(), |error| format!(" — {error}"));
            format!(
                "{} close  {close} by the {by}; in {} ({} B), out {} ({} B){why}",
                request.peer(),
                stats.messages_in,
                stats.bytes_in,
                stats.messages_out,
                stats.bytes_out,
            )
        });
    }

    fn refused(&self, refused: &Refused<'_>) {
        let fields = json!({
            "event": "refuse",
            "peer": refused.peer.to_string(),
            "status": refused.status,
            "why": refused.why,
        });
        self.write(LogLevel::Warn, &fields, || {
            let status = refused.status.map_or(String::new(), |status| format!(" {status}"));
            format!("{} refuse{status} {}", refused.peer, refused.why)
        });
    }

    fn accept_failed(&self, error: &io::Error) {
        self.write(LogLevel::Error, &json!({"event": "accept", "error": error.to_string()}), || {
            format!(
                "a connection can't be accepted: {error}; is the limit of open files (ulimit -n) reached?"
            )
        });
    }

    fn wants_closed(&self) -> bool {
        self.level >= LogLevel::Info
    }
}

/// Writes a line for each message.
#[derive(Clone)]
pub(super) struct MessageLog(AccessLog);

impl MessageLog {
    pub(super) fn note(&self, message: &MessageRef<'_>) {
        let (kind, size) =
            (if message.as_text().is_some() { "text" } else { "binary" }, message.as_bytes().len());
        self.0.write(LogLevel::Debug, &json!({"event": "message", "kind": kind, "bytes": size}), || {
            format!("message {kind} {size} B")
        });
    }
}

/// Where to go.
pub(super) struct Banner {
    socket: String,
    page: Option<String>,
    everyone: bool,
    level: LogLevel,
}

impl Banner {
    pub(super) fn new(listener: &Listener, tls: bool, args: &ServeArgs) -> Self {
        let secure = if tls { "s" } else { "" };
        let level = args.level();
        let Some(mut address) = listener.local_addr() else {
            let path = listener.unix_path().map_or(String::new(), |path| path.display().to_string());
            return Self { socket: format!("unix:{path}"), page: None, everyone: false, level };
        };
        let everyone = address.ip().is_unspecified();
        if everyone {
            let loopback = if address.is_ipv4() { "127.0.0.1".parse() } else { "::1".parse() };
            address.set_ip(loopback.unwrap_or_else(|_| address.ip()));
        }
        let page =
            (args.static_dir.is_some() || !args.no_console).then(|| format!("http{secure}://{address}/"));
        Self { socket: format!("ws{secure}://{address}/"), page, everyone, level }
    }

    pub(super) fn print(&self, log: &AccessLog) {
        let fields = json!({"event": "listening", "url": self.socket, "page": self.page});
        if log.format == LogFormat::Json {
            return log.write(LogLevel::Error, &fields, String::new);
        }
        if self.level == LogLevel::Off {
            return;
        }
        print(&format!("listening on {}", self.socket));
        if let Some(page) = &self.page {
            print(&format!("open {page} in a browser; Ctrl-C stops the server"));
        }
        if self.everyone {
            print(
                "every machine that can reach this one can connect; --address 127.0.0.1 keeps it to this one",
            );
        }
    }
}
