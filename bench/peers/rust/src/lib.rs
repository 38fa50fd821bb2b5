//! What the echo servers share: the command line `NAME PORT [WORD…]`, the line that says where they listen, and accepting.

use std::net::{Ipv4Addr, TcpListener};

/// The greatest message of any workload, with room.
pub const LARGEST: usize = 64 << 20;

/// Whether the command line holds `word` behind the port.
pub fn asked(word: &str) -> bool {
    std::env::args().skip(2).any(|argument| argument == word)
}

/// Listens on the port that the command line names and says so.
pub fn listen() -> TcpListener {
    let port = std::env::args().nth(1).expect("a port, or 0 for any");
    let port: u16 = port.parse().expect("a port is a number up to 65535");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).expect("the port is free");
    println!("listening {}", listener.local_addr().expect("the port was bound"));
    listener
}

/// Runs the tasks of `connection` on one thread, for ever. Errors end a connection and nothing else.
pub fn serve<F>(connection: impl Fn(tokio::net::TcpStream) -> F)
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = listen();
        listener.set_nonblocking(true).expect("a socket can be non-blocking");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            if stream.set_nodelay(true).is_ok() {
                tokio::spawn(connection(stream));
            }
        }
    });
}
