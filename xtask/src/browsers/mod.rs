//! The pages in real browsers, used as a person uses them.

mod browser;
mod launch;
mod marionette;
mod pages;
mod scenarios;
mod webdriver;

use crate::serve::{self, Server};
use crate::steps::Missing;
use crate::{Options, cargo, install, python, sh};
use anyhow::{Context as _, Result, bail, ensure};
use launch::{KINDS, Kind};
use scenarios::{SCENARIOS, Scene};
use std::fs;
use std::path::Path;
use std::time::Instant;

pub(crate) fn step(options: &Options) -> Result<()> {
    for name in &options.only {
        ensure!(KINDS.iter().any(|kind| kind.name == name), "no browser is called {name:?}");
    }
    let programs = cargo::release_programs()?;
    let shots = match &options.shots {
        Some(folder) => folder.clone(),
        None => sh::target()?.join("shots"),
    };
    fs::create_dir_all(&shots)?;
    let server = serve::serve(&programs.tidewire, false, "browsers-serve")?;
    let mut mission = sh::command(python::environment_with_wheel("browsers")?);
    mission.args(["-u", "-X", "dev"]).arg(sh::root().join("conformance/python/mission.py"));
    let mission = Server::start(&mut mission, "browsers-python")?;

    let (mut failed, mut missing) = (Vec::new(), Vec::new());
    for kind in KINDS.iter().filter(|kind| options.wants(kind.name)) {
        match in_browser(kind, [&server, &mission], &shots) {
            Ok(()) => {}
            Err(error) if error.is::<Missing>() => missing.push(format!("{}: {error}", kind.name)),
            Err(error) => {
                println!("{} FAILED: {error:#}", kind.name);
                failed.push(kind.name);
            }
        }
    }
    println!("screenshots: {}", shots.display());
    if !failed.is_empty() {
        bail!("failed in {}{}", failed.join(", "), server.tail());
    }
    if !missing.is_empty() {
        return Err(Missing(missing.join("; ")).into());
    }
    Ok(())
}

/// All scenarios, in one run of the browser.
fn in_browser(kind: &Kind, [server, python]: [&Server; 2], shots: &Path) -> Result<()> {
    install::programs(kind.tools)?;
    let start = Instant::now();
    let mut browser = kind.launch()?;
    browser.resize(1280, 960)?;
    for (name, scenario) in SCENARIOS {
        let mut scene = Scene { browser: &mut *browser, server, python, shots: shots.join(kind.name) };
        if let Err(error) = scenario(&mut scene) {
            // The picture is worth having, but the error is the news: it stays, whether or not there is a picture.
            let shot = scene.shot(&format!("{name}-FAILED"));
            let picture =
                shot.map_or_else(|error| format!("no screenshot: {error}"), |()| "see the screenshot".into());
            return Err(error.context(format!("{name} ({picture}){}", browser.tail())));
        }
        let errors = browser.errors().context("the console's errors")?;
        ensure!(errors.is_empty(), "{name}: the console shows errors:\n{}", errors.join("\n"));
        println!("{}: {name} passed", kind.name);
    }
    println!("{}: {} scenarios passed in {:.1} s", kind.name, SCENARIOS.len(), start.elapsed().as_secs_f64());
    Ok(())
}
