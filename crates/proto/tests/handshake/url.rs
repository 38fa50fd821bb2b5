//! URLs and redirects.

use tidewire_proto::handshake::{AuthorityError, TargetError, UrlError, WsUrl, redirect, resolve};

fn url(text: &str) -> WsUrl {
    WsUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// edge 8, 10: host, port, Host header and target.
#[test]
fn urls() {
    let table: [(&str, bool, &str, u16, &str, &str); 14] = [
        ("ws://h", false, "h", 80, "h", "/"),
        ("ws://h?x", false, "h", 80, "h", "/?x"),
        ("ws://h/?x", false, "h", 80, "h", "/?x"),
        ("WSS://Ex.Ample/A?B=c?d", true, "ex.ample", 443, "ex.ample", "/A?B=c?d"),
        ("ws://h:80/", false, "h", 80, "h", "/"),
        ("wss://h:443/", true, "h", 443, "h", "/"),
        ("wss://h:80/", true, "h", 80, "h:80", "/"),
        ("ws://h:9876", false, "h", 9876, "h:9876", "/"),
        ("ws://h:/a", false, "h", 80, "h", "/a"),
        ("http://h/a%20b", false, "h", 80, "h", "/a%20b"),
        ("https://h", true, "h", 443, "h", "/"),
        ("ws://[::1]:9876/x", false, "::1", 9876, "[::1]:9876", "/x"),
        ("wss://[2001:DB8:0::1]", true, "2001:db8::1", 443, "[2001:db8::1]", "/"),
        ("ws://127.0.0.1/a[]=1", false, "127.0.0.1", 80, "127.0.0.1", "/a[]=1"),
    ];
    for (text, secure, host, port, host_header, target) in table {
        let url = url(text);
        let found = (url.is_secure(), url.host(), url.port(), url.host_header(), url.target());
        assert_eq!(found, (secure, host, port, host_header.to_owned(), target), "{text}");
    }
}

/// edge 8: what is no WebSocket URL.
#[test]
fn urls_that_are_none() {
    let target = |error| UrlError::Target(error);
    let authority = |error| UrlError::Authority(error);
    let table: [(&str, UrlError); 24] = [
        ("localhost:9876", UrlError::NoScheme("localhost:9876".into())),
        ("", UrlError::NoScheme(String::new())),
        ("ftp://h", UrlError::Scheme("ftp".into())),
        (" ws://h", UrlError::Scheme(" ws".into())),
        ("ws://h/a#b", target(TargetError::Fragment)),
        ("ws://h#", target(TargetError::Fragment)),
        ("ws://h?a#b", target(TargetError::Fragment)),
        ("ws://h/%", target(TargetError::Percent)),
        ("ws://h/%4", target(TargetError::Percent)),
        ("ws://h/%4g", target(TargetError::Percent)),
        ("ws://h/?%\u{20ac}", target(TargetError::Character(0xe2))),
        ("ws://h/a b", target(TargetError::Character(b' '))),
        ("ws://h/a\r\nX: y", target(TargetError::Character(b'\r'))),
        ("ws:///a", authority(AuthorityError::Empty)),
        ("ws://:80/a", authority(AuthorityError::Empty)),
        ("ws://h:0", authority(AuthorityError::Port)),
        ("ws://h:65536", authority(AuthorityError::Port)),
        ("ws://h:+80", authority(AuthorityError::Port)),
        ("ws://::1", authority(AuthorityError::Empty)),
        ("ws://[fe80::1%25eth0]/", authority(AuthorityError::Ipv6)),
        ("ws://[::1/", authority(AuthorityError::Ipv6)),
        ("ws://b\u{fc}cher.example", authority(AuthorityError::NonAscii)),
        ("ws://h\\@evil", UrlError::Credentials),
        ("ws://a@b@c", UrlError::Credentials),
    ];
    for (text, expected) in table {
        assert_eq!(WsUrl::parse(text), Err(expected), "{text}");
    }
    let error = WsUrl::parse("ws://b\u{fc}cher.example").expect_err("no ASCII");
    assert!(error.to_string().contains("punycode"), "{error}");
}

#[test]
fn credentials_are_decoded_and_not_shown() {
    let url = url("ws://us%20er:p%40ss:w@h:1/x");
    assert_eq!(url.credentials(), Some((&b"us er"[..], &b"p@ss:w"[..])));
    assert_eq!(url.basic_authorization().as_deref(), Some("Basic dXMgZXI6cEBzczp3"));
    assert_eq!(url.to_string(), "ws://h:1/x");
    assert!(!format!("{url:?}").contains("p@ss"));
    assert_eq!(WsUrl::parse("ws://a%3ab:c@h"), Err(UrlError::Credentials));
    assert_eq!(WsUrl::parse("ws://a%zz@h"), Err(UrlError::Credentials));
}

/// edge 8: relative and cross-host redirects, by the examples of RFC 3986 §5.4 and others.
#[test]
fn references_are_resolved() {
    let base = url("ws://a/b/c/d;p?q");
    for (reference, expected) in [
        ("g", "ws://a/b/c/g"),
        ("./g", "ws://a/b/c/g"),
        ("g/", "ws://a/b/c/g/"),
        ("/g", "ws://a/g"),
        ("//g", "ws://g/"),
        ("?y", "ws://a/b/c/d;p?y"),
        ("g?y", "ws://a/b/c/g?y"),
        (";x", "ws://a/b/c/;x"),
        (".", "ws://a/b/c/"),
        ("./", "ws://a/b/c/"),
        ("..", "ws://a/b/"),
        ("../g", "ws://a/b/g"),
        ("../..", "ws://a/"),
        ("../../../g", "ws://a/g"),
        ("/./g", "ws://a/g"),
        ("/../g", "ws://a/g"),
        ("g.", "ws://a/b/c/g."),
        ("..g", "ws://a/b/c/..g"),
        ("./g/.", "ws://a/b/c/g/"),
        ("g/./h", "ws://a/b/c/g/h"),
        ("g/../h", "ws://a/b/c/h"),
        ("g?y/../x", "ws://a/b/c/g?y/../x"),
        ("wss://other:9/x", "wss://other:9/x"),
        ("https://other", "wss://other/"),
        ("?a=b:c", "ws://a/b/c/d;p?a=b:c"),
    ] {
        assert_eq!(
            resolve(&base, reference).map(|url| url.to_string()),
            Ok(expected.to_owned()),
            "{reference}"
        );
    }
    assert_eq!(resolve(&base, ""), Err(UrlError::EmptyLocation));
    assert_eq!(resolve(&base, "g#s"), Err(UrlError::Target(TargetError::Fragment)));
    assert_eq!(resolve(&base, "%x"), Err(UrlError::Target(TargetError::Percent)));
    assert!(matches!(resolve(&base, "mailto:x"), Err(UrlError::NoScheme(_))));
    assert_eq!(resolve(&url("ws://h?x"), "g").map(|url| url.to_string()), Ok("ws://h/g".to_owned()));
}

/// edge 9: wss never goes down to ws; a redirect on the same host keeps its origin, any other does not.
#[test]
fn redirects() {
    let from = url("wss://user:secret@h/a");
    assert_eq!(redirect(&from, b"ws://h/b"), Err(UrlError::Downgrade));
    assert_eq!(redirect(&from, b"http://other/b"), Err(UrlError::Downgrade));
    assert_eq!(redirect(&from, b"/b\xff"), Err(UrlError::Target(TargetError::Character(0xff))));
    let same = redirect(&from, b"b").expect("a URL");
    assert!(from.same_origin(&same) && same.credentials().is_some());
    let same = redirect(&from, b"https://h:443/b").expect("a URL");
    assert_eq!(same.credentials(), from.credentials(), "the login stays with its origin");
    let other = redirect(&from, b"https://other/b").expect("a URL");
    assert!(!from.same_origin(&other) && other.credentials().is_none());
    assert!(url("ws://H:80").same_origin(&url("http://h")));
    assert!(!url("ws://h:81").same_origin(&url("ws://h")));
    assert!(!url("wss://h:80").same_origin(&url("ws://h")));
    assert!(redirect(&url("ws://h"), b"wss://h").is_ok());
}
