//! The program as it is built, from the command line to the exit status: real sockets, real processes.
// Signals, Unix sockets and terminals are Unix's.
#![cfg(unix)]

mod bench;
mod endings;
mod messages;
mod opening;
mod pages;
mod serving;
mod support;
mod terminal;
