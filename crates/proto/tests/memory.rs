//! What the core takes from the heap, counted.

use testkit::{
    NO_TAKEOVER, Setup,
    counting::{Counting, count},
    drive::Driver,
    wire::Wire,
    workspace,
};
use tidewire_proto::{
    Connection, Event, Input, Opcode, Prepared, Role, Time, Workspace,
    frame::{self, Header, Rules},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROLES: [Role; 2] = [Role::Server, Role::Client];

/// Reads what `bytes` hold, sends each message back, and writes it all; how many messages there were.
fn echo(
    connection: &mut Connection,
    workspace: &mut Workspace,
    bytes: &mut [u8],
    lent: &mut Vec<u8>,
) -> usize {
    let mut messages = 0;
    connection.outbox_mut().lend(core::mem::take(lent));
    let mut input = Input::new(bytes);
    while let Some(event) = connection.next(&mut input, workspace, Time::default()).expect("right") {
        if let Event::Message(message) = event {
            connection.send(message, workspace).expect("open");
            messages += 1;
        }
    }
    connection.wrote(connection.outbox().pending(), workspace, Time::default());
    *lent = connection.outbox_mut().reclaim();
    messages
}

/// Headers are read and written without the heap.
#[test]
fn frames_allocate_nothing() {
    let ((), taken) = count(|| {
        for length in [0, 125, 126, 65_535, 65_536, 1 << 40] {
            for (role, mask) in [(Role::Server, Some([1, 2, 3, 4])), (Role::Client, None)] {
                let header = Header { fin: true, rsv1: false, opcode: Opcode::Binary, mask, length };
                let bytes = frame::encode(&header);
                let rules = Rules { role, message: false, deflate: false };
                assert_eq!(frame::decode(&bytes, rules), Ok(Some((header, bytes.len()))));
            }
        }
    });
    assert_eq!(taken.calls, 0);
}

/// Whole uncompressed messages, pings and pongs go in and out without the heap, at both ends.
#[test]
fn whole_messages_allocate_nothing() {
    for role in ROLES {
        for deflate in [None, Some(NO_TAKEOVER)] {
            let setup = Setup::new(role).deflate(deflate).config(|config| config.deflate.threshold = 20_000);
            let mut stream = Wire::from(setup.peer()).ping("ping").pong("pong");
            for length in [0, 1, 16, 125, 126, 1000, 15_000] {
                stream = stream.text("t".repeat(length)).binary(vec![7; length]);
            }
            let mut stream = stream.bytes;
            let (mut connection, mut workspace) = (setup.connect(), workspace());
            let mut lent = Vec::with_capacity(128 * 1024);
            let (messages, taken) = count(|| echo(&mut connection, &mut workspace, &mut stream, &mut lent));
            assert_eq!((messages, taken.calls), (14, 0), "{role:?}");
        }
    }
}

/// edge 29: fragments are joined, so that a small one costs its bytes and no more.
#[test]
fn small_fragments_cost_their_bytes() {
    for role in ROLES {
        for size in [64, 1, 0] {
            let setup = Setup::new(role);
            let wire = || Wire::from(setup.peer());
            let first = wire().part(Opcode::Text, vec![b'a'; size]).bytes;
            let more = wire().part(Opcode::Continuation, vec![b'a'; size]).bytes;
            let (mut connection, mut workspace) = (setup.connect(), workspace());
            let ((), fresh) = count(|| drop(setup.connect()));
            assert_eq!(fresh.kept, 0);
            let ((), own) = count(|| std::mem::forget(setup.connect()));
            let mut buffer = vec![0; first.len()];
            let mut take = |bytes: &[u8]| {
                buffer[..bytes.len()].copy_from_slice(bytes);
                let mut input = Input::new(&mut buffer[..bytes.len()]);
                let event = connection.next(&mut input, &mut workspace, Time::default());
                assert!(event.expect("right").is_none());
            };
            let ((), taken) = count(|| {
                take(&first);
                (1..65_536).for_each(|_| take(&more));
            });
            let payload = 65_536 * size;
            // While the buffer moves to one of twice its size, both may be held.
            assert!(taken.peak <= 3 * payload + 1024, "{size}: {taken:?}");
            assert!(taken.kept.cast_unsigned() <= 2 * payload + 1024, "{size}: {taken:?}");
            assert!(taken.calls < 40, "{size}: {taken:?}");
            let ((), given) = count(|| drop(connection));
            assert_eq!(given.kept, -(taken.kept + own.kept));
        }
    }
}

/// edge 24: ten thousand headers that announce 16 MiB hold a few bytes each.
#[test]
fn announced_frames_hold_nothing() {
    let setup = Setup::new(Role::Server);
    let stream =
        Wire::from(Role::Client).shaped(Opcode::Binary, "abc", |frame| frame.announce(16 << 20)).bytes;
    let mut workspace = workspace();
    let (_connections, taken) = count(|| {
        let mut connections = Vec::with_capacity(10_000);
        for _ in 0..10_000 {
            let mut connection = setup.connect();
            let mut bytes = stream.clone();
            let mut input = Input::new(&mut bytes);
            assert!(connection.next(&mut input, &mut workspace, Time::default()).unwrap().is_none());
            assert!(connection.direct().is_none());
            connections.push(connection);
        }
        connections
    });
    let (_fresh, own) = count(|| setup.connect());
    let own = own.kept.cast_unsigned() + size_of::<Connection>();
    let each = taken.kept.cast_unsigned() / 10_000 - own;
    assert!(each <= 384, "{each} bytes");
}

/// An idle connection holds nothing on the heap, whatever went through it before.
#[test]
fn an_idle_connection_holds_nothing() {
    for role in ROLES {
        let setup = Setup::new(role).deflate(NO_TAKEOVER);
        let (mut connection, mut workspace) = (setup.connect(), workspace());
        let mut lent = Vec::with_capacity(1 << 20);
        let wire = || Wire::from(setup.peer());
        let mut stream =
            wire().text("a").part(Opcode::Binary, "b").ping("c").frame(Opcode::Continuation, "d").bytes;
        stream.extend(wire().binary(vec![0; 100_000]).text("t".repeat(3000)).bytes);
        // What the workspace makes at first use is there.
        echo(&mut setup.connect(), &mut workspace, &mut stream.clone(), &mut lent);
        let (messages, taken) = count(|| {
            let (head, tail) = stream.split_at_mut(40_000);
            echo(&mut connection, &mut workspace, head, &mut lent)
                + echo(&mut connection, &mut workspace, tail, &mut lent)
        });
        assert_eq!((messages, taken.kept), (4, 0));
    }
}

/// edge 58: an outbox that never runs empty does not grow with what went through it.
#[test]
fn a_busy_outbox_holds_what_is_pending() {
    for role in ROLES {
        for (size, every) in [(1000, 0), (20_000, 3)] {
            let mut driver = Driver::new(&Setup::new(role));
            driver.connection.send(&[0; 5000][..], &mut driver.workspace).unwrap();
            let payload = vec![0; size.max(1000)];
            let ((), taken) = count(|| {
                for round in 0..20_000 {
                    let length = if every > 0 && round % every == 0 { size } else { 1000 };
                    driver.connection.send(&payload[..length], &mut driver.workspace).unwrap();
                    let Driver { connection, workspace, now, .. } = &mut driver;
                    let written = connection.outbox().pending() - 5000;
                    connection.wrote(written, workspace, *now);
                }
            });
            assert!(taken.peak < 100_000, "{taken:?}");
        }
    }
}

/// A prepared message that goes to many servers' connections is not copied when it is large.
#[test]
fn prepared_messages_are_shared() {
    let mut driver = Driver::new(&Setup::new(Role::Server));
    let prepared = Prepared::new(vec![0; 1 << 20]);
    let ((), taken) = count(|| driver.connection.send_prepared(&prepared, &mut driver.workspace).unwrap());
    assert!(taken.peak < 1024, "{taken:?}");
}
