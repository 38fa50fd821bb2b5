//! The steps that need nothing but Rust, and cargo-deny.

use crate::sh::{self, capture, run, seconds};
use crate::{Options, install};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A build from nothing on a slow machine takes minutes; what takes longer than this hangs.
const LIMIT: Duration = seconds(25 * 60);

const DENY_VERSION: &str = "0.20.2";

/// The core stays without these, and with it whatever would bring them in.
const NOT_IN_CORE: &[&str] =
    &["async-io", "async-std", "futures-executor", "mio", "polling", "smol", "socket2", "tokio"];

pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = sh::command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    forget_package(&mut command);
    command
}

/// Hides what the cargo that runs us says about this package: build scripts that read it would make all behind them be
/// built anew.
pub(crate) fn forget_package(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let word = name.to_string_lossy();
        if word.starts_with("CARGO_PKG_") || word.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
}

pub(crate) fn fmt(_: &Options) -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]), LIMIT)
}

pub(crate) fn clippy(_: &Options) -> Result<()> {
    run(&mut cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]), LIMIT)
}

pub(crate) fn docs(_: &Options) -> Result<()> {
    run(cargo(&["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings"), LIMIT)
}

pub(crate) fn test(_: &Options) -> Result<()> {
    run(&mut cargo(&["test", "--workspace"]), LIMIT)
}

pub(crate) fn features(_: &Options) -> Result<()> {
    run(&mut cargo(&["test", "-p", "tidewire-proto", "--no-default-features", "--lib"]), LIMIT)?;
    for (package, feature) in all_features()? {
        println!("{package} with the feature {feature} alone");
        let arguments = [
            "clippy",
            "-p",
            &package,
            "--no-default-features",
            "--features",
            &feature,
            "--",
            "-D",
            "warnings",
        ];
        run(&mut cargo(&arguments), LIMIT)?;
    }
    core_is_bare()?;
    if wasm_is_installed()? {
        let target = ["--target", "wasm32-unknown-unknown"];
        run(cargo(&["build", "-p", "tidewire-proto", "--no-default-features"]).args(target), LIMIT)?;
    } else {
        println!("the target wasm32-unknown-unknown is not installed: the core is not built for it");
    }
    Ok(())
}

/// Every feature of every crate here, as (package, feature).
fn all_features() -> Result<Vec<(String, String)>> {
    let text = capture(&mut cargo(&["metadata", "--no-deps", "--format-version", "1"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    let mut found = Vec::new();
    for package in packages {
        let name = package["name"].as_str().context("a package without a name")?;
        let features = package["features"].as_object().context("a package without features")?;
        found.extend(
            features.keys().filter(|key| *key != "default").map(|key| (name.to_owned(), key.clone())),
        );
    }
    Ok(found)
}

fn core_is_bare() -> Result<()> {
    let tree = ["tree", "-p", "tidewire-proto", "--all-features", "--edges", "normal", "--prefix", "none"];
    let tree = capture(&mut cargo(&tree))?;
    let names = || tree.lines().filter_map(|line| line.split(' ').next());
    ensure!(names().any(|name| name == "tidewire-proto"), "cargo tree does not show the core:\n{tree}");
    let bad: Vec<&str> = names().filter(|name| NOT_IN_CORE.contains(name)).collect();
    ensure!(bad.is_empty(), "tidewire-proto may not depend on {}", bad.join(", "));
    println!("tidewire-proto depends on no runtime and no socket");
    Ok(())
}

fn wasm_is_installed() -> Result<bool> {
    let sysroot = capture(sh::command("rustc").args(["--print", "sysroot"]))?;
    Ok(Path::new(sysroot.trim()).join("lib/rustlib/wasm32-unknown-unknown").is_dir())
}

/// Licences, sources and bans. Advisories are left out: they are a database that has to be fetched from the network.
pub(crate) fn deny(_: &Options) -> Result<()> {
    let tools = sh::target()?.join("tools");
    let program = tools.join("bin/cargo-deny");
    if !is_version(&program, DENY_VERSION) {
        // Unoptimized it is built in one minute instead of four, and is fast enough.
        println!("building cargo-deny {DENY_VERSION}");
        let mut command =
            cargo(&["install", "cargo-deny", "--version", DENY_VERSION, "--locked", "--debug", "--force"]);
        command.env("CARGO_PROFILE_DEV_DEBUG", "0").arg("--root").arg(&tools);
        command.arg("--target-dir").arg(tools.join("build"));
        install::install(&mut command, "cargo-deny")?;
        std::fs::remove_dir_all(tools.join("build"))?;
    }
    run(sh::command(program).args(["check", "bans", "licenses", "sources"]), seconds(120))
}

fn is_version(program: &Path, version: &str) -> bool {
    let printed = capture(sh::command(program).arg("--version"));
    printed.is_ok_and(|text| text.split_whitespace().last() == Some(version))
}

/// Builds the program as users build it.
pub(crate) fn release_tidewire() -> Result<PathBuf> {
    run(&mut cargo(&["build", "--release", "-p", "tidewire-cli"]), LIMIT)?;
    Ok(sh::target()?.join("release/tidewire"))
}

/// Builds the scenarios whose instructions are counted.
pub(crate) fn release_counts() -> Result<PathBuf> {
    run(&mut cargo(&["build", "--release", "-p", "bench-counts"]), LIMIT)?;
    Ok(sh::target()?.join("release/bench-counts"))
}

/// Times the inner loops.
pub(crate) fn micro(_: &Options) -> Result<()> {
    run(&mut cargo(&["run", "--release", "-p", "bench-micro"]), LIMIT)
}

/// Builds what the outside steps test, as users build it: the program, and the Autobahn client.
pub(crate) fn release_programs() -> Result<Programs> {
    let tidewire = release_tidewire()?;
    run(&mut cargo(&["build", "--release", "-p", "tidewire", "--example", "autobahn_client"]), LIMIT)?;
    Ok(Programs { tidewire, autobahn_client: sh::target()?.join("release/examples/autobahn_client") })
}

/// The programs under test.
pub(crate) struct Programs {
    pub(crate) tidewire: PathBuf,
    pub(crate) autobahn_client: PathBuf,
}
