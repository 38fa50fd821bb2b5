//! What all connections of a server, or of a client, are made with.

use pyo3::{exceptions::PyValueError, prelude::*};
use std::{sync::Arc, time::Duration};
use tidewire_proto::{
    config::{Config, Limits, Timing},
    deflate::DeflateConfig,
    handshake::{OriginPolicy, ServerPolicy},
};

/// What a connection allows and how long it waits.
#[pyclass(frozen, module = "tidewire._core")]
pub(crate) struct Settings {
    pub(crate) config: Arc<Config>,
    pub(crate) policy: ServerPolicy,
    pub(crate) queue: Marks,
    pub(crate) write: Marks,
    pub(crate) open_timeout: Option<Duration>,
}

/// Above `high` the other side waits, until no more than `low` is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Marks {
    pub(crate) high: usize,
    pub(crate) low: usize,
}

/// `16`, `(16, 4)` or `None`.
#[derive(Clone, Copy, FromPyObject)]
pub(crate) enum Limit {
    High(i64),
    Both(Option<i64>, Option<i64>),
}

impl Limit {
    fn marks(this: Option<Self>, name: &str) -> PyResult<Marks> {
        let (high, low) = match this {
            None => (None, None),
            Some(Self::High(high)) => (Some(high), None),
            Some(Self::Both(high, low)) => (high, low),
        };
        let high = size(high, name)?;
        let low = low.map_or(Ok(high / 4), |low| size(Some(low), name))?;
        if low > high {
            return Err(PyValueError::new_err(format!(
                "{name}: the low mark {low} is above the high mark {high}"
            )));
        }
        Ok(Marks { high, low })
    }
}

/// A number of bytes or messages; without one there is no limit.
fn size(given: Option<i64>, name: &str) -> PyResult<usize> {
    given.map_or(Ok(usize::MAX), |given| {
        usize::try_from(given).map_err(|_| {
            PyValueError::new_err(format!("{name} is {given}: give 0 or more, or None for no limit"))
        })
    })
}

/// A time that never comes, in the core's terms.
const NEVER: Duration = Duration::from_hours(100 * 365 * 24);

fn time(seconds: Option<f64>, name: &str) -> PyResult<Option<Duration>> {
    let Some(seconds) = seconds else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() => Ok(Some(time.min(NEVER))),
        _ => Err(PyValueError::new_err(format!(
            "{name} is {seconds}: give seconds above 0, or None for no limit"
        ))),
    }
}

#[pymethods]
impl Settings {
    #[new]
    #[pyo3(signature = (*, max_size = Some(1 << 20), max_queue = Some(Limit::High(16)),
        write_limit = Some(Limit::High(1 << 15)), ping_interval = Some(20.0), ping_timeout = Some(20.0),
        close_timeout = Some(10.0), open_timeout = Some(10.0), compression = Some("deflate"),
        origins = None, loopback = false))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn new(
        max_size: Option<i64>,
        max_queue: Option<Limit>,
        write_limit: Option<Limit>,
        ping_interval: Option<f64>,
        ping_timeout: Option<f64>,
        close_timeout: Option<f64>,
        open_timeout: Option<f64>,
        compression: Option<&str>,
        origins: Option<Vec<Option<String>>>,
        loopback: bool,
    ) -> PyResult<Self> {
        let deflate = match compression {
            Some("deflate") => DeflateConfig::default(),
            None => DeflateConfig::disabled(),
            Some(other) => {
                return Err(PyValueError::new_err(format!(
                    "compression is \"{other}\": give \"deflate\", or None to send messages as they are"
                )));
            }
        };
        let size = size(max_size, "max_size")?;
        let write = Limit::marks(write_limit, "write_limit")?;
        let config = Config {
            limits: Limits { message: size, frame: size, outbox: write.high.max(1), ..Limits::default() },
            timing: Timing {
                ping_interval: time(ping_interval, "ping_interval")?,
                pong_timeout: time(ping_timeout, "ping_timeout")?.unwrap_or(NEVER),
                close_timeout: time(close_timeout, "close_timeout")?.unwrap_or(NEVER),
                idle_timeout: None,
            },
            deflate,
            ..Config::default()
        };
        let origin = match origins {
            None => OriginPolicy::default(),
            Some(entries) => {
                let mut policy = OriginPolicy::only_listed(entries.contains(&None));
                for entry in entries.iter().flatten() {
                    policy = policy.allow(entry).map_err(|error| PyValueError::new_err(error.to_string()))?;
                }
                policy
            }
        };
        Ok(Self {
            config: Arc::new(config),
            policy: ServerPolicy { origin, loopback },
            queue: Limit::marks(max_queue, "max_queue")?,
            write,
            open_timeout: time(open_timeout, "open_timeout")?,
        })
    }
}
