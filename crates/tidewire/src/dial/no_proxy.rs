//! The list of hosts that are reached without a proxy.

use std::net::IpAddr;

/// A parsed `NO_PROXY`: elements between commas or spaces, each with an optional `:port`.
///
/// | element | matches |
/// |---|---|
/// | `*` | everything |
/// | `example.com`, `.example.com`, `*.example.com` | the name and all names under it |
/// | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]:443` | the address |
/// | `10.0.0.0/8`, `fd00::/8` | the addresses of the network |
///
/// Case and a final dot of names do not matter. Elements that are none of these match nothing: the variable is
/// shared with programs that know other forms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy {
    elements: Vec<Element>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Element {
    pattern: Pattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    All,
    Name(String),
    /// An address, and how many of its leading bits count.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Reads a list.
    pub fn parse(list: &str) -> Self {
        let separator = |c: char| c == ',' || c.is_whitespace();
        Self { elements: list.split(separator).filter_map(Element::parse).collect() }
    }

    /// Whether `host`, a name or an address, is reached without a proxy on `port`.
    pub fn matches(&self, host: &str, port: u16) -> bool {
        let name = normal(host);
        let address = parse_address(host);
        self.elements.iter().any(|element| {
            element.port.is_none_or(|only| only == port)
                && match (&element.pattern, address) {
                    (Pattern::All, _) => true,
                    (Pattern::Network(network, bits), Some(address)) => shares(*network, address, *bits),
                    (Pattern::Name(suffix), None) => name
                        .strip_suffix(suffix.as_str())
                        .is_some_and(|front| front.is_empty() || front.ends_with('.')),
                    _ => false,
                }
        })
    }
}

impl Element {
    fn parse(text: &str) -> Option<Self> {
        if let Some(network) = parse_network(text) {
            return Some(Self { pattern: network, port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        let pattern = match parse_network(host) {
            Some(network) => network,
            None if host == "*" => Pattern::All,
            None => {
                let name = normal(host.strip_prefix('*').unwrap_or(host).trim_start_matches('.'));
                if name.is_empty() || name.contains(['*', '/', ':']) {
                    return None;
                }
                Pattern::Name(name)
            }
        };
        Some(Self { pattern, port })
    }
}

fn normal(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    // An IPv4 address in IPv6 clothes is the IPv4 address.
    bare.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

fn parse_network(text: &str) -> Option<Pattern> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (parse_address(address)?, Some(bits.parse().ok()?)),
        None => (parse_address(text)?, None),
    };
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(width);
    (bits <= width).then_some(Pattern::Network(address, bits))
}

/// Whether two addresses of one family have the same first `bits` bits.
fn shares(network: IpAddr, address: IpAddr, bits: u32) -> bool {
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(32 - bits).unwrap_or(0) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) => {
            (a.to_bits() ^ b.to_bits()).checked_shr(128 - bits).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(list: &str, yes: &[(&str, u16)], no: &[(&str, u16)]) {
        let list = NoProxy::parse(list);
        for (host, port) in yes {
            assert!(list.matches(host, *port), "{host}:{port} should match {list:?}");
        }
        for (host, port) in no {
            assert!(!list.matches(host, *port), "{host}:{port} should not match {list:?}");
        }
    }

    #[test]
    fn names_match_themselves_and_what_is_under_them() {
        check(
            "Example.com, .b.test,*.c.test. d.test:8080",
            &[
                ("example.com", 1),
                ("EXAMPLE.COM.", 1),
                ("a.b.example.com", 1),
                ("b.test", 1),
                ("x.b.test", 1),
            ],
            &[("nonexample.com", 1), ("example.com.evil", 1), ("com", 1), ("d.test", 80)],
        );
        check(
            "*.c.test d.test:8080",
            &[("x.c.test", 1), ("c.test", 1), ("a.d.test", 8080)],
            &[("d.test", 443)],
        );
    }

    #[test]
    fn addresses_and_networks() {
        check(
            "10.0.0.0/8,192.0.2.1:81,fd00::/8 [2001:db8::1]:443,::1",
            &[("10.255.0.1", 1), ("192.0.2.1", 81), ("fd12::1", 1), ("[2001:db8::1]", 443), ("0:0::1", 1)],
            &[("11.0.0.1", 1), ("192.0.2.1", 80), ("fe00::1", 1), ("2001:db8::1", 80), ("::2", 1)],
        );
        check("::ffff:10.0.0.1", &[("10.0.0.1", 1), ("::ffff:10.0.0.1", 1)], &[("10.0.0.2", 1)]);
        check("0.0.0.0/0", &[("8.8.8.8", 1)], &[("::1", 1), ("name", 1)]);
        check("::/0", &[("::1", 1)], &[("8.8.8.8", 1)]);
    }

    #[test]
    fn an_address_is_not_matched_by_the_end_of_its_text() {
        check("3.4", &[("a.3.4", 1)], &[("1.2.3.4", 1)]);
    }

    #[test]
    fn star_is_everything_and_nonsense_is_nothing() {
        check("*", &[("a", 1), ("::1", 1)], &[]);
        check("*:80", &[("a", 80)], &[("a", 81)]);
        check("", &[], &[("a", 1)]);
        check(
            "10.0.0.0/33,a*b,x/y,.,*.,h:port,::/129",
            &[],
            &[("10.0.0.1", 1), ("ab", 1), ("h", 1), ("", 1)],
        );
    }
}
