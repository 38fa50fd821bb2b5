//! Reports as files: JSON in both directions, the series as CSV.

use super::units;
use crate::bench::report::{FORMAT, Report};
use crate::ui::escape;
use serde::Deserialize;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Where a report goes: a file, or stdout for `-`.
#[derive(Debug)]
pub(crate) enum Sink {
    Stdout,
    File(File, PathBuf),
}

impl Sink {
    /// Opens a file, and leaves what it holds until [`Self::write`], so that a run that comes to nothing destroys nothing.
    ///
    /// # Errors
    /// The path can't be written.
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let file = File::options().write(true).create(true).truncate(false).open(path);
        file.map(|file| Self::File(file, path.into())).map_err(|error| cant("written", path, &error))
    }

    /// Replaces the file's content.
    ///
    /// # Errors
    /// It can't be written; a reader of stdout that has gone is none.
    pub(crate) fn write(self, text: &str) -> Result<(), String> {
        match self {
            Self::Stdout => print(text),
            Self::File(mut file, path) => {
                let emptied = match file.metadata() {
                    Ok(metadata) if metadata.is_file() => file.set_len(0),
                    other => other.map(drop),
                };
                emptied
                    .and_then(|()| file.write_all(text.as_bytes()))
                    .map_err(|error| cant("written", &path, &error))
            }
        }
    }
}

/// Writes to stdout.
///
/// # Errors
/// It can't be written; a reader that has gone is none.
pub(crate) fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("stdout can't be written: {error}"))
        }
        _ => Ok(()),
    }
}

/// The report as JSON, with a line feed at its end.
pub(crate) fn to_json(report: &Report) -> String {
    let mut text =
        serde_json::to_string_pretty(report).expect("a report is numbers, texts, lists and maps of them");
    text.push('\n');
    text
}

/// Reads a report that [`to_json`] wrote, in this version or an earlier one.
///
/// # Errors
/// It is no report, or one of a later version.
pub(crate) fn from_json(text: &str) -> Result<Report, String> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
        #[serde(default)]
        tidewire: String,
    }
    let format: Format = serde_json::from_str(text)
        .map_err(|error| format!("this is no report of `tidewire bench --json`: {error}"))?;
    if format.format > FORMAT {
        return Err(format!(
            "this report has format {}, and this tidewire reads formats up to {FORMAT}: read it with tidewire {} or later",
            format.format,
            units::clipped(&format.tidewire, 20)
        ));
    }
    serde_json::from_str(text).map_err(|error| format!("this report lacks something: {error}"))
}

/// Reads a report's file.
///
/// # Errors
/// As [`from_json`], with the file's name.
pub(crate) fn load(path: &Path) -> Result<Report, String> {
    let text = std::fs::read_to_string(path).map_err(|error| cant("read", path, &error))?;
    from_json(&text).map_err(|error| format!("{}: {error}", escape::line(&path.display().to_string())))
}

fn cant(be: &str, path: &Path, error: &io::Error) -> String {
    format!("{} can't be {be}: {error}", escape::line(&path.display().to_string()))
}

/// The columns of the CSV file.
const COLUMNS: &str = "at_s,connections,sent,received,p50_ns,p99_ns,max_ns";

/// The series, a row a second; an empty cell where nothing was measured.
pub(crate) fn to_csv(report: &Report) -> String {
    let cell = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
    let mut text = format!("{COLUMNS}\n");
    for row in &report.series {
        writeln!(
            text,
            "{},{},{},{},{},{},{}",
            row.at_s,
            row.connections,
            row.sent,
            row.received,
            cell(row.p50_ns),
            cell(row.p99_ns),
            cell(row.max_ns)
        )
        .expect("a String takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn reports_come_back_as_they_were() {
        for report in [sample::echo(), sample::troubled(), sample::empty()] {
            assert_eq!(from_json(&to_json(&report)), Ok(report));
        }
    }

    #[test]
    fn later_formats_are_refused_and_further_fields_are_not() {
        let text = to_json(&sample::echo());
        let later = text.replacen("\"format\": 1", "\"format\": 2", 1).replace("0.1.0", "0.9.0\\u001b");
        assert_eq!(
            from_json(&later).unwrap_err(),
            "this report has format 2, and this tidewire reads formats up to 1: read it with tidewire 0.9.0␛ or later"
        );
        let strange = r#"{"format": 7, "everything": "else"}"#;
        assert!(from_json(strange).unwrap_err().contains("format 7"));
        let further = text.replacen("\"cores\"", "\"colour\": [1], \"cores\"", 1);
        assert_eq!(from_json(&further), Ok(sample::echo()));
    }

    #[test]
    fn what_is_no_report_is_told() {
        for text in ["", "[]", "{}", "null", "{\"format\":-1}", "{\"format\":99999999999}"] {
            assert!(from_json(text).unwrap_err().starts_with("this is no report"), "{text}");
        }
        assert!(from_json("{\"format\":1}").unwrap_err().contains("missing field `tidewire`"));
        let error = load(Path::new("/nowhere/a\x1b.json")).unwrap_err();
        assert!(error.starts_with("/nowhere/a␛.json can't be read: "), "{error}");
    }

    #[test]
    fn the_series_is_a_row_a_second() {
        let mut report = sample::echo();
        report.series.truncate(2);
        report.series[1].p50_ns = None;
        assert_eq!(
            to_csv(&report),
            "\
at_s,connections,sent,received,p50_ns,p99_ns,max_ns
1,100,181000,180993,524861,1104972,1500000
2,100,184000,183993,,1086956,1500000
"
        );
        assert_eq!(to_csv(&sample::empty()), format!("{COLUMNS}\n"));
    }

    #[test]
    fn a_file_keeps_its_content_until_it_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        std::fs::write(&path, "a longer text").unwrap();
        let sink = Sink::open(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a longer text");
        sink.write("new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert!(Sink::open(&dir.path().join("no/where")).unwrap_err().contains("can't be written"));
    }
}
