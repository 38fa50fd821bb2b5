//! The `tidewire` program, for `python -m tidewire` and the `tidewire` command of the package.

use pyo3::prelude::*;
use std::ffi::OsString;
use std::io::{self, Write as _};

/// Runs the program with these arguments, which do not begin with its name, and returns its exit status.
/// The interpreter is free meanwhile.
#[pyfunction]
pub(crate) fn run_program(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| {
        let status = tidewire_cli::run(std::iter::once("tidewire".into()).chain(arguments));
        // Rust does this at the end of its own `main` only. Whoever went away does not need it.
        let _gone = io::stdout().flush();
        status
    })
}
