//! What a typed line means: a message, or a command behind a slash.

use super::codec;
use super::session::{CloseCode, CloseReason, Message};
use bytes::Bytes;
use std::fmt::Write as _;

/// What the user asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Send(Message),
    /// Without a payload the caller chooses one.
    Ping(Option<Bytes>),
    Close(CloseReason),
    /// The contents of this file as one message: text where it is UTF-8, else binary.
    File(String),
    ToggleJson,
    Headers,
    Help,
    /// Says that a line means nothing, and why.
    Refuse(String),
}

/// The commands, for `/help` and for completion.
pub(crate) const COMMANDS: [(&str, &str, &str); 9] = [
    ("/ping", "[TEXT]", "send a ping and tell the round trip"),
    ("/close", "[CODE] [REASON]", "close, with 1000 unless told otherwise"),
    ("/binary", "HEX", "send a binary message"),
    ("/base64", "BASE64", "send a binary message"),
    ("/file", "PATH", "send a file: as text where it is UTF-8, else binary"),
    ("/json", "", "lay JSON out over lines, or stop doing so"),
    ("/headers", "", "show the handshake"),
    ("/help", "", "show this"),
    ("/quit", "", "close with 1000"),
];

/// The longest payload of a control frame (RFC 6455 §5.5).
const MAX_CONTROL: usize = 125;

/// Reads one line.
pub(crate) fn parse(line: &str) -> Action {
    let Some(command) = line.strip_prefix('/') else { return Action::Send(Message::Text(line.into())) };
    if command.starts_with('/') {
        return Action::Send(Message::Text(command.into()));
    }
    let (name, rest) = command.split_once(' ').unwrap_or((command, ""));
    let rest = rest.trim();
    let alone = |action| {
        if rest.is_empty() { action } else { Action::Refuse(format!("/{name} takes nothing behind it")) }
    };
    match name {
        "ping" if rest.len() > MAX_CONTROL => {
            Action::Refuse(format!("a ping carries at most {MAX_CONTROL} bytes"))
        }
        "ping" if rest.is_empty() => Action::Ping(None),
        "ping" => Action::Ping(Some(Bytes::copy_from_slice(rest.as_bytes()))),
        "close" => close(rest),
        "quit" => alone(Action::Close(CloseReason::new(CloseCode::NORMAL, ""))),
        "binary" => binary(codec::hex(rest.as_bytes())),
        "base64" => binary(codec::base64(rest.as_bytes())),
        "file" if rest.is_empty() => Action::Refuse("/file needs a path".into()),
        "file" => Action::File(rest.into()),
        "json" => alone(Action::ToggleJson),
        "headers" => alone(Action::Headers),
        "help" => alone(Action::Help),
        _ => Action::Refuse(format!(
            "there is no /{name}, nothing was sent; /help tells the commands, // sends a slash"
        )),
    }
}

fn binary(bytes: Result<Vec<u8>, String>) -> Action {
    match bytes {
        Ok(bytes) => Action::Send(Message::Binary(bytes.into())),
        Err(why) => Action::Refuse(why),
    }
}

fn close(rest: &str) -> Action {
    let (code, reason) = match rest.split_once(' ') {
        _ if rest.is_empty() => return Action::Close(CloseReason::new(CloseCode::NORMAL, "")),
        Some((code, reason)) => (code, reason.trim()),
        None => (rest, ""),
    };
    let Ok(code) = code.parse::<u16>() else {
        return Action::Refuse("write /close CODE REASON, such as /close 4000 done".into());
    };
    let code = CloseCode(code);
    if !code.is_sendable() {
        return Action::Refuse(format!(
            "close code {} can't be sent: use 1000–1003, 1007–1014 or 3000–4999",
            code.0
        ));
    }
    if reason.len() > tidewire_proto::close::MAX_REASON {
        return Action::Refuse(format!("a reason has at most {} bytes", tidewire_proto::close::MAX_REASON));
    }
    Action::Close(CloseReason::new(code, reason))
}

/// The text of `/help`.
pub(crate) fn help() -> String {
    let mut help =
        String::from("A line is sent as a text message; a line of a pasted text each as one of its own.\n");
    for (name, arguments, what) in COMMANDS {
        let usage = format!("{name} {arguments}");
        writeln!(help, "{usage:<24} {what}").expect("a String takes every write");
    }
    help.push_str("//…                      a message that begins with a slash\n");
    help.push_str("Ctrl-C and Ctrl-D close; a second Ctrl-C leaves at once");
    help
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Action {
        Action::Send(Message::Text(text.into()))
    }

    #[test]
    fn lines_are_messages_and_two_slashes_are_one() {
        assert_eq!(parse("hello /ping"), text("hello /ping"));
        assert_eq!(parse(""), text(""));
        assert_eq!(parse("//etc"), text("/etc"));
        assert_eq!(parse(" /ping"), text(" /ping"));
    }

    #[test]
    fn commands() {
        assert_eq!(parse("/ping"), Action::Ping(None));
        assert_eq!(parse("/ping a b"), Action::Ping(Some("a b".into())));
        assert_eq!(parse("/binary 00 ff"), Action::Send(Message::Binary(vec![0, 255].into())));
        assert_eq!(parse("/base64 AP8="), Action::Send(Message::Binary(vec![0, 255].into())));
        assert_eq!(parse("/file a b.txt"), Action::File("a b.txt".into()));
        assert_eq!(parse("/quit"), parse("/close"));
        assert_eq!(
            parse("/close 4000 all done"),
            Action::Close(CloseReason::new(CloseCode(4000), "all done"))
        );
    }

    #[test]
    fn what_is_unknown_or_wrong_is_refused_not_sent() {
        let long = format!("/ping {}", "x".repeat(126));
        for line in
            ["/", "/nothing", "/Ping", "/quit now", "/binary 0", "/base64 a", "/file", "/close soon", &long]
        {
            assert!(matches!(parse(line), Action::Refuse(_)), "{line}");
        }
    }

    /// edge 36: codes that must not be sent are refused before they reach the connection.
    #[test]
    fn close_codes() {
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
            assert!(matches!(parse(&format!("/close {code}")), Action::Refuse(_)), "{code}");
        }
        for code in [1000, 1003, 1007, 1014, 3000, 4999] {
            assert!(matches!(parse(&format!("/close {code}")), Action::Close(_)), "{code}");
        }
        // edge 38: 123 bytes fit, 124 do not.
        assert!(matches!(parse(&format!("/close 1000 {}", "x".repeat(123))), Action::Close(_)));
        assert!(matches!(parse(&format!("/close 1000 {}", "x".repeat(124))), Action::Refuse(_)));
    }

    #[test]
    fn help_names_every_command() {
        for (name, _, _) in COMMANDS {
            assert!(help().contains(name));
            assert_ne!(parse(name), text(name));
        }
    }
}
