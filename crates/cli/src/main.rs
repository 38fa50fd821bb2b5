//! The `tidewire` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(tidewire_cli::run(std::env::args_os()))
}
