//! Connections without a proxy and without TLS.

mod support;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::{closed_port, dialer, echo_server, exchange, listen};
use tidewire::dial::{DialError, Phase, Stream, Target};
use tokio::net::{TcpSocket, TcpStream};

/// A resolver that knows one answer.
fn knows(
    addresses: Vec<SocketAddr>,
) -> impl Fn(String, u16) -> std::future::Ready<io::Result<Vec<SocketAddr>>> + Send + Sync {
    move |_, _| std::future::ready(Ok(addresses.clone()))
}

/// A port that takes no more connections and refuses none: its queue is full.
async fn silent_port() -> (SocketAddr, Vec<TcpStream>, tokio::net::TcpListener) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        queue.push(stream.unwrap());
        assert!(queue.len() < 100, "the queue never fills up");
    }
    (address, queue, listener)
}

/// edge 10: an IPv6 address is dialled with and without brackets.
#[tokio::test]
async fn both_families() {
    for (ip, hosts) in [("127.0.0.1", &["127.0.0.1"][..]), ("::1", &["::1", "[::1]"])] {
        for host in hosts {
            let (address, server) = echo_server(ip).await;
            let (stream, info) = dialer().dial(host, address.port(), false).await.unwrap();
            assert_eq!(info.peer, Some(address));
            assert_eq!(info.dns, Duration::ZERO);
            assert!(stream.tcp().unwrap().nodelay().unwrap());
            assert!(!stream.is_tls());
            exchange(stream).await;
            server.await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_system_resolver_knows_localhost() {
    let (address, server) = echo_server("127.0.0.1").await;
    let (stream, info) = dialer().dial("localhost", address.port(), false).await.unwrap();
    assert_eq!(info.peer, Some(address));
    assert!(info.dns > Duration::ZERO);
    exchange(stream).await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_refused_address_is_passed_over() {
    let (address, server) = echo_server("127.0.0.1").await;
    let refusing = closed_port("::1").await;
    let dialer = dialer().resolver(knows(vec![refusing, address]));
    let (stream, info) = dialer.dial("name.test", 1, false).await.unwrap();
    assert_eq!(info.peer, Some(address));
    exchange(stream).await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_silent_address_is_overtaken() {
    let (silent, _queue, _listener) = silent_port().await;
    let (address, server) = echo_server("::1").await;
    let begin = Instant::now();
    let dialer = dialer().resolver(knows(vec![silent, address]));
    let (stream, info) = dialer.dial("name.test", 1, false).await.unwrap();
    let took = begin.elapsed();
    assert_eq!(info.peer, Some(address));
    assert!(took >= Duration::from_millis(240) && took < Duration::from_secs(5), "{took:?}");
    exchange(stream).await;
    server.await.unwrap();
}

#[tokio::test]
async fn every_refused_address_is_named() {
    let (four, six) = (closed_port("127.0.0.1").await, closed_port("::1").await);
    let error = dialer().resolver(knows(vec![four, six])).dial("name.test", 81, false).await.unwrap_err();
    assert_eq!((error.phase(), error.attempts().len()), (Phase::Connect, 2));
    let text = error.to_string();
    for part in ["name.test:81", &four.to_string(), &six.to_string(), "refused", "Is the server running"] {
        assert!(text.contains(part), "{part:?} is missing in {text:?}");
    }
}

#[tokio::test]
async fn an_address_is_not_named_twice() {
    let address = closed_port("127.0.0.1").await;
    let error = dialer().dial("127.0.0.1", address.port(), false).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("{address} refused the connection")), "{error}");
}

#[tokio::test]
async fn the_timeout_names_the_silent_address() {
    let (silent, _queue, _listener) = silent_port().await;
    let limit = Duration::from_millis(300);
    let error = dialer().timeout(limit).dial("127.0.0.1", silent.port(), false).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!((error.phase(), error.attempts()[0].address), (Phase::Connect, silent));
    assert!(error.to_string().contains("did not answer"), "{error}");
}

/// A dial can be made in any task.
#[test]
fn the_future_is_send() {
    fn is_send(_: &impl Send) {}
    is_send(&dialer().dial("name.test", 1, true));
}

#[tokio::test]
async fn a_resolver_without_an_answer() {
    let nothing = dialer().resolver(knows(Vec::new())).dial("name.test", 1, false).await.unwrap_err();
    assert!(matches!(&nothing, DialError::NoAddress { local: None, .. }), "{nothing:?}");
    let fails = |_, _| std::future::ready(Err(io::Error::other("no such name")));
    let error = dialer().resolver(fails).dial("name.test", 1, false).await.unwrap_err();
    assert_eq!(error.phase(), Phase::Dns);
    assert!(error.to_string().contains("name.test") && error.to_string().contains("no such name"), "{error}");
    let never = |_, _| std::future::pending();
    let limit = Duration::from_millis(50);
    let error = dialer().timeout(limit).resolver(never).dial("name.test", 1, false).await.unwrap_err();
    assert!(error.is_timeout() && error.phase() == Phase::Dns, "{error:?}");
}

#[tokio::test]
async fn the_local_address_is_used_and_keeps_its_family() {
    let (address, server) = echo_server("127.0.0.1").await;
    let local: IpAddr = "127.0.0.7".parse().unwrap();
    let dialer = dialer().local_address(local);
    let (stream, info) = dialer.dial("127.0.0.1", address.port(), false).await.unwrap();
    assert_eq!(info.local.unwrap().ip(), local);
    exchange(stream).await;
    server.await.unwrap();
    let error = dialer.dial("::1", address.port(), false).await.unwrap_err();
    assert!(error.to_string().contains("no IPv4 address"), "{error}");
}

#[tokio::test]
async fn what_is_no_host_is_never_resolved() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let dialer = dialer().resolver(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Vec::new()))
    });
    for host in ["", "a b", "a\r\nb", "user@host", "host/path", "[::1", "a:b"] {
        let error = dialer.dial(host, 1, false).await.unwrap_err();
        assert!(matches!(error, DialError::Target(_)), "{error:?}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

/// edge 54: a dial that is given up leaves no connection behind.
#[tokio::test]
async fn a_dropped_dial_closes_its_sockets() {
    let (silent, queue, listener) = silent_port().await;
    let queued = queue.len();
    let dialer = dialer();
    let dial = dialer.dial("127.0.0.1", silent.port(), false);
    assert!(tokio::time::timeout(Duration::from_millis(100), dial).await.is_err());
    for _ in 0..queued {
        listener.accept().await.unwrap();
    }
    let another = tokio::time::timeout(Duration::from_millis(1500), listener.accept()).await;
    assert!(another.is_err(), "the connection that was given up came through: {another:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn unix_sockets() {
    let folder = std::env::temp_dir().join(format!("tidewire-dial-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let target: Target = format!("unix:{}", path.display()).parse().unwrap();
    let error = dialer().dial_target(&target, None).await.unwrap_err();
    assert!(error.to_string().contains("there is no socket"), "{error}");

    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = tokio::spawn(async move { support::echo(&mut listener.accept().await.unwrap().0).await });
    let (stream, info) = dialer().dial_target(&target, None).await.unwrap();
    assert!(matches!(stream, Stream::Unix(_)) && info.peer.is_none());
    exchange(stream).await;
    server.await.unwrap();

    let error = dialer().dial_target(&target, None).await.unwrap_err();
    assert!(error.to_string().contains("nobody listens"), "{error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

#[cfg(not(feature = "tls"))]
#[tokio::test]
async fn without_the_feature_tls_is_refused_before_anything_is_sent() {
    let (_listener, address) = listen("127.0.0.1").await;
    let error = dialer().dial("127.0.0.1", address.port(), true).await.unwrap_err();
    assert!(matches!(error, DialError::TlsMissing), "{error:?}");
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn bad_tls_settings_are_told_before_anything_is_sent() {
    let (listener, address) = listen("127.0.0.1").await;
    let options = tidewire::tls::TlsOptions::new().authority("/no/such/file.pem");
    let error = dialer().tls(options).dial("127.0.0.1", address.port(), true).await.unwrap_err();
    assert!(error.to_string().contains("/no/such/file.pem does not exist"), "{error}");
    let came = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(came.is_err());
}
