//! What a run has measured, shown: progress, the table, files, plots, thresholds, comparisons.

mod compare;
mod files;
pub(crate) mod find;
mod histogram;
mod metric;
mod progress;
#[cfg(test)]
mod sample;
mod sheet;
mod svg;
mod table;
pub(crate) mod threshold;
mod units;
mod warning;

use super::report::{Mode, Report};
use super::watch::Watch;
use crate::args::bench_output::BenchOutput;
use crate::ui::style::{ColorChoice, Palette};
use files::Sink;
use find::{Found, Step};
use progress::{Progress, Style};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;
use threshold::Condition;

/// The exit statuses, for the help.
pub(crate) const TABLE: &str = "\
Exit status:
  0    measured: nothing was lost or wrong, and every --threshold held
  1    a reply was lost or wrong, the run ended early, or a file can't be read or written
  2    the command line can't be understood
  3    no connection: name, TCP, proxy or TLS
  4    the server refused the handshake, or is no WebSocket server
  7    opening a connection took too long
  10   a --threshold failed, or --find-rate found no rate
  130  ended by Ctrl-C";

/// How a text gets to stdout.
trait Print: FnMut(&str) -> Result<(), String> {}
impl<F: FnMut(&str) -> Result<(), String>> Print for F {}

/// Where everything that was asked for goes.
#[derive(Debug)]
pub(crate) struct Show {
    json: Option<Sink>,
    csv: Option<Sink>,
    svg: Option<Sink>,
    thresholds: Vec<Condition>,
    quiet: bool,
    color: ColorChoice,
}

impl Show {
    /// Opens the files before the run, so that one that can't be written costs no time.
    ///
    /// # Errors
    /// A file can't be written, or two of them are stdout.
    pub(crate) fn open(args: &BenchOutput) -> Result<Self, String> {
        let paths = [&args.json, &args.csv, &args.svg];
        if paths.iter().filter(|path| path.as_deref() == Some(Path::new("-"))).count() > 1 {
            return Err("only one of --json, --csv and --svg can be stdout (-)".into());
        }
        let open = |path: &Option<PathBuf>| path.as_deref().map(Sink::open).transpose();
        Ok(Self {
            json: open(&args.json)?,
            csv: open(&args.csv)?,
            svg: open(&args.svg)?,
            thresholds: args.thresholds.clone(),
            quiet: args.quiet,
            color: args.color,
        })
    }

    /// Progress on stderr. To be dropped before anything else is printed.
    pub(crate) fn watch(&self, mode: Mode) -> Box<dyn Watch> {
        let style = match (self.quiet, io::stderr().is_terminal()) {
            (true, _) => Style::Off,
            (false, true) => Style::Terminal,
            (false, false) => Style::Lines,
        };
        let start = Instant::now();
        Box::new(Progress::new(io::stderr(), style, mode, move || start.elapsed()))
    }

    /// Searches the highest rate at which `condition` holds; tells of each run on stderr, and of the result where
    /// [`Self::finish`] tells. Where [`Found::rate`] is none the exit status is [`threshold::STATUS`].
    ///
    /// # Errors
    /// The first one of `run`.
    pub(crate) fn find_rate<E>(
        &self,
        condition: &Condition,
        start: f64,
        run: &mut dyn FnMut(f64) -> Result<Report, E>,
    ) -> Result<Found, E> {
        let mut tell = |step: &Step| {
            if !self.quiet {
                // Where stderr is gone there is nobody left to tell.
                let _ = writeln!(io::stderr().lock(), "{step}");
            }
        };
        let found = find::find(condition, start, run, &mut tell)?;
        // A stdout that can't be written is told when the report is.
        let _ = self.tell(&format!("{}\n\n", found.sentence(condition)), !self.quiet, &mut files::print);
        Ok(found)
    }

    /// Prints the table and the thresholds, and writes the files. Whether every threshold held: where not, the exit status is
    /// [`threshold::STATUS`].
    ///
    /// # Errors
    /// Something can't be written; everything else has been nevertheless.
    pub(crate) fn finish(self, report: &Report) -> Result<bool, String> {
        self.finish_on(report, files::print)
    }

    fn finish_on(self, report: &Report, mut print: impl Print) -> Result<bool, String> {
        let palette = self.palette();
        let mut results = vec![self.tell(&table::render(report, &palette), !self.quiet, &mut print)];
        let (verdicts, all) = threshold::render(&self.thresholds, report, &palette);
        if !verdicts.is_empty() {
            results.push(self.tell(&format!("\n{verdicts}"), true, &mut print));
        }
        results.extend(self.json.map(|sink| sink.write(&files::to_json(report))));
        results.extend(self.csv.map(|sink| sink.write(&files::to_csv(report))));
        results.extend(self.svg.map(|sink| sink.write(&svg::render(report))));
        results.into_iter().collect::<Result<(), _>>().map(|()| all)
    }

    /// Whether a file is stdout, so that nothing else may be.
    fn stdout_is_taken(&self) -> bool {
        [&self.json, &self.csv, &self.svg].iter().any(|sink| matches!(sink, Some(Sink::Stdout)))
    }

    fn palette(&self) -> Palette {
        let terminal =
            if self.stdout_is_taken() { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
        Palette::new(self.color.enabled(terminal))
    }

    /// Prints with `print`; on stderr, if `also_stderr`, where stdout is a file's.
    fn tell(&self, text: &str, also_stderr: bool, print: &mut impl Print) -> Result<(), String> {
        if !self.stdout_is_taken() {
            return print(text);
        }
        if also_stderr {
            // Where stderr is gone there is nobody left to tell.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
        Ok(())
    }
}

/// `--compare`: prints what changed from the first file's report to each of the others.
///
/// # Errors
/// A file can't be read or holds no report, or stdout can't be written.
pub(crate) fn compare(paths: &[PathBuf], color: ColorChoice) -> Result<(), String> {
    let palette = Palette::new(color.enabled(io::stdout().is_terminal()));
    files::print(&compared(paths, &palette)?)
}

fn compared(paths: &[PathBuf], palette: &Palette) -> Result<String, String> {
    let load = |path: &PathBuf| {
        files::load(path).map(|report| compare::Named { name: path.display().to_string(), report })
    };
    let reports = paths.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let (old, new) = reports.split_first().ok_or("--compare needs two reports")?;
    Ok(compare::render(old, new, palette))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        output: BenchOutput,
    }

    fn args(words: &[&str]) -> BenchOutput {
        Line::try_parse_from(["bench"].iter().chain(words)).unwrap().output
    }

    /// What is printed for the echo report, and whether every threshold held.
    fn finish(words: &[&str]) -> (String, bool) {
        let mut printed = String::new();
        let print = |text: &str| {
            printed.push_str(text);
            Ok(())
        };
        let all = Show::open(&args(words)).unwrap().finish_on(&sample::echo(), print).unwrap();
        (printed, all)
    }

    #[test]
    fn files_are_written_and_thresholds_judged() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let text = |name| path(name).display().to_string();
        let (json, csv, svg) = (text("a.json"), text("a.csv"), text("a.svg"));
        let options = ["--json", &json, "--csv", &csv, "--svg", &svg, "-q", "--threshold", "p99<20ms"];
        let (printed, all) = finish(&options);
        assert!(all && printed.starts_with("target ") && printed.ends_with("ok      p99 < 20ms  1.08 ms\n"));
        assert_eq!(files::load(&path("a.json")), Ok(sample::echo()));
        assert!(std::fs::read_to_string(path("a.csv")).unwrap().starts_with("at_s,"));
        assert!(std::fs::read_to_string(path("a.svg")).unwrap().starts_with("<svg"));
        assert!(!finish(&[&options[..], &["--threshold", "lost<0"]].concat()).1);
        let plain = Palette::plain();
        assert!(compared(&[path("a.json"), path("a.json")], &plain).unwrap().contains("184,220/s"));
        assert!(
            compared(&[path("a.json"), path("a.csv")], &plain).unwrap_err().contains("a.csv: this is no")
        );
    }

    #[test]
    fn stdout_is_for_one_file_and_then_for_nothing_else() {
        let error = Show::open(&args(&["--json", "-", "--svg", "-"])).unwrap_err();
        assert_eq!(error, "only one of --json, --csv and --svg can be stdout (-)");
        assert!(Show::open(&args(&["--csv", "-"])).unwrap().stdout_is_taken());
        assert!(!Show::open(&args(&[])).unwrap().stdout_is_taken());
    }

    #[test]
    fn a_path_that_cant_be_written_is_told_before_the_run() {
        assert!(
            Show::open(&args(&["--json", "/nowhere/at/all.json"])).unwrap_err().contains("can't be written")
        );
    }

    #[test]
    fn what_cant_be_parsed_is_a_usage_error() {
        for words in [
            &["--threshold", "p99"][..],
            &["--find-rate", "p98<1ms"],
            &["--compare", "one.json"],
            &["--compare", "a", "b", "--json", "c"],
            &["--find-rate", "p99<1ms", "--find-rate", "p99<2ms"],
        ] {
            assert!(Line::try_parse_from(["bench"].iter().chain(words)).is_err(), "{words:?}");
        }
        assert_eq!(args(&["--compare", "a", "b", "c"]).compare.len(), 3);
        assert_eq!(args(&["--threshold", "p99<1ms", "--threshold", "lost<1"]).thresholds.len(), 2);
    }

    #[test]
    fn the_help_names_the_status_of_a_failed_threshold() {
        assert!(TABLE.contains(&format!("\n  {}   a --threshold failed", threshold::STATUS)));
        // `connect` uses those below for what went wrong with the connection.
        assert!(!crate::connect::exit::TABLE.contains(&format!("\n  {} ", threshold::STATUS)));
    }
}
