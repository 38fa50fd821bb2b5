//! Origins and loopback names.

use tidewire_proto::handshake::{OriginPolicy, SetupError, host_is_loopback};

fn admits(policy: &OriginPolicy, origin: &str, host: &str) -> bool {
    policy.admits(Some(origin.as_bytes()), host.as_bytes())
}

/// edge 18: by default the same host on any port, in any case, and IPv6 in any spelling.
#[test]
fn the_same_host_is_admitted() {
    let policy = OriginPolicy::default();
    for (origin, host) in [
        ("http://app.example", "app.example"),
        ("http://app.example:8000", "app.example:9876"),
        ("https://app.example", "app.example:9876"),
        ("http://APP.Example", "app.eXample:9876"),
        ("HTTP://app.example", "app.example"),
        ("http://[::1]:8000", "[::1]:9876"),
        ("http://[0:0::1]", "[::1]:9876"),
        ("http://[2001:DB8::1]", "[2001:db8::1]"),
        ("http://127.0.0.1:8000", "127.0.0.1:9876"),
    ] {
        assert!(admits(&policy, origin, host), "{origin} to {host}");
    }
    for (origin, host) in [
        ("http://evil.example", "app.example"),
        ("http://app.example.evil", "app.example"),
        ("http://x.app.example", "app.example"),
        ("http://app.example@evil.example", "app.example"),
        ("http://app.example/", "app.example"),
        ("http://app.example:x", "app.example"),
        ("file://app.example", "app.example"),
        ("app.example", "app.example"),
        ("http://", "app.example"),
        ("", "app.example"),
        ("http://[::1]", "[::2]"),
        ("http://localhost", "127.0.0.1"),
    ] {
        assert!(!admits(&policy, origin, host), "{origin} to {host}");
    }
}

/// edge 18: a request without Origin comes from no browser; `null` is an origin of its own.
#[test]
fn missing_and_null() {
    let policy = OriginPolicy::default();
    assert!(policy.admits(None, b"app.example"));
    assert!(!admits(&policy, "null", "app.example"));
    assert!(!admits(&policy, "null", "null"));
    let with_null = policy.allow("null").expect("an entry");
    assert!(admits(&with_null, "null", "app.example"));
    assert!(!admits(&with_null, "http://evil.example", "app.example"));
    let strict = OriginPolicy::only_listed(false).allow("https://app.example").expect("an entry");
    assert!(!strict.admits(None, b"app.example"));
    assert!(OriginPolicy::only_listed(true).admits(None, b"app.example"));
}

/// edge 18: entries of the list.
#[test]
fn listed_origins() {
    let table: [(&str, &[&str], &[&str]); 8] = [
        (
            "https://app.example",
            &["https://app.example", "https://APP.example:443"],
            &["http://app.example", "https://app.example:444"],
        ),
        (
            "http://app.example:8080",
            &["http://app.example:8080"],
            &["http://app.example", "https://app.example:8080"],
        ),
        (
            "app.example",
            &["http://app.example", "https://app.example:1"],
            &["https://xapp.example", "https://a.app.example"],
        ),
        ("app.example:443", &["https://app.example", "http://app.example:443"], &["http://app.example"]),
        (
            "*.example.com",
            &["https://a.example.com", "http://a.b.EXAMPLE.com:1"],
            &[
                "https://example.com",
                "https://.example.com",
                "https://aexample.com",
                "https://example.com.evil",
            ],
        ),
        (
            "https://*.example.com",
            &["https://a.example.com"],
            &["http://a.example.com", "https://a.example.com:1"],
        ),
        ("http://[::1]:80", &["http://[0::1]"], &["http://[::1]:81", "http://localhost"]),
        (
            "chrome-extension://abcdef",
            &["chrome-extension://abcdef"],
            &["chrome-extension://abcdeg", "https://abcdef"],
        ),
    ];
    for (entry, good, bad) in table {
        let policy = OriginPolicy::only_listed(true).allow(entry).expect("an entry");
        for origin in good {
            assert!(admits(&policy, origin, "server.example"), "{entry}: {origin}");
        }
        for origin in bad {
            assert!(!admits(&policy, origin, "server.example"), "{entry}: {origin}");
        }
    }
    let any = OriginPolicy::only_listed(false).allow("*").expect("an entry");
    assert!(["null", "http://evil.example", "\u{e4}"].iter().all(|origin| admits(
        &any,
        origin,
        "server.example"
    )));
}

#[test]
fn entries_that_are_none() {
    for entry in [
        "",
        "https://",
        "https://a/",
        "a b",
        "*.",
        "*.*.a",
        "*.[::1]",
        "a:0",
        "1://a",
        "://a",
        "b\u{fc}cher.example",
        "**",
    ] {
        assert_eq!(
            OriginPolicy::default().allow(entry).expect_err("no entry"),
            SetupError::OriginEntry(entry.to_owned()),
        );
    }
}

/// edge 18: names that can only be the machine itself.
#[test]
fn loopback_names() {
    for host in [
        "localhost",
        "LOCALHOST:80",
        "localhost.",
        "a.localhost",
        "127.0.0.1",
        "127.255.0.9:1",
        "[::1]",
        "[0::1]:9",
        "[::ffff:127.0.0.1]",
    ] {
        assert!(host_is_loopback(host.as_bytes()), "{host}");
    }
    for host in [
        "",
        "localhost.evil",
        "xlocalhost",
        ".localhost",
        "127.0.0.1.evil",
        "127.1",
        "128.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::2]",
        "::1",
        "localhost:x",
        "localhost@evil",
        "l\u{f6}calhost",
    ] {
        assert!(!host_is_loopback(host.as_bytes()), "{host}");
    }
}

/// edge 18: no entry holds a character that a shell gives a meaning within single quotes, or most of those without.
#[test]
fn entries_hold_nothing_of_a_shells() {
    for entry in ["null", "app.example", "https://app.example:8443", "*.example.com", "http://[::1]:80"] {
        assert!(OriginPolicy::default().allow(entry).is_ok(), "{entry}");
        let hostile = "'\"$`;|&()<>{}\\!#?^=%@,/ \u{a0}\u{202e}é"
            .chars()
            .chain((0..0x20).map(char::from))
            .chain(['\x7f']);
        for character in hostile {
            for at in 0..=entry.len() {
                let mut text = entry.to_owned();
                text.insert(at, character);
                let allowed = OriginPolicy::default().allow(&text);
                assert!(matches!(allowed, Err(SetupError::OriginEntry(_))), "{text:?}");
            }
        }
    }
}
