//! The command line's options, and what they come to together.

use super::codec;
use super::display::DisplayOptions;
use super::framing::{BinaryOutput, Encoder, Framing, Newlines, OutFraming};
use super::input::Decoding;
use super::run::Options;
use super::session::Message;
use super::url::{self, Target};
use crate::args::values::{self, Credentials, Header};
use crate::args::{ConnectArgs, OpeningArgs};
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

/// Silence after the end of stdin that ends a run, unless told otherwise.
const LINGER: Duration = Duration::from_secs(3);

/// Which of our streams are terminals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminals {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    /// Whether the terminal can place its cursor.
    pub(crate) capable: bool,
}

impl Terminals {
    pub(crate) fn of_this_process() -> Self {
        let incapable =
            |term: std::ffi::OsString| ["dumb", "cons25", "emacs"].iter().any(|name| term == *name);
        Self {
            stdin: io::stdin().is_terminal(),
            stdout: io::stdout().is_terminal(),
            capable: !std::env::var_os("TERM").is_some_and(incapable),
        }
    }
}

/// All that a run needs to know.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) url: String,
    /// The Unix socket to connect to, instead of the URL's host.
    pub(crate) socket: Option<PathBuf>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) headers: Vec<Header>,
    pub(crate) options: Options,
    pub(crate) framing: Framing,
    pub(crate) decoding: Decoding,
    /// `--newlines escape` on stdin.
    pub(crate) escape: bool,
    pub(crate) encoder: Encoder,
    pub(crate) display: DisplayOptions,
    /// The line editor, instead of stdin and stdout as they are.
    pub(crate) editor: bool,
    pub(crate) no_input: bool,
}

impl Plan {
    /// # Errors
    /// One sentence: what can't be used.
    pub(crate) fn new(args: &ConnectArgs, terminals: Terminals) -> Result<Self, String> {
        let Target { url, credentials, socket } = url::target(&args.url)?;
        let (given, headers) = secrets(&args.opening)?;
        let framing = framing(args);
        let decoding = decoding(args);
        let encoder = encoder(args, framing);
        let has_execute = !args.execute.is_empty();
        let is_limited = args.linger.is_some() || args.exit_on_eof || args.count.is_some();
        let no_input = has_execute && (args.one || (terminals.stdin && is_limited));
        let is_plain =
            framing == Framing::Separated(b'\n') && decoding == Decoding::Text && args.out_framing.is_none();
        let editor = terminals.stdin && terminals.stdout && terminals.capable && is_plain && !no_input;
        let execute = args.execute.iter().map(|text| execute(text, decoding)).collect::<Result<_, _>>()?;
        Ok(Self {
            url,
            socket,
            credentials: given.or(credentials),
            headers,
            options: Options {
                execute,
                linger: linger(args),
                send_limit: args.one.then_some(1),
                count: if args.one { Some(1) } else { args.count },
                reconnect: args.reconnect,
                max_attempts: args.max_attempts,
                close_timeout: args.close_timeout,
            },
            framing,
            decoding,
            escape: args.newlines == Newlines::Escape,
            encoder,
            display: DisplayOptions {
                json: args.json,
                timings: args.timings,
                verbose: args.verbose,
                quiet: args.quiet,
                show_ping_pong: args.show_ping_pong,
            },
            editor,
            no_input,
        })
    }
}

/// The credentials and the header fields that the options give.
///
/// # Errors
/// One sentence, without what was typed: it may be a secret.
pub(crate) fn secrets(opening: &OpeningArgs) -> Result<(Option<Credentials>, Vec<Header>), String> {
    let credentials = opening.auth.as_ref().map(|secret| values::credentials(&secret.0)).transpose();
    let headers = opening.headers.iter().map(|text| values::header(&text.0)).collect::<Result<_, _>>();
    Ok((
        credentials.map_err(|why| format!("--auth or TIDEWIRE_AUTH can't be used: {why}"))?,
        headers.map_err(|why| format!("a --header can't be used: {why}"))?,
    ))
}

fn framing(args: &ConnectArgs) -> Framing {
    match args {
        _ if args.null => Framing::Separated(0),
        _ if args.length_prefixed => Framing::LengthPrefixed,
        _ if args.whole => Framing::Whole,
        _ => Framing::Separated(b'\n'),
    }
}

fn decoding(args: &ConnectArgs) -> Decoding {
    match args {
        _ if args.binary => Decoding::Binary,
        _ if args.base64 => Decoding::Base64,
        _ if args.hex => Decoding::Hex,
        _ => Decoding::Text,
    }
}

fn encoder(args: &ConnectArgs, stdin: Framing) -> Encoder {
    let framing = args.out_framing.unwrap_or(match stdin {
        Framing::Separated(0) => OutFraming::Null,
        Framing::Separated(_) => OutFraming::Lines,
        Framing::LengthPrefixed => OutFraming::LengthPrefixed,
        Framing::Whole => OutFraming::Raw,
    });
    let binary = args.binary_output.unwrap_or(match framing {
        OutFraming::LengthPrefixed | OutFraming::Raw => BinaryOutput::Raw,
        _ if args.binary => BinaryOutput::Raw,
        _ if args.hex => BinaryOutput::Hex,
        _ => BinaryOutput::Base64,
    });
    Encoder { framing, binary, newlines: args.newlines }
}

fn linger(args: &ConnectArgs) -> Option<Duration> {
    match args.linger {
        _ if args.no_close => None,
        _ if args.exit_on_eof => Some(Duration::ZERO),
        Some(linger) => linger.0,
        // Whoever counts messages waits for them.
        None if args.one || args.count.is_some() => None,
        None => Some(LINGER),
    }
}

fn execute(text: &str, decoding: Decoding) -> Result<Message, String> {
    let bytes = match decoding {
        Decoding::Text => return Ok(Message::Text(text.into())),
        Decoding::Binary => Ok(text.as_bytes().to_vec()),
        Decoding::Base64 => codec::base64(text.as_bytes()),
        Decoding::Hex => codec::hex(text.as_bytes()),
    };
    bytes.map(|bytes| Message::Binary(bytes.into())).map_err(|why| format!("--execute can't be sent: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser as _;

    const PIPE: Terminals = Terminals { stdin: false, stdout: false, capable: true };
    const TERMINAL: Terminals = Terminals { stdin: true, stdout: true, capable: true };

    fn plan(line: &str, terminals: Terminals) -> Result<Plan, String> {
        let words = ["tidewire", "connect", "9876"].into_iter().chain(line.split_whitespace());
        let Command::Connect(args) = Cli::try_parse_from(words).unwrap().command else {
            panic!("another command")
        };
        Plan::new(&args, terminals)
    }

    #[test]
    fn the_editor_is_for_terminals_and_plain_text() {
        assert!(plan("", TERMINAL).unwrap().editor);
        assert!(plan("-x hi", TERMINAL).unwrap().editor);
        for line in ["-0", "-b", "--out-framing json", "-x hi -w 2", "-x hi -1", "-x hi --count 2"] {
            assert!(!plan(line, TERMINAL).unwrap().editor, "{line}");
        }
        for terminals in [
            PIPE,
            Terminals { stdin: true, ..PIPE },
            Terminals { stdout: true, ..PIPE },
            Terminals { capable: false, ..TERMINAL },
        ] {
            assert!(!plan("", terminals).unwrap().editor, "{terminals:?}");
        }
    }

    #[test]
    fn lingering() {
        let second = Duration::from_secs(1);
        for (line, linger) in [
            ("", Some(LINGER)),
            ("-1", None),
            ("--count 3", None),
            ("--count 3 -w 1", Some(second)),
            ("-w 1s", Some(second)),
            ("--linger forever", None),
            ("--wait -1", None),
            ("-n", None),
            ("-E", Some(Duration::ZERO)),
            ("--linger 0", Some(Duration::ZERO)),
        ] {
            assert_eq!(plan(line, PIPE).unwrap().options.linger, linger, "{line}");
        }
    }

    #[test]
    fn what_goes_out_is_framed_like_what_comes_in() {
        for (line, framing, binary) in [
            ("", OutFraming::Lines, BinaryOutput::Base64),
            ("-b", OutFraming::Lines, BinaryOutput::Raw),
            ("--hex", OutFraming::Lines, BinaryOutput::Hex),
            ("-0", OutFraming::Null, BinaryOutput::Base64),
            ("--length-prefixed", OutFraming::LengthPrefixed, BinaryOutput::Raw),
            ("--whole", OutFraming::Raw, BinaryOutput::Raw),
            ("--whole --out-framing lines", OutFraming::Lines, BinaryOutput::Base64),
            ("-0 --binary-output hex", OutFraming::Null, BinaryOutput::Hex),
        ] {
            let encoder = plan(line, PIPE).unwrap().encoder;
            assert_eq!((encoder.framing, encoder.binary), (framing, binary), "{line}");
        }
    }

    #[test]
    fn credentials_of_the_option_go_before_those_of_the_url() {
        let basic = |password: &str| Some(Credentials::Basic { user: "u".into(), password: password.into() });
        assert_eq!(plan("--auth u:2", PIPE).unwrap().credentials, basic("2"));
        let words = ["tidewire", "connect", "ws://u:1@h/", "--auth", "u:2"];
        for (words, password) in [(&words[..3], "1"), (&words[..], "2")] {
            let Command::Connect(args) = Cli::try_parse_from(words).unwrap().command else {
                panic!("another command")
            };
            assert_eq!(Plan::new(&args, PIPE).unwrap().credentials, basic(password));
        }
        let why = plan("--auth secret", PIPE).unwrap_err();
        assert!(!why.contains("secret"), "{why}");
        for header in ["secret", "sec(ret:x", "X-Key:sec\u{1}ret"] {
            let why = plan(&format!("-H {header}"), PIPE).unwrap_err();
            assert!(why.starts_with("a --header can't be used: ") && !why.contains("sec"), "{why}");
        }
        assert!(!format!("{:?}", plan("-H X:secret", PIPE).unwrap()).contains("secret"));
    }

    #[test]
    fn executed_messages_are_of_the_kind_that_stdin_is() {
        assert_eq!(
            plan("-x a --hex", PIPE).unwrap_err(),
            "--execute can't be sent: a hexadecimal digit is left over: each byte takes two"
        );
        assert_eq!(
            plan("-x 00ff --hex", PIPE).unwrap().options.execute,
            [Message::Binary(vec![0, 255].into())]
        );
        assert!(plan("-x a -1", PIPE).unwrap().no_input);
        assert!(!plan("-x a -w 1", PIPE).unwrap().no_input);
    }
}
