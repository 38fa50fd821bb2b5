//! What `serve` gives to plain requests.

use crate::support::{Serve, connect};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// The head and the body of the answer to a request, whose path is sent as it stands.
fn ask(serve: &Serve, method: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(serve.address()).expect("the server is there");
    let address = serve.address();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
        .expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_ascii_lowercase(), body.to_owned())
}

#[track_caller]
fn status(serve: &Serve, path: &str, expected: &str) -> String {
    let (head, body) = ask(serve, "GET", path);
    assert!(head.starts_with(&format!("http/1.1 {expected} ")), "{path}: {head}");
    body
}

#[test]
fn the_console_page_is_served_with_a_policy() {
    let serve = Serve::start(&[]);
    assert!(serve.line("in a browser").contains(&format!("http://{}/", serve.address())));
    let (head, body) = ask(&serve, "GET", "/");
    assert!(head.starts_with("http/1.1 200 ") && head.contains("content-type: text/html"), "{head}");
    let policy =
        head.lines().find_map(|line| line.strip_prefix("content-security-policy: ")).expect("a policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'nonce-"), "{policy}");
    let nonce = |page: &str| {
        page.split_once("<script nonce=\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0.to_owned()))
    };
    let first = nonce(&body).expect("a script with a nonce");
    assert!(policy.contains(&format!("'nonce-{}'", first.to_ascii_lowercase())), "{policy}: {first}");
    assert_ne!(nonce(&ask(&serve, "GET", "/").1), Some(first), "each page has its own");
    let (head, body) = ask(&serve, "HEAD", "/");
    assert!(head.starts_with("http/1.1 200 ") && body.is_empty(), "{head}");
    let (head, _) = ask(&serve, "POST", "/");
    assert!(head.starts_with("http/1.1 405 ") && head.contains("\r\nallow: get, head\r\n"), "{head}");
    let (head, _) = ask(&serve, "GET", "/_tidewire");
    assert!(head.starts_with("http/1.1 308 ") && head.contains("\r\nlocation: /_tidewire/\r\n"), "{head}");
    status(&serve, "/nothing", "404");
}

#[test]
fn a_page_is_told_about_its_connection() {
    let serve = Serve::start(&[]);
    let token = "0123456789abcdef_-0123";
    connect(&["-1", "-H", "X-Trace: 7", &format!("{}?_tidewire={token}", serve.url)], "hello\n")
        .expect(0, "hello\n");
    serve.line("close");
    let body = status(&serve, &format!("/_tidewire/connections/{token}"), "200");
    let report: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!(report["request"]["target"], format!("/?_tidewire={token}"));
    let headers = report["request"]["headers"].as_array().expect("a list");
    assert!(headers.contains(&serde_json::json!(["X-Trace", "7"])), "{body}");
    assert_eq!((&report["messages_in"], &report["bytes_out"]), (&1.into(), &5.into()));
    assert_eq!(report["closed"]["code"], 1000);
    assert!(
        report["extensions"].as_str().is_some_and(|words| words.starts_with("permessage-deflate")),
        "{body}"
    );
    status(&serve, "/_tidewire/connections/another-token-of-none", "404");
}

#[test]
fn files_are_served_and_nothing_beside_them() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("web");
    std::fs::create_dir(&root).expect("it is made");
    std::fs::write(root.join("index.html"), "the index").expect("it is written");
    std::fs::write(root.join("a.txt"), "a file").expect("it is written");
    std::fs::write(directory.path().join("secret"), "a secret").expect("it is written");
    let serve = Serve::start(&["--static", root.to_str().expect("a UTF-8 path")]);
    assert_eq!(status(&serve, "/", "200"), "the index");
    assert_eq!(status(&serve, "/a.txt", "200"), "a file");
    for path in ["/missing", "/a.txt/b", "/favicon.ico"] {
        status(&serve, path, "404");
    }
    for path in [
        "/../secret",
        "/%2e%2e/secret",
        "/..%2fsecret",
        "/%2e%2e%2fsecret",
        "/a/../../secret",
        "//../secret",
        "/..\\secret",
        "/.%2e/secret",
        "/a.txt/../../secret",
    ] {
        let (head, body) = ask(&serve, "GET", path);
        assert!(head.starts_with("http/1.1 4") && !body.contains("a secret"), "{path}: {head}\n{body}");
    }
    assert!(status(&serve, "/_tidewire/", "200").contains("<script"), "the console stands beside them");
    connect(&["-1", &serve.url], "hi\n").expect(0, "hi\n");
}

#[test]
fn hidden_files_links_out_and_what_is_no_file_are_not_served() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let root = directory.path().join("web");
    std::fs::create_dir_all(root.join(".well-known")).expect("it is made");
    std::fs::create_dir_all(root.join("folder")).expect("it is made");
    for (path, text) in [(".env", "a secret"), (".well-known/a.txt", "known"), ("folder/index.html", "inner")]
    {
        std::fs::write(root.join(path), text).expect("it is written");
    }
    std::fs::write(directory.path().join("secret"), "a secret").expect("it is written");
    std::os::unix::fs::symlink("../secret", root.join("out")).expect("it is linked");
    std::os::unix::fs::symlink("folder/index.html", root.join("in")).expect("it is linked");
    std::os::unix::fs::symlink("/dev/zero", root.join("zero")).expect("it is linked");
    let _socket = std::os::unix::net::UnixListener::bind(root.join("socket")).expect("it is bound");
    let serve = Serve::start(&["--static", root.to_str().expect("a UTF-8 path")]);
    for path in ["/.env", "/%2eenv", "/out", "/zero", "/socket", "//folder", "//folder/", "/%2ffolder", "/"] {
        status(&serve, path, "404");
    }
    assert_eq!(status(&serve, "/.well-known/a.txt", "200"), "known");
    assert_eq!(status(&serve, "/in", "200"), "inner");
    assert_eq!(status(&serve, "/folder/", "200"), "inner");
    let (head, _) = ask(&serve, "GET", "/folder");
    assert!(head.contains("\r\nlocation: /folder/\r\n"), "{head}");
    let (head, _) = ask(&serve, "GET", "/in");
    assert!(head.contains("\r\nx-content-type-options: nosniff\r\n"), "{head}");
}

#[test]
fn without_the_console_there_is_nothing_but_the_socket() {
    let serve = Serve::start(&["--no-console"]);
    status(&serve, "/", "404");
    status(&serve, "/_tidewire/info", "404");
    connect(&["-1", &serve.url], "hi\n").expect(0, "hi\n");
}
