//! The Autobahn Testsuite against our server and our client, plain and over TLS.

use crate::sh::{self, Process, seconds};
use crate::{Options, cargo, install, serve};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
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

/// What the suite only looks at and cannot call right: these are INFORMATIONAL for every peer.
const INFORMATIONAL: &[&str] = &["7.1.6", "7.13.1", "7.13.2"];

const AGENT: &str = "tidewire";

#[derive(Clone, Copy)]
struct Run {
    /// Which of ours is under test: the server or the client.
    server: bool,
    tls: bool,
    full: bool,
}

pub(crate) fn step(options: &Options) -> Result<()> {
    let folder = sh::root().join("conformance/autobahn");
    let suite = install::python2(&folder.join("requirements.txt"))?.join("wstest");
    let programs = cargo::release_programs()?;
    let full = options.has("full");
    let mut bad = Vec::new();
    for tls in [false, true] {
        for server in [true, false] {
            // Naming neither of a pair means both.
            let side = if server { "server" } else { "client" };
            let transport = if tls { "tls" } else { "plain" };
            let side_wanted = options.has(side) || !(options.has("server") || options.has("client"));
            let transport_wanted = options.has(transport) || !(options.has("plain") || options.has("tls"));
            if side_wanted && transport_wanted {
                let run = Run { server, tls, full };
                match run.run(&suite, &programs) {
                    Ok(0) => {}
                    Ok(count) => bad.push(format!("{}: {count} cases are not OK", run.name())),
                    Err(error) => bad.push(format!("{}: {error:#}", run.name())),
                }
            }
        }
    }
    ensure!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

impl Run {
    fn name(self) -> String {
        let side = if self.server { "server" } else { "client" };
        let tls = if self.tls { "-tls" } else { "" };
        format!("autobahn-{side}{tls}")
    }

    fn expected(self) -> usize {
        if self.full { FULL_COUNT } else { BASE_COUNT + SAMPLE.len() }
    }

    fn limit(self) -> Duration {
        if self.full { seconds(60 * 60) } else { seconds(20 * 60) }
    }

    /// Runs the cases and prints the totals; returns how many are bad.
    fn run(self, suite: &Path, programs: &cargo::Programs) -> Result<usize> {
        let folder = sh::target()?.join("autobahn").join(self.name());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let start = Instant::now();
        if self.server {
            self.run_server(suite, &programs.tidewire, &folder)?;
        } else {
            self.run_client(suite, &programs.autobahn_client, &folder)?;
        }
        let report = Report::read(&folder.join("report"))?;
        report.print(&self.name(), start.elapsed());
        let count = report.cases.len();
        ensure!(count == self.expected(), "{count} cases ran, {} were expected", self.expected());
        Ok(report.bad().count())
    }

    /// The suite as a client of our server.
    fn run_server(self, suite: &Path, tidewire: &Path, folder: &Path) -> Result<()> {
        let mut server = serve::serve(tidewire, self.tls, &format!("{}-serve", self.name()))?;
        let spec = json!({ "servers": [{ "agent": AGENT, "url": server.url }] });
        let mut wstest = self.wstest(suite, "fuzzingclient", spec, folder)?;
        let log = sh::log(&self.name())?;
        sh::run_quietly(&mut wstest, &log, self.limit())
            .with_context(|| format!("the server{}", server.tail()))?;
        server.check()
    }

    /// The suite as the server of our client.
    fn run_client(self, suite: &Path, client: &Path, folder: &Path) -> Result<()> {
        let (url, _suite) = self.start_fuzzing_server(suite, folder)?;
        let mut command = sh::command(client);
        command.arg(&url).env("SSL_CERT_FILE", sh::root().join("conformance/certs/ca.pem"));
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

struct Case {
    behavior: String,
    behavior_close: String,
    /// The case's own report, as JSON.
    file: PathBuf,
}

impl Case {
    fn is_good(&self, id: &str) -> bool {
        let good =
            |verdict: &str| verdict == "OK" || (verdict == "INFORMATIONAL" && INFORMATIONAL.contains(&id));
        good(&self.behavior) && good(&self.behavior_close)
    }

    fn description(&self) -> Result<String> {
        let case: Value = serde_json::from_slice(&fs::read(&self.file)?)?;
        let text = |key: &str| plain(case[key].as_str().unwrap_or_default());
        Ok(format!("{} Result: {} {}", text("description"), text("result"), text("resultClose")))
    }
}

/// One line out of the suite's HTML.
fn plain(html: &str) -> String {
    let words = html.split('<').enumerate().map(|(index, part)| match part.split_once('>') {
        Some((_, text)) if index > 0 => text,
        _ => part,
    });
    words.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What became of each case, by its number.
struct Report {
    folder: PathBuf,
    cases: BTreeMap<String, Case>,
}

impl Report {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("index.json");
        let text = fs::read(&path).with_context(|| format!("the suite wrote no {}", path.display()))?;
        let index: Value = serde_json::from_slice(&text)?;
        let agents = index.as_object().context("the suite's index is no object")?;
        ensure!(agents.len() == 1, "the suite reports on {} agents instead of one", agents.len());
        let mut cases = BTreeMap::new();
        for (id, case) in agents.values().filter_map(Value::as_object).flatten() {
            let text = |key: &str| {
                case[key].as_str().map(str::to_owned).with_context(|| format!("{id} has no {key}"))
            };
            let file = folder.join(text("reportfile")?);
            cases.insert(
                id.clone(),
                Case { behavior: text("behavior")?, behavior_close: text("behaviorClose")?, file },
            );
        }
        Ok(Self { folder: folder.to_owned(), cases })
    }

    fn bad(&self) -> impl Iterator<Item = (&String, &Case)> {
        self.cases.iter().filter(|(id, case)| !case.is_good(id))
    }

    fn print(&self, name: &str, took: Duration) {
        // The close verdict counts with the other: a case stands under the worse of its two.
        let verdicts = ["FAILED", "UNIMPLEMENTED", "NON-STRICT", "INFORMATIONAL", "OK"];
        let rank = |verdict: &str| verdicts.iter().position(|known| *known == verdict).unwrap_or(0);
        let mut counts = [0; 5];
        for case in self.cases.values() {
            counts[rank(&case.behavior).min(rank(&case.behavior_close))] += 1;
        }
        let [failed, unimplemented, non_strict, informational, ok] = counts;
        println!(
            "{}: {ok} OK, {informational} INFORMATIONAL, {non_strict} NON-STRICT, {unimplemented} UNIMPLEMENTED, \
             {failed} FAILED of {} cases in {:.0} s",
            name.replace('-', " "),
            self.cases.len(),
            took.as_secs_f64()
        );
        for (id, case) in self.bad() {
            let description = case.description().unwrap_or_else(|error| format!("{error:#}"));
            println!("  {id}: {}, close {}: {description}", case.behavior, case.behavior_close);
        }
        if self.bad().next().is_some() {
            println!("  the report: {}", self.folder.join("index.html").display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, INFORMATIONAL, plain};

    fn case(behavior: &str, behavior_close: &str) -> Case {
        Case { behavior: behavior.into(), behavior_close: behavior_close.into(), file: "".into() }
    }

    #[test]
    fn only_ok_is_good_where_the_suite_can_say_ok() {
        assert!(case("OK", "OK").is_good("1.1.1"));
        for bad in ["NON-STRICT", "UNIMPLEMENTED", "FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", ""]
        {
            for id in ["1.1.1", INFORMATIONAL[0]] {
                assert!(!case(bad, "OK").is_good(id), "{bad}");
                assert!(!case("OK", bad).is_good(id), "close {bad}");
            }
        }
        assert!(case("INFORMATIONAL", "INFORMATIONAL").is_good(INFORMATIONAL[0]));
        assert!(!case("INFORMATIONAL", "OK").is_good("1.1.1"));
        assert!(!case("OK", "INFORMATIONAL").is_good("1.1.1"));
    }

    #[test]
    fn descriptions_lose_their_markup() {
        assert_eq!(plain("Send <b>RSV = 2</b>,\nthen<br><br>a ping"), "Send RSV = 2 , then a ping");
    }
}
