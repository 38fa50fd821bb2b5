//! What `tidewire bench` shows, and where; flattened into its arguments.

use crate::bench::show::threshold::{self, Condition};
use crate::ui::style::ColorChoice;
use clap::Args;
use std::path::PathBuf;

// No doc comment: it would take the place of the command's own in the help.
#[derive(Args, Clone, Debug)]
pub(crate) struct BenchOutput {
    /// Write everything that was measured as JSON, for --compare and for programs; - for stdout, the table then goes to stderr
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) json: Option<PathBuf>,

    /// Write the course of the run as CSV, a row a second: at_s,connections,sent,received,p50_ns,p99_ns,max_ns; - for stdout
    ///
    /// sent and received count the messages of that second; p50, p99 and max are of the round trips that ended in it, and
    /// empty where none did. The figures of the whole run are in --json.
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) csv: Option<PathBuf>,

    /// Draw latency by percentile, and messages and latency over time; - for stdout
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    pub(crate) svg: Option<PathBuf>,

    /// Measure nothing: compare reports of --json, the first one with each of the others
    #[arg(
        long, value_name = "FILE", num_args = 2.., help_heading = "Results",
        conflicts_with_all = ["json", "csv", "svg", "thresholds", "find_rate"]
    )]
    pub(crate) compare: Vec<PathBuf>,

    /// Exit with status 10 unless this holds, such as 'p99<20ms' or 'rate>=100k'. Repeatable
    ///
    /// METRIC < VALUE, with < <= > or >=. What was not measured fails.
    ///
    /// Times (ns us ms s): p50 p75 p90 p99 p99.9 p99.99 max mean min of the round trip; connect.p99 and so on for opening a
    /// connection, dial. tls. upgrade. for its steps; with --rate service.p99 from the time a message was really sent; cpu,
    /// the server's per message (--pid).
    ///
    /// Numbers (k M): rate, messages a second (in % of --rate); lost duplicated reordered corrupted, faults for all four (in
    /// % of the messages sent); errors failed closes (in % of the connections).
    ///
    /// Bytes (k M G, kB MB GB): memory, the server's per connection (--pid); throughput, a second.
    ///
    /// Shares (0.9, 90%): busy, the time that the generator's busiest thread worked.
    #[arg(
        long = "threshold", value_name = "CONDITION", value_parser = threshold::condition, help_heading = "Results"
    )]
    pub(crate) thresholds: Vec<Condition>,

    /// Search the highest rate at which this holds, such as 'p99<10ms'; --rate is where to begin
    ///
    /// Each step is a run of its own. A rate of which less than 95 % is reached counts as failed. The result is bracketed
    /// to 5 %, and both ends of the bracket are run until two runs agree. The table and the files are those of the rate found.
    #[arg(long, value_name = "CONDITION", value_parser = threshold::condition, help_heading = "Results")]
    pub(crate) find_rate: Option<Condition>,

    /// No progress on stderr
    #[arg(short, long, help_heading = "Display")]
    pub(crate) quiet: bool,

    /// When to colour
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, help_heading = "Display")]
    pub(crate) color: ColorChoice,
}
