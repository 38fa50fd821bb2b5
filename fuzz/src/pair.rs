//! Two of our connections, a line between them that a script troubles, and a clock.

use std::time::Duration;
use testkit::{
    Seen,
    pair::{End, Pair},
    script::Script,
};
use tidewire_proto::{Kind, close::Phase};

/// What one end sent with success.
#[derive(Default)]
struct Sent {
    messages: Vec<Seen>,
    piece: Option<(Kind, String)>,
}

/// Whatever the script does, each end sees the messages of the other, in order and none twice; and all of them, where
/// nothing failed.
pub fn pair(data: &[u8]) {
    let Some((&[flags, agreement], rest)) = data.split_first_chunk::<2>() else { return };
    let mut pair = Pair::with(|setup| {
        let (deflate, delivery) =
            (crate::setup(flags, agreement).deflate, crate::setup(flags, 0).config.delivery);
        setup.deflate(deflate).config(|config| {
            config.delivery = delivery;
            config.deflate.threshold = usize::from(flags >> 4) * 8;
            if flags & 8 != 0 {
                config.timing.idle_timeout = Some(Duration::from_secs(90));
                config.limits.outbox = 4096;
            }
        })
    });
    let mut sent = [Sent::default(), Sent::default()];
    let mut script = Script::new(rest);
    while !script.is_empty() {
        step(&mut pair, &mut sent, &mut script);
    }
    for (end, line) in [(&mut pair.client, &mut pair.to_client), (&mut pair.server, &mut pair.to_server)] {
        end.set_reading(true);
        (line.stalled, line.capacity) = (false, 1 << 20);
        (line.latency, line.chunk) = (Duration::from_millis(1), 1 << 16);
    }
    pair.advance(Duration::from_secs(200));
    let [client, server] = &sent;
    judge(&pair.client, server, &pair);
    judge(&pair.server, client, &pair);
}

fn judge(end: &End, sent: &Sent, pair: &Pair) {
    let seen: Vec<&Seen> =
        end.seen.iter().filter(|seen| matches!(seen, Seen::Text(_) | Seen::Binary(_))).collect();
    let expected: Vec<&Seen> = sent.messages.iter().collect();
    assert!(expected.starts_with(&seen), "in order, and none twice");
    assert!(end.errors.iter().all(|error| matches!(error, tidewire_proto::Error::Timeout(_))));
    let sound = !pair.to_client.cut
        && !pair.to_server.cut
        && pair.client.errors.is_empty()
        && pair.server.errors.is_empty();
    if sound {
        assert_eq!(seen, expected, "all of them");
        assert_eq!(pair.client.phase(), pair.server.phase());
        assert!(matches!(end.phase(), Phase::Open | Phase::Closed));
    } else if end.phase() != Phase::Open {
        assert!(end.gone.is_some(), "no end stays behind a failure");
    }
}

fn step(pair: &mut Pair, sent: &mut [Sent; 2], script: &mut Script<'_>) {
    let choice = script.byte();
    let index = usize::from(choice & 1);
    let (end, line) = if index == 0 {
        (&mut pair.client, &mut pair.to_server)
    } else {
        (&mut pair.server, &mut pair.to_client)
    };
    match choice >> 1 & 15 {
        0 | 1 => {
            let payload = vec![script.byte(); script.size()];
            if end.send(&payload[..]).is_ok() {
                sent[index].messages.push(Seen::Binary(payload));
            }
        }
        2 => {
            let text = "é😀".repeat(script.size() / 6);
            if end.send(text.as_str()).is_ok() {
                sent[index].messages.push(Seen::Text(text));
            }
        }
        3 => {
            let (text, last) = ("p€".repeat(usize::from(script.byte() % 32)), script.byte() & 1 == 0);
            let kind = if script.byte() & 1 == 0 { Kind::Text } else { Kind::Binary };
            let driver = &mut end.driver;
            let piece = &mut sent[index].piece;
            if driver.connection.send_piece(kind, text.as_bytes(), last, &mut driver.workspace).is_ok() {
                piece.get_or_insert_with(|| (kind, String::new())).1.push_str(&text);
                if last && let Some((kind, text)) = piece.take() {
                    sent[index].messages.push(match kind {
                        Kind::Text => Seen::Text(text),
                        Kind::Binary => Seen::Binary(text.into()),
                    });
                }
            }
        }
        4 => {
            let driver = &mut end.driver;
            let payload = vec![7; usize::from(script.byte())];
            let result = driver.connection.ping(&payload, &mut driver.workspace);
            assert!(payload.len() <= 125 || result.is_err());
        }
        5 => {
            let _ = end.close(script.word(), "because");
        }
        6 => line.chunk = 1 + usize::from(script.byte()) * 64,
        7 => line.latency = Duration::from_millis(script.word().into()),
        8 => line.stalled = !line.stalled,
        // What is lost stays lost, as in TCP.
        9 => line.cut |= script.byte() == 1,
        10 => end.set_reading(script.byte() & 1 == 0),
        11 => end.direct = script.byte() & 1 == 0,
        12 => line.capacity = line.capacity.max(64 + usize::from(script.word())),
        13 => {
            let driver = &mut end.driver;
            driver.connection.measure_latency(&mut driver.workspace, driver.now);
        }
        14 => pair.advance(Duration::from_millis(script.word().into())),
        _ => pair.advance(Duration::from_secs(script.byte().into())),
    }
}
