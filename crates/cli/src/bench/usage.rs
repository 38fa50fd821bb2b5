//! Processor time and memory: of this process and its threads, and of the server's process.

use super::failure::Failure;
use super::report::ServerProcess;
use std::time::Duration;

/// Processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Cpu {
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            user: self.user.saturating_sub(before.user),
            system: self.system.saturating_sub(before.system),
        }
    }

    pub(crate) fn total(self) -> Duration {
        self.user + self.system
    }
}

/// Of the calling thread; of the process where the system tells no threads apart.
pub(crate) fn thread() -> Cpu {
    #[cfg(target_os = "linux")]
    return of(nix::sys::resource::UsageWho::RUSAGE_THREAD);
    #[cfg(not(target_os = "linux"))]
    process()
}

/// Of this process.
pub(crate) fn process() -> Cpu {
    #[cfg(unix)]
    return of(nix::sys::resource::UsageWho::RUSAGE_SELF);
    #[cfg(not(unix))]
    Cpu::default()
}

#[cfg(unix)]
fn of(who: nix::sys::resource::UsageWho) -> Cpu {
    use nix::sys::time::{TimeVal, TimeValLike as _};
    let time =
        |value: TimeVal| Duration::from_micros(u64::try_from(value.num_microseconds()).unwrap_or_default());
    nix::sys::resource::getrusage(who)
        .map(|usage| Cpu { user: time(usage.user_time()), system: time(usage.system_time()) })
        .unwrap_or_default()
}

/// The server's process, read from /proc.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pid: u32,
    name: String,
    resident_before: u64,
}

impl Process {
    /// # Errors
    /// One sentence: why the process can't be watched.
    pub(crate) fn new(pid: u32) -> Result<Self, Failure> {
        if !cfg!(target_os = "linux") {
            return Err(Failure::usage("--pid needs Linux: it reads /proc"));
        }
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm"))
            .map_err(|error| Failure::usage(format!("--pid {pid}: there is no such process ({error})")))?;
        let process = Self { pid, name: name.trim().into(), resident_before: 0 };
        let denied = || Failure::usage(format!("--pid {pid}: its figures in /proc can't be read"));
        let resident_before = process.resident().ok_or_else(denied)?;
        Ok(Self { resident_before, ..process })
    }

    /// Processor time of all its threads, to a hundredth of a second; `None` where it is gone.
    pub(crate) fn cpu(&self) -> Option<Cpu> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        // The name, in brackets, may hold spaces. Behind it utime and stime are fields 11 and 12 (proc_pid_stat(5)).
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let mut time = || Some(Duration::from_millis(10 * fields.next()?.parse::<u64>().ok()?));
        Some(Cpu { user: time()?, system: time()? })
    }

    /// Resident bytes; `None` where it is gone.
    pub(crate) fn resident(&self) -> Option<u64> {
        // The sum over its mappings is exact; the counter in `status` may be some pages per thread behind.
        let exact = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid));
        let (text, field) = match exact {
            Ok(text) => (text, "Rss:"),
            Err(_) => (std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?, "VmRSS:"),
        };
        let line = text.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    }

    /// What it used for `messages`, and what it holds for `connections`.
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    pub(crate) fn report(&self, used: Cpu, messages: u64, connections: u64, resident: u64) -> ServerProcess {
        let grown = resident as f64 - self.resident_before as f64;
        ServerProcess {
            pid: self.pid,
            name: self.name.clone(),
            user_s: used.user.as_secs_f64(),
            system_s: used.system.as_secs_f64(),
            cpu_per_message_ns: per(used.total(), messages),
            resident_before: self.resident_before,
            resident_after: resident,
            bytes_per_connection: (connections > 0).then(|| grown / connections as f64),
        }
    }
}

/// Nanoseconds for each of `count`.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub(crate) fn per(time: Duration, count: u64) -> Option<f64> {
    (count > 0).then(|| time.as_secs_f64() * 1e9 / count as f64)
}
