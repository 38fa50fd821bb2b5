//! A small static web server, so that a page can come from another port than the WebSocket.

use anyhow::Result;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

/// Serves one page, whatever the path, until this program ends. Returns the page's address.
pub(crate) fn serve(page: &'static str) -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("http://{}/", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A browser that opens a connection in advance must not keep the next one waiting.
            thread::spawn(move || {
                if let Err(error) = answer(&stream, page) {
                    println!("a page was not delivered: {error}");
                }
            });
        }
    });
    Ok(url)
}

fn answer(mut stream: &TcpStream, page: &str) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    let head = BufReader::new(stream).lines().map_while(Result::ok);
    if head.take_while(|line| !line.is_empty()).count() == 0 {
        return Ok(());
    }
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\nContent-Length: ";
    stream.write_all(format!("{head}{}\r\n\r\n{page}", page.len()).as_bytes())
}
