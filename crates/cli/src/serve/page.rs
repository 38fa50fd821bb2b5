//! The console page, put together from its files.

use std::sync::LazyLock;

const INDEX: &str = include_str!("../../../../console/index.html");

macro_rules! concatenated {
    ($folder:literal: $($name:literal),* $(,)?) => {
        concat!($(include_str!(concat!("../../../../console/", $folder, "/", $name))),*)
    };
}

/// In the order that console/README.md gives.
const STYLE: &str = concatenated!("style": "base.css", "controls.css", "page.css", "messages.css", "instruments.css", "narrow.css");
const SCRIPT: &str = concatenated!("script":
    "text.js", "words.js", "settings.js", "log.js", "entry.js", "logview.js", "socket.js", "composer.js", "measure.js",
    "inspect.js", "main.js");

/// Stands in the page where each response has a nonce of its own.
const NONCE: &str = "{nonce}";

static PAGE: LazyLock<String> = LazyLock::new(|| {
    INDEX
        .replace("<style>", &format!("<style nonce=\"{NONCE}\">"))
        .replace("<script>", &format!("<script nonce=\"{NONCE}\">"))
        .replace("<!-- style -->", STYLE)
        .replace("<!-- script -->", SCRIPT)
});

/// The page, whose script and style run because they carry `nonce`.
pub(crate) fn with_nonce(nonce: &str) -> String {
    PAGE.replace(NONCE, nonce)
}

/// What the page may do: its own script and style, connections anywhere, nothing else.
pub(crate) fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src *; \
         img-src data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_every_element_that_runs_has_the_nonce() {
        let page = with_nonce("abc");
        assert!(
            !page.contains("<!-- style -->") && !page.contains("<!-- script -->") && !page.contains(NONCE)
        );
        assert_eq!(page.matches("nonce=\"abc\"").count(), 2);
        assert_eq!(page.matches("<script").count(), 1);
        assert_eq!(page.matches("<style").count(), 1);
    }

    #[test]
    fn every_file_of_the_page_is_in_it() {
        for folder in ["style", "script"] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../console").join(folder);
            for file in std::fs::read_dir(path).unwrap() {
                let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
                assert!(STYLE.contains(&text) || SCRIPT.contains(&text));
            }
        }
    }
}
