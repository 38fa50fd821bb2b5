//! placeholder

pub mod dial;
#[cfg(feature = "tls")]
pub mod tls;
