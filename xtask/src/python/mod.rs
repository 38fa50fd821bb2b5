//! The Python package: one wheel in every interpreter that is here, and what people type to get it.

mod interpreters;
mod readme;

use crate::sh::{self, Process, run, run_quietly, seconds};
use crate::steps::Missing;
use crate::{Options, cargo, install};
use anyhow::{Context as _, Result, bail, ensure};
use interpreters::Interpreter;
use readme::Examples;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The interpreter of the tools and of the program's tests; where it is not here, the newest.
const FIRST_CHOICE: &str = "3.11";
/// Runs the tests in the interpreter's development mode, in which every warning is an error.
const DEVELOPMENT: &str = "3.13";
/// The pytest of this one can't end a run that hangs; our own limit does.
const WITHOUT_EXIT: &str = "3.9";

/// A build from nothing on a slow machine.
const BUILD: Duration = seconds(25 * 60);
/// One run of the tests. Each test has a limit of its own in pyproject.toml.
const TESTS: Duration = seconds(5 * 60);

pub(crate) fn step(options: &Options) -> Result<()> {
    let present = interpreters::present();
    let first = first_choice(&present)?;
    let known = |name: &str| {
        ["lint", "tests", "memory", "program", "sdist", "install"].contains(&name)
            || present.iter().any(|one| one.name == name)
    };
    if let Some(unknown) = options.only.iter().find(|name| !known(name)) {
        bail!("--only: {unknown} is neither a part of this step nor a Python that is here");
    }
    let absent = interpreters::absent(&present);
    if !absent.is_empty() {
        println!("not here, and so not tested: Python {}", absent.join(", "));
    }
    let shop = Workshop::new(first)?;
    let wheel = shop.wheel(first)?;
    let mut bad = Vec::new();
    let mut part = |name: &str, run: &dyn Fn() -> Result<()>| {
        if options.wants(name) || (name == "tests" && present.iter().any(|one| options.wants(&one.name))) {
            let start = Instant::now();
            match run() {
                Ok(()) => println!("{name}: passed in {:.0} s", start.elapsed().as_secs_f64()),
                Err(error) => bad.push(format!("{name}: {error:#}")),
            }
        }
    };
    part("lint", &|| shop.lint(&wheel));
    part("tests", &|| {
        let wanted = present.iter().filter(|one| options.wants("tests") || options.wants(&one.name));
        shop.test_all(&wanted.collect::<Vec<_>>(), &wheel)
    });
    part("memory", &|| shop.memory(first, &wheel));
    part("program", &|| shop.program(first, &wheel));
    part("sdist", &|| shop.sdist());
    part("install", &|| shop.install(first));
    ensure!(bad.is_empty(), "{}", bad.join("\n"));
    Ok(())
}

/// The interpreter of the tools.
fn first_choice(present: &[Interpreter]) -> Result<&Interpreter> {
    let first = present.iter().find(|one| one.name == FIRST_CHOICE).or_else(|| {
        let mut with_lock = present.iter().filter(|one| !one.free_threaded);
        with_lock.next_back()
    });
    first.ok_or_else(|| {
        let text = "no Python from 3.9 to 3.14 with its module venv is in ~/.pyenv/versions or on PATH";
        Missing(text.to_owned()).into()
    })
}

/// For other steps: builds the wheel, and makes an environment with nothing else in it. Returns its interpreter.
pub(crate) fn environment_with_wheel(purpose: &str) -> Result<PathBuf> {
    let present = interpreters::present();
    let first = first_choice(&present)?;
    let shop = Workshop::new(first)?;
    let wheel = shop.wheel(first)?;
    let environment = shop.environment(first, purpose)?;
    let mut pip = shop.pip(&environment);
    pip.args(["install", "--no-index", "--no-deps"]).arg(wheel);
    run_quietly(&mut pip, &sh::log(&format!("python-{purpose}-pip"))?, seconds(120))?;
    Ok(environment)
}

/// For other steps: builds the wheel and installs it for this interpreter, once in a run.
pub(crate) fn install_wheel(python: &Path) -> Result<()> {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    if INSTALLED.get().is_some_and(|into| into == python) {
        return Ok(());
    }
    let present = interpreters::present();
    let first = first_choice(&present)?;
    let shop = Workshop::new(first)?;
    let mut pip = shop.pip(python);
    pip.args(["install", "--no-index", "--no-deps", "--force-reinstall"]).arg(shop.wheel(first)?);
    run_quietly(&mut pip, &sh::log("python-install-wheel")?, seconds(120))?;
    let _first = INSTALLED.set(python.to_owned());
    Ok(())
}

/// Where wheels and environments are made, and the tools for it.
struct Workshop {
    folder: PathBuf,
    /// The interpreter of the environment that holds the tools.
    python: PathBuf,
}

impl Workshop {
    fn new(first: &Interpreter) -> Result<Self> {
        let folder = sh::target()?.join("python");
        fs::create_dir_all(&folder)?;
        let tools = folder.join(format!("tools-{}", first.full()));
        let inputs =
            ["python/requirements.txt", "python/tests/requirements.txt"].map(|file| sh::root().join(file));
        install::once(&tools, &[&inputs[0], &inputs[1]], || {
            let mut venv = sh::command(&first.path);
            install::install(venv.args(["-m", "venv", "--clear"]).arg(&tools), "venv")?;
            install::pip(&tools, &inputs[0])
        })?;
        Ok(Self { folder, python: tools.join("bin/python") })
    }

    fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = sh::command(&self.python);
        command.arg("-m").args(arguments).env("PYTHONDONTWRITEBYTECODE", "1");
        cargo::forget_package(&mut command);
        command
    }

    /// Builds the wheel for this interpreter: of the stable ABI, unless that one is free-threaded.
    fn wheel(&self, python: &Interpreter) -> Result<PathBuf> {
        let name = if python.free_threaded { &python.name } else { "abi3" };
        let folder = self.folder.join("wheels").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        println!("building the wheel ({name})");
        let mut build = self.tool(&["maturin", "build", "--release", "--interpreter"]);
        build.arg(&python.path).arg("--out").arg(&folder);
        run_quietly(&mut build, &sh::log("python-wheel")?, BUILD)?;
        let mut files = fs::read_dir(&folder)?;
        let wheel = files.next().context("maturin left no wheel")??.path();
        ensure!(files.next().is_none(), "more than one wheel in {}", folder.display());
        ensure!(
            python.free_threaded || wheel.to_string_lossy().contains("-cp39-abi3-"),
            "{} is not for Python 3.9 and all later ones",
            wheel.display()
        );
        Ok(wheel)
    }

    /// Makes a new environment without anything in it; returns its interpreter.
    fn environment(&self, python: &Interpreter, purpose: &str) -> Result<PathBuf> {
        let folder = self.folder.join(format!("{purpose}-{}", python.name));
        let mut venv = sh::command(&python.path);
        venv.args(["-m", "venv", "--clear", "--without-pip"]).arg(&folder);
        run_quietly(&mut venv, &sh::log("python-venv")?, seconds(60))?;
        Ok(folder.join("bin/python"))
    }

    /// The tools' pip, at work in another environment.
    fn pip(&self, python: &Path) -> Command {
        let mut pip = self.tool(&["pip", "--python"]);
        pip.arg(python).args(["--disable-pip-version-check"]);
        pip
    }

    /// A new environment with the wheel and what its tests need.
    fn with_wheel(&self, python: &Interpreter, wheel: &Path) -> Result<PathBuf> {
        let environment = self.environment(python, "test")?;
        let requirements = sh::root().join("python/tests/requirements.txt");
        let house = self.folder.join(format!("packages-{}", python.full()));
        install::once(&house, &[&requirements], || {
            let mut download = self.pip(&environment);
            download.args(["download", "-q", "-r"]).arg(&requirements).arg("--dest").arg(&house);
            install::install(&mut download, "pip")
        })?;
        let mut pip = self.pip(&environment);
        pip.args(["install", "--no-index", "--find-links"])
            .arg(&house)
            .arg("-r")
            .arg(&requirements)
            .arg(wheel);
        run_quietly(&mut pip, &sh::log(&format!("python-{}-pip", python.name))?, seconds(120))?;
        Ok(environment)
    }

    fn lint(&self, wheel: &Path) -> Result<()> {
        run(
            &mut self.tool(&["ruff", "check", "--no-cache", "--output-format", "concise", "python"]),
            seconds(60),
        )?;
        run(&mut self.tool(&["ruff", "format", "--no-cache", "--check", "python"]), seconds(60))?;
        let cache = self.folder.join("mypy");
        run(self.tool(&["mypy", "--cache-dir"]).arg(&cache), seconds(180))?;
        let mut pip = self.pip(&self.python);
        pip.args(["install", "--force-reinstall", "--no-deps", "--no-index"]).arg(wheel);
        run_quietly(&mut pip, &sh::log("python-lint-pip")?, seconds(60))?;
        let mut stubtest = self.tool(&["mypy.stubtest", "--mypy-config-file", "pyproject.toml"]);
        stubtest.args(["--ignore-disjoint-bases", "--allowlist", "python/stubtest.txt", "tidewire._core"]);
        run(&mut stubtest, seconds(180))
    }

    /// Runs the tests in all of these at the same time: they wait for more than they compute.
    fn test_all(&self, interpreters: &[&Interpreter], wheel: &Path) -> Result<()> {
        let mut running = Vec::new();
        for python in interpreters {
            let own = if python.free_threaded { Some(self.wheel(python)?) } else { None };
            let environment = self.with_wheel(python, own.as_deref().unwrap_or(wheel))?;
            let log = sh::log(&format!("python-{}", python.name))?;
            running.push((
                python,
                Process::start(&mut tests(python, &environment), Some(&log))?,
                environment,
                log,
            ));
        }
        let mut bad = Vec::new();
        for (python, process, environment, log) in running {
            match process.success(TESTS) {
                Ok(()) => {
                    println!("Python {}", python.full());
                    println!("{}", closing_lines(&fs::read_to_string(&log)?));
                    Examples::read()?.run(&environment, &python.name)?;
                }
                Err(error) => bad.push(format!("Python {}: {error:#}", python.full())),
            }
        }
        ensure!(bad.is_empty(), "{}", bad.join("\n"));
        Ok(())
    }

    /// The tests of memory with all their work: a million messages, 10,000 connections.
    fn memory(&self, python: &Interpreter, wheel: &Path) -> Result<()> {
        let mut command = sh::command(self.with_wheel(python, wheel)?);
        command.args(["-m", "pytest", "--color", "no", "-p", "no:cacheprovider", "--durations", "3"]);
        command.args(["-o", "timeout=60", "-o", "faulthandler_timeout=90", "python/tests/test_memory.py"]);
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("TIDEWIRE_LONG", "1");
        let log = sh::log("python-memory")?;
        run_quietly(&mut command, &log, TESTS)?;
        println!("{}", closing_lines(&fs::read_to_string(&log)?));
        Ok(())
    }

    /// The program that the wheel brings is held to the tests of the binary.
    fn program(&self, python: &Interpreter, wheel: &Path) -> Result<()> {
        let program = self.with_wheel(python, wheel)?.with_file_name("tidewire");
        let mut tests =
            cargo::cargo(&["test", "-q", "-p", "tidewire-cli", "--test", "end_to_end", "--test", "help"]);
        run(tests.env("TIDEWIRE_PROGRAM", program), BUILD)
    }

    /// The source distribution holds what the package is built from.
    fn sdist(&self) -> Result<()> {
        let folder = self.folder.join("sdist");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        let log = sh::log("python-sdist")?;
        run_quietly(self.tool(&["maturin", "sdist", "--out"]).arg(&folder), &log, seconds(120))?;
        let archive = fs::read_dir(&folder)?.next().context("maturin left no archive")??.path();
        // Cargo goes by the files' times, and in the archive all are the same: they become those of now.
        run_quietly(sh::command("tar").arg("-xzmf").arg(&archive).arg("-C").arg(&folder), &log, seconds(60))?;
        let name =
            archive.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".tar.gz"));
        let sources = folder.join(name.context("the archive is no .tar.gz")?);
        run_quietly(cargo::cargo(&["check", "-p", "tidewire-py"]).current_dir(&sources), &log, BUILD)?;
        same_files(&sh::root().join("python/tidewire"), &sources.join("python/tidewire"))
    }

    /// `pip install .`, and the README's example. In one interpreter: pyo3 would be built anew for each other.
    fn install(&self, python: &Interpreter) -> Result<()> {
        let environment = self.environment(python, "install")?;
        let log = sh::log(&format!("python-{}-install", python.name))?;
        run_quietly(self.pip(&environment).args(["install", "."]), &log, BUILD)?;
        let examples = Examples::read()?;
        if examples.is_empty() {
            println!("README.md has no Python example to run");
        }
        examples.run(&environment, "install")
    }
}

/// The tests of the package in this environment.
fn tests(python: &Interpreter, environment: &Path) -> Command {
    let mut command = sh::command(environment);
    if python.name == DEVELOPMENT {
        command.args(["-X", "dev", "-W", "error"]);
    }
    command.args(["-m", "pytest", "--color", "no", "-p", "no:cacheprovider"]);
    if python.name != WITHOUT_EXIT {
        command.args(["-o", "faulthandler_exit_on_timeout=true"]);
    }
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// What pytest says at the end: what was skipped and why, and how many passed.
fn closing_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let summary = lines.iter().rposition(|line| line.contains(" short test summary info "));
    let from = summary.map_or(lines.len().saturating_sub(1), |index| index + 1);
    lines[from..].join("\n")
}

/// Every source of the package is in the copy.
fn same_files(package: &Path, copy: &Path) -> Result<()> {
    for entry in fs::read_dir(package)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let is_source = path
            .extension()
            .is_some_and(|extension| ["py", "pyi", "typed"].iter().any(|known| extension == *known));
        if entry.file_type()?.is_dir() && name != "__pycache__" {
            same_files(&path, &copy.join(&name))?;
        } else if is_source {
            let same = fs::read(copy.join(&name))
                .is_ok_and(|copied| fs::read(&path).is_ok_and(|read| read == copied));
            ensure!(same, "{} is not in the source distribution", path.display());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::closing_lines;

    #[test]
    fn what_was_skipped_is_told() {
        let log = "a.py ..s\n=== short test summary info ===\nSKIPPED [1] a.py:3: no uvloop\n=== 2 passed, 1 skipped ===\n";
        assert_eq!(closing_lines(log), "SKIPPED [1] a.py:3: no uvloop\n=== 2 passed, 1 skipped ===");
        assert_eq!(closing_lines("a.py ..\n=== 2 passed ===\n"), "=== 2 passed ===");
    }
}
