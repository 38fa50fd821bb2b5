//! The client in the Autobahn Testsuite: runs every case of a `wstest -m fuzzingserver`, echoing each message.
//!
//! `cargo run --release --example autobahn_client -- ws://127.0.0.1:9001 [AGENT] [--takeover] [--insecure] [--cases 1-300]`

use std::time::Duration;
use tidewire::{Client, Context, Handler, MessageRef};

/// Above the 16 MiB of the suite's largest message, in bytes.
const MESSAGE: usize = 64 << 20;

struct Echo;

impl Handler for Echo {
    fn on_message(&mut self, ws: &mut Context<'_>, message: MessageRef<'_>) {
        ws.send(message);
    }
}

struct Arguments {
    server: String,
    agent: String,
    takeover: bool,
    insecure: bool,
    cases: Option<(u32, u32)>,
}

impl Arguments {
    fn read() -> Result<Self, String> {
        let mut read = Self {
            server: String::new(),
            agent: "tidewire".to_owned(),
            takeover: false,
            insecure: false,
            cases: None,
        };
        let mut names = Vec::new();
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--takeover" => read.takeover = true,
                "--insecure" => read.insecure = true,
                "--cases" => {
                    let range = arguments.next().unwrap_or_default();
                    let numbers = range
                        .split_once('-')
                        .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
                    read.cases = Some(numbers.ok_or("--cases wants two numbers: 1-300")?);
                }
                option if option.starts_with("--") => return Err(format!("there is no option {option}")),
                _ => names.push(argument),
            }
        }
        let mut names = names.into_iter();
        let server = names.next().ok_or("name the fuzzing server: ws://127.0.0.1:9001")?;
        server.trim_end_matches('/').clone_into(&mut read.server);
        read.agent = names.next().unwrap_or(read.agent);
        Ok(read)
    }

    fn client(&self) -> Client {
        let client = Client::new().max_message(MESSAGE).ping_interval(None).config(|config| {
            config.limits.outbox = MESSAGE;
            // The suite drops the connection late on purpose.
            config.timing.close_timeout = Duration::from_secs(10);
            if self.takeover {
                config.deflate.server_no_context_takeover = false;
                config.deflate.client_no_context_takeover = false;
            }
        });
        #[cfg(feature = "tls")]
        if self.insecure {
            return client.insecure();
        }
        client
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::read()?;
    let Arguments { server, agent, .. } = &arguments;
    let client = arguments.client();

    let mut ws = client.connect(&format!("{server}/getCaseCount")).await?;
    let message = ws.recv().await?.ok_or("the server did not say how many cases there are")?;
    let count: u32 = String::from_utf8_lossy(message.as_bytes()).trim().parse()?;
    drop(ws);
    let (from, to) = arguments.cases.unwrap_or((1, count));

    for case in from..=to.min(count) {
        let url = format!("{server}/runCase?case={case}&agent={agent}");
        // How it ends is for the suite to judge.
        client.handle(&url, Echo).await?.ended().await;
        if case % 50 == 0 || case == to.min(count) {
            println!("{case} of {count}");
        }
    }

    let mut ws = client.connect(&format!("{server}/updateReports?agent={agent}")).await?;
    while ws.recv().await?.is_some() {}
    Ok(())
}
