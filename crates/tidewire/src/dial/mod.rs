//! From a host and a port to a connected byte stream: names, addresses, proxies, TLS.
//!
//! A [`Dialer`] holds the settings; [`Dialer::dial`] does it all. The protocols of the proxies, the race of the
//! addresses and the waits between attempts are modules of their own that know nothing of each other.

mod backoff;
mod connect_tunnel;
mod dialer;
mod environment;
mod error;
mod happy;
mod no_proxy;
mod proxy;
mod resolve;
mod route;
mod socks5;
mod stream;
mod target;

pub use backoff::Backoff;
pub use dialer::{DialInfo, Dialer};
pub use error::{DialError, Phase, ProxyError};
pub use happy::Attempt;
pub use no_proxy::NoProxy;
pub use proxy::{BadProxy, Proxy, ProxyKind};
pub use resolve::{Resolve, Resolving, SystemResolver};
pub use socks5::SocksReply;
pub use stream::{Early, Stream};
pub use target::{BadTarget, Target};
