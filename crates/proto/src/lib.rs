//! The WebSocket protocol (RFC 6455, RFC 7692) without I/O.
//!
//! [`Connection`] is one end of a connection after its [handshake]: bytes that were read go in, events come out; messages
//! go in, bytes to be written come out. It knows no socket, no clock and no thread, so that it runs under any of them.
//! For a server and a client on tokio, take the crate `tidewire`, which stands on this one.
//!
//! # The contract
//!
//! After every call that takes `&mut Connection`, drain its events ([`next`](Connection::next)), write its
//! [outbox](Connection::outbox), then arm its [deadline](Connection::deadline).
//!
//! An echo on any stream that blocks, after the handshake:
//!
//! ```
//! use std::{io::{self, Read, Write}, sync::Arc, time::Instant};
//! use tidewire_proto::{Config, Connection, Event, Input, Role, Time, Workspace};
//!
//! fn echo(mut stream: impl Read + Write, workspace: &mut Workspace) -> io::Result<()> {
//!     let begin = Instant::now();
//!     let now = || Time::from_micros(begin.elapsed().as_micros() as u64);
//!     let mut connection = Connection::new(Role::Server, Arc::new(Config::default()), None, now());
//!     let mut buffer = [0; 4096];
//!     while !connection.is_finished() {
//!         let count = stream.read(&mut buffer)?;
//!         if count == 0 {
//!             connection.end(); // The peer is gone without a close frame.
//!         }
//!         let mut input = Input::new(&mut buffer[..count]);
//!         while let Some(event) = connection.next(&mut input, workspace, now()).map_err(io::Error::other)? {
//!             if let Event::Message(message) = event {
//!                 connection.send(message, workspace).ok(); // Refused only where the connection is closing.
//!             }
//!         }
//!         while let Some(bytes) = connection.outbox().chunks().next() {
//!             let written = stream.write(bytes)?;
//!             connection.wrote(written, workspace, now());
//!         }
//!     }
//!     Ok(())
//! }
//!
//! # use std::{net::{TcpListener, TcpStream}, thread};
//! // `Hello` and a close frame of a client, as in RFC 6455 §5.7 and §5.5.1.
//! # let listener = TcpListener::bind("127.0.0.1:0")?;
//! # let mut client = TcpStream::connect(listener.local_addr()?)?;
//! # let (server, _) = listener.accept()?;
//! # let served = thread::spawn(move || {
//! #     // Stands for random bytes: a server's frames are not masked.
//! #     echo(server, &mut Workspace::new(Box::new(|bytes| bytes.fill(0))))
//! # });
//! client.write_all(&[0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58])?;
//! client.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])?;
//! let mut answer = Vec::new();
//! client.read_to_end(&mut answer)?;
//! assert_eq!(answer, [b"\x81\x05Hello" as &[u8], b"\x88\x02\x03\xe8"].concat());
//! # served.join().unwrap()?;
//! # io::Result::Ok(())
//! ```
//!
//! A whole program with the handshake and deadlines is `examples/blocking_echo.rs`.
//!
//! # Where things are
//!
//! | module | what |
//! |---|---|
//! | [`handshake`] | requests and responses, judged and written, for both ends |
//! | [`connection`] | one end of an open connection |
//! | [`frame`], [`mask`], [`utf8`] | the layers under it, each usable alone |
//! | [`deflate`] | permessage-deflate: parameters, codecs, the budget of memory |
//! | [`close`] | close codes, and the closing handshake as a table |
//! | [`config`] | limits and times; the defaults protect |
//! | [`error`] | what went wrong, whose fault it is, and the close code that follows |
//!
//! # Features
//!
//! `std` (default) detects the processor's vector instructions at run time. Without it the crate needs `core` and `alloc`
//! alone. It changes speed, nothing else.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

mod assembler;
pub mod close;
pub mod config;
pub mod connection;
mod control;
mod copy;
mod deadline;
pub mod deflate;
pub mod error;
pub mod event;
pub mod frame;
pub mod handshake;
mod input;
pub mod mask;
pub mod message;
mod opcode;
mod outbox;
mod payload;
mod pieces;
mod prepared;
mod role;
mod stats;
mod text;
mod time;
pub mod utf8;
mod workspace;

pub use close::{CloseCode, CloseReason};
pub use config::Config;
pub use connection::Connection;
pub use error::{Error, Fault};
pub use event::Event;
pub use input::Input;
pub use message::{Kind, Message, MessageRef};
pub use opcode::Opcode;
pub use outbox::{Chunks, Outbox};
pub use pieces::Pieces;
pub use prepared::Prepared;
pub use role::Role;
pub use stats::Stats;
pub use text::Text;
pub use time::Time;
pub use workspace::Workspace;
