//! Processes from outside: each in a process group of its own, with a deadline, and ended with its whole group.

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The groups that live now, for the signal handler: a terminal's Ctrl-C does not reach other groups than ours.
static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

pub(crate) const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Cargo's target folder: this program lies in its `debug` folder.
pub(crate) fn target() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("this program lies in no target folder")?;
    Ok(target.to_owned())
}

/// A fresh log file of this name, below `target/xtask/`.
pub(crate) fn log(name: &str) -> Result<PathBuf> {
    let folder = target()?.join("xtask");
    fs::create_dir_all(&folder)?;
    Ok(folder.join(format!("{name}.log")))
}

/// The program's full path, if it is on `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A command that runs at the root of the repository.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs to the end and shows what the program prints.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<()> {
    Process::start(command, None)?.success(limit)
}

/// Runs to the end and shows only the end of what the program printed, and that only if it fails.
pub(crate) fn run_quietly(command: &mut Command, log: &Path, limit: Duration) -> Result<()> {
    Process::start(command, Some(log))?.success(limit)
}

/// Runs to the end and returns what the program prints on stdout; what it prints on stderr goes into the log.
pub(crate) fn output(command: &mut Command, log: &Path, limit: Duration) -> Result<String> {
    let path = log.with_extension("out");
    command.stdout(create(&path)?).stderr(create(log)?);
    Process::spawn(command, Some(log))?.success(limit)?;
    Ok(String::from_utf8(fs::read(path)?)?)
}

/// Runs to the end from one file into another; what the program prints on stderr goes into the log.
pub(crate) fn filter(
    command: &mut Command,
    input: &Path,
    output: &Path,
    log: &Path,
    limit: Duration,
) -> Result<()> {
    command.stdin(File::open(input)?).stdout(create(output)?).stderr(create(log)?);
    Process::spawn(command, Some(log))?.success(limit)
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("cannot write {}", path.display()))
}

/// What the program prints on stdout. For questions that are answered at once.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    ensure!(
        output.status.success(),
        "{name}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// A running program. Dropped, it is ended, with all that it has started in its group.
pub(crate) struct Process {
    name: String,
    child: Child,
    group: Pid,
    log: Option<PathBuf>,
}

impl Process {
    /// Starts the program; with a log, all that it prints goes there.
    pub(crate) fn start(command: &mut Command, log: Option<&Path>) -> Result<Self> {
        if let Some(path) = log {
            let file = create(path)?;
            command.stdout(file.try_clone()?).stderr(file);
        }
        Self::spawn(command, log)
    }

    fn spawn(command: &mut Command, log: Option<&Path>) -> Result<Self> {
        let name = describe(command);
        command.process_group(0);
        let mut groups = GROUPS.lock().map_err(|_| anyhow!("the list of processes is lost"))?;
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        let group = Pid::from_raw(i32::try_from(child.id())?);
        groups.push(group);
        Ok(Self { name, child, group, log: log.map(Path::to_owned) })
    }

    /// Waits for the program to end, and fails if it does not end well.
    pub(crate) fn success(mut self, limit: Duration) -> Result<()> {
        let status = self.wait(limit)?;
        ensure!(status.success(), "{}: {status}{}", self.name, self.tail());
        Ok(())
    }

    /// Waits for the program to end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("{} did not end within {} s{}", self.name, limit.as_secs(), self.tail());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// Waits for a line of the log that holds `marker`, and returns what follows the marker.
    pub(crate) fn wait_for(&mut self, marker: &str, limit: Duration) -> Result<String> {
        let rest = |line: &str| line.split_once(marker).map(|(_, rest)| rest.trim_end().to_owned());
        self.wait_for_line(&format!("{marker:?}"), limit, rest)
    }

    /// Waits for a line of the log of which `read` makes something; `what` names it in messages.
    pub(crate) fn wait_for_line<T>(
        &mut self,
        what: &str,
        limit: Duration,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait()?;
            let text = self.text()?;
            // The last line may still be in the writing.
            let mut lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some(found) = lines.find_map(&read) {
                return Ok(found);
            }
            if let Some(status) = ended {
                bail!("{} ended before it printed {what}: {status}{}", self.name, self.tail());
            }
            if Instant::now() >= deadline {
                bail!("{} did not print {what} within {} s{}", self.name, limit.as_secs(), self.tail());
            }
            sleep(Duration::from_millis(20));
        }
    }

    /// The lines of the log that hold `marker`.
    pub(crate) fn printed(&self, marker: &str) -> Result<Vec<String>> {
        Ok(self.text()?.lines().filter(|line| line.contains(marker)).map(str::to_owned).collect())
    }

    fn text(&self) -> Result<String> {
        let log = self.log.as_ref().with_context(|| format!("{} has no log", self.name))?;
        Ok(String::from_utf8_lossy(&fs::read(log)?).into_owned())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// The end of the log, to stand behind a message.
    pub(crate) fn tail(&self) -> String {
        let Some(path) = &self.log else { return String::new() };
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(40)..].join("\n    ");
        format!("\n  the end of {}:\n    {last}", path.display())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&[self.group], || matches!(self.child.try_wait(), Ok(None)));
        let _ = self.child.wait();
        if let Ok(mut groups) = GROUPS.lock() {
            groups.retain(|group| *group != self.group);
        }
    }
}

/// Asks the groups to end, waits while `lives` says so, then ends what is left of them.
fn end(groups: &[Pid], mut lives: impl FnMut() -> bool) {
    // An error means that no process of the group is left.
    let signal = |signal| groups.iter().for_each(|group| killpg(*group, signal).unwrap_or_default());
    signal(Signal::SIGTERM);
    let deadline = Instant::now() + seconds(3);
    while lives() && Instant::now() < deadline {
        sleep(Duration::from_millis(20));
    }
    signal(Signal::SIGKILL);
}

/// From now on, Ctrl-C and SIGTERM end every process that was started here before they end this program.
pub(crate) fn end_children_on_signals() -> Result<()> {
    ctrlc::set_handler(|| {
        if let Ok(groups) = GROUPS.lock() {
            let deadline = Instant::now() + seconds(1);
            end(&groups, || Instant::now() < deadline);
        }
        std::process::exit(130);
    })?;
    Ok(())
}

/// The command as one would type it, for messages.
fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
