//! A tunnel through an HTTP proxy: CONNECT (RFC 9110 §9.3.6).

use super::error::ProxyError;
use super::proxy::Credentials;
use super::target::authority;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest response head taken from a proxy.
const MAX_HEAD: usize = 16 * 1024;

/// The most header lines taken from a proxy.
const MAX_HEADERS: usize = 100;

/// Asks the proxy behind `stream` for a tunnel to `host` and `port`. What came behind the head of the answer is the
/// first of the tunnel.
pub(crate) async fn connect<S>(
    stream: &mut S,
    host: &str,
    port: u16,
    login: Option<&Credentials>,
) -> Result<Bytes, ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(request(host, port, login).as_bytes()).await?;
    stream.flush().await?;
    let mut buffer = BytesMut::new();
    loop {
        let head = read_head(stream, &mut buffer).await?;
        let answer = parse(&head)?;
        match answer.status {
            // An interim answer: the final one follows (RFC 9110 §15.2).
            100..=199 => {}
            // A body is not possible here, whatever Content-Length says.
            200..=299 => return Ok(buffer.freeze()),
            407 => {
                return Err(ProxyError::Authentication { sent: login.is_some(), schemes: answer.schemes });
            }
            status => return Err(ProxyError::Status { status, reason: answer.reason }),
        }
    }
}

fn request(host: &str, port: u16, login: Option<&Credentials>) -> String {
    let target = authority(host, port);
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
    if let Some(Credentials { user, password }) = login {
        // RFC 7617 §2.
        let token = BASE64_STANDARD.encode(format!("{user}:{password}"));
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&token);
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request
}

/// Reads up to the empty line that ends a head, and takes the head off `buffer`.
async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Bytes, ProxyError> {
    let mut searched = 0;
    loop {
        if let Some(end) = end_of_head(buffer, searched) {
            if end > MAX_HEAD {
                return Err(ProxyError::HeadTooLong);
            }
            return Ok(buffer.split_to(end).freeze());
        }
        check_beginning(buffer)?;
        searched = buffer.len();
        if buffer.len() >= MAX_HEAD {
            return Err(ProxyError::HeadTooLong);
        }
        buffer.reserve(1024);
        if stream.read_buf(buffer).await? == 0 {
            return Err(ProxyError::Closed);
        }
    }
}

/// The length of a head that is complete. Lines may end in a bare LF (RFC 9112 §2.2).
fn end_of_head(bytes: &[u8], searched: usize) -> Option<usize> {
    let newlines = (searched.saturating_sub(3)..bytes.len()).filter(|at| bytes[*at] == b'\n');
    newlines.into_iter().find_map(|at| match bytes.get(at + 1..)? {
        [b'\n', ..] => Some(at + 2),
        [b'\r', b'\n', ..] => Some(at + 3),
        _ => None,
    })
}

/// Fails at the first bytes that no HTTP answer begins with, instead of waiting for more.
fn check_beginning(bytes: &[u8]) -> Result<(), ProxyError> {
    const HTTP: &[u8] = b"HTTP/1.";
    if bytes.iter().zip(HTTP).all(|(byte, wanted)| byte == wanted) {
        return Ok(());
    }
    // The content types handshake and alert of a TLS record (RFC 8446 §5.1).
    Err(if matches!(bytes, [0x15 | 0x16, ..]) { ProxyError::SpeaksTls } else { ProxyError::NotHttp })
}

struct Answer {
    status: u16,
    reason: String,
    /// The schemes of `Proxy-Authenticate`.
    schemes: Vec<String>,
}

fn parse(head: &[u8]) -> Result<Answer, ProxyError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Err(httparse::Error::TooManyHeaders) => return Err(ProxyError::HeadTooLong),
        Ok(httparse::Status::Partial) | Err(_) => return Err(ProxyError::NotHttp),
    }
    let schemes = response
        .headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case("proxy-authenticate"))
        .filter_map(|header| std::str::from_utf8(header.value).ok()?.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    Ok(Answer {
        status: response.code.ok_or(ProxyError::NotHttp)?,
        reason: response.reason.unwrap_or_default().to_owned(),
        schemes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, duplex};

    #[test]
    fn the_request_has_brackets_and_credentials_where_they_belong() {
        assert_eq!(request("::1", 80, None), "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
        let login = Credentials { user: "Aladdin".to_owned(), password: "open sesame".to_owned() };
        assert_eq!(
            request("h", 443, Some(&login)),
            "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n"
        );
    }

    /// What `connect` makes of an answer that arrives in pieces; then the connection ends, or not.
    async fn answer(
        pieces: impl IntoIterator<Item = &[u8]>,
        end: bool,
    ) -> (Result<Bytes, ProxyError>, usize) {
        let (mut near, mut far): (DuplexStream, DuplexStream) = duplex(1 << 20);
        let mut written = 0;
        let (result, ()) = tokio::join!(
            async {
                let result = connect(&mut near, "h", 1, None).await;
                (result, near)
            },
            async {
                for piece in pieces {
                    written += piece.len();
                    far.write_all(piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
                if end {
                    far.shutdown().await.unwrap();
                }
            }
        );
        (result.0, written)
    }

    /// edge 19: the bytes behind the 200 belong to the tunnel, wherever the reads cut.
    #[tokio::test]
    async fn every_split_of_the_answer() {
        let heads: [&[u8]; 5] = [
            b"HTTP/1.1 200 Connection established\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nProxy-agent: x\r\n\r\n",
            b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\n",
            b"HTTP/1.1 204 Also fine\n\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nA: b\n\n",
        ];
        for head in heads {
            let whole = [head, b"\r\ntunnel"].concat();
            for cut in 0..whole.len() {
                let (early, _) = answer([&whole[..cut], &whole[cut..]], false).await;
                let early = early.unwrap();
                assert!(b"\r\ntunnel".starts_with(&early), "{early:?} at {cut}");
                if cut < head.len() {
                    assert_eq!(&early[..], b"\r\ntunnel");
                }
            }
            let (early, _) = answer(whole.chunks(1), false).await;
            assert!(b"\r\ntunnel".starts_with(&early.unwrap()));
        }
    }

    async fn refusal(reply: &[u8], end: bool) -> ProxyError {
        answer([reply], end).await.0.unwrap_err()
    }

    /// edge 19: 407 tells which schemes the proxy knows.
    #[tokio::test]
    async fn refusals_are_told_apart() {
        let reply = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Negotiate\r\n\
            proxy-authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n";
        let error = refusal(reply, false).await;
        let ProxyError::Authentication { sent: false, schemes } = error else { panic!("{error:?}") };
        assert_eq!(schemes, ["Negotiate", "Basic"]);
        let error = refusal(b"HTTP/1.1 503 No way\r\n\r\n<html>", false).await;
        assert!(
            matches!(&error, ProxyError::Status { status: 503, reason } if reason == "No way"),
            "{error:?}"
        );
        assert!(matches!(refusal(b"HTTP/1.1 200 OK\r\n", true).await, ProxyError::Closed));
        assert!(matches!(refusal(b"", true).await, ProxyError::Closed));
        assert!(matches!(refusal(b"\x15\x03\x01\x00\x02\x02\x46", false).await, ProxyError::SpeaksTls));
        assert!(matches!(refusal(b"\x05\xff", false).await, ProxyError::NotHttp));
        assert!(matches!(refusal(b"SSH-2.0-x\r\n", false).await, ProxyError::NotHttp));
        assert!(matches!(refusal(b"HTTP/1.1 x\r\n\r\n", false).await, ProxyError::NotHttp));
    }

    #[tokio::test]
    async fn an_endless_head_is_cut_off() {
        let mut head = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
        head.resize(MAX_HEAD - 4, b'a');
        let fits = [&head[..], b"\r\n\r\n"].concat();
        assert!(answer([&fits[..]], false).await.0.unwrap().is_empty());
        let above = [&head[..], b"a\r\n\r\n"].concat();
        assert!(matches!(refusal(&above, false).await, ProxyError::HeadTooLong));
        assert!(matches!(refusal(b"H", true).await, ProxyError::Closed));
        head.resize(MAX_HEAD * 4, b'a');
        assert!(matches!(refusal(&head, false).await, ProxyError::HeadTooLong));
        let many = [&b"HTTP/1.1 200 OK\r\n"[..], &b"a:b\r\n".repeat(101), b"\r\n"].concat();
        assert!(matches!(refusal(&many, false).await, ProxyError::HeadTooLong));
    }
}
