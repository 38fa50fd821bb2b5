//! The report: one JSON file with all figures, and the Markdown and plots that are made of nothing else.

use super::{broadcast, checks, echo, hold, idle, python, scale};
use crate::sh;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A part of the report.
pub(super) struct Section {
    /// Markdown.
    pub(super) text: String,
    /// File names and SVG.
    pub(super) plots: Vec<(String, String)>,
}

/// How a part becomes a section.
type Write = fn(&Value) -> Section;

/// The parts in the order of the report, by their key in the JSON.
const SECTIONS: [(&str, Write); 7] = [
    ("echo", echo::section),
    ("checks", checks::section),
    ("idle", idle::section),
    ("hold", hold::section),
    ("scale", scale::section),
    ("broadcast", broadcast::section),
    ("python", python::section),
];

/// Where reports are written.
pub(super) fn folder() -> Result<PathBuf> {
    Ok(sh::target()?.join("bench"))
}

/// Where reports are kept.
pub(super) fn results() -> PathBuf {
    sh::root().join("bench/results")
}

/// Writes `report.json`, `report.md` and the plots.
pub(super) fn write(folder: &Path, raw: &Value) -> Result<()> {
    fs::create_dir_all(folder)?;
    let keep = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
    };
    keep("report.json", &(serde_json::to_string_pretty(raw)? + "\n"))?;
    let mut text = head(raw);
    for (key, write) in SECTIONS {
        let Some(part) = raw.get(key) else { continue };
        let section = write(part);
        text.push('\n');
        text.push_str(&section.text);
        for (name, svg) in section.plots {
            keep(&name, &svg)?;
        }
    }
    keep("report.md", &text)
}

fn head(raw: &Value) -> String {
    let word = |name: &str| raw[name].as_str().unwrap_or("unknown");
    let mut text = format!(
        "# Tidewire and its peers\n\nWritten by `cargo xtask bench`. {}, commit {}, {}.\n\nServer and tester on a core each, \
         over loopback; each figure comes from a fresh server process with one thread. UTF-8 is validated and masks are \
         required wherever the peer can; what it does not check stands below.\n\n",
        word("started"),
        word("commit"),
        word("machine"),
    );
    if let Some(peers) = raw["peers"].as_object() {
        let names = peers.iter().map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("?")));
        let _ = writeln!(text, "Versions: {}.", join(names, ", "));
    }
    for (name, why) in raw["missing"].as_object().into_iter().flatten() {
        let _ = writeln!(text, "\n**{name} is missing**: {}", why.as_str().unwrap_or("?"));
    }
    text
}

pub(super) fn join(words: impl Iterator<Item = String>, between: &str) -> String {
    words.collect::<Vec<_>>().join(between)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_report_is_written_from_its_json() {
        let raw = json!({
            "started": "2026-01-01", "commit": "abc", "machine": "a machine", "peers": {"limit": "epoll"},
            "missing": {"wtx": "no compiler"},
            "echo": echo::tests::canned(),
            "checks": {"slow": {"an unmasked frame": "echoed", "text that is no UTF-8": "refused"}},
            "idle": [{"peer": "tidewire", "deflate": false, "connections": 15000, "bytes": 1000}],
            "hold": {"connections": 100, "servers": 1, "pings": 200, "answered": 200, "asked": 3, "bytes": 900, "seconds": 5.0},
            "scale": [{"workers": 1, "by": "size", "at": 16, "cpu_ns": 5000.0, "rate": 1e5, "p50_ns": 1.0, "p99_ns": 2e5,
                "tester_busy": 0.5, "others": 0.0}],
            "broadcast": [{"round": 1, "size": 64, "subscribers": 100, "limit_ns": 2000.0, "tidewire_ns": 2100.0}],
            "python": python::tests::canned(),
        });
        let folder = std::env::temp_dir().join(format!("tidewire-report-{}", std::process::id()));
        write(&folder, &raw).unwrap();
        let text = fs::read_to_string(folder.join("report.md")).unwrap();
        for part in [
            "## Echo",
            "## Checks",
            "## Idle",
            "## 250,000",
            "## Scale",
            "## Broadcast",
            "## Python",
            "**wtx is missing**",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let mut names =
            text.match_indices(".svg)").map(|(end, _)| &text[text[..end].rfind('(').unwrap() + 1..end + 4]);
        assert!(names.all(|name| folder.join(name).is_file()), "every plot that the report shows is written");
        assert_eq!(
            serde_json::from_str::<Value>(&fs::read_to_string(folder.join("report.json")).unwrap()).unwrap(),
            raw
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
