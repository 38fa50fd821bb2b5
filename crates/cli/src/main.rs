//! The `tidewire` program.

mod args;
mod bench;
mod connect;
mod generate;
mod serve;
mod ui;

use args::{Cli, Command};
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse_from(args::words(std::env::args_os())).command {
        Command::Serve(args) => serve::run(&args),
        Command::Connect(args) => connect::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args),
    }
}
