//! `tidewire connect`.

use super::opening::OpeningArgs;
use super::values::{self, Optional};
use crate::connect::exit;
use crate::connect::framing::{BinaryOutput, Newlines, OutFraming};
use crate::ui::style::ColorChoice;
use clap::{ArgAction, Args};
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  tidewire connect ws://127.0.0.1:9876
      A line editor in a terminal; /help tells its commands
  echo hi | tidewire connect -1 :9876
      Send one message, print the answer, close
  tidewire connect -n -x '{\"subscribe\":\"trades\"}' wss://example.org/feed </dev/null | jq .price
      Subscribe and stream until the server closes
  tidewire connect -0 :9876 < in > out
      NUL behind each message, both ways: exact for text with newlines
  tidewire connect --length-prefixed -b :9876 < in > out
      Exact for binary
  TIDEWIRE_AUTH='Bearer abc' tidewire connect wss://example.org/
      Credentials that ps does not show";

/// Connect to a WebSocket server and talk to it
///
/// In a terminal, lines that you type are sent as text messages and a line editor keeps a history. Where stdin or
/// stdout is no terminal, messages go from stdin to the server and from the server to stdout, framed by lines or as
/// asked for, with nothing added; everything else is told on stderr. After the end of stdin the connection stays open
/// until the server closes it or has been silent for --linger.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES, after_long_help = format!("{}\n\n{EXAMPLES}", exit::TABLE))]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ConnectArgs {
    /// ws://… or wss://…; http(s):// is taken for it, and example.org/x, localhost:9876, :9876 and 9876 for ws://. Also unix:/SOCKET, with unix:/SOCKET:/PATH
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    #[command(flatten)]
    pub(crate) opening: OpeningArgs,

    /// No offer of compression (permessage-deflate)
    #[arg(long, help_heading = "Handshake")]
    pub(crate) no_deflate: bool,

    /// Send this message first, after a reconnect again. Repeatable. In a terminal, with -w, -1 or --count, nothing else is sent
    #[arg(short = 'x', long = "execute", value_name = "MESSAGE", help_heading = "Sending")]
    pub(crate) execute: Vec<String>,

    /// Send stdin as binary messages
    #[arg(short, long, help_heading = "Sending")]
    pub(crate) binary: bool,

    /// Read stdin as base64, send it as binary messages
    #[arg(long, conflicts_with = "binary", help_heading = "Sending")]
    pub(crate) base64: bool,

    /// Read stdin as hexadecimal, send it as binary messages
    #[arg(long, conflicts_with_all = ["binary", "base64"], help_heading = "Sending")]
    pub(crate) hex: bool,

    /// Each line is a message; CR is kept (default)
    #[arg(long, group = "framing", help_heading = "Framing")]
    pub(crate) lines: bool,

    /// A NUL byte ends each message
    #[arg(short = '0', long, group = "framing", help_heading = "Framing")]
    pub(crate) null: bool,

    /// Each message follows its length in 4 bytes, big endian
    #[arg(long, group = "framing", help_heading = "Framing")]
    pub(crate) length_prefixed: bool,

    /// All of stdin is one message; answers are written with nothing between
    #[arg(long, group = "framing", help_heading = "Framing")]
    pub(crate) whole: bool,

    /// How messages are told apart on stdout, where it differs from stdin
    #[arg(long, value_name = "FRAMING", value_enum, help_heading = "Framing")]
    pub(crate) out_framing: Option<OutFraming>,

    /// How binary messages are written: by default raw with -b, --length-prefixed and raw framing, hex with --hex, else base64
    #[arg(long, value_name = "FORM", value_enum, help_heading = "Framing")]
    pub(crate) binary_output: Option<BinaryOutput>,

    /// What to do with a message that holds its own separator (a newline, or NUL with -0)
    #[arg(long, value_name = "HOW", value_enum, default_value = "keep", help_heading = "Framing")]
    pub(crate) newlines: Newlines,

    /// Send at most one message of stdin, close after one has come
    #[arg(
        short = '1',
        long,
        visible_alias = "one-message",
        conflicts_with = "count",
        help_heading = "Ending"
    )]
    pub(crate) one: bool,

    /// Close after this many messages have come
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Ending")]
    pub(crate) count: Option<u64>,

    /// After the end of stdin, close when the server has been silent for this long; forever to leave it to the server [default: 3s; forever with -1 and --count]
    #[arg(short = 'w', long, visible_alias = "wait", value_name = "TIME", value_parser = values::time_or_forever,
        allow_hyphen_values = true, help_heading = "Ending")]
    pub(crate) linger: Option<Optional>,

    /// After the end of stdin, stay until the server closes: --linger forever
    #[arg(short, long, conflicts_with_all = ["linger", "exit_on_eof"], help_heading = "Ending")]
    pub(crate) no_close: bool,

    /// Close at the end of stdin: --linger 0
    #[arg(short = 'E', long, conflicts_with = "linger", help_heading = "Ending")]
    pub(crate) exit_on_eof: bool,

    /// Connect again when the connection is lost, waiting longer each time, 30 s at most
    ///
    /// Lines read while away are kept and sent afterwards, in order. What was handed to the lost connection is not sent
    /// again. A server that refuses, or that closes with 1000, no code or a code of the application's, is not asked again.
    #[arg(long, help_heading = "Ending")]
    pub(crate) reconnect: bool,

    /// Give up after this many attempts in a row
    #[arg(long, value_name = "N", requires = "reconnect", help_heading = "Ending")]
    pub(crate) max_attempts: Option<u32>,

    /// The largest message taken, also after inflating
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = values::message_size, help_heading = "Limits")]
    pub(crate) max_message: usize,

    /// Ask a silent server for a sign of life this often, or off
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = values::time_or_off, help_heading = "Limits")]
    pub(crate) ping_interval: Optional,

    /// How long the server may take to answer a close
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::limit, help_heading = "Limits")]
    pub(crate) close_timeout: Duration,

    /// Lay JSON out over lines, on a terminal
    #[arg(short, long, help_heading = "Display")]
    pub(crate) json: bool,

    /// Tell how long opening took, and when each message came
    #[arg(short, long, help_heading = "Display")]
    pub(crate) timings: bool,

    /// Tell of each ping and pong
    #[arg(short = 'P', long, help_heading = "Display")]
    pub(crate) show_ping_pong: bool,

    /// Tell of the handshake's request and response; credentials are hidden
    #[arg(short, long, action = ArgAction::SetTrue, help_heading = "Display")]
    pub(crate) verbose: bool,

    /// Tell of errors only
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Display")]
    pub(crate) quiet: bool,

    /// Keep no history of typed lines; a line that begins with a space is never kept
    #[arg(long, help_heading = "Display")]
    pub(crate) no_history: bool,

    /// When to colour
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, help_heading = "Display")]
    pub(crate) color: ColorChoice,
}
