//! The steps of `cargo xtask test`, in their order, and how they are run and counted.

use crate::{Options, autobahn, bench, browsers, cargo, counts, fuzz, idle, interop, python};
use anyhow::Result;
use std::fmt;
use std::time::{Duration, Instant};

pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Usages, such as `shots DIR`, and meanings of the options that the step takes as a command.
    pub(crate) options: &'static [(&'static str, &'static str)],
    /// Whether it needs programs that do not come with Rust.
    pub(crate) outside: bool,
    pub(crate) run: fn(&Options) -> Result<()>,
}

#[rustfmt::skip]
pub(crate) const STEPS: &[Step] = &[
    Step { name: "fmt", about: "the sources are formatted", options: &[], outside: false, run: cargo::fmt },
    Step { name: "clippy", about: "no warning of the compiler or of clippy", options: &[], outside: false, run: cargo::clippy },
    Step { name: "docs", about: "rustdoc without a warning", options: &[], outside: false, run: cargo::docs },
    Step { name: "unit", about: "cargo test for the whole workspace", options: &[], outside: false, run: cargo::test },
    Step { name: "features", about: "each feature alone; the core without std, sockets and runtimes", options: &[], outside: false, run: cargo::features },
    Step { name: "fuzz", about: "a short run of every fuzz target", options: &[],
        outside: true, run: fuzz::step },
    Step { name: "deny", about: "licences, sources and bans of deny.toml", options: &[], outside: true, run: cargo::deny },
    Step { name: "counts", about: "instructions of eight scenarios of the core, held to bench/counts/baseline.json",
        options: &[("update", "keep these counts instead")],
        outside: true, run: counts::step },
    Step { name: "idle", about: "15,000 idle connections: the server's resident memory for each",
        options: &[("plain", "only without deflate"), ("deflate", "only with deflate")],
        outside: false, run: idle::step },
    Step { name: "python", about: "the Python package: one wheel, its tests in every Python here, pip install ., types",
        options: &[("only A,B", "of lint, tests (or 3.9 to 3.14), memory, program, sdist, install")],
        outside: true, run: python::step },
    Step { name: "autobahn", about: "the Autobahn Testsuite against our servers and clients, Rust's and Python's, plain and over TLS",
        options: &[
            ("rust", "only Rust's"), ("python", "only those on the faces of the Python package"),
            ("server", "only the server"), ("client", "only the client"),
            ("plain", "only without TLS"), ("tls", "only over TLS"),
            ("full", "all 517 cases instead of a sample of 12.* and 13.*"),
        ],
        outside: true, run: autobahn::step },
    Step { name: "browsers", about: "the pages in Chromium, Firefox and WebKit",
        options: &[("only A,B", "of chromium, firefox, webkit"), ("shots DIR", "where the screenshots go")],
        outside: true, run: browsers::step },
    Step { name: "interop", about: "with Python's websockets and Node's ws, both ways", options: &[], outside: true, run: interop::step },
];

/// What is no test: it has no verdict, or only a machine with nothing else to do gives a true one.
#[rustfmt::skip]
pub(crate) const COMMANDS: &[Step] = &[
    Step { name: "micro", about: "times the core's inner loops beside memcpy, simdutf8 and each other", options: &[],
        outside: false, run: cargo::micro },
    Step { name: "bench", about: "our server beside its peers: a report with plots in target/bench/",
        options: &[
            ("only A,B", "of echo, idle, hold, scale, broadcast, python"),
            ("peers A,B", "only these, by name as in bench/README.md"),
            ("workloads A,B", "only these of A to H; python has B and D unless it is told otherwise"),
            ("rounds N", "how often each peer has its turn in each workload: 5"),
            ("seconds S", "how long a turn is measured: 3"),
            ("quick", "2 rounds of 1 s, and small numbers elsewhere: to try it"),
            ("save", "keep the report in bench/results/, too"),
        ],
        outside: true, run: bench::step },
];

/// Something from outside is not there and could not be installed. A step that returns it is skipped, or failed with CI=true.
#[derive(Debug)]
pub(crate) struct Missing(pub(crate) String);

impl std::error::Error for Missing {}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// Runs every step, whatever became of the one before, and prints what became of each. `false` if one failed.
pub(crate) fn run(steps: &[&Step], options: &Options) -> bool {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let mut results = Vec::new();
    for step in steps {
        println!("\n=== {}: {}", step.name, step.about);
        let start = Instant::now();
        let outcome = match (step.run)(options) {
            Ok(()) => Outcome::Passed,
            Err(error) if error.is::<Missing>() && !in_ci => Outcome::Skipped(error.to_string()),
            Err(error) => Outcome::Failed(format!("{error:#}")),
        };
        match &outcome {
            Outcome::Passed => println!("=== {} passed", step.name),
            Outcome::Failed(why) => println!("=== {} FAILED: {why}", step.name),
            Outcome::Skipped(why) => println!("=== {} skipped: {why}", step.name),
        }
        results.push((step.name, start.elapsed(), outcome));
    }
    summary(&results)
}

fn summary(results: &[(&str, Duration, Outcome)]) -> bool {
    println!();
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (name, took, outcome) in results {
        let (counter, word, why) = match outcome {
            Outcome::Passed => (&mut passed, "passed", ""),
            Outcome::Failed(why) => (&mut failed, "FAILED", why.as_str()),
            Outcome::Skipped(why) => (&mut skipped, "skipped", why.as_str()),
        };
        *counter += 1;
        let first_line = why.lines().next().unwrap_or_default();
        println!("{name:<10} {word:<8} {:>6.1} s  {first_line}", took.as_secs_f64());
    }
    println!("steps: {passed} passed, {failed} failed, {skipped} skipped");
    failed == 0
}
