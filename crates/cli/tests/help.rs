//! The text of every `--help`, kept in files: a change of the command line is seen in review.
//!
//! `TIDEWIRE_UPDATE=1 cargo test -p tidewire-cli --test help` writes them anew.

use std::path::Path;
use std::process::{Command, Output};

fn tidewire(arguments: &[&str]) -> Output {
    // As in `end_to_end/support`.
    let named = std::env::var_os("TIDEWIRE_PROGRAM");
    let mut command = Command::new(named.unwrap_or_else(|| env!("CARGO_BIN_EXE_tidewire").into()));
    // clap takes the width from COLUMNS, and shows defaults of the environment.
    command.args(arguments).env_clear().output().expect("the program starts")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("help is UTF-8")
}

fn check(name: &str, arguments: &[&str]) {
    let output = tidewire(arguments);
    assert!(output.status.success(), "{arguments:?}: {:?}", output.status);
    let help = text(output.stdout);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("TIDEWIRE_UPDATE").is_some() {
        std::fs::write(&path, &help).expect("the snapshot can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(help == kept, "{} differs; TIDEWIRE_UPDATE=1 takes this over:\n{help}", path.display());
}

#[test]
fn help_is_as_kept() {
    check("tidewire.txt", &["--help"]);
    for command in ["serve", "connect", "bench", "completions", "man"] {
        check(&format!("{command}.txt"), &[command, "--help"]);
        check(&format!("{command}-short.txt"), &[command, "-h"]);
    }
}

#[test]
fn every_shell_gets_a_script_and_every_command_a_page() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = text(tidewire(&["completions", shell]).stdout);
        assert!(script.contains("length-prefixed"), "{shell} knows no option of connect");
    }
    for (arguments, title, says) in [
        (&["man"][..], ".TH tidewire ", "tidewire\\-connect"),
        (&["man", "connect"], ".TH tidewire-connect ", "Exit status"),
        (&["man", "serve"], ".TH tidewire-serve ", "tls\\-cert"),
    ] {
        let page = text(tidewire(arguments).stdout);
        assert!(page.contains(title) && page.contains(says), "{arguments:?}:\n{page}");
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().to_str().expect("a UTF-8 path");
    assert!(tidewire(&["man", "--dir", path]).status.success());
    for (name, command) in
        [("tidewire", None), ("tidewire-connect", Some("connect")), ("tidewire-serve", Some("serve"))]
    {
        let page = std::fs::read(directory.path().join(format!("{name}.1"))).expect("a page of this name");
        let arguments: Vec<_> = ["man"].into_iter().chain(command).collect();
        assert_eq!(text(page), text(tidewire(&arguments).stdout));
    }
    let page = text(tidewire(&["man", "connect"]).stdout);
    assert!(page.contains(&format!("\"tidewire {}\"", env!("CARGO_PKG_VERSION"))), "{page}");
}

#[test]
fn errors_are_one_sentence_and_a_status() {
    for (arguments, status, says) in [
        (&["connect", "ftp://x"][..], 1, "tidewire: ftp:// can't be connected to: use ws:// or wss://\n"),
        (&["man", "nothing"], 1, "tidewire: there is no command nothing"),
        (&["connect", ":1", "--auth", "hunter2"], 1, "tidewire: --auth or TIDEWIRE_AUTH can't be used"),
        (&["connect"], 2, "<URL>"),
        (&["bench", ":1", "--rate", "0"], 2, "per second such as 0.5, 20000 or 20k"),
        (&["bench", ":1", "--rate", "5", "--depth", "2"], 2, "cannot be used with"),
        (&["bench", "tcp://127.0.0.1:1", "--mode", "idle"], 1, "tcp:// goes with --mode echo"),
        (&["connect", ":1", "-0", "--whole"], 2, "cannot be used with"),
        (&["serve", "--tls-cert", "x"], 2, "--tls-key"),
    ] {
        let output = tidewire(arguments);
        let told = text(output.stderr);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {told}");
        assert!(told.contains(says), "{arguments:?}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(output.stdout.is_empty());
    }
}
