//! The opening handshake (RFC 6455 §4) without I/O.
//!
//! The rules of version, Origin, subprotocol and extensions are written over [`HeaderView`], so that they judge a head
//! of ours and one of another HTTP library alike. What only HTTP/1.1 has, the key and the accept value, stands apart
//! in [`key`]: [`check`] asks for it, [`check_offer`] does not.
//!
//! | from bytes | judged by | answered with |
//! |---|---|---|
//! | [`RequestHead::parse`] | [`is_websocket`], then [`check`] | [`Accepted::respond`] or [`Refusal`] |
//! | [`ResponseHead::parse`] | [`ClientHandshake::check_response`] | |

mod authority;
pub mod client;
pub mod error;
pub mod extensions;
pub mod fields;
mod grammar;
pub mod head;
pub mod key;
pub mod negotiate;
pub mod origin;
pub mod redirect;
pub mod refusal;
pub mod scan;
pub mod server;
pub mod target;
pub mod url;

pub use authority::{AuthorityError, host_is_loopback};
pub use client::ClientHandshake;
pub use error::{HandshakeError, SetupError};
pub use extensions::{Extension, ExtensionsError, Parameter};
pub use fields::{Fields, HeaderView};
pub use head::{Headers, RequestHead, ResponseHead, Version};
pub use negotiate::Agreed;
pub use origin::OriginPolicy;
pub use redirect::{redirect, resolve};
pub use refusal::Refusal;
pub use scan::{HeadError, HeadLimits, HeadScanner};
pub use server::{Accepted, Choice, Offer, RequestView, ServerPolicy, Switching};
pub use server::{check, check_offer, check_origin, is_websocket};
pub use target::{Target, TargetError};
pub use url::{UrlError, WsUrl};
