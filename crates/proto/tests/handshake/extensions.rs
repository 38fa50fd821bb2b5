//! The grammar of Sec-WebSocket-Extensions.

use std::time::{Duration, Instant};
use tidewire_proto::handshake::ExtensionsError;
use tidewire_proto::handshake::extensions::{MAX_EXTENSIONS, MAX_PARAMETERS, parse};

fn written(values: &[&str]) -> Result<Vec<String>, ExtensionsError> {
    let parsed = parse(values.iter().map(|value| value.as_bytes()))?;
    Ok(parsed.iter().map(ToString::to_string).collect())
}

/// edge 15: what is of the grammar.
#[test]
fn good_values() {
    let table: [(&[&str], &[&str]); 13] = [
        (&[], &[]),
        (&["a"], &["a"]),
        (&["a, b"], &["a", "b"]),
        (&["a", "b, c"], &["a", "b", "c"]),
        (&[" ,, a ,\t, b ,"], &["a", "b"]),
        (&["a;b;c=d"], &["a; b; c=d"]),
        (&["a ; b\t; c = d ,e"], &["a; b; c=d", "e"]),
        (&["a; b=\"c\""], &["a; b=c"]),
        (&["a; b=\"c\\d\\e\", f"], &["a; b=cde", "f"]),
        (&["a; b=\"15\";c"], &["a; b=15; c"]),
        (&["a; b=1; b=2"], &["a; b=1; b=2"]),
        (&["a, a"], &["a", "a"]),
        (&["!#$%&'*+-.^_`|~09azAZ"], &["!#$%&'*+-.^_`|~09azAZ"]),
    ];
    for (values, expected) in table {
        assert_eq!(written(values), Ok(expected.iter().map(ToString::to_string).collect()), "{values:?}");
    }
}

/// edge 15: what is not.
#[test]
fn bad_values() {
    let table: [(&[&str], ExtensionsError); 23] = [
        (&[""], ExtensionsError::Empty),
        (&[" , ,"], ExtensionsError::Empty),
        (&["a", ""], ExtensionsError::Empty),
        (&[";"], ExtensionsError::Unexpected(0)),
        (&["a;"], ExtensionsError::Unexpected(2)),
        (&["a;;b"], ExtensionsError::Unexpected(2)),
        (&["a; ,b"], ExtensionsError::Unexpected(3)),
        (&["a b"], ExtensionsError::Unexpected(2)),
        (&["a=b"], ExtensionsError::Unexpected(1)),
        (&["a; b="], ExtensionsError::Unexpected(5)),
        (&["a; =b"], ExtensionsError::Unexpected(3)),
        (&["a; b=c d"], ExtensionsError::Unexpected(7)),
        (&["a; b=c=d"], ExtensionsError::Unexpected(6)),
        (&["a; b=\"c\"d"], ExtensionsError::Unexpected(8)),
        (&["\"a\""], ExtensionsError::Unexpected(0)),
        (&["a; b=\""], ExtensionsError::Unbalanced(5)),
        (&["a; b=\"c"], ExtensionsError::Unbalanced(5)),
        (&["a; b=\"c\\"], ExtensionsError::Unbalanced(5)),
        (&["a; b=\"c\\\""], ExtensionsError::NoToken(5)),
        (&["a; b=\"\""], ExtensionsError::NoToken(5)),
        (&["a; b=\"c,d\""], ExtensionsError::NoToken(5)),
        (&["a; b=\"c;d\", e"], ExtensionsError::NoToken(5)),
        (&["a\u{e4}"], ExtensionsError::Unexpected(1)),
    ];
    for (values, expected) in table {
        assert_eq!(written(values), Err(expected), "{values:?}");
    }
}

/// edge 15: counts are bounded.
#[test]
fn counts_are_bounded() {
    let list = |count: usize| vec!["a"; count].join(",");
    assert!(written(&[&list(MAX_EXTENSIONS)]).is_ok());
    assert_eq!(written(&[&list(MAX_EXTENSIONS + 1)]), Err(ExtensionsError::TooMany));
    assert_eq!(written(&[&list(MAX_EXTENSIONS), "b"]), Err(ExtensionsError::TooMany));
    let parameters = |count: usize| format!("a{}", "; b".repeat(count));
    assert!(written(&[&parameters(MAX_PARAMETERS)]).is_ok());
    assert_eq!(written(&[&parameters(MAX_PARAMETERS + 1)]), Err(ExtensionsError::TooMany));
}

/// edge 15: linear time: a megabyte of each hostile pattern is read at once.
#[test]
fn hostile_values_take_linear_time() {
    let patterns = [",", " ", "\\", "a", "a;", "a; b=\"", "a; b=\"\\", ";", "a; b=\"x\\x"];
    let start = Instant::now();
    for pattern in patterns {
        let value = pattern.repeat(1_000_000 / pattern.len());
        let quoted = format!("a; b=\"{}", "\\x".repeat(500_000));
        assert!(written(&[&value]).is_err() || pattern == "a");
        assert_eq!(written(&[&quoted]), Err(ExtensionsError::Unbalanced(5)));
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
