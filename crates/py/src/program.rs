//! The `tidewire` program, for `python -m tidewire` and the `tidewire` command of the package.

use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the program with these arguments, which do not begin with its name, and returns its exit status.
/// The interpreter is free meanwhile.
///
/// What it prints is flushed where it is printed: Rust flushes stdout only behind a `main` of its own.
#[pyfunction]
pub(crate) fn run_program(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| tidewire_cli::run(std::iter::once("tidewire".into()).chain(arguments)))
}

/// The content security policy and the HTML of the program's console page, for pages of the package's servers.
#[pyfunction]
pub(crate) fn console_page(nonce: &str) -> (String, String) {
    tidewire_cli::console_page(nonce)
}
