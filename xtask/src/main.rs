//! The commands of this repository. `cargo xtask help` lists them; they are declared in `steps.rs`.

mod autobahn;
mod bench;
mod browsers;
mod cargo;
mod counts;
mod fuzz;
mod idle;
mod install;
mod interop;
mod python;
mod serve;
mod sh;
mod steps;
mod wire;

use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use steps::{COMMANDS, STEPS, Step};

/// What the command line says beside the command's name.
#[derive(Default)]
struct Options {
    /// Every option that was given, by name.
    given: Vec<String>,
    /// `--only`: these steps of `test`, these browsers of `browsers`, these parts of `bench` and `python`.
    only: Vec<String>,
    /// Values of the other options that take one.
    values: BTreeMap<String, String>,
    /// `--shots`: where screenshots go.
    shots: Option<PathBuf>,
}

impl Options {
    fn has(&self, name: &str) -> bool {
        self.given.iter().any(|given| given == name)
    }

    /// Whether `name` is among those of `--only`, or nothing was singled out.
    fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// The value of an option, read as what is needed.
    fn value<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.values.get(name) else { return Ok(None) };
        let value = text.parse().ok().with_context(|| format!("--{name} can't be {text:?}"))?;
        Ok(Some(value))
    }

    /// The words of an option that takes a list; none where it is not given.
    fn list(&self, name: &str) -> Vec<String> {
        let text = self.values.get(name).map_or("", String::as_str);
        text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs what the command line asks for; `false` where a step failed.
fn run() -> Result<bool> {
    let mut words = std::env::args().skip(1);
    if words.next().is_some_and(|word| word == bench::HOLD_CLIENT) {
        bench::hold_client(&words.collect::<Vec<_>>())?;
        return Ok(true);
    }
    let (command, options) = parse(lexopt::Parser::from_env())?;
    sh::end_children_on_signals()?;
    match command.as_str() {
        "help" => {
            print!("{}", help());
            Ok(true)
        }
        "test" => {
            check_options(&command, &options, &["only", "quick"])?;
            for name in &options.only {
                ensure!(STEPS.iter().any(|step| step.name == name), "no step of test is called {name:?}");
            }
            let chosen = |step: &&Step| options.wants(step.name) && !(step.outside && options.has("quick"));
            let chosen: Vec<&Step> = STEPS.iter().filter(chosen).collect();
            Ok(steps::run(&chosen, &Options::default()))
        }
        name => {
            let step = find(name)?;
            let names: Vec<&str> =
                step.options.iter().filter_map(|(usage, _)| usage.split(' ').next()).collect();
            check_options(name, &options, &names)?;
            Ok(steps::run(&[step], &options))
        }
    }
}

fn find(name: &str) -> Result<&'static Step> {
    let mut all = STEPS.iter().chain(COMMANDS);
    all.find(|step| step.name == name)
        .with_context(|| format!("no command or step is called {name:?}; `cargo xtask help` lists them"))
}

fn check_options(command: &str, options: &Options, known: &[&str]) -> Result<()> {
    for given in &options.given {
        ensure!(known.contains(&given.as_str()), "{command} has no option --{given}; see `cargo xtask help`");
    }
    Ok(())
}

fn parse(mut arguments: lexopt::Parser) -> Result<(String, Options)> {
    use lexopt::prelude::*;
    let mut command = None;
    let mut options = Options::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('h') | Long("help") => command = Some("help".to_owned()),
            Long(name) => {
                let name = name.to_owned();
                match name.as_str() {
                    "only" => {
                        let names = arguments.value()?.string()?;
                        options.only = names.split(',').map(str::to_owned).collect();
                    }
                    "shots" => options.shots = Some(std::path::absolute(arguments.value()?)?),
                    _ if takes_value(&name) => {
                        options.values.insert(name.clone(), arguments.value()?.string()?);
                    }
                    _ => {}
                }
                options.given.push(name);
            }
            Value(name) if command.is_none() => command = Some(name.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok((command.unwrap_or_else(|| "help".to_owned()), options))
}

/// Whether any command declares the option with a value, as in `rounds N`.
fn takes_value(name: &str) -> bool {
    let usages = STEPS.iter().chain(COMMANDS).flat_map(|step| step.options);
    usages.filter_map(|(usage, _)| usage.split_once(' ')).any(|(option, _)| option == name)
}

fn help() -> String {
    use std::fmt::Write as _;
    fn list(text: &mut String, steps: &[Step]) {
        for step in steps {
            let mark = if step.outside { " (*)" } else { "" };
            let _ = writeln!(text, "  {:<13} {}{mark}", step.name, step.about);
            for (usage, about) in step.options {
                let _ = writeln!(text, "      --{usage:<14}{about}");
            }
        }
    }
    let mut text = String::from(
        "Usage: cargo xtask COMMAND [OPTIONS]

  test          every step below, one after the other; what CI runs
      --only A,B    only these steps
      --quick       only the steps that need nothing but Rust

Each step is a command too:
",
    );
    list(&mut text, STEPS);
    text.push_str("\nNot part of test:\n");
    list(&mut text, COMMANDS);
    text.push_str(
        "
(*) installs programs from outside: Debian packages as root, the rest below target/.
    Where one cannot be had the step is skipped and says what is missing; with CI=true it fails.
",
    );
    text
}
