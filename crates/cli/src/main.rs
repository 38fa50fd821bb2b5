//! The `tidewire` program.

mod args;
mod connect;
mod ui;

use clap::Parser as _;

fn main() {
    let cli = args::Cli::parse();
    println!("{cli:?}");
}
