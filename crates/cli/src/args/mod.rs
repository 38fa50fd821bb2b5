//! The command line: one declaration for parsing, `--help`, the manual pages and shell completion.
#![expect(clippy::doc_markdown, reason = "these comments are help texts, not Markdown")]

mod bench;
mod connect;
mod opening;
mod serve;
pub(crate) mod values;

pub(crate) use bench::{BenchArgs, Characters};
pub(crate) use connect::ConnectArgs;
pub(crate) use opening::OpeningArgs;
pub(crate) use serve::{DeflateMode, LogFormat, LogLevel, ServeArgs};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::ffi::OsString;
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
  tidewire bench -c 64 :9876          measure round trips
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
    Bench(Box<BenchArgs>),
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

/// The words of the command line, with `-L3` as `-L=3`: its number can be left out, so that it needs the equals sign.
pub(crate) fn words(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    let mut options = true;
    words.map(move |word| {
        options &= word != "--";
        let number = word.to_str().and_then(|word| word.strip_prefix("-L"));
        match number {
            Some(number) if options && number.starts_with(|c: char| c.is_ascii_digit()) => {
                format!("-L={number}").into()
            }
            _ => word,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn redirects_are_numbered_with_and_without_an_equals_sign() {
        for (option, expected) in
            [("-v", 0), ("-L", 10), ("-L3", 3), ("-L=4", 4), ("--location", 10), ("--location=5", 5)]
        {
            let line = ["tidewire", "connect", option, "9876"].map(OsString::from);
            let Command::Connect(args) = Cli::try_parse_from(words(line.into_iter())).unwrap().command else {
                panic!("another command")
            };
            assert_eq!((args.opening.location, args.url.as_str()), (expected, "9876"), "{option}");
        }
        let after = ["connect", "--", "-L3"].map(OsString::from);
        assert_eq!(words(after.clone().into_iter()).collect::<Vec<_>>(), after);
    }
}
