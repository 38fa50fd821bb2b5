//! The Python interpreters of this machine that the package is for.

use crate::sh::{self, capture, find};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The minor versions of Python 3 that the package is for.
const MINORS: std::ops::RangeInclusive<u32> = 9..=14;

/// Says what an interpreter is. One that can't make environments is of no use here.
const QUESTION: &str = "import ssl, sys, sysconfig, venv; \
    print(sys.implementation.name, *sys.version_info[:3], int(sysconfig.get_config_var('Py_GIL_DISABLED') or 0))";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interpreter {
    /// `3.11`, or `3.14t` for one without the global lock.
    pub(crate) name: String,
    /// Major, minor and patch.
    version: [u32; 3],
    /// Whether it is built without the global lock, and so can't load the stable ABI of those with it.
    pub(crate) free_threaded: bool,
    pub(crate) path: PathBuf,
}

impl Interpreter {
    fn ask(path: PathBuf) -> Option<Self> {
        let answer = capture(sh::command(&path).args(["-c", QUESTION])).ok()?;
        Self::read(&answer, path)
    }

    fn read(answer: &str, path: PathBuf) -> Option<Self> {
        let numbers = answer.trim().strip_prefix("cpython ")?;
        let numbers: Vec<u32> = numbers.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
        let [3, minor, micro, free] = numbers[..] else { return None };
        let mark = if free == 0 { "" } else { "t" };
        let name = format!("3.{minor}{mark}");
        MINORS.contains(&minor).then_some(Self {
            name,
            version: [3, minor, micro],
            free_threaded: free != 0,
            path,
        })
    }

    /// Such as `3.11.7`.
    pub(crate) fn full(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}{}", if self.free_threaded { "t" } else { "" })
    }
}

/// Of each version the newest that is in pyenv or on `PATH`; the oldest version first.
pub(crate) fn present() -> Vec<Interpreter> {
    newest(candidates().into_iter().filter_map(Interpreter::ask))
}

fn newest(all: impl Iterator<Item = Interpreter>) -> Vec<Interpreter> {
    let mut found: BTreeMap<(u32, bool), Interpreter> = BTreeMap::new();
    for one in all {
        let key = (one.version[1], one.free_threaded);
        if found.get(&key).is_none_or(|other| other.version < one.version) {
            found.insert(key, one);
        }
    }
    found.into_values().collect()
}

/// The names of the versions that are not among these.
pub(crate) fn absent(present: &[Interpreter]) -> Vec<String> {
    MINORS
        .map(|minor| format!("3.{minor}"))
        .filter(|name| present.iter().all(|one| one.name != *name))
        .collect()
}

fn candidates() -> Vec<PathBuf> {
    let pyenv = std::env::var_os("PYENV_ROOT")
        .map_or_else(|| std::env::home_dir().unwrap_or_default().join(".pyenv"), PathBuf::from);
    let versions = std::fs::read_dir(pyenv.join("versions")).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = versions
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("3."))
        .map(|entry| entry.path().join("bin/python3"))
        .filter(|path: &PathBuf| Path::is_file(path))
        .collect();
    all.sort();
    let names = MINORS.flat_map(|minor| [format!("python3.{minor}"), format!("python3.{minor}t")]);
    all.extend(names.filter_map(|name| find(&name)));
    all.extend(find("python3"));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_version_is_taken() {
        let answers = [
            ("cpython 3 11 4 0\n", "a"),
            ("cpython 3 11 7 0\n", "b"),
            ("cpython 3 11 2 0\n", "c"),
            ("cpython 3 14 0 1\n", "d"),
            ("cpython 3 9 18 0\n", "e"),
            ("cpython 3 8 18 0\n", "too old"),
            ("pypy 3 11 7 0\n", "another"),
        ];
        let found =
            newest(answers.iter().filter_map(|(answer, path)| Interpreter::read(answer, path.into())));
        let found: Vec<_> = found.iter().map(|one| (one.full(), one.path.to_str().unwrap())).collect();
        assert_eq!(found, [("3.9.18".into(), "e"), ("3.11.7".into(), "b"), ("3.14.0t".into(), "d")]);
    }
}
