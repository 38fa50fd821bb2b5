//! `tidewire completions` and `tidewire man`: both come from the declaration that parses.

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::{FAILURE, SUCCESS, ui};
use clap::CommandFactory as _;
use clap_mangen::Man;
use std::io::{self, Write as _};
use std::path::Path;

/// Runs `tidewire completions`.
pub(crate) fn completions(args: &CompletionsArgs) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "tidewire", &mut script);
    finish(print(&script))
}

/// Runs `tidewire man`.
pub(crate) fn man(args: &ManArgs) -> u8 {
    finish(match &args.dir {
        Some(dir) => write_all(dir),
        None => page(args.command.as_deref()).and_then(|page| print(&page)),
    })
}

fn page(name: Option<&str>) -> Result<Vec<u8>, String> {
    let mut program = Cli::command();
    program.build();
    let command = match name {
        None => &program,
        Some(name) => program.find_subcommand(name).ok_or_else(|| {
            let names: Vec<_> = program.get_subcommands().map(clap::Command::get_name).collect();
            format!("there is no command {name}: choose one of {}", names.join(", "))
        })?,
    };
    Ok(render(command))
}

fn render(command: &clap::Command) -> Vec<u8> {
    let mut page = Vec::new();
    let man = Man::new(command.clone()).source(concat!("tidewire ", env!("CARGO_PKG_VERSION")));
    man.render(&mut page).expect("a Vec takes every write");
    page
}

fn write_all(dir: &Path) -> Result<(), String> {
    let mut program = Cli::command();
    program.build();
    std::fs::create_dir_all(dir)
        .and_then(|()| {
            std::iter::once(&program).chain(program.get_subcommands()).try_for_each(|command| {
                let name = command.get_display_name().unwrap_or_else(|| command.get_name());
                std::fs::write(dir.join(format!("{name}.1")), render(command))
            })
        })
        .map_err(|error| format!("{} can't be written: {error}", dir.display()))
}

fn print(bytes: &[u8]) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        // A pager that was left has read enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("stdout can't be written: {error}"))
        }
        _ => Ok(()),
    }
}

fn finish(result: Result<(), String>) -> u8 {
    match result {
        Ok(()) => SUCCESS,
        Err(why) => {
            ui::error(&why);
            FAILURE
        }
    }
}
