//! Tunnels through fake proxies.

mod support;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use support::{closed_port, dialer, echo, exchange, in_environment, listen, read_head};
use tidewire::dial::{DialError, Dialer, Phase, Proxy, ProxyError, ProxyKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

/// An HTTP proxy for one connection: it answers, and then echoes as the server behind it would.
async fn http_proxy(answer: &'static [u8]) -> (Proxy, JoinHandle<String>) {
    let (listener, address) = listen("127.0.0.1").await;
    let serve = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        stream.write_all(answer).await.unwrap();
        echo(&mut stream).await;
        head
    });
    (Proxy::new(ProxyKind::Http, "127.0.0.1", address.port()).unwrap(), serve)
}

/// edge 19: the name goes to the proxy unresolved, credentials with it, and the tunnel works.
#[tokio::test]
async fn http_connect() {
    let (proxy, served) = http_proxy(b"HTTP/1.0 200 OK\r\n\r\n").await;
    let dialer = dialer().proxy(proxy.credentials("user", "pass"));
    let (stream, info) = dialer.dial("far.test", 9876, false).await.unwrap();
    assert_eq!(info.peer.unwrap().port(), info.proxy.unwrap().port());
    exchange(stream).await;
    assert_eq!(
        served.await.unwrap(),
        "CONNECT far.test:9876 HTTP/1.1\r\nHost: far.test:9876\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
    );
}

/// edge 19: bytes in the same segment as the 200 are the server's; an IPv6 target has brackets.
#[tokio::test]
async fn http_connect_keeps_early_bytes() {
    let (proxy, served) = http_proxy(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nhello").await;
    let (mut stream, _) = dialer().proxy(proxy).dial("[2001:db8::1]", 80, false).await.unwrap();
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
    exchange(stream).await;
    assert!(
        served.await.unwrap().starts_with("CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n")
    );
}

/// edge 19: 407 says what to do, before and after credentials were given.
#[tokio::test]
async fn http_refusals() {
    const WANTS: &[u8] = b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    for (answer, login, says) in [
        (WANTS, false, "wants a user and a password"),
        (WANTS, true, "refused the user and password"),
        (b"HTTP/1.1 407 X\r\nProxy-Authenticate: NTLM\r\n\r\n", true, "NTLM"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", false, "403 Forbidden"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", false, "could not reach the server"),
        (b"\x05\xff", false, "SOCKS"),
    ] {
        let (mut proxy, served) = http_proxy(answer).await;
        if login {
            proxy = proxy.credentials("user", "secret");
        }
        let error = dialer().proxy(proxy.clone()).dial("far.test", 80, false).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.phase(), Phase::Proxy);
        assert!(text.contains(says) && text.contains(&proxy.to_string()), "{text}");
        assert!(!text.contains("secret") && !format!("{error:?}").contains("secret"), "{text}");
        served.await.unwrap();
    }
}

/// The default takes the proxy of the environment, and none to this machine.
#[tokio::test]
async fn the_environment_is_asked() {
    let (listener, address) = listen("127.0.0.1").await;
    let absent = closed_port("127.0.0.1").await.port();
    let url = format!("socks5h://127.0.0.1:{absent}");
    let variables = [("ws_proxy", &url[..]), ("no_proxy", "direct.test"), ("NO_PROXY", "")];
    if in_environment("the_environment_is_asked", &variables) {
        let knows = move |_, _| std::future::ready(Ok(vec![address]));
        let dialer = Dialer::new().resolver(knows);
        let error = dialer.dial("far.test", 80, false).await.unwrap_err();
        assert!(matches!(&error, DialError::ProxyUnreachable { .. }), "{error:?}");
        for host in ["direct.test", "localhost", "127.0.0.1"] {
            let (_, info) = dialer.dial(host, address.port(), false).await.unwrap();
            assert_eq!(info.proxy, None, "{host}");
        }
        dialer.no_proxy().dial("far.test", 80, false).await.unwrap();
        drop(listener);
    }
}

#[tokio::test]
async fn a_silent_proxy_and_an_absent_one() {
    let (_listener, address) = listen("127.0.0.1").await;
    let proxy = Proxy::new(ProxyKind::Http, "127.0.0.1", address.port()).unwrap();
    let silent = dialer().timeout(Duration::from_millis(100)).proxy(proxy);
    let error = silent.dial("far.test", 80, false).await.unwrap_err();
    assert!(error.is_timeout() && error.phase() == Phase::Proxy, "{error:?}");
    assert!(error.to_string().contains("the proxy did not answer"), "{error}");

    let absent = closed_port("127.0.0.1").await;
    let proxy = Proxy::new(ProxyKind::Socks5h, "127.0.0.1", absent.port()).unwrap();
    let error = dialer().proxy(proxy).dial("far.test", 80, false).await.unwrap_err();
    assert!(matches!(&error, DialError::ProxyUnreachable { .. }), "{error:?}");
    assert_eq!(error.attempts()[0].address, absent);
    assert!(error.to_string().starts_with("can't reach the proxy socks5h://127.0.0.1:"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_hangs_up() {
    let (listener, address) = listen("::1").await;
    let hang_up = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
    });
    let proxy = Proxy::new(ProxyKind::Http, "[::1]", address.port()).unwrap();
    let error = dialer().proxy(proxy).dial("far.test", 80, false).await.unwrap_err();
    assert!(matches!(&error, DialError::Proxy { error: ProxyError::Closed, .. }), "{error:?}");
    hang_up.await.unwrap();
}

/// A SOCKS5 proxy that answers each connection with the next of `replies`, and echoes after a success. It gives the
/// destinations back.
async fn socks_proxy(kind: ProxyKind, replies: &'static [u8]) -> (Proxy, JoinHandle<Vec<Vec<u8>>>) {
    let (listener, address) = listen("127.0.0.1").await;
    let serve = tokio::spawn(async move {
        let mut destinations = Vec::new();
        for reply in replies {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut hello = [0; 3];
            stream.read_exact(&mut hello).await.unwrap();
            stream.write_all(&[5, 0]).await.unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).await.unwrap();
            let mut destination = vec![request[3]];
            let length = match request[3] {
                1 => 4,
                4 => 16,
                _ => usize::from(stream.read_u8().await.unwrap()),
            };
            destination.resize(1 + length + 2, 0);
            stream.read_exact(&mut destination[1..]).await.unwrap();
            destinations.push(destination);
            stream.write_all(&[5, *reply, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
            if *reply == 0 {
                echo(&mut stream).await;
            }
        }
        destinations
    });
    (Proxy::new(kind, "127.0.0.1", address.port()).unwrap(), serve)
}

/// edge 19: socks5h leaves the name to the proxy; nothing is resolved here.
#[tokio::test]
async fn socks5h_resolves_far_away() {
    let (proxy, served) = socks_proxy(ProxyKind::Socks5h, &[0]).await;
    let fails = |_, _| std::future::ready(Err(io::Error::other("must not be asked")));
    let (stream, _) = dialer().resolver(fails).proxy(proxy).dial("far.test", 258, false).await.unwrap();
    exchange(stream).await;
    assert_eq!(served.await.unwrap(), [b"\x03far.test\x01\x02"]);
}

/// edge 19: socks5 resolves here, and tries the next address when the proxy can't reach one.
#[tokio::test]
async fn socks5_resolves_here() {
    let (proxy, served) = socks_proxy(ProxyKind::Socks5, &[4, 0]).await;
    let knows = |_, port| {
        let addresses: [SocketAddr; 2] =
            [([0xfd00, 0, 0, 0, 0, 0, 0, 1], port).into(), ([10, 0, 0, 1], port).into()];
        std::future::ready(Ok(addresses.to_vec()))
    };
    let (stream, info) = dialer().resolver(knows).proxy(proxy).dial("far.test", 258, false).await.unwrap();
    assert_eq!(info.proxy.unwrap().kind(), ProxyKind::Socks5);
    exchange(stream).await;
    let six = [&b"\x04\xfd"[..], &[0; 14], b"\x01\x01\x02"].concat();
    assert_eq!(served.await.unwrap(), [six, b"\x01\x0a\0\0\x01\x01\x02".to_vec()]);
}

#[tokio::test]
async fn socks5_refusals() {
    let (proxy, served) = socks_proxy(ProxyKind::Socks5h, &[2]).await;
    let error = dialer().proxy(proxy).dial("::1", 80, false).await.unwrap_err();
    assert!(error.to_string().contains("its rules do not allow"), "{error}");
    assert_eq!(served.await.unwrap()[0][0], 4);
    let (proxy, served) = socks_proxy(ProxyKind::Socks5h, &[5]).await;
    let error = dialer().proxy(proxy).dial("far.test", 80, false).await.unwrap_err();
    assert!(error.to_string().contains("that host refused the connection"), "{error}");
    served.await.unwrap();
}

/// TLS inside TLS: an https proxy, and wss behind it.
#[cfg(feature = "tls")]
#[tokio::test]
async fn wss_through_an_https_proxy() {
    use support::certificates::Authority;
    use tidewire::dial::Stream;

    let authority = Authority::new("ours");
    let (at_proxy, at_server) =
        (authority.issue(&["localhost"]).server(), authority.issue(&["far.test"]).server());
    let (listener, address) = listen("127.0.0.1").await;
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tidewire::tls::accept(at_proxy, stream).await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        stream.flush().await.unwrap();
        let mut stream = tidewire::tls::accept(at_server, stream).await.unwrap();
        echo(&mut stream).await;
    });
    let proxy = format!("https://localhost:{}", address.port()).parse().unwrap();
    let dialer = dialer().proxy(proxy).tls(authority.options());
    let (stream, info) = dialer.dial("far.test", 443, true).await.unwrap();
    assert!(matches!(stream, Stream::Tls(_)));
    assert_eq!(info.tls_info.unwrap().alpn.as_deref(), Some("http/1.1"));
    exchange(stream).await;
    served.await.unwrap();
}
