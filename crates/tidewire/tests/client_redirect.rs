//! Redirects, followed and not.

mod support;

use support::raw::{Answering, client, header, switching};
use tidewire::ConnectError;
use tidewire::proto::handshake::HandshakeError;

fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} x\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

/// A server that redirects `/a` to `location`, and takes everything else.
async fn redirecting(status: u16, location: impl Into<String>) -> Answering {
    let location = location.into();
    Answering::start(move |head| {
        if head.starts_with("GET /a ") { redirect(status, &location) } else { switching(head, "").into() }
    })
    .await
}

/// edge 8: absolute, relative, and with a query; the request target is made of each.
#[tokio::test]
async fn locations() {
    for (location, target) in
        [("/b?c=1", "/b?c=1"), ("b", "/b"), ("?x", "/a?x"), ("../../c/./d", "/c/d"), ("//other.test/e", "/e")]
    {
        for status in [301, 302, 303, 307, 308] {
            let server = redirecting(status, location).await;
            let port = server.address.port();
            // Every name is this server's.
            let client =
                client().resolver(move |_, _| async move { Ok(vec![([127, 0, 0, 1], port).into()]) });
            let ws = client.connect(&format!("ws://first.test:{port}/a")).await.unwrap();
            assert!(server.heads()[1].starts_with(&format!("GET {target} HTTP/1.1\r\n")), "{location}");
            let handshake = ws.handshake().unwrap();
            assert_eq!(handshake.redirects().len(), 1);
            assert_eq!(handshake.redirects()[0].status, status);
            assert_eq!(handshake.redirects()[0].url.target(), "/a");
            assert_eq!(handshake.url().target(), target);
        }
    }
}

/// edge 9: the user's headers but Origin and User-Agent stay with their origin; every request has a new key.
#[tokio::test]
async fn secrets_stay_with_their_origin() {
    let far = redirecting(302, "/").await;
    let near = redirecting(302, format!("ws://{}/far", far.address)).await;
    let same = redirecting(302, "/here").await;
    let client = client()
        .basic_auth("u", "p")
        .header("Cookie", "id=1")
        .header("X-Api-Key", "2")
        .header("User-Agent", "probe")
        .origin("http://o")
        .subprotocol("chat");
    client.connect(&format!("ws://{}/a", near.address)).await.unwrap();
    client.connect(&format!("ws://{}/a", same.address)).await.unwrap();

    let login = Some("Basic dTpw");
    for head in [&near.heads()[0], &same.heads()[0], &same.heads()[1]] {
        assert_eq!((header(head, "Authorization"), header(head, "Cookie")), (login, Some("id=1")));
        assert_eq!(header(head, "X-Api-Key"), Some("2"));
    }
    let head = &far.heads()[0];
    assert_eq!((header(head, "Authorization"), header(head, "Cookie")), (None, None));
    assert_eq!(header(head, "X-Api-Key"), None);
    assert_eq!((header(head, "User-Agent"), header(head, "Origin")), (Some("probe"), Some("http://o")));
    assert_eq!(header(head, "Sec-WebSocket-Protocol"), Some("chat"));
    assert_eq!(header(head, "Host"), Some(&*far.address.to_string()));
    assert_ne!(header(head, "Sec-WebSocket-Key"), header(&near.heads()[0], "Sec-WebSocket-Key"));
}

/// edge 9: the user and password of a URL go no further either.
#[tokio::test]
async fn the_login_of_a_url_stays_with_its_origin() {
    let far = redirecting(302, "/").await;
    let near = redirecting(302, format!("ws://{}/far", far.address)).await;
    client().connect(&format!("ws://u:p@{}/a", near.address)).await.unwrap();
    assert_eq!(header(&near.heads()[0], "Authorization"), Some("Basic dTpw"));
    assert_eq!(header(&far.heads()[0], "Authorization"), None);
}

/// edge 9: circles and long ways end.
#[tokio::test]
async fn circles_and_long_ways() {
    let server = redirecting(302, "/a").await;
    let error = client().connect(&format!("ws://{}/a", server.address)).await.unwrap_err();
    assert!(matches!(&error, ConnectError::Redirects { hops, .. } if hops.len() == 1), "{error:?}");
    assert!(error.to_string().contains("in a circle, back to ws://127.0.0.1"), "{error}");

    let server = Answering::start(|head| {
        let path = head.split(' ').nth(1).unwrap();
        redirect(302, &format!("{path}a"))
    })
    .await;
    let error = client().connect(&server.url()).await.unwrap_err();
    assert!(error.to_string().contains("more than 5 times, the last time to ws://"), "{error}");
    assert_eq!((server.heads().len(), error.status()), (6, Some(302)));

    let error = client().max_redirects(0).connect(&server.url()).await.unwrap_err();
    let rejected = error.rejected().unwrap();
    assert!(matches!(rejected.error, HandshakeError::Redirect { status: 302, .. }), "{error:?}");
    assert_eq!(server.heads().len(), 7);
}

/// edge 8: a Location that leads nowhere.
#[tokio::test]
async fn locations_that_lead_nowhere() {
    for location in ["", "ftp://x/", "ws://", "ws://a b/", "/%zz"] {
        let server = redirecting(301, location).await;
        let error = client().connect(&format!("ws://{}/a", server.address)).await.unwrap_err();
        let rejected = error.rejected().unwrap_or_else(|| panic!("{location:?}: {error:?}"));
        assert!(matches!(rejected.error, HandshakeError::Location(_)), "{location:?}: {error:?}");
        assert_eq!(error.status(), Some(301));
    }
}

/// edge 9: wss never leads to ws.
#[cfg(feature = "tls")]
#[tokio::test]
async fn out_of_tls_is_not_followed() {
    use support::certificates::Authority;
    use tidewire::proto::handshake::UrlError;
    use tokio::io::AsyncWriteExt;

    let plain = redirecting(302, "/").await;
    let authority = Authority::new("redirects");
    let identity = authority.issue(&["127.0.0.1"]);
    let (listener, address) = support::listen("127.0.0.1").await;
    let location = format!("http://{}/b", plain.address);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = tidewire::tls::accept(identity.server(), stream).await.unwrap();
        support::read_head(&mut stream).await;
        stream.write_all(&redirect(302, &location)).await.unwrap();
        stream.flush().await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let client = client().tls(authority.options());
    let error = client.connect(&format!("wss://{address}/")).await.unwrap_err();
    let rejected = error.rejected().unwrap();
    assert_eq!(rejected.error, HandshakeError::Location(UrlError::Downgrade));
    assert!(plain.heads().is_empty());
}

/// A target that replaces the URL's host is left when a redirect leaves the URL's origin.
#[tokio::test]
async fn a_target_holds_for_its_origin() {
    let far = redirecting(302, "/").await;
    let near = redirecting(302, format!("ws://{}/far", far.address)).await;
    let client = client().target(near.address.to_string().parse::<tidewire::dial::Target>().unwrap());
    client.connect("ws://first.test/a").await.unwrap();
    assert_eq!(header(&near.heads()[0], "Host"), Some("first.test"));
    assert_eq!(far.heads().len(), 1);
}
