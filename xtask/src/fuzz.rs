//! A short run of every fuzz target. libFuzzer is built and the code instrumented with the stable compiler.

use crate::sh::{self, run, seconds};
use crate::{Options, install};
use anyhow::{Context as _, Result};

const TARGETS: &[&str] = &["decode", "inflate", "handshake", "pair"];
/// Seconds for each target.
const TIME: u32 = 20;
const LIMIT: std::time::Duration = seconds(15 * 60);

/// What `cargo fuzz` sets, less the sanitizers, which need a nightly compiler.
const INSTRUMENTED: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

pub(crate) fn step(_: &Options) -> Result<()> {
    install::programs(&[("c++", "g++")])?;
    let host = host()?;
    let target = sh::target()?.join("fuzz");
    let mut build = sh::command("cargo");
    build
        .args([
            "build",
            "--release",
            "--bins",
            "--manifest-path",
            "fuzz/Cargo.toml",
            "--target",
            &host,
            "--target-dir",
        ])
        .arg(&target)
        .env("RUSTFLAGS", INSTRUMENTED);
    run(&mut build, LIMIT)?;
    for name in TARGETS {
        let found = target.join("corpus").join(name);
        std::fs::create_dir_all(&found)?;
        let mut fuzzer = sh::command(target.join(&host).join("release").join(name));
        fuzzer
            .args([format!("-max_total_time={TIME}"), "-timeout=10".into(), "-rss_limit_mb=2048".into()])
            .args(["-print_final_stats=1", "-verbosity=0"])
            .arg(format!("-artifact_prefix={}/{name}-", target.display()))
            .arg(found)
            .arg(sh::root().join("fuzz/seeds").join(name));
        println!("{name}: {TIME} s");
        run(&mut fuzzer, LIMIT).with_context(|| {
            format!("the fuzz target {name} found an input, kept in {}", target.display())
        })?;
    }
    Ok(())
}

fn host() -> Result<String> {
    let version = sh::capture(sh::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}
