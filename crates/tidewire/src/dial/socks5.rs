//! A tunnel through a SOCKS5 proxy (RFC 1928), with user and password (RFC 1929).

use super::error::ProxyError;
use super::proxy::Credentials;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
const LOGIN_VERSION: u8 = 1;
const CONNECT: u8 = 1;
const IPV4: u8 = 1;
const NAME: u8 = 3;
const IPV6: u8 = 4;

/// Where the tunnel leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Destination<'a> {
    Address(SocketAddr),
    /// A name, of 255 bytes at most, that the proxy resolves.
    Name(&'a str, u16),
}

/// Why a SOCKS5 proxy did not connect (RFC 1928 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocksReply(pub u8);

impl SocksReply {
    /// Whether another address of the same host may be luckier.
    pub(crate) fn is_about_the_address(self) -> bool {
        matches!(self.0, 3 | 4 | 5 | 6 | 8)
    }
}

/// Asks the proxy behind `stream` for a tunnel. Not a byte of the tunnel is read.
pub(crate) async fn connect<S>(
    stream: &mut S,
    destination: Destination<'_>,
    login: Option<&Credentials>,
) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let methods: &[u8] = match login {
        None => &[VERSION, 1, NO_AUTHENTICATION],
        Some(_) => &[VERSION, 2, NO_AUTHENTICATION, USER_PASSWORD],
    };
    send(stream, methods).await?;
    let [version, method] = receive(stream).await?;
    if version != VERSION {
        return Err(ProxyError::NotSocks);
    }
    match (method, login) {
        (NO_AUTHENTICATION, _) => {}
        (USER_PASSWORD, Some(login)) => authenticate(stream, login).await?,
        (NO_METHOD, _) => {
            return Err(ProxyError::Authentication { sent: login.is_some(), schemes: Vec::new() });
        }
        _ => return Err(ProxyError::NotSocks),
    }
    send(stream, &request(destination)?).await?;
    let [version, reply, _reserved, kind] = receive(stream).await?;
    if version != VERSION {
        return Err(ProxyError::NotSocks);
    }
    if reply != 0 {
        return Err(ProxyError::Socks(SocksReply(reply)));
    }
    // The address that the proxy connects from tells us nothing; it must be read away.
    let length = match kind {
        IPV4 => 4,
        IPV6 => 16,
        NAME => usize::from(receive::<1>(stream).await?[0]),
        _ => return Err(ProxyError::NotSocks),
    };
    let mut bound = [0; 255 + 2];
    stream.read_exact(&mut bound[..length + 2]).await?;
    Ok(())
}

/// RFC 1929 §2.
async fn authenticate<S>(stream: &mut S, login: &Credentials) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = vec![LOGIN_VERSION];
    for text in [&login.user, &login.password] {
        request.push(u8::try_from(text.len()).map_err(|_| ProxyError::TooLong)?);
        request.extend_from_slice(text.as_bytes());
    }
    send(stream, &request).await?;
    match receive(stream).await? {
        [_, 0] => Ok(()),
        _ => Err(ProxyError::Authentication { sent: true, schemes: Vec::new() }),
    }
}

fn request(destination: Destination<'_>) -> Result<Vec<u8>, ProxyError> {
    let mut request = vec![VERSION, CONNECT, 0];
    let port = match destination {
        Destination::Address(address) => {
            match address.ip() {
                IpAddr::V4(ip) => {
                    request.push(IPV4);
                    request.extend_from_slice(&ip.octets());
                }
                IpAddr::V6(ip) => {
                    request.push(IPV6);
                    request.extend_from_slice(&ip.octets());
                }
            }
            address.port()
        }
        Destination::Name(name, port) => {
            request.extend([NAME, u8::try_from(name.len()).map_err(|_| ProxyError::TooLong)?]);
            request.extend_from_slice(name.as_bytes());
            port
        }
    };
    request.extend_from_slice(&port.to_be_bytes());
    Ok(request)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), ProxyError> {
    stream.write_all(bytes).await?;
    Ok(stream.flush().await?)
}

async fn receive<const N: usize>(stream: &mut (impl AsyncRead + Unpin)) -> Result<[u8; N], ProxyError> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            1 => "it failed, and does not say why",
            2 => "its rules do not allow this connection",
            3 => "it has no route to that network",
            4 => "it can't reach or find that host",
            5 => "that host refused the connection",
            6 => "that host did not answer it in time",
            7 => "it does not know the command CONNECT",
            8 => "it does not know this kind of address",
            other => return write!(f, "reply {other}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    /// Plays the proxy: (what is awaited, what is answered), in turns.
    async fn talk(
        destination: Destination<'_>,
        login: Option<&Credentials>,
        script: &[(&[u8], &[u8])],
    ) -> Result<Vec<u8>, ProxyError> {
        let (mut near, mut far) = duplex(4096);
        let proxy = async {
            for (awaited, answer) in script {
                let mut got = vec![0; awaited.len()];
                far.read_exact(&mut got).await.unwrap();
                assert_eq!(&got, awaited);
                for byte in *answer {
                    far.write_all(&[*byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
            drop(far);
        };
        let (result, ()) = tokio::join!(connect(&mut near, destination, login), proxy);
        result?;
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        Ok(rest)
    }

    fn login(user: &str, password: &str) -> Credentials {
        Credentials { user: user.to_owned(), password: password.to_owned() }
    }

    const HELLO: (&[u8], &[u8]) = (b"\x05\x01\x00", b"\x05\x00");

    /// edge 19: the name goes to the proxy as it is, and what follows the reply is the tunnel's.
    #[tokio::test]
    async fn a_name_is_resolved_by_the_proxy() {
        let script =
            [HELLO, (b"\x05\x01\x00\x03\x04name\x01\xbb", b"\x05\x00\x00\x01\x01\x02\x03\x04\x05\x06tunnel")];
        assert_eq!(talk(Destination::Name("name", 443), None, &script).await.unwrap(), b"tunnel");
    }

    #[tokio::test]
    async fn addresses_of_both_families_and_every_bound_address() {
        let four = Destination::Address("1.2.3.4:80".parse().unwrap());
        let script =
            [HELLO, (b"\x05\x01\x00\x01\x01\x02\x03\x04\x00\x50", b"\x05\x00\x00\x03\x02ab\x00\x00x")];
        assert_eq!(talk(four, None, &script).await.unwrap(), b"x");
        let six = Destination::Address("[::1]:80".parse().unwrap());
        let request = [&b"\x05\x01\x00\x04"[..], &[0; 15], b"\x01\x00\x50"].concat();
        let reply = [&b"\x05\x00\x00\x04"[..], &[7; 18], b"y"].concat();
        assert_eq!(talk(six, None, &[HELLO, (&request, &reply)]).await.unwrap(), b"y");
    }

    #[tokio::test]
    async fn user_and_password() {
        let login = login("me", "pw");
        let ask = (&b"\x05\x02\x00\x02"[..], &b"\x05\x02"[..]);
        let name = Destination::Name("n", 1);
        let connect: (&[u8], &[u8]) = (b"\x05\x01\x00\x03\x01n\x00\x01", b"\x05\x00\x00\x01\0\0\0\0\0\0");
        let taken = [ask, (b"\x01\x02me\x02pw", b"\x01\x00"), connect];
        assert_eq!(talk(name, Some(&login), &taken).await.unwrap(), b"");
        let refused = [ask, (b"\x01\x02me\x02pw", b"\x01\x01")];
        let error = talk(name, Some(&login), &refused).await.unwrap_err();
        assert!(matches!(error, ProxyError::Authentication { sent: true, .. }), "{error:?}");
        let not_needed = [(ask.0, &b"\x05\x00"[..]), connect];
        assert_eq!(talk(name, Some(&login), &not_needed).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn refusals_are_told_apart() {
        let name = Destination::Name("n", 1);
        let wants_login = talk(name, None, &[(b"\x05\x01\x00", b"\x05\xff")]).await.unwrap_err();
        assert!(matches!(wants_login, ProxyError::Authentication { sent: false, .. }), "{wants_login:?}");
        let unasked = talk(name, None, &[(b"\x05\x01\x00", b"\x05\x02")]).await.unwrap_err();
        assert!(matches!(unasked, ProxyError::NotSocks), "{unasked:?}");
        let http = talk(name, None, &[(b"\x05\x01\x00", b"HTTP/1.1 400 Bad Request")]).await.unwrap_err();
        assert!(matches!(http, ProxyError::NotSocks), "{http:?}");
        let gone = talk(name, None, &[(b"\x05\x01\x00", b"\x05")]).await.unwrap_err();
        assert!(matches!(gone, ProxyError::Closed), "{gone:?}");
        for code in [1, 2, 3, 4, 5, 6, 7, 8, 99] {
            let reply = [5, code, 0, 1, 0, 0, 0, 0, 0, 0];
            let error =
                talk(name, None, &[HELLO, (b"\x05\x01\x00\x03\x01n\x00\x01", &reply)]).await.unwrap_err();
            assert!(matches!(error, ProxyError::Socks(SocksReply(got)) if got == code), "{error:?}");
        }
        let long = "a".repeat(256);
        let error = talk(Destination::Name(&long, 1), None, &[HELLO]).await.unwrap_err();
        assert!(matches!(error, ProxyError::TooLong), "{error:?}");
    }
}
