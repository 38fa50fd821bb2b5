//! The `tidewire` program, as a library: the binary and the Python package both run it.

mod args;
mod bench;
mod connect;
mod generate;
mod serve;
mod ui;

use args::{Cli, Command};
use clap::Parser as _;
use std::ffi::OsString;

/// A run that did what it was asked for.
const SUCCESS: u8 = 0;
/// A run that could not; commands that tell more have statuses of their own.
const FAILURE: u8 = 1;

/// Runs the program with these words, of which the first is the program's name, and returns its exit status.
///
/// It takes over stdin, stdout and stderr. A command that runs until it is stopped takes over SIGINT and SIGTERM too, and
/// the second of them ends the process.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args::words(words.into_iter())) {
        Ok(cli) => cli,
        Err(answer) => {
            // As clap's own exit: whoever asked for help and left does not need it.
            let _gone = answer.print();
            return u8::try_from(answer.exit_code()).unwrap_or(FAILURE);
        }
    };
    match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    }
}

/// The content security policy and the HTML of the console page, whose script and style run because they carry `nonce`.
pub fn console_page(nonce: &str) -> (String, String) {
    (serve::page::policy(nonce), serve::page::with_nonce(nonce))
}
