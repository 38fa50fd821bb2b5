//! What people see: errors, colours, and strangers' text made safe. Nothing else of the program prints.

pub(crate) mod escape;
pub(crate) mod hexdump;
pub(crate) mod json;
pub(crate) mod style;
pub(crate) mod units;

use std::io::{self, Write as _};

/// Writes `tidewire: …` to stderr, in one line.
pub(crate) fn error(text: &str) {
    // Where stderr is gone there is nobody left to tell.
    let _ = writeln!(io::stderr().lock(), "tidewire: {}", escape::line(text));
}
