//! Addresses to connect from: `127.0.0.1`, `127.1.0.1-20`, `::1`.

use std::net::{IpAddr, Ipv4Addr};

/// # Errors
/// One sentence: which is no address or range.
pub(crate) fn parse(texts: &[String]) -> Result<Vec<IpAddr>, String> {
    let mut addresses = Vec::new();
    for text in texts {
        match text.trim().parse() {
            Ok(address) => addresses.push(address),
            Err(_) => addresses.extend(range(text.trim())?),
        }
    }
    Ok(addresses)
}

/// `127.1.0.1-20` or `127.1.0.1-127.1.0.20`.
fn range(text: &str) -> Result<impl Iterator<Item = IpAddr> + use<>, String> {
    const MOST: u32 = 65_536;
    let refuse = || format!("--source {text}: expected addresses such as 127.0.0.1 or 127.1.0.1-20");
    let (first, last) = text.split_once('-').ok_or_else(refuse)?;
    let first: Ipv4Addr = first.parse().map_err(|_| refuse())?;
    let last = match last.parse::<u8>() {
        Ok(end) => {
            let [a, b, c, _] = first.octets();
            Ipv4Addr::new(a, b, c, end)
        }
        Err(_) => last.parse().map_err(|_| refuse())?,
    };
    let (first, last) = (u32::from(first), u32::from(last));
    if last < first || last - first >= MOST {
        return Err(refuse());
    }
    Ok((first..=last).map(|bits| IpAddr::V4(Ipv4Addr::from(bits))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(texts: &[&str]) -> Result<Vec<String>, String> {
        let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
        Ok(parse(&texts)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn addresses_and_ranges_may_be_mixed() {
        assert_eq!(parsed(&[]).unwrap(), Vec::<String>::new());
        assert_eq!(
            parsed(&["127.1.0.9-11", "::1", "127.0.0.255-127.0.1.1"]).unwrap(),
            ["127.1.0.9", "127.1.0.10", "127.1.0.11", "::1", "127.0.0.255", "127.0.1.0", "127.0.1.1"]
        );
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in ["", "x", "127.0.0.5-4", "127.0.0.1-", "127.0.0.1-256", "10.0.0.0-12.0.0.0", "::1-5"] {
            let why = parsed(&[text]).unwrap_err();
            assert!(why.contains(&format!("--source {text}: ")), "{why}");
        }
    }
}
