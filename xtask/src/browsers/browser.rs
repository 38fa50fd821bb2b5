//! What the scenarios can do in a browser, whichever protocol drives it.

use crate::sh::seconds;
use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The key under which WebDriver hands out an element's identity (W3C WebDriver §11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The commands of WebDriver that the scenarios need. Elements are named by the identity that `Find` returned.
pub(crate) enum Command<'a> {
    Go(&'a str),
    Resize(u32, u32),
    Script(&'a str, &'a Value),
    Find(&'a str),
    Click(&'a str),
    Clear(&'a str),
    Keys(&'a str, &'a str),
    Screenshot,
}

pub(crate) trait Browser {
    fn perform(&mut self, command: &Command<'_>) -> Result<Value>;

    /// The errors that pages have written to the console so far, where the browser can tell.
    fn errors(&mut self) -> Result<Vec<String>>;

    /// The end of what the browser printed, for messages.
    fn tail(&self) -> String;

    fn go(&mut self, url: &str) -> Result<()> {
        self.perform(&Command::Go(url)).with_context(|| format!("going to {url}"))?;
        // Not every browser waits for the new page under all circumstances.
        let there = "return location.href.startsWith(arguments[0]) && document.readyState === 'complete'";
        self.wait(&format!("{url} is there"), there, &json!([url])).map(drop)
    }

    fn resize(&mut self, width: u32, height: u32) -> Result<()> {
        self.perform(&Command::Resize(width, height)).map(drop)
    }

    /// Runs the body of a function with these arguments, and returns what it returns, or what its promise becomes.
    fn script(&mut self, body: &str, arguments: &Value) -> Result<Value> {
        self.perform(&Command::Script(body, arguments))
    }

    fn element(&mut self, css: &str) -> Result<String> {
        let found = self.perform(&Command::Find(css)).with_context(|| format!("looking for {css}"))?;
        Ok(found[ELEMENT].as_str().with_context(|| format!("no identity of {css} in {found}"))?.to_owned())
    }

    fn click(&mut self, css: &str) -> Result<()> {
        let element = self.element(css)?;
        self.perform(&Command::Click(&element)).with_context(|| format!("clicking {css}")).map(drop)
    }

    /// Presses the keys in the field as it is. With a file field, `keys` is the path of the file to choose.
    fn keys(&mut self, css: &str, keys: &str) -> Result<()> {
        let element = self.element(css)?;
        self.perform(&Command::Keys(&element, keys)).with_context(|| format!("typing into {css}")).map(drop)
    }

    /// Empties the field, then types.
    fn fill(&mut self, css: &str, text: &str) -> Result<()> {
        let element = self.element(css)?;
        self.perform(&Command::Clear(&element)).with_context(|| format!("emptying {css}"))?;
        self.keys(css, text)
    }

    /// Puts text into the field as pasting does: chromedriver cannot type what lies beyond the basic plane.
    fn paste(&mut self, css: &str, text: &str) -> Result<()> {
        let script =
            "const field = document.querySelector(arguments[0]); field.focus(); field.value = arguments[1];
            field.dispatchEvent(new Event('input', { bubbles: true }))";
        self.script(script, &json!([css, text])).map(drop)
    }

    /// Waits until the function body `condition` returns what counts as true, and returns that.
    fn wait(&mut self, what: &str, condition: &str, arguments: &Value) -> Result<Value> {
        let deadline = Instant::now() + seconds(20);
        loop {
            let value = self.script(condition, arguments).with_context(|| what.to_owned())?;
            if !matches!(value, Value::Null | Value::Bool(false)) {
                return Ok(value);
            }
            if Instant::now() >= deadline {
                let page = self.script("return document.body.innerText", &json!([]))?;
                bail!("waited in vain: {what}\n  the page reads:\n{}", page.as_str().unwrap_or_default());
            }
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until the element that `css` names shows `text` somewhere.
    fn wait_for_text(&mut self, css: &str, text: &str) -> Result<()> {
        let script = "const element = document.querySelector(arguments[0]);
            return element !== null && element.innerText.includes(arguments[1])";
        self.wait(&format!("{css} shows {text:?}"), script, &json!([css, text])).map(drop)
    }

    fn screenshot(&mut self, file: &Path) -> Result<()> {
        let image = self.perform(&Command::Screenshot)?;
        let image = STANDARD.decode(image.as_str().context("a screenshot without an image")?);
        let image = image.map_err(|error| anyhow!("the screenshot is no base64: {error}"))?;
        fs::write(file, image).with_context(|| format!("cannot write {}", file.display()))
    }
}
