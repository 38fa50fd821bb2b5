//! Programs from outside: Debian packages as root, Python and Node packages below the target folder.

use crate::sh::{self, capture, find, run_quietly, seconds};
use crate::steps::Missing;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program and the Debian package that brings it.
pub(crate) type Tool = (&'static str, &'static str);

/// Another apt may be at work.
const WAIT_FOR_LOCK: [&str; 2] = ["-o", "DPkg::Lock::Timeout=300"];

/// Makes sure that all these programs are on `PATH`.
pub(crate) fn programs(tools: &[Tool]) -> Result<()> {
    let absent = || tools.iter().filter(|(program, _)| find(program).is_none());
    debian(absent().map(|(_, package)| *package).collect())?;
    match absent().next() {
        Some((program, package)) => {
            Err(Missing(format!("the package {package} is installed, yet {program} is not on PATH")).into())
        }
        None => Ok(()),
    }
}

/// Installs Debian packages.
pub(crate) fn debian(packages: Vec<&str>) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if find("apt-get").is_none() {
        return Err(Missing(format!("this is no Debian; install what corresponds to: {line}")).into());
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(Missing(format!("not root; run: sudo {line}")).into());
    }
    println!("{line}");
    let mut update = sh::command("apt-get");
    update.args(["update", "-q"]).args(WAIT_FOR_LOCK);
    install(&mut update, "apt-update")?;
    let mut command = sh::command("apt-get");
    command.args(["install", "-y", "-q", "--no-install-recommends"]).args(WAIT_FOR_LOCK).args(packages);
    command.env("DEBIAN_FRONTEND", "noninteractive");
    install(&mut command, "apt-install")
}

/// Makes sure that the dynamic linker finds a library.
pub(crate) fn debian_library(library: &str, package: &str) -> Result<()> {
    let known = capture(sh::command("/sbin/ldconfig").arg("-p")).unwrap_or_default();
    if known.contains(library) { Ok(()) } else { debian(vec![package]) }
}

/// Runs an installing command. That it fails means that something is missing, not that a test failed.
pub(crate) fn install(command: &mut Command, log: &str) -> Result<()> {
    run_quietly(command, &sh::log(log)?, seconds(15 * 60))
        .map_err(|error| Missing(format!("{error:#}")).into())
}

/// The interpreter of an environment of Python 3 that holds these requirements, in a folder of this name below the target folder.
pub(crate) fn python3(requirements: &Path, name: &str) -> Result<PathBuf> {
    let folder = sh::target()?.join(name);
    once(&folder, &[requirements], || {
        let can_make =
            |python: &Path| capture(sh::command(python).args(["-c", "import ensurepip, venv"])).is_ok();
        if !find("python3").is_some_and(|python| can_make(&python)) {
            debian(vec!["python3", "python3-venv"])?;
        }
        install(sh::command("python3").args(["-m", "venv", "--clear"]).arg(&folder), "venv")?;
        pip(&folder, requirements)
    })?;
    Ok(folder.join("bin/python"))
}

/// The folder of programs of an environment of Python 2.7 that holds these requirements.
pub(crate) fn python2(requirements: &Path) -> Result<PathBuf> {
    let folder = sh::target()?.join("autobahn-venv");
    once(&folder, &[requirements], || {
        let python = find_python2()?;
        programs(&[("gcc", "build-essential")])?;
        let virtualenv = sh::target()?.join("virtualenv");
        let mut command = sh::command(&python);
        command
            .args(["-m", "pip", "install", "-q", "--upgrade", "virtualenv==20.15.1", "--target"])
            .arg(&virtualenv);
        install(&mut command, "virtualenv")?;
        let mut command = sh::command(&python);
        command.args(["-m", "virtualenv", "--clear"]).arg(&folder).env("PYTHONPATH", &virtualenv);
        install(&mut command, "virtualenv")?;
        pip(&folder, requirements)
    })?;
    Ok(folder.join("bin"))
}

/// No release of Debian after 11 has a Python 2.
fn find_python2() -> Result<PathBuf> {
    let pyenv = std::env::home_dir().unwrap_or_default().join(".pyenv/versions/2.7.18/bin/python2.7");
    let works = |python: &PathBuf| capture(sh::command(python).args(["-m", "pip", "--version"])).is_ok();
    let found = [Some(pyenv), find("python2.7")].into_iter().flatten().find(works);
    found.ok_or_else(|| {
        let text = "the Autobahn Testsuite runs on Python 2.7 only, and there is none with pip in \
                    ~/.pyenv/versions/2.7.18 or as python2.7 on PATH; get it with `pyenv install 2.7.18`";
        Missing(text.to_owned()).into()
    })
}

/// Installs requirements into an environment of Python.
pub(crate) fn pip(environment: &Path, requirements: &Path) -> Result<()> {
    let mut command = sh::command(environment.join("bin/python"));
    command.args(["-m", "pip", "install", "-q", "-r"]).arg(requirements);
    install(&mut command, "pip")
}

/// A folder of this name with the scripts of `source` and, beside them, the packages that its package-lock.json names.
pub(crate) fn node(source: &Path, name: &str) -> Result<PathBuf> {
    let folder = sh::target()?.join(name);
    let manifests = [source.join("package.json"), source.join("package-lock.json")];
    once(&folder, &[&manifests[0], &manifests[1]], || {
        programs(&[("node", "nodejs"), ("npm", "npm")])?;
        fs::create_dir_all(&folder)?;
        for manifest in &manifests {
            copy_into(manifest, &folder)?;
        }
        install(sh::command("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder), "npm")
    })?;
    for entry in fs::read_dir(source)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "mjs") {
            copy_into(&path, &folder)?;
        }
    }
    Ok(folder)
}

fn copy_into(file: &Path, folder: &Path) -> Result<()> {
    let name = file.file_name().context("a file without a name")?;
    fs::copy(file, folder.join(name)).with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}

/// Fills `folder` unless an earlier run has done so from the very same `inputs`.
pub(crate) fn once(folder: &Path, inputs: &[&Path], fill: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut wanted = Vec::new();
    for input in inputs {
        wanted.extend(fs::read(input).with_context(|| format!("cannot read {}", input.display()))?);
    }
    let stamp = folder.join("filled-from");
    if fs::read(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    println!("filling {}", folder.display());
    fill()?;
    fs::write(&stamp, wanted)?;
    Ok(())
}
