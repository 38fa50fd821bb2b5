//! Bytes as people read them: offset, sixteen bytes, their ASCII.

use std::fmt::Write as _;

/// Bytes shown of one message; the rest is counted.
const SHOWN: usize = 1024;

/// A hex dump of at most the first KiB, one line for each sixteen bytes.
pub(crate) fn hexdump(bytes: &[u8]) -> String {
    let mut out = String::new();
    let shown = &bytes[..bytes.len().min(SHOWN)];
    for (row, chunk) in shown.chunks(16).enumerate() {
        let separator = if row == 0 { "" } else { "\n" };
        write!(out, "{separator}{:08x} ", row * 16).expect("a String takes every write");
        for column in 0..16 {
            let gap = if column % 8 == 0 { " " } else { "" };
            match chunk.get(column) {
                Some(byte) => write!(out, "{gap}{byte:02x} "),
                None => write!(out, "{gap}   "),
            }
            .expect("a String takes every write");
        }
        out.push_str(" |");
        out.extend(
            chunk.iter().map(|&byte| if (0x20..0x7f).contains(&byte) { char::from(byte) } else { '.' }),
        );
        out.push('|');
    }
    if bytes.len() > SHOWN {
        write!(out, "\n… {} more bytes", bytes.len() - SHOWN).expect("a String takes every write");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_line_up() {
        assert_eq!(
            hexdump(b"GET / HTTP/1.1\r\n\x00\xff"),
            "00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31 0d 0a  |GET / HTTP/1.1..|\n\
             00000010  00 ff                                             |..|"
        );
        assert_eq!(hexdump(b""), "");
    }

    #[test]
    fn a_long_message_is_counted_not_shown() {
        let dump = hexdump(&[0; SHOWN + 5]);
        assert_eq!(dump.lines().count(), SHOWN / 16 + 1);
        assert!(dump.ends_with("… 5 more bytes"));
    }
}
