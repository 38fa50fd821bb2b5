//! A client of Marionette, Firefox's own remote control: the commands of WebDriver as `length:json` on a TCP connection.

use super::browser::{Browser, Command};
use crate::sh::{Process, seconds};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

/// A session with Firefox, which ends when this is dropped.
pub(crate) struct Marionette {
    stream: BufReader<TcpStream>,
    last_id: u64,
    firefox: Process,
}

impl Marionette {
    pub(crate) fn new(firefox: Process, port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(seconds(60)))?;
        let mut this = Self { stream: BufReader::new(stream), last_id: 0, firefox };
        let hello = this.read()?;
        ensure!(hello["marionetteProtocol"] == 3, "Firefox speaks another Marionette: {hello}");
        this.call("WebDriver:NewSession", &json!({ "capabilities": { "alwaysMatch": {} } }))?;
        Ok(this)
    }

    /// A command is `[0, id, name, parameters]`, its answer `[1, id, error, result]`.
    fn call(&mut self, name: &str, parameters: &Value) -> Result<Value> {
        self.last_id += 1;
        let text = json!([0, self.last_id, name, parameters]).to_string();
        self.stream.get_mut().write_all(format!("{}:{text}", text.len()).as_bytes())?;
        let mut answer = self.read().with_context(|| name.to_owned())?;
        ensure!(answer[1] == self.last_id, "{name}: the answer to another command: {answer}");
        let error = &answer[2];
        ensure!(error.is_null(), "{name}: {}: {}", error["error"], error["message"]);
        Ok(answer[3].take())
    }

    fn read(&mut self) -> Result<Value> {
        let mut length = Vec::new();
        self.stream.by_ref().take(20).read_until(b':', &mut length)?;
        let length = str::from_utf8(&length)?.strip_suffix(':').context("Firefox closed the connection")?;
        let mut text = vec![0; length.parse()?];
        self.stream.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

impl Browser for Marionette {
    fn perform(&mut self, command: &Command<'_>) -> Result<Value> {
        let (name, parameters) = match command {
            Command::Go(url) => ("Navigate", json!({ "url": url })),
            Command::Resize(width, height) => ("SetWindowRect", json!({ "width": width, "height": height })),
            Command::Script(script, arguments) => {
                ("ExecuteScript", json!({ "script": script, "args": arguments }))
            }
            Command::Find(css) => ("FindElement", json!({ "using": "css selector", "value": css })),
            Command::Click(element) => ("ElementClick", json!({ "id": element })),
            Command::Clear(element) => ("ElementClear", json!({ "id": element })),
            Command::Keys(element, text) => ("ElementSendKeys", json!({ "id": element, "text": text })),
            Command::Screenshot => ("TakeScreenshot", json!({ "full": false, "hash": false })),
        };
        let mut answer = self.call(&format!("WebDriver:{name}"), &parameters)?;
        // What WebDriver calls a value comes wrapped, a window's measures do not.
        Ok(answer.get_mut("value").map_or(Value::Null, Value::take))
    }

    /// Firefox prints a page's errors, because `launch.rs` asks it to.
    fn errors(&mut self) -> Result<Vec<String>> {
        self.firefox.printed("JavaScript error: http://")
    }

    fn tail(&self) -> String {
        self.firefox.tail()
    }
}
