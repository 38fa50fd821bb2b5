//! The program as a process.

pub(crate) mod peer;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The longest that anything may take here. Nothing waits for it unless it fails.
const LIMIT: Duration = Duration::from_secs(30);

/// The program, without the environment of whoever runs the tests: the binary, or what `TIDEWIRE_PROGRAM` names (the
/// Python package's command is held to the same).
pub(crate) fn tidewire(arguments: &[&str]) -> Command {
    let named = std::env::var_os("TIDEWIRE_PROGRAM");
    let mut command = Command::new(named.unwrap_or_else(|| env!("CARGO_BIN_EXE_tidewire").into()));
    command.args(arguments).env_clear();
    command
}

/// A file of conformance/certs.
pub(crate) fn certificate(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../../conformance/certs", name].iter().collect();
    path.to_str().expect("a UTF-8 path").to_owned()
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    let id = i32::try_from(child.id()).expect("process ids are small");
    kill(Pid::from_raw(id), signal).expect("the process is there");
}

/// Waits for the end of a process; one that goes on is killed, and the test fails.
pub(crate) fn status(child: &mut Child) -> ExitStatus {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return status;
        }
        if Instant::now() > deadline {
            // It may end just now.
            let _ended = child.kill();
            panic!("the process went on for {LIMIT:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// A run of `connect` that is over.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn expect(&self, status: i32, stdout: &str) -> &Self {
        assert_eq!(
            (self.status, String::from_utf8_lossy(&self.stdout).as_ref()),
            (status, stdout),
            "{self:?}"
        );
        self
    }

    /// The status, and what stderr has to hold.
    #[track_caller]
    pub(crate) fn told(&self, status: i32, words: &str) -> &Self {
        assert!(self.status == status && self.stderr.contains(words), "not {status} and {words:?}: {self:?}");
        self
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe can be read");
        bytes
    })
}

/// Starts `connect` and writes `input` to it; its stdin ends behind it, unless it is kept open.
pub(crate) fn start(arguments: &[&str], input: impl Into<Vec<u8>>, keep_open: bool) -> Started {
    let mut all = vec!["connect"];
    all.extend_from_slice(arguments);
    run(tidewire(&all), input.into(), keep_open)
}

fn run(mut command: Command, input: Vec<u8>, keep_open: bool) -> Started {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("stdin is a pipe");
    let writing = thread::spawn(move || {
        // A program that ends early reads no more.
        let _broken = stdin.write_all(&input);
        keep_open.then_some(stdin)
    });
    let stdout = read_all(child.stdout.take().expect("stdout is a pipe"));
    let stderr = read_all(child.stderr.take().expect("stderr is a pipe"));
    Started { child, _stdin: writing, stdout, stderr }
}

/// Starts the program with nothing on stdin.
pub(crate) fn start_program(arguments: &[&str]) -> Started {
    run(tidewire(arguments), Vec::new(), false)
}

/// A run of `connect` that goes on.
pub(crate) struct Started {
    pub(crate) child: Child,
    _stdin: thread::JoinHandle<Option<std::process::ChildStdin>>,
    stdout: thread::JoinHandle<Vec<u8>>,
    stderr: thread::JoinHandle<Vec<u8>>,
}

impl Started {
    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Ran {
        let status = status(&mut self.child).code().expect("no signal kills it");
        let stdout = self.stdout.join().expect("the reader did not panic");
        let stderr = self.stderr.join().expect("the reader did not panic");
        Ran { status, stdout, stderr: String::from_utf8(stderr).expect("stderr is text") }
    }
}

/// Runs `connect` with `input` on stdin to its end.
pub(crate) fn connect(arguments: &[&str], input: impl Into<Vec<u8>>) -> Ran {
    start(arguments, input, false).finish()
}

/// Runs the program to its end, with an environment.
pub(crate) fn with_environment(arguments: &[&str], input: &str, environment: &[(&str, &str)]) -> Ran {
    let mut command = tidewire(arguments);
    command.envs(environment.iter().copied());
    run(command, input.into(), false).finish()
}

/// A running `tidewire serve`. It is killed when it goes out of scope.
pub(crate) struct Serve {
    pub(crate) child: Child,
    lines: Receiver<String>,
    /// What stands behind `listening on`.
    pub(crate) url: String,
}

impl Drop for Serve {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Serve {
    /// On a free port of 127.0.0.1, unless the options say otherwise.
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut arguments = vec!["serve"];
        if !options.iter().any(|option| ["--unix", "--port"].contains(option)) {
            arguments.extend(["--port", "0"]);
        }
        arguments.extend_from_slice(options);
        let mut child = tidewire(&arguments).stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (to, lines) = channel();
        thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| to.send(line)).ok();
        });
        let mut serve = Self { child, lines, url: String::new() };
        let first = serve.line("listening");
        serve.url = match first.strip_prefix("listening on ") {
            Some(url) => url.to_owned(),
            None => serde_json::from_str::<serde_json::Value>(&first).expect("JSON")["url"]
                .as_str()
                .expect("a URL")
                .to_owned(),
        };
        serve
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        self.url.split('/').nth(2).expect("a URL has an authority")
    }

    /// The next line that holds `words`.
    #[track_caller]
    pub(crate) fn line(&self, words: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line holds {words:?} ({error}), but there were {seen:#?}"),
            }
        }
    }

    /// Ctrl-C, and the status it ends with.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        signal(&self.child, Signal::SIGINT);
        status(&mut self.child)
    }
}

/// Runs `serve` with options that keep it from serving: its status and what it says.
pub(crate) fn serve_fails(options: &[&str]) -> Ran {
    let mut arguments = vec!["serve"];
    arguments.extend_from_slice(options);
    with_environment(&arguments, "", &[])
}
