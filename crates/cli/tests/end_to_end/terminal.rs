//! The line editor, typed into through a pseudo-terminal.

use crate::support::{Serve, status, tidewire};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// A terminal with the program in it.
struct Terminal {
    child: Child,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// What was shown and not yet waited for.
    shown: String,
}

impl Terminal {
    fn connect(url: &str, state: &str) -> Self {
        let size = Winsize { ws_row: 40, ws_col: 200, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a pseudo-terminal");
        let end = || Stdio::from(pty.slave.try_clone().expect("a clone"));
        let mut command = tidewire(&["connect", "--color", "never", url]);
        command.env("TERM", "xterm").env("XDG_STATE_HOME", state);
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("the program starts");
        // The command holds ends of its own until it is dropped.
        drop((command, pty.slave));
        let keyboard = File::from(pty.master);
        let mut reader = keyboard.try_clone().expect("a clone");
        let (to, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if to.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, keyboard, screen, shown: String::new() }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal takes keys");
    }

    /// Waits until `words` are shown, behind what was waited for before.
    #[track_caller]
    fn sees(&mut self, words: &str) {
        loop {
            if let Some(at) = self.shown.find(words) {
                self.shown.drain(..at + words.len());
                return;
            }
            match self.screen.recv_timeout(Duration::from_secs(20)) {
                Ok(bytes) => self.shown.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{words:?} is not shown ({error}), but {:?}", self.shown),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn lines_and_commands_are_typed_and_answered() {
    let serve = Serve::start(&[]);
    let state = tempfile::tempdir().expect("a temporary directory");
    let state = state.path().to_str().expect("a UTF-8 path");
    let mut terminal = Terminal::connect(&serve.url, state);
    terminal.sees(&format!("· connected to {}", serve.url));
    terminal.sees("> ");
    terminal.press("hello\r");
    terminal.sees("< hello");
    terminal.press("/binary 00ff 41\r");
    terminal.sees("< binary, 3 bytes");
    terminal.sees("00 ff 41");
    terminal.press("/ping abc\r");
    terminal.sees("· pong from the server \"abc\", round trip ");
    terminal.press("/json\r");
    terminal.sees("JSON is laid out");
    terminal.press("{\"a\":[1]}\r");
    terminal.sees("\"a\": [");
    terminal.press("//slash\r");
    terminal.sees("< /slash");
    terminal.press("/nonsense\r");
    terminal.sees("there is no /nonsense");
    terminal.press("/close 4000 bye now\r");
    terminal.sees("closed by us, the server answered: 4000: bye now");
    assert_eq!(status(&mut terminal.child).code(), Some(0));
    assert!(serve.line("close").contains("4000: bye now"));
    drop(terminal);

    // The next run remembers: the arrow up brings the last line back.
    let mut terminal = Terminal::connect(&serve.url, state);
    terminal.sees("> ");
    terminal.press("\x1b[A");
    terminal.sees("/close 4000 bye now");
    terminal.press("\x1b[A\x1b[A\r");
    terminal.sees("< /slash");
    // Ctrl-D.
    terminal.press("\x04");
    terminal.sees("closed by us, the server answered: 1000");
    assert_eq!(status(&mut terminal.child).code(), Some(0));
}

#[test]
fn a_servers_text_can_not_command_the_terminal() {
    let url = crate::support::peer::opened(|peer| {
        peer.send(|wire| wire.text("\x1b]0;owned\x07\x1b[2Jsafe"));
        while peer.frame().is_some_and(|frame| frame.opcode != 8) {}
        peer.close(1000, "");
    });
    let state = tempfile::tempdir().expect("a temporary directory");
    let mut terminal = Terminal::connect(&url, state.path().to_str().expect("a UTF-8 path"));
    terminal.sees("< ␛]0;owned␇␛[2Jsafe");
    terminal.sees("> ");
    // Ctrl-C.
    terminal.press("\x03");
    terminal.sees("closed by us");
    assert_eq!(status(&mut terminal.child).code(), Some(0));
}
