//! What the machine allows: open files, and local ports for each address that is connected from.

use super::failure::Failure;
use super::plan::{Plan, Server};
use super::report::Mode;

/// Descriptors that are not connections: the runtimes' and the standard streams.
const OTHERS: u64 = 16;
/// Those of a thread.
const OF_A_THREAD: u64 = 8;

/// Raises the limit of open files as far as the system lets it, and checks that the connections fit.
///
/// # Errors
/// What to change, and what would fit.
pub(crate) fn check(plan: &Plan) -> Result<(), Failure> {
    let wanted = plan.connections as u64;
    let others = OTHERS + OF_A_THREAD * plan.threads as u64;
    if let Some(most) = open_files() {
        files(wanted, others, most)?;
    }
    let is_local = match &plan.server {
        Server::WebSocket { url, .. } => !url.is_empty(),
        Server::Bare { .. } => true,
    };
    if plan.mode != Mode::Connect && is_local {
        ports(wanted, plan.sources.len().max(1) as u64, local_ports())?;
    }
    Ok(())
}

fn files(wanted: u64, others: u64, most: u64) -> Result<(), Failure> {
    if wanted + others <= most {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{wanted} connections need {} open files, and this process may have {most}: {} fit. Raise it with `ulimit -n {0}`, in a systemd unit with LimitNOFILE={0}, or run several processes",
        wanted + others,
        most.saturating_sub(others)
    )))
}

fn ports(wanted: u64, sources: u64, each: u64) -> Result<(), Failure> {
    if wanted <= sources * each {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{wanted} connections need {} addresses to connect from: each has {each} local ports for one server (net.ipv4.ip_local_port_range), {} fit. Give more with --source, such as --source 127.1.0.1-{}",
        wanted.div_ceil(each),
        sources * each,
        wanted.div_ceil(each)
    )))
}

/// What this process may have open, raised as far as it goes; `None` where the system does not say.
fn open_files() -> Option<u64> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
        let raised = soft >= hard || setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok();
        Some(if raised { hard } else { soft })
    }
    #[cfg(not(unix))]
    None
}

/// Ports that the system gives to connections: those of Linux, or of RFC 6335 §6.
fn local_ports() -> u64 {
    const DYNAMIC: u64 = 65_535 - 49_152 + 1;
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    let range = range.and_then(|text| {
        let (first, last) = text.trim().split_once(char::is_whitespace)?;
        last.trim().parse::<u64>().ok()?.checked_sub(first.parse().ok()?)
    });
    range.map_or(DYNAMIC, |last| last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_let_through_and_what_does_not_is_told_with_what_would() {
        assert_eq!(files(100, 24, 124), Ok(()));
        let why = files(20_000, 24, 1024).unwrap_err().text;
        for words in ["20024 open files", "may have 1024", "1000 fit", "ulimit -n 20024", "LimitNOFILE=20024"]
        {
            assert!(why.contains(words), "{why}");
        }
        assert_eq!(ports(28_232, 1, 28_232), Ok(()));
        let why = ports(60_000, 2, 28_232).unwrap_err().text;
        for words in ["need 3 addresses", "56464 fit", "--source 127.1.0.1-3"] {
            assert!(why.contains(words), "{why}");
        }
    }
}
