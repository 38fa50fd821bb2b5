//! The first lines: where to go.

use super::log::{AccessLog, print};
use crate::args::{LogFormat, LogLevel, ServeArgs};
use tidewire::Listener;

/// Where to go.
pub(super) struct Banner {
    socket: String,
    page: Option<String>,
    everyone: bool,
    level: LogLevel,
}

impl Banner {
    pub(super) fn new(listener: &Listener, tls: bool, args: &ServeArgs) -> Self {
        let secure = if tls { "s" } else { "" };
        let level = args.level();
        let Some(mut address) = listener.local_addr() else {
            let path = listener.unix_path().map_or(String::new(), |path| path.display().to_string());
            return Self { socket: format!("unix:{path}"), page: None, everyone: false, level };
        };
        let everyone = address.ip().is_unspecified();
        if everyone {
            let loopback = if address.is_ipv4() { "127.0.0.1".parse() } else { "::1".parse() };
            address.set_ip(loopback.unwrap_or_else(|_| address.ip()));
        }
        let page =
            (args.static_dir.is_some() || !args.no_console).then(|| format!("http{secure}://{address}/"));
        Self { socket: format!("ws{secure}://{address}/"), page, everyone, level }
    }

    pub(super) fn print(&self, log: &AccessLog) {
        if log.format() == LogFormat::Json {
            return log.listening(&self.socket, self.page.as_deref());
        }
        if self.level == LogLevel::Off {
            return;
        }
        // Nothing stands behind the address, so that scripts can read it.
        print(&format!("listening on {}", self.socket));
        match &self.page {
            Some(page) => print(&format!(
                "open {} in a browser; Ctrl-C stops the server",
                log.palette().received.paint(page)
            )),
            None => print("Ctrl-C stops the server"),
        }
        if self.everyone {
            print(
                "every machine that can reach this one can connect; --address 127.0.0.1 keeps it to this one",
            );
        }
    }
}
