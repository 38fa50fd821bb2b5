//! The command line: one declaration for parsing, `--help`, the manual pages and shell completion.
#![expect(clippy::doc_markdown, reason = "these comments are help texts, not Markdown")]

mod connect;
mod serve;
pub(crate) mod values;

pub(crate) use connect::ConnectArgs;
pub(crate) use serve::{DeflateMode, LogFormat, LogLevel, ServeArgs};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Live, two-way connections between programs and browsers: WebSocket (RFC 6455)
#[derive(Debug, Parser)]
#[command(
    name = "tidewire",
    version,
    max_term_width = 100,
    propagate_version = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  tidewire serve                      echo, and a console page, on http://127.0.0.1:9876/
  tidewire connect :9876              talk to it
  echo hi | tidewire connect -1 :9876 send a message, print the answer
  tidewire man connect | man -l -     read about it"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Box<ServeArgs>),
    Connect(Box<ConnectArgs>),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Print a script that completes this command line in a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidewire completions bash > ~/.local/share/bash-completion/completions/tidewire
  tidewire completions zsh  > \"${fpath[1]}/_tidewire\"
  tidewire completions fish > ~/.config/fish/completions/tidewire.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Print a manual page
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tidewire man connect | man -l -
  tidewire man --dir ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The command to describe; without it the program as a whole
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub(crate) command: Option<String>,

    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }
}
