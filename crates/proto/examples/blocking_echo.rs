//! An echo server without an event loop: the bare core, a thread for each client, sockets of the standard library.
//! `cargo run -p tidewire-proto --example blocking_echo`. An address of your own may follow, behind `--`.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use tidewire_proto::{
    Config, Connection, Event, Input, Role, Time, Workspace,
    deflate::DeflateParams,
    handshake::{self, Choice, HeadLimits, Refusal, RequestHead, RequestView, ServerPolicy},
};

/// How long a client may take over its request.
const HANDSHAKE: Duration = Duration::from_secs(10);

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9876".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    let config = Arc::new(Config::default());
    let policy = ServerPolicy { loopback: listener.local_addr()?.ip().is_loopback(), ..Default::default() };
    loop {
        let (stream, peer) = listener.accept()?;
        let (config, policy) = (Arc::clone(&config), policy.clone());
        thread::spawn(move || match client(stream, config, &policy) {
            Ok(()) => println!("{peer}: closed"),
            Err(error) => println!("{peer}: {error}"),
        });
    }
}

fn client(mut stream: TcpStream, config: Arc<Config>, policy: &ServerPolicy) -> io::Result<()> {
    let begin = Instant::now();
    let now = || Time::from_micros(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX));
    let (deflate, early) = upgrade(&mut stream, &config, policy)?;
    let mut workspace = Workspace::new(Box::new(|bytes| getrandom::fill(bytes).expect("random bytes")));
    let mut connection = Connection::new(Role::Server, config, deflate, now());
    let mut buffer = vec![0; 64 * 1024];
    let mut count = early.len();
    buffer[..count].copy_from_slice(&early);
    loop {
        // After every call that changes the connection: drain its events, …
        let mut input = Input::new(&mut buffer[..count]);
        loop {
            match connection.next(&mut input, &mut workspace, now()) {
                // Once the peer has closed, nobody would receive an answer.
                Ok(Some(Event::Message(message))) => drop(connection.send(message, &mut workspace)),
                Ok(Some(_)) => {}
                Ok(None) => break,
                // The close frame that tells the peer is in the outbox.
                Err(error) => {
                    println!("{error}");
                    break;
                }
            }
        }
        // … write its outbox, …
        while let Some(bytes) = connection.outbox().chunks().next() {
            let written = stream.write(bytes)?;
            connection.wrote(written, &mut workspace, now());
        }
        if connection.is_finished() {
            return stream.shutdown(Shutdown::Write);
        }
        // … then arm its deadline.
        let wait = connection.deadline().map(|at| at.since(now()).max(Duration::from_millis(1)));
        stream.set_read_timeout(wait)?;
        count = match stream.read(&mut buffer) {
            Ok(0) => {
                connection.end();
                return Err(ErrorKind::UnexpectedEof.into());
            }
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if let Err(error) = connection.handle_deadline(&mut workspace, now()) {
                    println!("{error}");
                }
                0
            }
            Err(error) => return Err(error),
        };
    }
}

/// The opening handshake: what was agreed on compression, and the frames that came behind the request.
fn upgrade(
    stream: &mut TcpStream,
    config: &Config,
    policy: &ServerPolicy,
) -> io::Result<(Option<DeflateParams>, Vec<u8>)> {
    let limits = HeadLimits::default();
    let begin = Instant::now();
    let mut bytes = Vec::new();
    let (head, end) = loop {
        let left = HANDSHAKE.checked_sub(begin.elapsed()).filter(|left| !left.is_zero());
        stream.set_read_timeout(Some(left.ok_or(ErrorKind::TimedOut)?))?;
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&piece[..count]);
        match RequestHead::parse(&bytes, &limits) {
            Ok(Some(found)) => break found,
            Ok(None) => {}
            Err(error) => return Err(refuse(stream, &error.into())),
        }
    };
    let judged =
        RequestView::try_from(&head).map_err(Refusal::from).and_then(|view| handshake::check(&view, policy));
    let accepted = judged.map_err(|refusal| refuse(stream, &refusal))?;
    let choice = Choice { deflate: Some(&config.deflate), ..Choice::default() };
    let switching = accepted.respond(&choice).map_err(io::Error::other)?;
    stream.write_all(&switching.to_bytes())?;
    Ok((switching.agreed.deflate, bytes.split_off(end)))
}

/// Tells the client why it is not let in.
fn refuse(stream: &mut TcpStream, refusal: &Refusal) -> io::Error {
    let told = stream.write_all(&refusal.to_bytes());
    told.err().unwrap_or_else(|| io::Error::other(refusal.log.clone()))
}
