use super::*;
use std::io::Write as _;

fn all(size: usize) -> [Payloads; 4] {
    [
        Payloads::generated(Kind::Binary, Characters::Ascii, size),
        Payloads::generated(Kind::Text, Characters::Ascii, size),
        Payloads::generated(Kind::Text, Characters::Utf8, size),
        Payloads::generated(Kind::Text, Characters::Json, size),
    ]
}

fn number(payloads: &Payloads, connection: u32, value: u64) -> Number {
    let mut number = Number::first(connection, payloads.kind());
    number.go_to(value);
    number
}

#[test]
fn messages_have_the_size_that_was_asked_for_and_differ_by_their_number() {
    for size in [0, 1, 15, 16, 17, 125, 1024, 5000, 65_536] {
        for payloads in all(size) {
            let mut scratch = payloads.scratch();
            let mut messages = Vec::new();
            for value in [0, 1, 2, 16, 1_000_000] {
                let message = payloads.message(&number(&payloads, 7, value), &mut scratch);
                assert_eq!((message.as_bytes().len(), message.kind()), (size, payloads.kind()));
                messages.push(message.as_bytes().to_vec());
            }
            assert_eq!(payloads.is_numbered(), size >= NUMBERED);
            messages.dedup();
            assert_eq!(messages.len(), if size >= NUMBERED { 5 } else { 1 }, "{size}");
        }
    }
}

#[test]
fn utf8_has_characters_of_every_length_and_json_is_json() {
    let [_, _, mixed, json] = all(1024);
    let text = std::str::from_utf8(mixed.first()).unwrap();
    for length in 1..=4 {
        assert!(text.chars().filter(|c| c.len_utf8() == length).count() > 10, "{length}");
    }
    let mut scratch = json.scratch();
    for value in 0..40 {
        let message = json.message(&number(&json, 3, value), &mut scratch);
        let object: serde_json::Value = serde_json::from_slice(message.as_bytes()).unwrap();
        assert_eq!(object["id"], format!("000003{value:010}"));
        assert!(object["items"].as_array().unwrap().len() > 5);
    }
}

#[test]
fn a_message_is_judged_by_number_kind_and_content() {
    for size in [16, 125, 1024, 8000] {
        for payloads in all(size) {
            let mut scratch = payloads.scratch();
            let due = number(&payloads, 5, 41);
            assert_eq!(payloads.judge(&due, &payloads.message(&due, &mut scratch)), Seen::Expected);
            for (connection, value, seen) in
                [(5, 42, Seen::Other(42)), (5, 40, Seen::Other(40)), (6, 41, Seen::Foreign)]
            {
                let other = number(&payloads, connection, value);
                assert_eq!(payloads.judge(&due, &payloads.message(&other, &mut scratch)), seen);
                assert_eq!(
                    payloads
                        .number_of(&payloads.message(&other, &mut scratch))
                        .map(|n| (n.connection(), n.value())),
                    Some((connection, value))
                );
            }
            let bytes = payloads.message(&due, &mut scratch).as_bytes().to_vec();
            if size > NUMBERED {
                // One bit, in the last byte; ASCII in all of these.
                let mut bent = bytes.clone();
                *bent.last_mut().unwrap() ^= 1;
                let kind = payloads.kind();
                let text = String::from_utf8(bent.clone());
                let message = match (&text, kind) {
                    (Ok(text), Kind::Text) => MessageRef::text(text),
                    _ => MessageRef::binary(&bent),
                };
                assert_eq!(payloads.judge(&due, &message), Seen::Corrupted, "{size} {kind:?}");
            }
            if payloads.kind() == Kind::Text {
                assert_eq!(payloads.judge(&due, &MessageRef::binary(&bytes)), Seen::Foreign);
            }
            assert_ne!(payloads.judge(&due, &MessageRef::binary(&bytes[..size - 1])), Seen::Expected);
        }
    }
}

#[test]
fn digits_count_like_the_number_does() {
    let mut number = Number::first(12, Kind::Text);
    for value in 0..1200 {
        assert_eq!(number, Number::text(12, value));
        number.advance();
    }
    number.go_to(99_999);
    number.advance();
    assert_eq!(number.digits(), "0000120000100000");
}

#[test]
fn a_file_is_one_message_or_one_for_each_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all("one\nzwei €\n\nfour\n".as_bytes()).unwrap();
    let whole = Payloads::of_file(file.path(), Kind::Text, false).unwrap();
    assert_eq!(whole.first(), "one\nzwei €\n\nfour\n".as_bytes());
    let lines = Payloads::of_file(file.path(), Kind::Text, true).unwrap();
    let mut scratch = lines.scratch();
    let sent: Vec<String> = (0..5)
        .map(|value| lines.message(&number(&lines, 0, value), &mut scratch).as_text().unwrap().to_owned())
        .collect();
    assert_eq!(sent, ["one", "zwei €", "", "four", "one"]);
    assert!((lines.mean() - 15.0 / 4.0).abs() < 1e-9);
    file.write_all(b"\xff").unwrap();
    let why = Payloads::of_file(file.path(), Kind::Text, true).unwrap_err();
    assert!(why.contains("not UTF-8: send it with --binary"), "{why}");
    assert!(Payloads::of_file(file.path(), Kind::Binary, true).is_ok());
}
