//! Colours: which, and whether.

use clap::ValueEnum;
use std::fmt;

/// When to colour.
#[expect(clippy::doc_markdown, reason = "these comments are help texts, not Markdown")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is "dumb"
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorChoice {
    /// Whether what is written to a stream is coloured (<https://no-color.org>: set and not empty).
    pub(crate) fn enabled(self, is_terminal: bool) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                is_terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// One style; empty where colours are off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style(anstyle::Style);

impl Style {
    const fn color(color: anstyle::AnsiColor) -> Self {
        Self(anstyle::Style::new().fg_color(Some(anstyle::Color::Ansi(color))))
    }

    /// `text` in this style.
    pub(crate) fn paint<T: fmt::Display>(self, text: T) -> impl fmt::Display {
        struct Painted<T>(anstyle::Style, T);
        impl<T: fmt::Display> fmt::Display for Painted<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}{:#}", self.0, self.1, self.0)
            }
        }
        Painted(self.0, text)
    }

    /// Appends `text` in this style.
    pub(crate) fn paint_into(self, out: &mut String, text: &str) {
        use fmt::Write as _;
        write!(out, "{}", self.paint(text)).expect("a String takes every write");
    }
}

/// What has a colour.
#[derive(Clone, Debug, Default)]
pub(crate) struct Palette {
    pub(crate) received: Style,
    pub(crate) sent: Style,
    pub(crate) dim: Style,
    pub(crate) error: Style,
    pub(crate) key: Style,
    pub(crate) string: Style,
    pub(crate) number: Style,
}

impl Palette {
    pub(crate) fn plain() -> Self {
        Self::default()
    }

    pub(crate) fn new(colored: bool) -> Self {
        use anstyle::AnsiColor::{BrightBlue, Cyan, Green, Red, Yellow};
        if !colored {
            return Self::plain();
        }
        Self {
            received: Style::color(Cyan),
            sent: Style::color(Green),
            dim: Style(anstyle::Style::new().dimmed()),
            error: Style(Style::color(Red).0.bold()),
            key: Style::color(BrightBlue),
            string: Style::color(Green),
            number: Style::color(Yellow),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_styles_add_nothing() {
        assert_eq!(Palette::plain().error.paint("x").to_string(), "x");
        assert_eq!(Palette::new(true).received.paint("x").to_string(), "\x1b[36mx\x1b[0m");
    }

    #[test]
    fn a_choice_is_followed() {
        assert!(ColorChoice::Always.enabled(false));
        assert!(!ColorChoice::Never.enabled(true));
        assert!(!ColorChoice::Auto.enabled(false));
    }
}
