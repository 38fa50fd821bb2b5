//! The opening handshake, by the numbers of the project's list of edge cases.

mod client;
mod deflate;
mod extensions;
mod head;
mod origin;
mod properties;
mod server;
mod url;

use tidewire_proto::handshake::{
    Accepted, HeadLimits, Refusal, RequestHead, RequestView, ResponseHead, ServerPolicy, check,
};

/// The key and the accept value of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const NONCE: [u8; 16] = *b"the sample nonce";

const REQUEST: [&str; 6] = [
    "GET /chat HTTP/1.1",
    "Host: server.example",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

fn lines(lines: &[&str]) -> Vec<u8> {
    let mut head = lines.join("\r\n").into_bytes();
    head.extend_from_slice(b"\r\n\r\n");
    head
}

/// A good request, where the lines that begin with the name of one of `with` are taken out, and `with` is added.
fn request_with(with: &[&str]) -> Vec<u8> {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let mut all: Vec<&str> =
        REQUEST.into_iter().filter(|line| with.iter().all(|added| name(added) != name(line))).collect();
    all.extend(with);
    lines(&all)
}

/// A good request without the header `name`.
fn request_without(name: &str) -> Vec<u8> {
    let all: Vec<&str> = REQUEST.into_iter().filter(|line| !line.starts_with(&format!("{name}:"))).collect();
    assert_eq!(all.len(), REQUEST.len() - 1, "{name} is a header of the request");
    lines(&all)
}

fn request_head(bytes: &[u8]) -> RequestHead {
    let parsed = RequestHead::parse(bytes, &HeadLimits::default());
    let (head, consumed) = parsed.expect("a head").expect("a whole head");
    assert_eq!(consumed, bytes.len());
    head
}

fn response_head(bytes: &[u8]) -> ResponseHead {
    let parsed = ResponseHead::parse(bytes, &HeadLimits::default());
    parsed.expect("a head").expect("a whole head").0
}

fn judge_by(bytes: &[u8], policy: &ServerPolicy) -> Result<Accepted, Refusal> {
    let head = request_head(bytes);
    check(&RequestView::try_from(&head)?, policy)
}

fn judge(bytes: &[u8]) -> Result<Accepted, Refusal> {
    judge_by(bytes, &ServerPolicy::default())
}

fn status(bytes: &[u8]) -> u16 {
    judge(bytes).expect_err("refused").status
}
