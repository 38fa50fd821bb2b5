//! What the suite writes of a run, and which of it is good.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the suite only looks at and cannot call right: these are INFORMATIONAL for every peer.
const INFORMATIONAL: &[&str] = &["7.1.6", "7.13.1", "7.13.2"];

struct Case {
    behavior: String,
    behavior_close: String,
    /// The case's own report, as JSON.
    file: PathBuf,
}

impl Case {
    fn is_good(&self, id: &str) -> bool {
        let good =
            |verdict: &str| verdict == "OK" || (verdict == "INFORMATIONAL" && INFORMATIONAL.contains(&id));
        good(&self.behavior) && good(&self.behavior_close)
    }

    fn description(&self) -> Result<String> {
        let case: Value = serde_json::from_slice(&fs::read(&self.file)?)?;
        let text = |key: &str| plain(case[key].as_str().unwrap_or_default());
        Ok(format!("{} Result: {} {}", text("description"), text("result"), text("resultClose")))
    }
}

/// One line out of the suite's HTML.
fn plain(html: &str) -> String {
    let words = html.split('<').enumerate().map(|(index, part)| match part.split_once('>') {
        Some((_, text)) if index > 0 => text,
        _ => part,
    });
    words.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What became of each case, by its number.
pub(super) struct Report {
    folder: PathBuf,
    cases: BTreeMap<String, Case>,
}

impl Report {
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("index.json");
        let text = fs::read(&path).with_context(|| format!("the suite wrote no {}", path.display()))?;
        let index: Value = serde_json::from_slice(&text)?;
        let agents = index.as_object().context("the suite's index is no object")?;
        ensure!(agents.len() == 1, "the suite reports on {} agents instead of one", agents.len());
        let mut cases = BTreeMap::new();
        for (id, case) in agents.values().filter_map(Value::as_object).flatten() {
            let text = |key: &str| {
                case[key].as_str().map(str::to_owned).with_context(|| format!("{id} has no {key}"))
            };
            let file = folder.join(text("reportfile")?);
            cases.insert(
                id.clone(),
                Case { behavior: text("behavior")?, behavior_close: text("behaviorClose")?, file },
            );
        }
        Ok(Self { folder: folder.to_owned(), cases })
    }

    /// How many cases ran.
    pub(super) fn count(&self) -> usize {
        self.cases.len()
    }

    /// How many cases are not as they have to be.
    pub(super) fn bad_count(&self) -> usize {
        self.bad().count()
    }

    fn bad(&self) -> impl Iterator<Item = (&String, &Case)> {
        self.cases.iter().filter(|(id, case)| !case.is_good(id))
    }

    /// The totals, and what there is to say of each case that is not good.
    pub(super) fn text(&self, name: &str, took: Duration) -> String {
        // The close verdict counts with the other: a case stands under the worse of its two.
        let verdicts = ["FAILED", "UNIMPLEMENTED", "NON-STRICT", "INFORMATIONAL", "OK"];
        let rank = |verdict: &str| verdicts.iter().position(|known| *known == verdict).unwrap_or(0);
        let mut counts = [0; 5];
        for case in self.cases.values() {
            counts[rank(&case.behavior).min(rank(&case.behavior_close))] += 1;
        }
        let [failed, unimplemented, non_strict, informational, ok] = counts;
        let mut text = format!(
            "{}: {ok} OK, {informational} INFORMATIONAL, {non_strict} NON-STRICT, {unimplemented} UNIMPLEMENTED, \
             {failed} FAILED of {} cases in {:.0} s",
            name.replace('-', " "),
            self.cases.len(),
            took.as_secs_f64()
        );
        for (id, case) in self.bad() {
            let description = case.description().unwrap_or_else(|error| format!("{error:#}"));
            let _ = write!(text, "\n  {id}: {}, close {}: {description}", case.behavior, case.behavior_close);
        }
        if self.bad().next().is_some() {
            let _ = write!(text, "\n  the report: {}", self.folder.join("index.html").display());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Case, INFORMATIONAL, plain};

    fn case(behavior: &str, behavior_close: &str) -> Case {
        Case { behavior: behavior.into(), behavior_close: behavior_close.into(), file: "".into() }
    }

    #[test]
    fn only_ok_is_good_where_the_suite_can_say_ok() {
        assert!(case("OK", "OK").is_good("1.1.1"));
        for bad in ["NON-STRICT", "UNIMPLEMENTED", "FAILED", "WRONG CODE", "UNCLEAN", "FAILED BY CLIENT", ""]
        {
            for id in ["1.1.1", INFORMATIONAL[0]] {
                assert!(!case(bad, "OK").is_good(id), "{bad}");
                assert!(!case("OK", bad).is_good(id), "close {bad}");
            }
        }
        assert!(case("INFORMATIONAL", "INFORMATIONAL").is_good(INFORMATIONAL[0]));
        assert!(!case("INFORMATIONAL", "OK").is_good("1.1.1"));
        assert!(!case("OK", "INFORMATIONAL").is_good("1.1.1"));
    }

    #[test]
    fn descriptions_lose_their_markup() {
        assert_eq!(plain("Send <b>RSV = 2</b>,\nthen<br><br>a ping"), "Send RSV = 2 , then a ping");
    }
}
