//! The Autobahn Testsuite against our servers and our clients: Rust's and the faces of the Python package, plain and over
//! TLS.

mod report;

use crate::sh::{self, Process, seconds};
use crate::{Options, cargo, install, python, serve};
use anyhow::{Context as _, Result, bail, ensure};
use report::Report;
use serde_json::{Value, json};
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// Everything but 12.* and 13.*, whose every case is 1,000 messages and takes the suite seconds.
const BASE: &[&str] = &["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"];
const BASE_COUNT: usize = 301;
const FULL_COUNT: usize = 517;

/// One case of each group of 12.* (kinds of payload) and 13.* (parameters of permessage-deflate), of sizes small to large,
/// fragmented or not.
const SAMPLE: &[&str] = &[
    "12.1.1", "12.1.10", "12.2.5", "12.3.14", "12.4.8", "12.5.17", // payloads
    "13.1.3", "13.2.7", "13.3.16", "13.4.11", "13.5.6", "13.6.13", "13.7.9", // parameters
];

const AGENT: &str = "tidewire";

/// Whose server and client are under test.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    Rust,
    /// A face of the Python package.
    Python(&'static str),
}

#[derive(Clone, Copy)]
struct Run {
    whose: Whose,
    /// Which of ours is under test: the server or the client.
    server: bool,
    tls: bool,
    full: bool,
}

/// Each with its server, its client, plain and over TLS. The callbacks have no client; over TLS, all faces of Python have
/// the same transport, so that one face tells of all.
const RUNS: &[(Whose, bool, bool)] = &[
    (Whose::Rust, true, false),
    (Whose::Rust, false, false),
    (Whose::Rust, true, true),
    (Whose::Rust, false, true),
    (Whose::Python("asyncio"), true, false),
    (Whose::Python("threads"), true, false),
    (Whose::Python("callbacks"), true, false),
    (Whose::Python("asyncio"), false, false),
    (Whose::Python("threads"), false, false),
    (Whose::Python("asyncio"), true, true),
    (Whose::Python("asyncio"), false, true),
];

/// What runs.
struct Programs {
    suite: PathBuf,
    rust: Option<cargo::Programs>,
    /// An interpreter whose environment holds the wheel.
    python: Option<PathBuf>,
}

pub(crate) fn step(options: &Options) -> Result<()> {
    let wanted = |whose, server, tls| {
        // Naming neither of a pair means both.
        let among = |is: bool, yes: &str, no: &str| {
            options.has(if is { yes } else { no }) || !(options.has(yes) || options.has(no))
        };
        among(whose == Whose::Rust, "rust", "python")
            && among(server, "server", "client")
            && among(tls, "tls", "plain")
    };
    let full = options.has("full");
    let runs = RUNS.iter().filter(|(whose, server, tls)| wanted(*whose, *server, *tls));
    let runs = runs.map(|&(whose, server, tls)| Run { whose, server, tls, full });
    let (rust, python): (Vec<Run>, Vec<Run>) = runs.partition(|run| run.whose == Whose::Rust);

    let folder = sh::root().join("conformance/autobahn");
    let programs = Programs {
        suite: install::python2(&folder.join("requirements.txt"))?.join("wstest"),
        rust: if rust.is_empty() { None } else { Some(cargo::release_programs()?) },
        python: if python.is_empty() { None } else { Some(python::environment_with_wheel("autobahn")?) },
    };
    let mut bad = all(rust, 1, &programs);
    // Their time is mostly the suite's own, which runs on one core.
    bad.extend(all(python, 2, &programs));
    ensure!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

/// Carries out these runs, so many at a time; returns what is wrong.
fn all(runs: Vec<Run>, at_once: usize, programs: &Programs) -> Vec<String> {
    let queue = Mutex::new(runs.into_iter());
    let bad = Mutex::new(Vec::new());
    let next = || queue.lock().ok()?.next();
    let note = |text: String| {
        if let Ok(mut bad) = bad.lock() {
            bad.push(text);
        }
    };
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(run) = next() {
                    match run.run(programs) {
                        Ok(0) => {}
                        Ok(count) => note(format!("{}: {count} cases are not OK", run.name())),
                        Err(error) => note(format!("{}: {error:#}", run.name())),
                    }
                }
            });
        }
    });
    bad.into_inner().unwrap_or_else(|_| vec!["a run panicked".to_owned()])
}

impl Run {
    fn name(self) -> String {
        let side = if self.server { "server" } else { "client" };
        let tls = if self.tls { "-tls" } else { "" };
        match self.whose {
            Whose::Rust => format!("autobahn-{side}{tls}"),
            Whose::Python(face) => format!("autobahn-python-{face}-{side}{tls}"),
        }
    }

    fn expected(self) -> usize {
        if self.full { FULL_COUNT } else { BASE_COUNT + SAMPLE.len() }
    }

    fn limit(self) -> Duration {
        if self.full { seconds(60 * 60) } else { seconds(20 * 60) }
    }

    /// Runs the cases and prints the totals; returns how many are bad.
    fn run(self, programs: &Programs) -> Result<usize> {
        let folder = sh::target()?.join("autobahn").join(self.name());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let start = Instant::now();
        if self.server {
            self.run_server(programs, &folder)?;
        } else {
            self.run_client(programs, &folder)?;
        }
        let report = Report::read(&folder.join("report"))?;
        println!("{}", report.text(&self.name(), start.elapsed()));
        let count = report.count();
        ensure!(count == self.expected(), "{count} cases ran, {} were expected", self.expected());
        Ok(report.bad_count())
    }

    /// The suite as a client of our server.
    fn run_server(self, programs: &Programs, folder: &Path) -> Result<()> {
        let log = format!("{}-serve", self.name());
        let mut server = match self.whose {
            Whose::Rust => serve::serve(&programs.rust()?.tidewire, self.tls, &log)?,
            Whose::Python(face) => {
                let mut command = programs.python("autobahn_server.py")?;
                command.arg(face);
                if self.tls {
                    let certs = sh::root().join("conformance/certs");
                    command.arg(certs.join("localhost.pem")).arg(certs.join("localhost.key"));
                }
                serve::Server::start(&mut command, &log)?
            }
        };
        let spec = json!({ "servers": [{ "agent": AGENT, "url": server.url }] });
        let mut wstest = self.wstest(&programs.suite, "fuzzingclient", spec, folder)?;
        let log = sh::log(&self.name())?;
        sh::run_quietly(&mut wstest, &log, self.limit())
            .with_context(|| format!("the server{}", server.tail()))?;
        server.check()
    }

    /// The suite as the server of our client.
    fn run_client(self, programs: &Programs, folder: &Path) -> Result<()> {
        let (url, _suite) = self.start_fuzzing_server(&programs.suite, folder)?;
        let mut command = match self.whose {
            Whose::Rust => {
                let mut command = sh::command(&programs.rust()?.autobahn_client);
                command.arg(&url);
                command
            }
            Whose::Python(face) => {
                let mut command = programs.python("autobahn_client.py")?;
                command.args([face, &url, AGENT]);
                command
            }
        };
        command.env("SSL_CERT_FILE", sh::root().join("conformance/certs/ca.pem"));
        let log = sh::log(&format!("{}-client", self.name()))?;
        sh::run_quietly(&mut command, &log, self.limit())
    }

    /// The suite cannot choose a port by itself. Another process may take the one found free, hence three attempts.
    fn start_fuzzing_server(self, suite: &Path, folder: &Path) -> Result<(String, Process)> {
        let mut last = None;
        for _ in 0..3 {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let url = format!("{}://127.0.0.1:{port}", if self.tls { "wss" } else { "ws" });
            let mut wstest = self.wstest(suite, "fuzzingserver", json!({ "url": url }), folder)?;
            let mut process = Process::start(&mut wstest, Some(&sh::log(&self.name())?))?;
            match wait_for_port(port, &mut process) {
                Ok(()) => return Ok((url, process)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.context("the suite was not started")?)
    }

    /// `wstest` in this mode; `spec` is completed with the cases and with where the report goes.
    fn wstest(self, suite: &Path, mode: &str, mut spec: Value, folder: &Path) -> Result<Command> {
        let sample = if self.full { &["12.*", "13.*"] } else { SAMPLE };
        spec["cases"] = [BASE, sample].concat().into();
        spec["exclude-cases"] = json!([]);
        spec["exclude-agent-cases"] = json!({});
        spec["outdir"] = json!(folder.join("report"));
        if self.tls && !self.server {
            let certs = sh::root().join("conformance/certs");
            spec["key"] = json!(certs.join("localhost.key"));
            spec["cert"] = json!(certs.join("localhost.pem"));
        }
        let file = folder.join("spec.json");
        fs::write(&file, spec.to_string())?;
        let mut command = sh::command(suite);
        command.args(["-m", mode, "--webport", "0", "-s"]).arg(file).env("PYTHONUNBUFFERED", "1");
        if self.tls && !self.server {
            command.env("OPENSSL_CONF", sh::root().join("conformance/autobahn/openssl.cnf"));
        }
        Ok(command)
    }
}

impl Programs {
    fn rust(&self) -> Result<&cargo::Programs> {
        self.rust.as_ref().context("the programs in Rust were not built")
    }

    /// A program of `conformance/python`.
    fn python(&self, script: &str) -> Result<Command> {
        let python = self.python.as_ref().context("there is no environment with the wheel")?;
        let mut command = sh::command(python);
        // What it warns of and what it says at its end is in its log.
        command.args(["-u", "-W", "error"]).arg(sh::root().join("conformance/python").join(script));
        Ok(command)
    }
}

/// The suite says that it is about to listen, not that it does; where it cannot, it ends at once.
fn wait_for_port(port: u16, process: &mut Process) -> Result<()> {
    process.wait_for("Ok, will run", seconds(60))?;
    for _ in 0..50 {
        sleep(Duration::from_millis(200));
        if process.has_ended()? {
            break;
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
    }
    bail!("the suite does not listen on port {port}{}", process.tail())
}
