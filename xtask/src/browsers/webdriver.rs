//! A client of WebDriver (W3C), as chromedriver and WebKitWebDriver speak it: JSON over HTTP/1.1 on a loopback port.

use super::browser::{Browser, Command};
use crate::sh::{Process, seconds};
use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

/// A session with a driver; it and its browser end when this is dropped.
pub(crate) struct WebDriver {
    port: u16,
    session: String,
    /// The fields end in their order: the driver before what it needs.
    driver: Process,
    _display: Option<Process>,
    has_console_log: bool,
}

impl WebDriver {
    /// `has_console_log`: whether the driver knows chromedriver's `/se/log`; there is no standard for it.
    pub(crate) fn new(
        driver: Process,
        display: Option<Process>,
        port: u16,
        capabilities: &Value,
        has_console_log: bool,
    ) -> Result<Self> {
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = match request(port, "POST", "/session", Some(&wanted)) {
            Ok(value) => value["sessionId"].as_str().context("the driver names no session")?.to_owned(),
            Err(error) => return Err(error.context(format!("no session{}", driver.tail()))),
        };
        Ok(Self { port, session, driver, _display: display, has_console_log })
    }

    fn post(&mut self, path: &str, body: &Value) -> Result<Value> {
        let path = format!("/session/{}{path}", self.session);
        request(self.port, "POST", &path, Some(body))
    }
}

impl Browser for WebDriver {
    fn perform(&mut self, command: &Command<'_>) -> Result<Value> {
        match command {
            Command::Go(url) => self.post("/url", &json!({ "url": url })),
            Command::Resize(width, height) => {
                self.post("/window/rect", &json!({ "width": width, "height": height }))
            }
            Command::Script(script, arguments) => {
                self.post("/execute/sync", &json!({ "script": script, "args": arguments }))
            }
            Command::Find(css) => self.post("/element", &json!({ "using": "css selector", "value": css })),
            Command::Click(element) => self.post(&format!("/element/{element}/click"), &json!({})),
            Command::Clear(element) => self.post(&format!("/element/{element}/clear"), &json!({})),
            Command::Keys(element, text) => {
                self.post(&format!("/element/{element}/value"), &json!({ "text": text }))
            }
            Command::Screenshot => {
                request(self.port, "GET", &format!("/session/{}/screenshot", self.session), None)
            }
        }
    }

    fn errors(&mut self) -> Result<Vec<String>> {
        if !self.has_console_log {
            return Ok(Vec::new());
        }
        let entries = self.post("/se/log", &json!({ "type": "browser" }))?;
        let entries = entries.as_array().context("the driver's log is no list")?.iter();
        Ok(entries
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].to_string())
            .collect())
    }

    fn tail(&self) -> String {
        self.driver.tail()
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // A driver that no longer answers is ended with its whole group in any case.
        let _ = request(self.port, "DELETE", &format!("/session/{}", self.session), None);
    }
}

/// One request on a connection of its own; returns the answer's `value`.
pub(crate) fn request(port: u16, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(seconds(60)))?;
    let body = body.map(Value::to_string).unwrap_or_default();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\
         Content-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    (&stream).write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    let (status, answer) =
        read_answer(&mut BufReader::new(&stream)).with_context(|| format!("{method} {path}"))?;
    let mut answer: Value =
        serde_json::from_slice(&answer).with_context(|| format!("{method} {path}: no JSON"))?;
    let value = answer["value"].take();
    if status != 200 {
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        bail!("{method} {path}: {}: {}", text("error"), text("message"));
    }
    Ok(value)
}

fn read_answer(stream: &mut BufReader<&TcpStream>) -> Result<(u16, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).context("no HTTP status line")?;
    let mut length = None;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = Some(value.trim().parse::<u64>()?);
        }
    }
    let mut body = Vec::new();
    stream.take(length.context("an answer without Content-Length")?).read_to_end(&mut body)?;
    Ok((status, body))
}
