//! Items as lines for people.
//!
//! A line of ours begins with `·`, a message of the server's with `<`, and what continues either is indented: no text
//! that a peer sends can pass for something else.

use super::output::{Item, Received};
use super::session::{Handshake, Head, Message};
use crate::ui::escape;
use crate::ui::hexdump::hexdump;
use crate::ui::json;
use crate::ui::style::Palette;
use crate::ui::units::duration;
use std::fmt::Write as _;

/// What of it all is told.
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct DisplayOptions {
    pub(crate) json: bool,
    pub(crate) timings: bool,
    pub(crate) verbose: bool,
    pub(crate) quiet: bool,
    pub(crate) show_ping_pong: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Display {
    pub(crate) options: DisplayOptions,
    palette: Palette,
}

/// Header fields whose value is a secret.
const SECRET: [&str; 4] = ["authorization", "proxy-authorization", "cookie", "set-cookie"];
/// What the names of other such fields hold.
const SECRET_WORDS: [&str; 4] = ["key", "token", "secret", "password"];

/// Whether the value of a header field is a secret.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        // RFC 6455 §11.3.1: a nonce.
        "sec-websocket-key" => false,
        "sec-websocket-protocol" => is_secret_subprotocol(value),
        name => SECRET.contains(&name) || SECRET_WORDS.iter().any(|word| name.contains(word)),
    }
}

/// Browsers can set no header, so that some servers take tokens as subprotocols: `bearer, …` or `….bearer.…`.
fn is_secret_subprotocol(name: &str) -> bool {
    name.to_ascii_lowercase().contains("bearer")
}

impl Display {
    pub(crate) fn new(options: DisplayOptions, palette: Palette) -> Self {
        Self { options, palette }
    }

    /// An item as it stands in a terminal, without the last newline; `None` where there is nothing to tell.
    pub(crate) fn terminal(&mut self, item: &Item) -> Option<String> {
        match item {
            Item::Received(received) => Some(self.received(received)),
            item => {
                let text = self.status(item)?;
                let style =
                    if matches!(item, Item::Warning(_)) { self.palette.error } else { self.palette.dim };
                let indented = indent(&text);
                Some(indented.lines().enumerate().fold(String::new(), |mut out, (row, line)| {
                    out.push_str(if row == 0 { "" } else { "\n" });
                    let marked = if row == 0 { format!("· {line}") } else { line.into() };
                    style.paint_into(&mut out, &marked);
                    out
                }))
            }
        }
    }

    /// Everything but a message, without a marker.
    pub(crate) fn status(&mut self, item: &Item) -> Option<String> {
        let Display { options, .. } = self;
        match item {
            Item::Connected(_) | Item::Warning(_) if options.quiet => None,
            Item::Connected(handshake) => Some(self.connected(handshake)),
            Item::Warning(text) | Item::Reply(text) => Some(escape::visible(text, true).into_owned()),
            Item::Headers(handshake) => Some(format!("handshake with {}", heads(handshake))),
            Item::Ping(payload) => (options.show_ping_pong || options.verbose)
                .then(|| format!("ping from the server{}", quoted(payload))),
            Item::Pong { payload, round_trip, asked } => {
                (*asked || options.show_ping_pong || options.verbose).then(|| {
                    let time =
                        round_trip.map_or(String::new(), |time| format!(", round trip {}", duration(time)));
                    format!("pong from the server{}{time}", quoted(payload))
                })
            }
            Item::ToggleJson => {
                options.json = !options.json;
                Some(
                    if options.json { "JSON is laid out over lines" } else { "JSON is shown as it comes" }
                        .into(),
                )
            }
            Item::Received(_) => None,
        }
    }

    /// A text message that is JSON, laid out and safe to show, where that is asked for.
    pub(crate) fn json(&self, message: &Message) -> Option<String> {
        match message {
            Message::Text(text) if self.options.json => json::pretty(text, &self.palette),
            _ => None,
        }
    }

    /// When a message came, for stderr.
    pub(crate) fn timing_line(number: u64, received: &Received) -> String {
        let Received { message, at, since } = received;
        format!(
            "#{number} at {} Δ {}, {} bytes of {}",
            duration(*at),
            duration(*since),
            message.len(),
            message.kind()
        )
    }

    fn received(&self, received: &Received) -> String {
        let mut out = String::new();
        self.palette.received.paint_into(&mut out, "<");
        out.push(' ');
        if self.options.timings {
            let times = format!("[{} Δ {}] ", duration(received.at), duration(received.since));
            self.palette.dim.paint_into(&mut out, &times);
        }
        match &received.message {
            Message::Text(text) => match self.json(&received.message) {
                Some(json) => out.push_str(&indent(&json)),
                None => out.push_str(&indent(&escape::visible(text, true))),
            },
            Message::Binary(bytes) => {
                self.palette.dim.paint_into(&mut out, &format!("binary, {} bytes", bytes.len()));
                if !bytes.is_empty() {
                    out.push_str(&indent(&format!("\n{}", hexdump(bytes))));
                }
            }
        }
        out
    }

    fn connected(&self, handshake: &Handshake) -> String {
        let mut out = format!("connected to {}", escape::line(&handshake.url));
        if let Some(proxy) = &handshake.proxy {
            write!(out, " through {}", escape::line(proxy)).expect("a String takes every write");
        } else if let Some(peer) = handshake.peer {
            write!(out, " ({peer})").expect("a String takes every write");
        }
        if let Some(subprotocol) = &handshake.subprotocol {
            let subprotocol = if is_secret_subprotocol(subprotocol) {
                "(hidden)".into()
            } else {
                escape::line(subprotocol)
            };
            write!(out, ", subprotocol {subprotocol}").expect("a String takes every write");
        }
        if let Some(extensions) = &handshake.extensions {
            // The parameters stand among the headers.
            for name in extensions.split(',').filter_map(|extension| extension.split(';').next()) {
                write!(out, ", {}", escape::line(name.trim())).expect("a String takes every write");
            }
        }
        if self.options.timings {
            let timings = &handshake.timings;
            let steps = [
                ("dns", timings.dns),
                ("tcp", timings.tcp),
                ("proxy", timings.proxy),
                ("tls", timings.tls),
                ("upgrade", timings.upgrade),
            ];
            for (name, time) in steps {
                if let Some(time) = time {
                    write!(out, "\n{name:<8}{}", duration(time)).expect("a String takes every write");
                }
            }
        }
        if self.options.verbose {
            write!(out, "\n{}", heads(handshake)).expect("a String takes every write");
        }
        out
    }
}

/// Request and response, `>` and `<` before each line.
fn heads(handshake: &Handshake) -> String {
    let mut out = escape::line(&handshake.url).into_owned();
    for redirect in &handshake.redirects {
        write!(out, "\nredirected from {}", escape::line(redirect)).expect("a String takes every write");
    }
    head(&mut out, '>', &handshake.request);
    head(&mut out, '<', &handshake.response);
    out
}

fn head(out: &mut String, mark: char, head: &Head) {
    if !head.start.is_empty() {
        write!(out, "\n{mark} {}", escape::line(&head.start)).expect("a String takes every write");
    }
    for (name, value) in &head.fields {
        let value = if is_secret(name, value) { "(hidden)".into() } else { escape::line(value) };
        write!(out, "\n{mark} {}: {value}", escape::line(name)).expect("a String takes every write");
    }
}

/// Every line but the first behind two spaces.
fn indent(text: &str) -> String {
    text.replace('\n', "\n  ")
}

fn quoted(payload: &[u8]) -> String {
    if payload.is_empty() {
        return String::new();
    }
    match std::str::from_utf8(payload) {
        Ok(text) => format!(" \"{}\"", escape::line(text)),
        Err(_) => format!(" of {} bytes", payload.len()),
    }
}

#[cfg(test)]
#[path = "display_tests.rs"]
mod tests;
