//! Instructions of the core's scenarios under callgrind, held to the counts that the repository keeps.

use crate::install::programs;
use crate::sh::{self, capture, run_quietly, seconds};
use crate::{Options, cargo};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Growth above this share fails, and a fall below it wants a new baseline.
const MARGIN: f64 = 0.02;
/// The same where compiler, C library or valgrind are not those of the baseline: another compiler's code is not ours to judge so closely.
const WIDE_MARGIN: f64 = 0.10;
/// What must be the same for counts to be comparable at all.
const MACHINE: [&str; 2] = ["target", "vectors"];
/// What must be the same for [`MARGIN`].
const TOOLS: [&str; 3] = ["rustc", "libc", "valgrind"];

/// Callgrind counts each byte of `rep movsb` and `rep stosb`: the C library is told to copy and to zero with vectors instead.
const TUNABLES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=1073741824:glibc.cpu.x86_rep_stosb_threshold=1073741824";

/// One scenario, counted.
struct Count {
    name: String,
    /// Instructions for one operation.
    instructions: f64,
    vectors: String,
}

pub(crate) fn step(options: &Options) -> Result<()> {
    programs(&[("valgrind", "valgrind")])?;
    let program = cargo::release_counts()?;
    let names = capture(&mut sh::command(&program))?;
    let counts: Vec<Count> = names.lines().map(|name| count(&program, name)).collect::<Result<_>>()?;
    let machine = machine(&counts)?;
    if options.has("update") {
        return update(&counts, machine);
    }
    let text = fs::read_to_string(baseline_file()).context("no baseline; write it with --update")?;
    judge(&counts, &machine, &serde_json::from_str(&text)?)
}

fn baseline_file() -> PathBuf {
    sh::root().join("bench/counts/baseline.json")
}

/// Plays one scenario under callgrind. The environment is always the same: its length would move the stack.
fn count(program: &Path, name: &str) -> Result<Count> {
    let log = sh::log(&format!("counts-{name}"))?;
    let profile = log.with_extension("callgrind");
    let mut command = sh::command(sh::find("valgrind").context("valgrind is not on PATH")?);
    command.env_clear().env("GLIBC_TUNABLES", TUNABLES);
    command.args(["--tool=callgrind", "--toggle-collect=*bench_counts::measured*"]);
    command.arg(format!("--callgrind-out-file={}", profile.display())).arg(program).arg(name);
    run_quietly(&mut command, &log, seconds(120))?;
    let (printed, profile) = (fs::read_to_string(&log)?, fs::read_to_string(&profile)?);
    let total: f64 = field(&profile, "totals: ")?.parse()?;
    let operations: f64 = field(&printed, "operations: ")?.parse()?;
    ensure!(total > 0.0, "callgrind counted nothing in {name}: its function `measured` was not found");
    let vectors = field(&printed, "vectors: ")?.to_owned();
    Ok(Count { name: name.to_owned(), instructions: (total / operations * 10.0).round() / 10.0, vectors })
}

fn field<'a>(text: &'a str, name: &str) -> Result<&'a str> {
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.map(str::trim).with_context(|| format!("no line begins with {name:?}"))
}

/// What the counts depend on beside the code.
fn machine(counts: &[Count]) -> Result<Map<String, Value>> {
    let rustc = capture(sh::command("rustc").arg("-vV"))?;
    let libc = capture(sh::command("getconf").arg("GNU_LIBC_VERSION"))?;
    let valgrind = capture(sh::command("valgrind").arg("--version"))?;
    let vectors = counts.first().context("there is no scenario")?.vectors.as_str();
    let values = [
        ("target", field(&rustc, "host: ")?),
        ("vectors", vectors),
        ("rustc", rustc.lines().next().unwrap_or_default()),
        ("libc", libc.trim()),
        ("valgrind", valgrind.trim()),
    ];
    Ok(values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

fn update(counts: &[Count], mut baseline: Map<String, Value>) -> Result<()> {
    let instructions: Map<String, Value> =
        counts.iter().map(|count| (count.name.clone(), json!(count.instructions))).collect();
    baseline.insert("instructions".to_owned(), instructions.into());
    let mut text = serde_json::to_string_pretty(&baseline)?;
    text.push('\n');
    fs::write(baseline_file(), text)?;
    for count in counts {
        println!("{:<22}{:>12.1}", count.name, count.instructions);
    }
    println!("written to bench/counts/baseline.json");
    Ok(())
}

/// Prints the table, and fails where a count grew by more than the margin.
fn judge(counts: &[Count], machine: &Map<String, Value>, baseline: &Value) -> Result<()> {
    let differs = |names: &[&'static str]| -> Vec<String> {
        let other = names.iter().filter(|name| machine.get(**name) != baseline.get(**name));
        other.map(|name| format!("{name} {}, baseline {}", machine[*name], baseline[*name])).collect()
    };
    let (other_machine, other_tools) = (differs(&MACHINE), differs(&TOOLS));
    let margin = match (other_machine.as_slice(), other_tools.as_slice()) {
        ([], []) => Some(MARGIN),
        ([], tools) => {
            println!(
                "not the tools of the baseline ({}): judged within {:.0} %",
                tools.join("; "),
                WIDE_MARGIN * 100.0
            );
            Some(WIDE_MARGIN)
        }
        (machine, _) => {
            println!("not the machine of the baseline ({}): reported, not judged", machine.join("; "));
            None
        }
    };
    let kept = baseline["instructions"].as_object().context("the baseline has no instructions")?;
    println!("{:<22}{:>12}{:>12}{:>9}", "instructions for one", "now", "baseline", "change");
    let (mut grown, mut fallen) = (Vec::new(), Vec::new());
    for count in counts {
        let Some(before) = kept.get(&count.name).and_then(Value::as_f64) else {
            bail!("the baseline lacks {}; write it with `cargo xtask counts --update`", count.name);
        };
        let change = count.instructions / before - 1.0;
        println!("{:<22}{:>12.1}{before:>12.1}{:>+8.2} %", count.name, count.instructions, change * 100.0);
        match margin {
            Some(margin) if change > margin => grown.push(count.name.as_str()),
            Some(margin) if change < -margin => fallen.push(count.name.as_str()),
            _ => {}
        }
    }
    if let Some(gone) = kept.keys().find(|name| counts.iter().all(|count| count.name != **name)) {
        bail!("the baseline has {gone}, which is no scenario; write it with `cargo xtask counts --update`");
    }
    if !fallen.is_empty() {
        println!("fewer than before in {}: keep it with `cargo xtask counts --update`", fallen.join(", "));
    }
    let limit = margin.unwrap_or_default() * 100.0;
    ensure!(
        grown.is_empty(),
        "more than {limit:.0} % above the baseline: {}; see where with callgrind_annotate target/xtask/counts-NAME.callgrind, \
         or, where it is worth it, accept it with `cargo xtask counts --update`",
        grown.join(", ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdict on one scenario of `now` instructions where the baseline has 1000, with one value of the machine changed.
    fn verdict(now: f64, changed: &str) -> bool {
        let count = Count { name: "echo".to_owned(), instructions: now, vectors: String::new() };
        let mut machine: Map<String, Value> =
            MACHINE.iter().chain(&TOOLS).map(|name| ((*name).to_owned(), "same".into())).collect();
        let mut baseline = Value::from(machine.clone());
        baseline["instructions"] = json!({ "echo": 1000.0 });
        machine.insert(changed.to_owned(), "other".into());
        judge(&[count], &machine, &baseline).is_ok()
    }

    #[test]
    fn growth_above_the_margin_fails() {
        assert!(verdict(1019.0, "") && !verdict(1021.0, ""));
        assert!(verdict(500.0, ""), "a fall is good news");
        for tool in TOOLS {
            assert!(verdict(1099.0, tool) && !verdict(1101.0, tool));
        }
        for part in MACHINE {
            assert!(verdict(2000.0, part), "not comparable");
        }
    }

    #[test]
    fn the_baseline_has_every_scenario_and_no_other() {
        let count = |name: &str| Count { name: name.to_owned(), instructions: 1.0, vectors: String::new() };
        let baseline = json!({ "instructions": { "one": 1.0 } });
        assert!(judge(&[count("one")], &Map::new(), &baseline).is_ok());
        assert!(judge(&[], &Map::new(), &baseline).is_err());
        assert!(judge(&[count("one"), count("two")], &Map::new(), &baseline).is_err());
    }
}
