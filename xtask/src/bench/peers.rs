//! The peers: which there are, how each is built or installed, and how its echo server is started.

use crate::sh::{self, Process, run, seconds};
use crate::{cargo, install, python};
use anyhow::{Context as _, Result, ensure};
use std::path::PathBuf;
use std::process::Command;

/// A first build of everything takes minutes.
const LIMIT: std::time::Duration = seconds(30 * 60);

/// An echo server. Several may be the same peer with other settings.
pub(super) struct Peer {
    /// The peer's name, and behind a space what is special.
    pub(super) name: &'static str,
    source: Source,
    /// What follows the port.
    words: &'static [&'static str],
    /// Whether it takes the word `deflate`.
    pub(super) deflate: bool,
    /// Connections that its idle memory is measured with; heavy ones hold fewer.
    pub(super) idle: usize,
}

enum Source {
    /// `tidewire serve`.
    Tidewire,
    /// An example of our library.
    Example(&'static str),
    /// A program of bench/peers/rust.
    Rust,
    /// The same, where it asks for a newer compiler than ours.
    RustNightly,
    /// bench/peers/node.
    Node,
    /// A program of bench/peers/python, by its name without the ending.
    Python(&'static str),
    /// The same, with our Python package.
    Package(&'static str),
}

const fn peer(name: &'static str, source: Source, deflate: bool) -> Peer {
    Peer { name, source, words: &[], deflate, idle: 15_000 }
}

const fn batched(name: &'static str, source: Source, deflate: bool) -> Peer {
    Peer { name, source, words: &["batched"], deflate, idle: 15_000 }
}

const fn heavy(name: &'static str, source: Source, deflate: bool) -> Peer {
    Peer { name, source, words: &[], deflate, idle: 4_000 }
}

/// The bare echo that all are measured against.
pub(super) const LIMIT_NAME: &str = "limit";
/// The one that all are compared with.
pub(super) const OURS: &str = "tidewire";

#[rustfmt::skip]
pub(super) const PEERS: &[Peer] = &[
    peer(LIMIT_NAME, Source::Rust, false),
    peer(OURS, Source::Tidewire, true),
    peer("tidewire recv/send", Source::Example("echo"), true),
    heavy("tokio-tungstenite", Source::Rust, false),
    batched("tokio-tungstenite batched", Source::Rust, false),
    peer("fastwebsockets", Source::Rust, false),
    peer("tokio-websockets", Source::Rust, false),
    batched("tokio-websockets batched", Source::Rust, false),
    peer("sockudo-ws", Source::Rust, true),
    batched("sockudo-ws batched", Source::Rust, true),
    peer("yawc", Source::Rust, true),
    batched("yawc batched", Source::Rust, true),
    peer("wtx", Source::RustNightly, true),
    peer("soketto", Source::Rust, false),
    heavy("axum", Source::Rust, false),
    heavy("ws", Source::Node, true),
    heavy("picows", Source::Python("picows_echo"), false),
    heavy("aiohttp", Source::Python("aiohttp_echo"), true),
    heavy("websockets", Source::Python("websockets_echo"), true),
    peer("socketify", Source::Python("socketify_echo"), true),
];

/// The library that stands for no library: a loop's bare echo.
const BARE: &str = "bare";

const fn on_asyncio(name: &'static str, source: Source, deflate: bool) -> Peer {
    Peer { name, source, words: &["asyncio"], deflate, idle: 4_000 }
}

/// What is compared within Python. The last word of a name is the loop.
#[rustfmt::skip]
pub(super) const PYTHON: &[Peer] = &[
    heavy("bare uvloop", Source::Python("bare_echo"), false),
    heavy("tidewire callback uvloop", Source::Package("tidewire_handler_echo"), true),
    heavy("tidewire async uvloop", Source::Package("tidewire_asyncio_echo"), true),
    heavy("picows uvloop", Source::Python("picows_echo"), false),
    heavy("aiohttp uvloop", Source::Python("aiohttp_echo"), true),
    heavy("websockets uvloop", Source::Python("websockets_echo"), true),
    on_asyncio("bare asyncio", Source::Python("bare_echo"), false),
    on_asyncio("tidewire callback asyncio", Source::Package("tidewire_handler_echo"), true),
    on_asyncio("tidewire async asyncio", Source::Package("tidewire_asyncio_echo"), true),
    on_asyncio("picows asyncio", Source::Python("picows_echo"), false),
    on_asyncio("aiohttp asyncio", Source::Python("aiohttp_echo"), true),
    on_asyncio("websockets asyncio", Source::Python("websockets_echo"), true),
    heavy("tidewire sync", Source::Package("tidewire_sync_echo"), true),
];

/// Programs of Python that send what anyone says to everyone.
#[rustfmt::skip]
pub(super) const PYTHON_BROADCAST: &[Peer] = &[
    heavy("tidewire uvloop", Source::Package("tidewire_broadcast"), false),
    heavy("websockets uvloop", Source::Python("websockets_broadcast"), false),
    on_asyncio("tidewire asyncio", Source::Package("tidewire_broadcast"), false),
    on_asyncio("websockets asyncio", Source::Python("websockets_broadcast"), false),
];

/// Those of a list that are asked for by full name or by the name of the peer; the bare echoes are always among them.
pub(super) fn chosen(from: &'static [Peer], names: &[String]) -> Result<Vec<&'static Peer>> {
    for name in names {
        let known = PEERS.iter().chain(PYTHON).chain(PYTHON_BROADCAST).any(|peer| peer.is(name));
        ensure!(known, "no peer is called {name:?}; see bench/README.md");
    }
    let wanted = |peer: &&Peer| names.is_empty() || peer.is_bare() || names.iter().any(|name| peer.is(name));
    Ok(from.iter().filter(wanted).collect())
}

fn folder() -> PathBuf {
    sh::root().join("bench/peers")
}

/// A running echo server; ended when dropped.
pub(super) struct Server {
    pub(super) port: u16,
    process: Process,
}

impl Server {
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn tail(&self) -> String {
        self.process.tail()
    }

    /// Starts a program that prints `listening 127.0.0.1:PORT`, or our own words for it.
    pub(super) fn start(command: &mut Command, log: &str) -> Result<Self> {
        let mut process = Process::start(command, Some(&sh::log(log)?))?;
        let port = process.wait_for_line("where it listens", seconds(30), |line| {
            let (_, address) = line.split_once("listening ")?;
            let port = address.trim_end_matches('/').rsplit(':').next()?;
            port.parse().ok()
        })?;
        Ok(Self { port, process })
    }
}

impl Peer {
    fn is(&self, name: &str) -> bool {
        self.name == name || self.library() == name
    }

    /// The name without what is special.
    pub(super) fn library(&self) -> &'static str {
        self.name.split(' ').next().unwrap_or(self.name)
    }

    /// Whether it speaks no WebSocket.
    pub(super) fn is_bare(&self) -> bool {
        self.name == LIMIT_NAME || self.library() == BARE
    }

    pub(super) fn is_ours(&self) -> bool {
        self.library() == OURS
    }

    /// Builds or installs it; what its command begins with.
    pub(super) fn prepare(&self) -> Result<Vec<PathBuf>> {
        let name = self.library();
        match self.source {
            Source::Tidewire => Ok(vec![cargo::release_tidewire()?]),
            Source::Example(name) => Ok(vec![release_example(name)?]),
            Source::Rust => Ok(vec![release_peer(name, None)?]),
            Source::RustNightly => Ok(vec![release_peer(name, Some("+nightly"))?]),
            Source::Node => {
                let scripts = install::node(&folder().join("node"), "peers-node")?;
                Ok(vec!["node".into(), scripts.join(format!("{name}.mjs"))])
            }
            Source::Python(program) | Source::Package(program) => {
                if name == "socketify" {
                    // Its binary is linked against it.
                    install::debian_library("libuv.so.1", "libuv1")?;
                }
                let source = folder().join("python");
                let python = install::python3(&source.join("requirements.txt"), "peers-venv")?;
                if matches!(self.source, Source::Package(_)) {
                    python::install_wheel(&python)?;
                }
                Ok(vec![python, source.join(format!("{program}.py"))])
            }
        }
    }

    /// The command of its server on a port of its own choice.
    pub(super) fn command(&self, prepared: &[PathBuf], deflate: bool) -> Command {
        let mut command = sh::command(&prepared[0]);
        command.args(&prepared[1..]);
        match self.source {
            Source::Tidewire => {
                command.args(["serve", "--port", "0", "--workers", "1", "--quiet", "--no-console"]);
                command.args(["--max-message", "64MiB"]);
                command.args((!deflate).then_some("--no-deflate"));
            }
            Source::Example(_) => {
                command.arg("127.0.0.1:0");
            }
            _ => {
                command.arg("0").args(self.words).args(deflate.then_some("deflate"));
            }
        }
        command
    }

    /// The version that is pinned for it.
    pub(super) fn version(&self) -> Result<String> {
        let read = |path: &str| {
            let path = folder().join(path);
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let name = self.library();
        let found = match self.source {
            Source::Tidewire | Source::Example(_) | Source::Package(_) => {
                let manifest = std::fs::read_to_string(sh::root().join("Cargo.toml"))?;
                let version = manifest.lines().find_map(|line| line.strip_prefix("version = "));
                version.map(|version| version.trim_matches('"').to_owned())
            }
            Source::Rust | Source::RustNightly if self.is_bare() => Some("epoll".to_owned()),
            Source::Rust | Source::RustNightly => pinned(&read("rust/Cargo.toml")?, name),
            Source::Node => {
                let manifest: serde_json::Value = serde_json::from_str(&read("node/package.json")?)?;
                manifest["dependencies"][name].as_str().map(str::to_owned)
            }
            Source::Python(_) => {
                let pins = read("python/requirements.txt")?;
                let pin = |name| pins.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=="));
                if self.is_bare() {
                    pin("uvloop").map(|pin| format!("uvloop {pin}"))
                } else {
                    pin(name).map(str::to_owned)
                }
            }
        };
        found.with_context(|| format!("{name} is not pinned"))
    }
}

/// The version that a Cargo.toml pins a dependency to.
fn pinned(manifest: &str, name: &str) -> Option<String> {
    let (_, rest) = manifest.split_once(&format!("\n{name} = {{ version = \"="))?;
    rest.split('"').next().map(str::to_owned)
}

/// An example of our library, built as users build it.
pub(super) fn release_example(name: &str) -> Result<PathBuf> {
    run(&mut cargo::cargo(&["build", "--release", "-p", "tidewire", "--example", name]), LIMIT)?;
    Ok(sh::target()?.join("release/examples").join(name))
}

/// A program of bench/peers/rust. Each is built alone, so that peers do not share features of their dependencies.
pub(super) fn release_peer(name: &str, toolchain: Option<&str>) -> Result<PathBuf> {
    let target = sh::target()?.join("peers");
    let manifest = folder().join("rust/Cargo.toml");
    let mut command = match toolchain {
        Some(_) => sh::command("cargo"),
        None => cargo::cargo(&[]),
    };
    if toolchain.is_some() {
        // What rustup set for us would outdo the word; without a word it keeps a dependency's own rust-toolchain out.
        command.env_remove("RUSTUP_TOOLCHAIN");
    }
    command.args(toolchain).args([
        "build",
        "--release",
        "--locked",
        "--quiet",
        "--features",
        name,
        "--bin",
        name,
    ]);
    command.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(&target);
    install::install(&mut command, &format!("peer-{name}"))?;
    Ok(target.join("release").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_pinned_and_has_its_program() {
        let read = |name| std::fs::read_to_string(folder().join(name)).unwrap();
        let (manifest, lock) = (read("rust/Cargo.toml"), read("rust/Cargo.lock"));
        for peer in PEERS.iter().chain(PYTHON).chain(PYTHON_BROADCAST) {
            let version = peer.version().unwrap();
            let name = peer.library();
            assert!(!version.is_empty(), "{name}");
            let program = match peer.source {
                Source::Tidewire => continue,
                Source::Example(name) => sh::root().join(format!("crates/tidewire/examples/{name}.rs")),
                Source::Rust | Source::RustNightly => {
                    assert!(
                        manifest.contains(&format!("[[bin]]\nname = \"{name}\"\nrequired-features")),
                        "{name}"
                    );
                    let locked = format!("name = \"{name}\"\nversion = \"{version}\"");
                    assert!(peer.is_bare() || lock.contains(&locked), "{name} is not locked to {version}");
                    folder().join(format!("rust/src/bin/{name}.rs"))
                }
                Source::Node => folder().join(format!("node/{name}.mjs")),
                Source::Python(program) | Source::Package(program) => {
                    folder().join(format!("python/{program}.py"))
                }
            };
            assert!(program.is_file(), "{}", program.display());
        }
    }

    #[test]
    fn the_manifests_parse() {
        let metadata = sh::capture(
            cargo::cargo(&["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
                .arg(folder().join("rust/Cargo.toml")),
        );
        let metadata: serde_json::Value = serde_json::from_str(&metadata.unwrap()).unwrap();
        let targets = metadata["packages"][0]["targets"].as_array().unwrap();
        let names: Vec<&str> = targets.iter().filter_map(|target| target["name"].as_str()).collect();
        for peer in PEERS.iter().filter(|peer| matches!(peer.source, Source::Rust | Source::RustNightly)) {
            assert!(names.contains(&peer.library()), "{}", peer.name);
        }
    }

    #[test]
    fn a_name_chooses_all_settings_of_a_peer() {
        let names = |wanted: &[&str]| -> Vec<&str> {
            let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
            chosen(PEERS, &wanted).unwrap().iter().map(|peer| peer.name).collect()
        };
        assert_eq!(names(&["yawc"]), ["limit", "yawc", "yawc batched"]);
        assert_eq!(names(&["yawc batched"]), ["limit", "yawc batched"]);
        assert_eq!(names(&[]).len(), PEERS.len());
        assert!(chosen(PEERS, &["nobody".to_owned()]).is_err());
    }
}
