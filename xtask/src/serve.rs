//! The servers under test, ours and the peers': programs that print `listening on URL` once they are ready.

use crate::sh::{self, Process, seconds};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::process::Command;

/// A running server; ended when dropped.
pub(crate) struct Server {
    /// Such as `ws://127.0.0.1:40123/`.
    pub(crate) url: String,
    process: Process,
}

impl Server {
    /// Starts `command` with a log of this name and waits until it listens.
    pub(crate) fn start(command: &mut Command, name: &str) -> Result<Self> {
        let mut process = Process::start(command, Some(&sh::log(name)?))?;
        let url = process.wait_for("listening on ", seconds(20))?;
        Ok(Self { url, process })
    }

    pub(crate) fn port(&self) -> Result<u16> {
        let authority = self.url.split('/').nth(2).unwrap_or_default();
        let port = authority.rsplit(':').next().and_then(|port| port.parse().ok());
        port.with_context(|| format!("no port in {}", self.url))
    }

    /// Fails if the server is no longer there.
    pub(crate) fn check(&mut self) -> Result<()> {
        ensure!(!self.process.has_ended()?, "the server has ended{}", self.tail());
        Ok(())
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// The end of what it printed, for messages.
    pub(crate) fn tail(&self) -> String {
        self.process.tail()
    }
}

/// Our server, as an echo, on a port of its own choice; with TLS on request.
pub(crate) fn serve(tidewire: &Path, tls: bool, log: &str) -> Result<Server> {
    Server::start(&mut command(tidewire, tls), log)
}

/// The same without an access log, which keeps some 40 bytes for each connection.
pub(crate) fn serve_quietly(tidewire: &Path, log: &str) -> Result<Server> {
    Server::start(command(tidewire, false).arg("--quiet"), log)
}

fn command(tidewire: &Path, tls: bool) -> Command {
    let mut command = sh::command(tidewire);
    command.args(["serve", "--port", "0"]);
    if tls {
        let folder = sh::root().join("conformance/certs");
        command.arg("--tls-cert").arg(folder.join("localhost.pem"));
        command.arg("--tls-key").arg(folder.join("localhost.key"));
    }
    command
}
