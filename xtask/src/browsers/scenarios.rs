//! What a person does in a browser, one function each. To add one, write it and name it in `SCENARIOS`.

use super::browser::Browser;
use super::pages;
use crate::serve::Server;
use crate::sh;
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// Where a scenario takes place.
pub(crate) struct Scene<'a> {
    pub(crate) browser: &'a mut dyn Browser,
    pub(crate) server: &'a Server,
    /// A program in Python with its page.
    pub(crate) python: &'a Server,
    /// Where screenshots go, all but the last part of the name.
    pub(crate) shots: PathBuf,
}

pub(crate) type Scenario = (&'static str, fn(&mut Scene<'_>) -> Result<()>);

pub(crate) const SCENARIOS: &[Scenario] =
    &[("plain-page", plain_page), ("close-codes", close_codes), ("console", console), ("python", python)];

impl Scene<'_> {
    /// A screenshot called `<browser>-<name>.png`.
    pub(crate) fn shot(&mut self, name: &str) -> Result<()> {
        // What a script has seen need not be on the screen yet; after two frames it is.
        let painted = "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))";
        self.browser.script(painted, &json!([]))?;
        let mut file = self.shots.clone().into_os_string();
        file.push(format!("-{name}.png"));
        self.browser.screenshot(file.as_ref())
    }
}

/// Text that the page must show as it is.
const MARKUP: &str = "<b>bold</b> & <img src=x onerror=alert(1)>";
const EMOJI: &str = "Grüße 🌊🏄 \u{1F469}\u{200D}\u{1F680}";

/// The console page: connect, send text, emoji and a file of 1 MiB, and close with several codes.
fn console(scene: &mut Scene<'_>) -> Result<()> {
    let page = format!("http://127.0.0.1:{}/", scene.server.port()?);
    scene.browser.go(&page)?;
    connect_console(scene)?;
    for text in ["hello", MARKUP, EMOJI] {
        scene.browser.paste("#message", text)?;
        scene.browser.click("#send")?;
        wait_for_echo(scene, text)?;
    }
    let bold =
        scene.browser.script("return document.querySelector('#log b, #log img') === null", &json!([]))?;
    ensure!(bold == true, "the log shows what a peer sent as HTML");
    scene.shot("console-text")?;

    let file = sh::target()?.join("xtask/one-mebibyte.bin");
    let bytes: Vec<u8> =
        (0..1_048_576_u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(&file, bytes)?;
    scene.browser.click("label:has(#kind-file)")?;
    scene.browser.keys("#file", file.to_str().context("a target folder that is no UTF-8")?)?;
    scene.browser.wait_for_text("#composer", "is ready")?;
    scene.browser.click("#send")?;
    scene.browser.wait(
        "the file came back",
        "return [...document.querySelectorAll('#log .entry')].filter((e) => /1(\\.0+)? MiB|1,?048,?576/.test(e.innerText)).length >= 2",
        &json!([]),
    )?;
    scene.shot("console-binary")?;

    for (code, words) in [("1000", "normal closure"), ("3000", "unauthorized"), ("4999", "application")] {
        close_console(scene, code)?;
        for place in ["#status", "#log"] {
            scene.browser.wait_for_text(place, code)?;
            scene.browser.wait_for_text(place, words)?;
        }
        scene.browser.wait_for_text("#log", "enough for today")?;
        scene.shot(&format!("console-closed-{code}"))?;
        connect_console(scene)?;
    }
    Ok(())
}

fn connect_console(scene: &mut Scene<'_>) -> Result<()> {
    scene.browser.click("#connect")?;
    let open = "return document.querySelector('#status').dataset.state === 'open'";
    scene.browser.wait("the console is connected", open, &json!([])).map(drop)
}

fn close_console(scene: &mut Scene<'_>, code: &str) -> Result<()> {
    scene.browser.script("document.querySelector('#closing').open = true", &json!([]))?;
    scene.browser.fill("#close-code", code)?;
    scene.browser.fill("#close-reason", "enough for today")?;
    scene.browser.click("#disconnect")
}

/// Waits until the log shows the text twice: sent and received.
fn wait_for_echo(scene: &mut Scene<'_>, text: &str) -> Result<()> {
    let twice = "return [...document.querySelectorAll('#log .entry')]
        .filter((entry) => entry.innerText.includes(arguments[0])).length >= 2";
    scene.browser.wait(&format!("{text:?} came back"), twice, &json!([text])).map(drop)
}

/// A page that knows nothing of us, from another port of the same host.
fn plain_page(scene: &mut Scene<'_>) -> Result<()> {
    open_plain_page(scene)?;
    for text in ["Hello", MARKUP] {
        scene.browser.fill("#field", text)?;
        scene.browser.click("#go")?;
    }
    scene.browser.paste("#field", EMOJI)?;
    scene.browser.click("#go")?;
    let three = "const items = [...document.querySelectorAll('#list li')];
        return items.length >= 3 && items.map((item) => item.textContent)";
    let shown = scene.browser.wait("three lines came back", three, &json!([]))?;
    ensure!(shown == json!(["Hello", MARKUP, EMOJI]), "the page shows {shown}");
    scene.shot("plain-page")
}

/// The codes with which a page may close reach the server and come back.
fn close_codes(scene: &mut Scene<'_>) -> Result<()> {
    for code in [1000, 3000, 4000, 4999] {
        open_plain_page(scene)?;
        scene.browser.fill("#code", &code.to_string())?;
        scene.browser.click("#close")?;
        scene.browser.wait_for_text("#state", &format!("Connection closed: {code} as asked clean"))?;
    }
    Ok(())
}

/// The page of a program in Python, from the program's own port: it loads, connects, sends, receives and closes.
fn python(scene: &mut Scene<'_>) -> Result<()> {
    scene.browser.go(&format!("http://127.0.0.1:{}/", scene.python.port()?))?;
    scene.browser.wait_for_text("#state", "Connected.")?;
    let texts = ["you", MARKUP, EMOJI];
    for text in texts {
        scene.browser.paste("#field", text)?;
        scene.browser.click("#go")?;
    }
    let four = "const items = [...document.querySelectorAll('#list li')];
        return items.length >= 4 && items.map((item) => item.textContent)";
    let shown = scene.browser.wait("four lines came", four, &json!([]))?;
    let wanted: Vec<String> = std::iter::once("Type something.".to_owned())
        .chain(texts.iter().map(|text| format!("Hello, {text}!")))
        .collect();
    ensure!(shown == json!(wanted), "the page shows {shown}");
    scene.shot("python")?;
    scene.browser.click("#close")?;
    scene.browser.wait_for_text("#state", "Connection closed: 1000 clean")
}

fn open_plain_page(scene: &mut Scene<'_>) -> Result<()> {
    let page = pages::serve(include_str!("mission.html"))?;
    // Not in the fragment: Firefox does not wait for a page whose fragment is the one of the page before.
    scene.browser.go(&format!("{page}?{}", scene.server.port()?))?;
    scene.browser.wait_for_text("#state", "Connected.")
}
