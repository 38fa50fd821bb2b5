//! `tidewire connect`: a client in a terminal, and an exact one in a pipe.

mod backoff;
mod codec;
mod command;
mod display;
pub(crate) mod exit;
pub(crate) mod framing;
mod input;
mod output;
mod queue;
mod run;
#[cfg(test)]
mod scripted;
mod session;
mod talk;
mod url;
mod writer;
