//! Which proxy the environment asks for.

use super::no_proxy::{NoProxy, parse_address};
use super::proxy::{BadProxy, Proxy};

impl Proxy {
    /// The proxy that the environment asks for, on the way to `host` and `port`; `None` for a direct connection.
    ///
    /// For `ws` the first of `ws_proxy`, `WS_PROXY`, `http_proxy`, `all_proxy`, `ALL_PROXY` counts that is not empty; for
    /// `wss` (`tls`) of `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY`: as in curl.
    /// `HTTP_PROXY` never counts: in a CGI program a request's `Proxy` header sets it. Hosts in `no_proxy`, or else
    /// `NO_PROXY` (see [`NoProxy`]), are reached directly; so are `localhost` and loopback addresses, which mean another
    /// machine to the proxy.
    pub fn from_env(
        tls: bool,
        host: &str,
        port: u16,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, BadProxy> {
        const WS: [&str; 5] = ["ws_proxy", "WS_PROXY", "http_proxy", "all_proxy", "ALL_PROXY"];
        const WSS: [&str; 6] =
            ["wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| {
                let value = lookup(name)?;
                (!value.trim().is_empty()).then_some((*name, value))
            })
        };
        let Some((variable, url)) = first(if tls { &WSS } else { &WS }) else { return Ok(None) };
        let direct = first(&["no_proxy", "NO_PROXY"]).map(|(_, list)| NoProxy::parse(&list));
        if is_loopback(host) || direct.is_some_and(|direct| direct.matches(host, port)) {
            return Ok(None);
        }
        match url.trim().parse() {
            Ok(proxy) => Ok(Some(proxy)),
            Err(BadProxy { problem, .. }) => Err(BadProxy { variable: Some(variable), problem }),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name.eq_ignore_ascii_case("localhost") || parse_address(host).is_some_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(set: &[(&str, &str)], tls: bool, host: &str) -> Result<Option<String>, String> {
        let lookup =
            |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        match Proxy::from_env(tls, host, 443, lookup) {
            Ok(proxy) => Ok(proxy.map(|proxy| proxy.host().to_owned())),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_variables_in_their_order() {
        let all = [
            ("ws_proxy", "a"),
            ("WS_PROXY", "b"),
            ("http_proxy", "c"),
            ("wss_proxy", "d"),
            ("WSS_PROXY", "e"),
            ("https_proxy", "f"),
            ("HTTPS_PROXY", "g"),
            ("all_proxy", "h"),
            ("ALL_PROXY", "i"),
        ];
        let order = |tls| {
            let mut left = all.to_vec();
            let mut order = String::new();
            while let Ok(Some(host)) = env(&left, tls, "x.test") {
                left.retain(|(_, value)| *value != host);
                order.push_str(&host);
            }
            order
        };
        assert_eq!((order(false), order(true)), ("abchi".to_owned(), "defghi".to_owned()));
    }

    #[test]
    fn http_proxy_in_capitals_and_empty_variables_do_not_count() {
        assert_eq!(env(&[("HTTP_PROXY", "evil")], false, "x.test"), Ok(None));
        assert_eq!(env(&[("ws_proxy", " "), ("http_proxy", "p")], false, "x.test"), Ok(Some("p".to_owned())));
    }

    #[test]
    fn no_proxy_and_loopback_are_direct() {
        let set = [("all_proxy", "p"), ("no_proxy", "direct.test"), ("NO_PROXY", "*")];
        assert_eq!(env(&set, true, "a.direct.test"), Ok(None));
        assert_eq!(env(&set, true, "x.test"), Ok(Some("p".to_owned())));
        assert_eq!(env(&set[..1], true, "direct.test"), Ok(Some("p".to_owned())));
        for host in ["localhost", "LOCALHOST.", "127.9.9.9", "::1", "[::1]"] {
            assert_eq!(env(&set[..1], true, host), Ok(None), "{host}");
        }
    }

    #[test]
    fn a_bad_variable_is_named() {
        let error = env(&[("https_proxy", "gopher://u:secret@h")], true, "x.test").unwrap_err();
        assert!(
            error.contains("https_proxy") && error.contains("gopher") && !error.contains("secret"),
            "{error}"
        );
    }
}
