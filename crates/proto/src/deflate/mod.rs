//! permessage-deflate (RFC 7692).

pub mod parameters;

pub use parameters::DeflateParams;
