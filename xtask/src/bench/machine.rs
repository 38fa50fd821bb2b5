//! The machine: which cores are ours, what processes take of it, and what it is called.

use anyhow::{Context as _, Result, ensure};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, SysconfVar, sysconf};
use std::fs;

/// The two cores of a measurement.
#[derive(Clone, Copy)]
pub(super) struct Cores {
    pub(super) server: usize,
    pub(super) tester: usize,
}

impl Cores {
    /// The first two that this process may use.
    pub(super) fn find() -> Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0))?;
        let mut cores = (0..CpuSet::count()).filter(|core| allowed.is_set(*core).unwrap_or(false));
        let (server, tester) = (cores.next(), cores.next());
        let (Some(server), Some(tester)) = (server, tester) else {
            anyhow::bail!("server and tester need a core each, and this process may use one only");
        };
        Ok(Self { server, tester })
    }
}

/// Runs `start` with this thread on these cores, so that what it starts begins there with every thread it will have.
pub(super) fn on_cores<T>(cores: &[usize], start: impl FnOnce() -> Result<T>) -> Result<T> {
    let this = Pid::from_raw(0);
    let before = sched_getaffinity(this)?;
    let mut wanted = CpuSet::new();
    for core in cores {
        wanted.set(*core)?;
    }
    sched_setaffinity(this, &wanted)?;
    let started = start();
    sched_setaffinity(this, &before)?;
    started
}

/// Seconds of processor time since the machine or the process began.
pub(super) fn ticks_to_seconds(ticks: u64) -> Result<f64> {
    let per_second = sysconf(SysconfVar::CLK_TCK)?.context("the system has no clock ticks")?;
    #[expect(clippy::cast_precision_loss, reason = "ticks of years are exact")]
    Ok(ticks as f64 / per_second as f64)
}

/// What a process has used, user and system, all threads: also of one that has ended and is not yet waited for.
pub(super) fn process_seconds(process: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))
        .context("processor time is read from /proc, which Linux has")?;
    ticks_to_seconds(process_ticks(&stat).context("a line of /proc/PID/stat that is none")?)
}

/// Fields 14 and 15; the name in field 2 may hold anything, spaces and brackets too.
fn process_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

/// What all processes together have used, and what the host took from this machine.
pub(super) fn all_seconds() -> Result<f64> {
    let stat =
        fs::read_to_string("/proc/stat").context("processor time is read from /proc, which Linux has")?;
    ticks_to_seconds(all_ticks(&stat).context("no line of all processors in /proc/stat")?)
}

/// User, nice, system and steal; interrupts are left out, since they are the measured traffic itself.
fn all_ticks(stat: &str) -> Option<u64> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
    Some(fields.first()? + fields.get(1)? + fields.get(2)? + fields.get(7)?)
}

/// Lets this process and its children hold as many descriptors as the system allows; returns how many.
pub(super) fn raise_descriptors() -> Result<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    ensure!(hard > 1024, "a process may hold {hard} descriptors here: raise the limit (ulimit -Hn)");
    Ok(hard)
}

/// Such as `2 cores of Intel Xeon, Linux 6.1.0, load 0.4 before the run`.
pub(super) fn describe() -> Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo")?;
    let field = |name| info.lines().find_map(|line| line.strip_prefix(name)?.split_once(": "));
    let model = field("model name").map_or("an unnamed processor", |(_, model)| model);
    let cores = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or_default();
    Ok(format!("{cores} cores of {model}, Linux {}, load {load} before the run", kernel.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 1 0 5 6 7";
        assert_eq!(process_ticks(stat), Some(300));
        assert_eq!(all_ticks("cpu  10 2 30 400 5 6 7 80 0 0\ncpu0 1"), Some(122));
        assert!(process_seconds(std::process::id()).unwrap() >= 0.0);
        assert!(all_seconds().unwrap() > 0.0);
    }
}
