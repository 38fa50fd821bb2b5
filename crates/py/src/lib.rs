//! `tidewire._core`: the core as an extension module of Python.
//!
//! A [`connection::Connection`] is driven by the same driver as those of the Rust library. Its transport is a socket of the
//! [`reactor::Reactor`], which stands behind one descriptor of an asyncio loop, or a transport of asyncio's
//! ([`protocol::Protocol`]). What comes is queued for whoever awaits it, or handed to a [`handler::Handler`].

mod awaitable;
mod broadcast;
mod carrier;
mod connection;
mod face;
mod handler;
mod lock;
mod opening;
mod program;
mod protocol;
mod reactor;
mod settings;
mod state;
mod steps;
mod text;
mod waiter;
mod wire;

use pyo3::prelude::*;
use tidewire_proto::handshake::WsUrl;

/// Secure, host, port, request target, and user and password.
type Url = (bool, String, u16, String, Option<(String, String)>);

/// Reads a URL.
#[pyfunction]
fn parse_url(url: &str) -> PyResult<Url> {
    let url =
        WsUrl::parse(url).map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let credentials = url.credentials().map(|(user, password)| (text(user), text(password)));
    Ok((url.is_secure(), url.host().to_owned(), url.port(), url.target().to_owned(), credentials))
}

/// What a process that was forked off does first.
#[pyfunction]
fn _forked() {
    tidewire::driver::forked();
}

// Where there is no GIL, loading this brings it back: who finds a connection being driven leaves it to the other thread.
#[pyo3::pymodule(gil_used = true)]
mod _core {
    use pyo3::{prelude::*, types::PyDict};

    #[pymodule_export]
    use super::{
        _forked,
        awaitable::{Awaitable, Done},
        broadcast::broadcast,
        connection::Connection,
        parse_url,
        program::{console_page, run_program},
        protocol::Protocol,
        reactor::Reactor,
        settings::Settings,
        steps::Steps,
        waiter::Waiter,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let keywords = PyDict::new(module.py());
        keywords.set_item("after_in_child", module.getattr("_forked")?)?;
        module.py().import("os")?.call_method("register_at_fork", (), Some(&keywords))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
