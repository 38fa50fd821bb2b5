//! The bodies of the fuzz targets, as plain functions: any input is allowed, and a panic is a find.

mod handshake;
mod inflate;
mod pair;

pub use handshake::handshake;
pub use inflate::inflate;
pub use pair::pair;

use testkit::{
    Setup,
    drive::{self, Cuts},
    script::{self, Script},
};
use tidewire_proto::{Role, config::Delivery, deflate::DeflateParams};

/// A fuzz target.
pub type Target = fn(&[u8]);

/// All of them by name.
pub const TARGETS: [(&str, Target); 4] =
    [("decode", decode), ("inflate", inflate), ("handshake", handshake), ("pair", pair)];

/// Whatever a peer sends, in whatever reads: the connection makes of it what the reference decoder does.
pub fn decode(data: &[u8]) {
    let Some((head, rest)) = data.split_first_chunk::<8>() else { return };
    let mut script = Script::new(head);
    let flags = script.byte();
    let setup = setup(flags, script.byte()).config(|config| {
        if flags & 8 != 0 {
            config.limits.frame = usize::from(script.byte()) * 16;
            config.limits.message = 1 + usize::from(script.byte()) * 16;
            config.limits.fragments = 2 + u32::from(script.byte() % 16);
        } else {
            (config.limits.frame, config.limits.message) = (1 << 17, 1 << 17);
        }
    });
    let stream = if flags & 16 != 0 { script::stream(&setup, rest) } else { rest.to_vec() };
    // A long stream in no more than some thousand reads.
    let least = stream.len() / 1024;
    let sizes = vec![usize::from(script.byte()), usize::from(script.byte()) + 1 + least];
    let cuts = match flags >> 5 & 3 {
        0 => Cuts::Whole,
        1 => Cuts::Sizes(sizes),
        2 => Cuts::Direct(sizes),
        _ => Cuts::Sizes(vec![1 + least]),
    };
    drive::check(&setup, &stream, &cuts);
}

/// The role, delivery and agreement that two bytes describe.
fn setup(flags: u8, agreement: u8) -> Setup {
    let role = if flags & 1 == 0 { Role::Server } else { Role::Client };
    let delivery = if flags & 2 == 0 { Delivery::Whole } else { Delivery::Streaming };
    Setup::new(role)
        .deflate((flags & 4 != 0).then(|| params(agreement)))
        .config(|config| config.delivery = delivery)
}

/// The agreement on permessage-deflate that a byte describes.
fn params(bits: u8) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: bits & 1 != 0,
        client_no_context_takeover: bits & 2 != 0,
        server_max_window_bits: 8 + (bits >> 2 & 7),
        client_max_window_bits: 8 + (bits >> 5 & 7),
    }
}
