//! The Python example of the README, as someone runs it who has just read it.

use crate::sh::{self, Process, run_quietly, seconds};
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The port of the documentation's examples; they are run on a free one.
const PORT: &str = "9876";

/// The programs of the README: those that serve, and those that connect to them and end.
pub(crate) struct Examples {
    servers: Vec<String>,
    clients: Vec<String>,
}

impl Examples {
    pub(crate) fn read() -> Result<Self> {
        let text = fs::read_to_string(sh::root().join("README.md"))?;
        let (servers, clients) = blocks(&text).into_iter().partition(|block| block.contains("serve("));
        Ok(Self { servers, clients })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Runs every server, with every client or, where there is none, with the package's program.
    pub(crate) fn run(&self, python: &Path, name: &str) -> Result<()> {
        let folder = sh::target()?.join("python/readme");
        fs::create_dir_all(&folder)?;
        for server in &self.servers {
            // Another process may take the port found free; then the server ends, and says so.
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let program = |file: &str, text: &str| -> Result<_> {
                let file = folder.join(file);
                fs::write(&file, text.replace(PORT, &port.to_string()))?;
                let mut command = sh::command(python);
                command.args(["-X", "dev", "-W", "error"]).arg(file).current_dir(&folder);
                Ok(command)
            };
            let log = sh::log(&format!("python-{name}-readme"))?;
            let mut serving = Process::start(&mut program("server.py", server)?, Some(&log))?;
            wait_for_port(port, &mut serving)?;
            let log = sh::log(&format!("python-{name}-readme-client"))?;
            for client in &self.clients {
                run_quietly(&mut program("client.py", client)?, &log, seconds(30))
                    .with_context(|| serving.tail())?;
            }
            if self.clients.is_empty() {
                let mut connect = sh::command(python);
                let url = format!("ws://127.0.0.1:{port}/");
                connect.args(["-m", "tidewire", "connect", "-1", "-x", "hello", &url]);
                run_quietly(&mut connect, &log, seconds(30)).with_context(|| serving.tail())?;
            }
        }
        Ok(())
    }
}

/// What stands between "```python" and "```".
fn blocks(text: &str) -> Vec<String> {
    let mut blocks: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (inside, line) {
            (false, "```python") => blocks.push(String::new()),
            (true, "```") | (false, _) => {
                inside = false;
                continue;
            }
            (true, line) => {
                let block = blocks.last_mut().expect("a block was begun");
                block.push_str(line);
                block.push('\n');
            }
        }
        inside = true;
    }
    blocks
}

fn wait_for_port(port: u16, server: &mut Process) -> Result<()> {
    let deadline = Instant::now() + seconds(20);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if server.has_ended()? || Instant::now() > deadline {
            bail!("the README's server does not listen on port {port}{}", server.tail());
        }
        sleep(Duration::from_millis(50));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn only_blocks_of_python_are_taken() {
        let text = "a\n```python\nx = 1\n\ny = 2\n```\nb\n```rust\nlet x;\n```\n```python\nz\n```\n";
        assert_eq!(blocks(text), ["x = 1\n\ny = 2\n", "z\n"]);
    }
}
