//! The line editor: what is typed becomes actions, and what comes is printed above the line that is being typed.

use super::command::{self, Action};
use super::display::Display;
use super::input::Input;
use super::output::{Item, Output, OutputError};
use super::run::Stop;
use super::session::{CloseCode, CloseReason};
use crate::ui::style::Palette;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{ColorMode, Config, Context, Editor, ExternalPrinter, Helper};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// Lines kept from run to run.
const HISTORY: usize = 1000;

/// Opens the editor on this process's terminal. It reads nothing before the first [`Input::next`].
///
/// # Errors
/// One sentence, where the terminal can't be used.
pub(crate) fn open(
    display: Display,
    colored: bool,
    history: bool,
    stop: UnboundedSender<Stop>,
) -> Result<(EditorInput, TerminalOutput), String> {
    let refuse = |error: ReadlineError| {
        format!("the terminal can't be used for editing: {error}; redirect stdin or stdout")
    };
    let config = Config::builder()
        .max_history_size(HISTORY)
        .map_err(refuse)?
        .history_ignore_space(true)
        .color_mode(if colored { ColorMode::Enabled } else { ColorMode::Disabled })
        .build();
    let mut editor: Editor<Commands, FileHistory> = Editor::with_config(config).map_err(refuse)?;
    editor.set_helper(Some(Commands));
    let file = history.then(history_file).flatten();
    if let Some(file) = &file {
        // A first run has no history yet; a damaged file is no reason not to connect.
        let _ = editor.load_history(file);
    }
    let printer: Box<dyn ExternalPrinter + Send> =
        Box::new(editor.create_external_printer().map_err(refuse)?);
    let terminal = Terminal::save();
    let prompt = (String::from("> "), Palette::new(colored).sent.paint("> ").to_string());
    let (typed, actions) = mpsc::unbounded_channel();
    let keyboard = Keyboard { editor, prompt, file, typed, stop };
    let input = EditorInput { keyboard: Some(keyboard), actions };
    Ok((input, TerminalOutput { printer: Some(printer), display, buffer: String::new(), terminal }))
}

/// `$XDG_STATE_HOME/tidewire/history`, readable by its owner only; `None` where there is no home.
fn history_file() -> Option<PathBuf> {
    let from = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = from("XDG_STATE_HOME")
        .or_else(|| from("LOCALAPPDATA"))
        .or_else(|| from("HOME").map(|home| home.join(".local/state")))?;
    let directory = state.join("tidewire");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("history"))
}

/// What the reading thread owns.
struct Keyboard {
    editor: Editor<Commands, FileHistory>,
    prompt: (String, String),
    file: Option<PathBuf>,
    typed: UnboundedSender<Action>,
    stop: UnboundedSender<Stop>,
}

impl Keyboard {
    /// Reads until nobody listens any more. The channels are unbounded, so that the editor is always there to print.
    fn read(mut self) {
        let mut ended = false;
        loop {
            let heard = match self.editor.readline(&self.prompt) {
                Ok(text) => {
                    self.remember(&text);
                    // A pasted text has line feeds inside; nothing of it is sent before Enter.
                    text.split('\n').try_for_each(|line| self.typed.send(command::parse(line))).is_ok()
                }
                Err(ReadlineError::Interrupted) => self.stop.send(Stop::Key).is_ok(),
                Err(ReadlineError::Eof) if !ended => {
                    ended = true;
                    self.typed.send(Action::Close(CloseReason::new(CloseCode::NORMAL, ""))).is_ok()
                }
                // The second end of input, or a terminal that has gone.
                Err(_) => {
                    let _ = self.stop.send(Stop::OutputGone);
                    false
                }
            };
            if !heard {
                return;
            }
        }
    }

    fn remember(&mut self, text: &str) {
        let added = self.editor.add_history_entry(text);
        if let (Ok(true), Some(file)) = (added, &self.file) {
            // A full disk must not end a conversation.
            let _ = self.editor.append_history(file);
        }
    }
}

/// Actions of a person.
pub(crate) struct EditorInput {
    keyboard: Option<Keyboard>,
    actions: UnboundedReceiver<Action>,
}

impl Input for EditorInput {
    fn has_rest(&self) -> bool {
        false
    }

    async fn next(&mut self) -> Result<Option<Action>, String> {
        if let Some(keyboard) = self.keyboard.take() {
            std::thread::Builder::new()
                .name("editor".into())
                .spawn(move || keyboard.read())
                .map_err(|error| format!("the editor's thread can't be started: {error}"))?;
        }
        Ok(self.actions.recv().await)
    }

    fn is_interactive(&self) -> bool {
        true
    }
}

/// Prints above the line that is being typed.
pub(crate) struct TerminalOutput {
    printer: Option<Box<dyn ExternalPrinter + Send>>,
    display: Display,
    buffer: String,
    terminal: Terminal,
}

/// Moves up and down again: printed to learn that all before it is printed.
const NOTHING: &str = "\x1b[A\n";

/// How long the editor may take to print what it was given.
const PATIENCE: Duration = Duration::from_millis(500);

impl TerminalOutput {
    /// Waits until all is printed, takes the prompt away and gives the terminal back as it was.
    pub(crate) fn restore(mut self) {
        if let Some(mut printer) = self.printer.take() {
            let (done, printed) = sync_channel(1);
            std::thread::spawn(move || {
                // The editor holds one text at a time: when it has taken the second, the one before the first is out.
                let _ = printer.print(NOTHING.into());
                let _ = printer.print(NOTHING.into());
                let _ = done.send(());
            });
            let _ = printed.recv_timeout(PATIENCE);
        }
        // What it was given last is on its way to the terminal.
        std::thread::sleep(Duration::from_millis(10));
        self.terminal.restore();
    }
}

impl Output for TerminalOutput {
    fn write(&mut self, item: Item) -> Result<(), OutputError> {
        if let Some(text) = self.display.terminal(&item) {
            self.buffer.push_str(&text);
            self.buffer.push('\n');
        }
        Ok(())
    }

    fn buffered(&self) -> usize {
        self.buffer.len()
    }

    async fn flush(&mut self) -> Result<(), OutputError> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let text = std::mem::take(&mut self.buffer);
        let Some(mut printer) = self.printer.take() else { return Err(OutputError::Gone) };
        // It waits for the editor's thread: not a thing to do on ours.
        let printing = tokio::task::spawn_blocking(move || {
            let result = printer.print(text);
            (printer, result)
        });
        let (printer, result) = printing.await.map_err(|_| OutputError::Gone)?;
        self.printer = Some(printer);
        result.map_err(|_| OutputError::Gone)
    }
}

/// The terminal's modes before the editor changed them: its thread may sit in `readline` when the run ends.
struct Terminal {
    #[cfg(unix)]
    modes: Option<nix::sys::termios::Termios>,
}

impl Terminal {
    fn save() -> Self {
        Self {
            #[cfg(unix)]
            modes: nix::sys::termios::tcgetattr(io::stdin()).ok(),
        }
    }

    fn restore(&self) {
        // Back to the line's beginning, erase it, no bracketed paste. A terminal that has gone needs none of it.
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_all(b"\r\x1b[K\x1b[?2004l");
        let _ = stdout.flush();
        #[cfg(unix)]
        if let Some(modes) = &self.modes {
            use nix::sys::termios::{SetArg, tcsetattr};
            let _ = tcsetattr(io::stdin(), SetArg::TCSADRAIN, modes);
        }
    }
}

/// Completes the names of commands.
struct Commands;

impl Completer for Commands {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok((0, complete(&line[..pos])))
    }
}

/// The commands that begin like this; none where no command is being typed.
fn complete(typed: &str) -> Vec<String> {
    if !typed.starts_with('/') {
        return Vec::new();
    }
    let names = command::COMMANDS.iter().filter(|(name, _, _)| name.starts_with(typed));
    names
        .map(|(name, arguments, _)| format!("{name}{}", if arguments.is_empty() { "" } else { " " }))
        .collect()
}

impl Hinter for Commands {
    type Hint = String;
}

impl Highlighter for Commands {}
impl Validator for Commands {}
impl Helper for Commands {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_complete() {
        assert_eq!(complete("/pi"), ["/ping "]);
        assert_eq!(complete("/he"), ["/headers", "/help"]);
        assert!(complete("he").is_empty());
        assert!(complete("/ping a").is_empty());
        assert!(complete("//").is_empty());
    }
}
