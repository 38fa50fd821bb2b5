//! Each example is started as its header says, on a free port, and spoken to byte by byte.
//!
//! `cargo test -p tidewire` builds the examples before it runs this.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// `Hello` from a client, as in RFC 6455 §5.7.
const HELLO: [u8; 11] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
/// `Hello` from a server, as in RFC 6455 §5.7.
const REPLY: [u8; 7] = [0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f];

/// A running example; ended when dropped.
struct Example {
    child: Child,
    /// What stands behind `listening on`.
    url: String,
}

impl Example {
    fn start(name: &str, arguments: &[&str]) -> Self {
        let program = program(name);
        let mut command = Command::new(&program);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
            panic!("{}: {error}; build it with: cargo build -p tidewire --examples", program.display())
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").unwrap_or_else(|| panic!("printed {line:?}"));
        Self { url: url.to_owned(), child }
    }

    fn address(&self) -> SocketAddr {
        let authority = self.url.split('/').nth(2).unwrap();
        authority.replace("localhost", "127.0.0.1").parse().unwrap()
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// A connection whose opening handshake is done.
    fn open(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(&request(&self.address().to_string())).unwrap();
        assert_accepted(&head(&mut stream));
        stream
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // Where it is gone already, the test has failed before.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// Where cargo puts an example, beside the folder of this test.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let mut program = test.ancestors().nth(2).unwrap().join("examples").join(name);
    program.set_extension(std::env::consts::EXE_EXTENSION);
    program
}

/// The request of RFC 6455 §1.3.
fn request(host: &str) -> Vec<u8> {
    format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    .into_bytes()
}

/// The answer of RFC 6455 §1.3, and no byte behind its empty line that is no frame.
fn assert_accepted(head: &str) {
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    assert!(head.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
}

fn head(stream: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.extend_from_slice(&exactly::<1>(stream));
    }
    String::from_utf8(bytes).unwrap()
}

fn exactly<const N: usize>(stream: &mut impl Read) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// A frame of a client; its key is zero, so that its payload can be read here.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126);
    [&[first, 0x80 | length, 0, 0, 0, 0], payload].concat()
}

/// Says hello, hears it, and closes with 1000.
fn say_hello_and_close(stream: &mut (impl Read + Write)) {
    stream.write_all(&HELLO).unwrap();
    assert_eq!(exactly(stream), REPLY);
    stream.write_all(&frame(0x88, &1000u16.to_be_bytes())).unwrap();
    assert_eq!(exactly(stream), [0x88, 2, 0x03, 0xe8]);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, []);
}

#[test]
fn echo() {
    say_hello_and_close(&mut Example::start("echo", &["127.0.0.1:0"]).open());
}

#[test]
fn handler() {
    say_hello_and_close(&mut Example::start("handler", &["127.0.0.1:0"]).open());
}

#[test]
#[cfg(feature = "http")]
fn chat() {
    let chat = Example::start("chat", &["127.0.0.1:0"]);
    let mut page = chat.connect();
    write!(page, "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", chat.address()).unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).unwrap();
    let wanted = ["HTTP/1.1 200 OK\r\n", "text/html; charset=utf-8", "new WebSocket(", "</html>"];
    assert!(wanted.iter().all(|wanted| text.contains(wanted)), "{text}");

    // Somebody is here once what they said has come back.
    let mut first = chat.open();
    first.write_all(&HELLO).unwrap();
    assert_eq!(exactly(&mut first), REPLY);
    let mut second = chat.open();
    second.write_all(&frame(0x81, b"hi all")).unwrap();
    for member in [&mut first, &mut second] {
        assert_eq!(exactly(member), *b"\x81\x06hi all");
    }
    second.write_all(&frame(0x82, b"bytes")).unwrap();
    assert_eq!(exactly(&mut second), *b"\x88\x0b\x03\xebtext only");
}

#[test]
#[cfg(feature = "tls")]
fn tls() {
    use std::io;
    use tidewire::{dial::Target, tls::TlsOptions};

    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("example-tls");
    std::fs::create_dir_all(&folder).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let paths = [certificate.to_str().unwrap(), key.to_str().unwrap(), "127.0.0.1:0"];
    let tls = Example::start("tls", &paths);

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let address = tls.address();
    let stream = runtime.block_on(async {
        let options = TlsOptions::new().system_roots(false).authority(certificate);
        let dialer = tidewire::dial::Dialer::new().no_proxy().tls(options);
        let target = Target::tcp("127.0.0.1", address.port()).unwrap();
        dialer.dial_target(&target, Some("localhost")).await.unwrap().0
    });

    /// An asynchronous stream as the other tests' blocking one.
    struct Blocking<'a, S>(S, &'a tokio::runtime::Runtime);
    impl<S: tokio::io::AsyncRead + Unpin> Read for Blocking<'_, S> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.1.block_on(tokio::io::AsyncReadExt::read(&mut self.0, buffer))
        }
    }
    impl<S: tokio::io::AsyncWrite + Unpin> Write for Blocking<'_, S> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.block_on(tokio::io::AsyncWriteExt::write(&mut self.0, bytes))
        }
        fn flush(&mut self) -> io::Result<()> {
            self.1.block_on(tokio::io::AsyncWriteExt::flush(&mut self.0))
        }
    }
    let mut stream = Blocking(stream, &runtime);
    stream.write_all(&request("localhost")).unwrap();
    stream.flush().unwrap();
    assert_accepted(&head(&mut stream));
    say_hello_and_close(&mut stream);
}

#[test]
fn client() {
    let echo = Example::start("echo", &["127.0.0.1:0"]);
    let output = Command::new(program("client")).arg(&echo.url).output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{stderr}");
    assert_eq!((stdout.as_str(), stderr.as_str()), ("Text(\"hello\")\n", ""));
}
