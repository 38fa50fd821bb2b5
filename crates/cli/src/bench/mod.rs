//! `tidewire bench`.
#![allow(dead_code, reason = "what runs the load comes with the engine")]

pub(crate) mod report;
pub(crate) mod show;
pub(crate) mod watch;
