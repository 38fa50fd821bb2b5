//! The parameters of permessage-deflate.

use tidewire_proto::deflate::DeflateParams;
use tidewire_proto::deflate::parameters::{DeflateConfig, ParameterError};
use tidewire_proto::handshake::extensions::parse;

/// Takes every offer as it is.
fn open() -> DeflateConfig {
    DeflateConfig {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        ..DeflateConfig::default()
    }
}

fn accept(config: &DeflateConfig, offer: &str) -> Option<(DeflateParams, String)> {
    let parsed = parse([offer.as_bytes()]).expect("an offer");
    config.accept_offer(parsed[0].pairs())
}

fn confirm(config: &DeflateConfig, reply: &str) -> Result<DeflateParams, ParameterError> {
    let parsed = parse([reply.as_bytes()]).expect("a reply");
    config.confirm(parsed[0].pairs())
}

fn params(server_nct: bool, client_nct: bool, server_bits: u8, client_bits: u8) -> DeflateParams {
    DeflateParams {
        server_no_context_takeover: server_nct,
        client_no_context_takeover: client_nct,
        server_max_window_bits: server_bits,
        client_max_window_bits: client_bits,
    }
}

/// edge 51, 52: offers, and the replies of a server that takes them as they are.
#[test]
fn offers_to_an_open_server() {
    let table = [
        ("", params(false, false, 15, 15), ""),
        ("; server_no_context_takeover", params(true, false, 15, 15), "; server_no_context_takeover"),
        ("; client_no_context_takeover", params(false, true, 15, 15), "; client_no_context_takeover"),
        (
            "; client_no_context_takeover; server_no_context_takeover",
            params(true, true, 15, 15),
            "; server_no_context_takeover; client_no_context_takeover",
        ),
        ("; server_max_window_bits=15", params(false, false, 15, 15), "; server_max_window_bits=15"),
        ("; server_max_window_bits=\"8\"", params(false, false, 8, 15), "; server_max_window_bits=8"),
        ("; client_max_window_bits", params(false, false, 15, 15), ""),
        ("; client_max_window_bits=15", params(false, false, 15, 15), ""),
        ("; client_max_window_bits=8", params(false, false, 15, 8), "; client_max_window_bits=8"),
        (
            "; server_max_window_bits=10; client_max_window_bits=12",
            params(false, false, 10, 12),
            "; server_max_window_bits=10; client_max_window_bits=12",
        ),
    ];
    for (offer, agreed, reply) in table {
        let expected = Some((agreed, format!("permessage-deflate{reply}")));
        assert_eq!(accept(&open(), &format!("permessage-deflate{offer}")), expected, "{offer}");
    }
}

/// edge 51, 52: the default server takes no context over, and a server with small windows asks for what it may ask.
#[test]
fn servers_with_wishes_of_their_own() {
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(
        accept(&DeflateConfig::default(), "permessage-deflate"),
        Some((params(true, true, 15, 15), both.into()))
    );
    let small = DeflateConfig { server_max_window_bits: 10, client_max_window_bits: 11, ..open() };
    let expected = "permessage-deflate; server_max_window_bits=10; client_max_window_bits=11";
    let bare = (params(false, false, 10, 15), "permessage-deflate; server_max_window_bits=10".to_owned());
    assert_eq!(accept(&small, "permessage-deflate"), Some(bare), "the client's window can't be asked for");
    assert_eq!(
        accept(&small, "permessage-deflate; client_max_window_bits"),
        Some((params(false, false, 10, 11), expected.into()))
    );
    assert_eq!(
        accept(&small, "permessage-deflate; client_max_window_bits=13; server_max_window_bits=12"),
        Some((params(false, false, 10, 11), expected.into()))
    );
    let tiny = DeflateConfig { server_max_window_bits: 0, client_max_window_bits: 99, ..open() };
    assert_eq!(accept(&tiny, "permessage-deflate").map(|agreed| agreed.0), Some(params(false, false, 8, 15)));
    assert_eq!(accept(&DeflateConfig::disabled(), "permessage-deflate"), None);
}

/// edge 51: offers that are declined.
#[test]
fn declined_offers() {
    for offer in [
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=0",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=09",
        "server_max_window_bits=1",
        "server_max_window_bits=+9",
        "server_max_window_bits=100",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits=x",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "server_max_window_bits=10; server_max_window_bits=10",
        "client_max_window_bits; client_max_window_bits=10",
        "unknown",
        "Server_No_Context_Takeover",
    ] {
        assert_eq!(accept(&open(), &format!("permessage-deflate; {offer}")), None, "{offer}");
    }
}

/// edge 51: what a client offers.
#[test]
fn own_offers() {
    assert_eq!(DeflateConfig::disabled().offer(), None);
    assert_eq!(open().offer().as_deref(), Some("permessage-deflate; client_max_window_bits"));
    let small = DeflateConfig { server_max_window_bits: 8, client_max_window_bits: 8, ..open() };
    let expected = "permessage-deflate; server_max_window_bits=8; client_max_window_bits=8";
    assert_eq!(small.offer().as_deref(), Some(expected));
}

/// edge 51, 52: replies that keep to the offer.
#[test]
fn replies() {
    let demanding =
        DeflateConfig { server_max_window_bits: 12, client_max_window_bits: 11, ..DeflateConfig::default() };
    let table: [(&DeflateConfig, &str, DeflateParams); 7] = [
        (&open(), "", params(false, false, 15, 15)),
        (&open(), "; server_no_context_takeover; client_no_context_takeover", params(true, true, 15, 15)),
        (&open(), "; server_max_window_bits=8", params(false, false, 8, 15)),
        (&open(), "; client_max_window_bits=8", params(false, false, 15, 8)),
        (&DeflateConfig::default(), "; server_no_context_takeover", params(true, true, 15, 15)),
        (&demanding, "; server_no_context_takeover; server_max_window_bits=12", params(true, true, 12, 11)),
        (
            &demanding,
            "; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=10",
            params(true, true, 9, 10),
        ),
    ];
    for (config, reply, agreed) in table {
        assert_eq!(confirm(config, &format!("permessage-deflate{reply}")), Ok(agreed), "{reply}");
    }
}

/// edge 16, 51: replies that do not.
#[test]
fn replies_beyond_the_offer() {
    const SERVER: &str = "server_max_window_bits";
    const CLIENT: &str = "client_max_window_bits";
    let small = DeflateConfig { server_max_window_bits: 10, client_max_window_bits: 10, ..open() };
    let table: [(&DeflateConfig, &str, ParameterError); 12] = [
        (&open(), "unknown", ParameterError::Unknown("unknown".into())),
        (&open(), SERVER, ParameterError::ValueMissing(SERVER)),
        (&open(), CLIENT, ParameterError::ValueMissing(CLIENT)),
        (&open(), "client_max_window_bits=16", ParameterError::WindowBits(CLIENT, "16".into())),
        (&open(), "server_max_window_bits=010", ParameterError::WindowBits(SERVER, "010".into())),
        (
            &open(),
            "server_no_context_takeover=x",
            ParameterError::ValueUnexpected("server_no_context_takeover"),
        ),
        (
            &open(),
            "client_no_context_takeover; client_no_context_takeover",
            ParameterError::Twice("client_no_context_takeover"),
        ),
        (&open(), "server_max_window_bits=9; server_max_window_bits=9", ParameterError::Twice(SERVER)),
        (&small, "server_max_window_bits=11", ParameterError::AboveOffer(SERVER, 11, 10)),
        (&small, "client_max_window_bits=9", ParameterError::NotConfirmed(SERVER)),
        (
            &small,
            "server_max_window_bits=9; client_max_window_bits=11",
            ParameterError::AboveOffer(CLIENT, 11, 10),
        ),
        (
            &DeflateConfig::default(),
            "client_no_context_takeover",
            ParameterError::NotConfirmed("server_no_context_takeover"),
        ),
    ];
    for (config, reply, error) in table {
        assert_eq!(confirm(config, &format!("permessage-deflate; {reply}")), Err(error), "{reply}");
    }
}

/// edge 52: whatever two of ours are set to, both ends hold the same parameters.
#[test]
fn every_pair_of_configs_agrees() {
    let mut configs = Vec::new();
    for takeover in 0..4 {
        for (server_bits, client_bits) in [(8, 8), (9, 15), (15, 9), (15, 15), (11, 12)] {
            configs.push(DeflateConfig {
                server_no_context_takeover: takeover & 1 != 0,
                client_no_context_takeover: takeover & 2 != 0,
                server_max_window_bits: server_bits,
                client_max_window_bits: client_bits,
                ..DeflateConfig::default()
            });
        }
    }
    for client in &configs {
        for server in &configs {
            let offer = client.offer().expect("an offer");
            let (agreed, reply) = accept(server, &offer).expect("accepted");
            assert_eq!(confirm(client, &reply), Ok(agreed), "{offer} / {reply}");
        }
    }
}
