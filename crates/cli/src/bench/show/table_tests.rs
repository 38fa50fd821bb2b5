use super::super::sample;
use super::*;

fn plain(report: &Report) -> String {
    render(report, &Palette::plain())
}

#[test]
fn echo() {
    assert_eq!(
        plain(&sample::echo()),
        "\
target       ws://127.0.0.1:9876/
load         echo over 100 connections, 1 message in flight on each
             125 B of text, 10 s after 1 s of warm-up, 1 thread
machine      AMD EPYC 7763 64-Core Processor, 2 cores, linux 6.18.5 x86_64
             measured 2026-11-20T12:00:00Z with tidewire 0.1.0

connections  100 opened in 12.3 ms, 0 failed
                   p50      p99      max
  dial         45.1 µs  94.7 µs   785 µs
  upgrade      71.3 µs   150 µs  1.24 ms
  in all        118 µs   248 µs  2.05 ms

messages             messages/s           payload            in all
  sent                  184,230         23.0 MB/s         1,842,300
  received              184,220         23.0 MB/s         1,842,200

latency            p50      p75      p90      p99    p99.9   p99.99      max
  round trip    512 µs   548 µs   625 µs  1.08 ms  2.36 ms  4.20 ms  8.91 ms
  mean 522 µs ± 87.0 µs, min 81.9 µs, 1,842,200 round trips

  ≤  92.2 µs  ▏                                         <0.01 %             92
  ≤   154 µs  ▏                                          0.02 %            368
  ≤   307 µs  ▎                                          0.46 %          8,473
  ≤   435 µs  ████████▊                                  16.1 %        296,594
  ≤   625 µs  ████████████████████████████████████████   73.4 %      1,352,174
  ≤  1.08 ms  ████▉                                       9.0 %        165,798
  ≤  1.69 ms  ▍                                          0.70 %         12,895
  ≤  2.36 ms  ▏                                          0.25 %          4,605
  ≤  4.20 ms  ▏                                          0.06 %          1,105
  ≤  8.91 ms  ▏                                         <0.01 %             96

checked      every reply: none lost, duplicated, reordered or corrupted

server       4.51 µs CPU per message, 83.0 % of a core, tidewire (pid 4711)
             1.04 kB per connection, resident 3.10 MB before, 3.20 MB after
generator    4.02 µs CPU per message, 74.0 % of a core, busiest thread 74.2 %
"
    );
}

#[test]
fn troubles() {
    assert_eq!(
        plain(&sample::troubled()),
        "\
target       wss://example.org/␛[2J?token=0123456789012345678901234567890123456…
             TLSv1.3 TLS13_AES_128_GCM_SHA256
             permessage-deflate; client_no_context_takeover
             subprotocol chat\\u{202e}v2
load         echo over 100 connections, 200,000 messages/s in all
             125 B of text, 10 s after 1 s of warm-up, 2 threads
machine      AMD EPYC 7763 64-Core Processor, 2 cores, linux 6.18.5 x86_64
             measured 2026-11-20T12:00:00Z with tidewire 0.1.0
             cut short after 10 s: interrupted

connections  100 opened in 12.3 ms, 12 failed
                   p50      p99      max
  dial         45.1 µs  94.7 µs   785 µs
  TLS           810 µs  1.70 ms  14.1 ms
  upgrade      71.3 µs   150 µs  1.24 ms
  in all        118 µs   248 µs  2.05 ms

messages             messages/s           payload            in all
  sent                  184,230         23.0 MB/s         1,842,300
  received              184,220         23.0 MB/s         1,842,200

latency            p50      p75      p90      p99    p99.9   p99.99      max
  since due     512 µs   548 µs   625 µs  1.08 ms  2.36 ms  4.20 ms  8.91 ms
  since sent    388 µs   415 µs   473 µs   815 µs  1.78 ms  3.18 ms  6.75 ms
  mean 522 µs ± 87.0 µs, min 81.9 µs, 1,842,200 round trips

  ≤  92.2 µs  ▏                                         <0.01 %             92
  ≤   154 µs  ▏                                          0.02 %            368
  ≤   307 µs  ▎                                          0.46 %          8,473
  ≤   435 µs  ████████▊                                  16.1 %        296,594
  ≤   625 µs  ████████████████████████████████████████   73.4 %      1,352,174
  ≤  1.08 ms  ████▉                                       9.0 %        165,798
  ≤  1.69 ms  ▍                                          0.70 %         12,895
  ≤  2.36 ms  ▏                                          0.25 %          4,605
  ≤  4.20 ms  ▏                                          0.06 %          1,105
  ≤  8.91 ms  ▏                                         <0.01 %             96

faults       93 lost, 0 duplicated, 7 reordered, 1 corrupted
closed       by the server: 3 × 1001, 12 × 1006
errors           1,204 × ␛]0;owned␇ reset␍␊by peer
                    12 × connection refused
                     1 × xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…

generator    4.02 µs CPU per message, 74.0 % of a core, busiest thread 97.0 %

WARNING      the generator was 97.0 % busy: what was measured may be its limit
             and not the server's. Give it more --threads or a core of its own,
             or ask for fewer connections or a lower --rate.

WARNING      92.1 % of the asked rate was reached: the times are those of an
             overloaded server or generator, and grow with the length of the
             run.
"
    );
}

#[test]
fn broadcast_tells_of_what_was_published_and_delivered() {
    let text = plain(&sample::broadcast());
    for line in [
        "load         broadcast to 1,001 connections, 50/s published",
        "  published                  50         6.25 kB/s               500",
        "  delivered              50,000         6.25 MB/s           500,000",
        "  delivery     2.10 ms  2.25 ms  2.56 ms  4.41 ms  9.66 ms  17.2 ms  36.5 ms",
        "checked      every message: none lost, duplicated, reordered or corrupted",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn connect_tells_of_handshakes() {
    let text = plain(&sample::connect());
    for line in [
        "load         connect, 100 handshakes at a time",
        "connections  6,421 handshakes/s, 64,210 opened, 0 failed",
        "  in all        931 µs   996 µs  1.14 ms  1.96 ms  4.28 ms  7.63 ms  16.2 ms",
        "  ≤  1.14 ms  ████████████████████████████████████████   73.4 %         47,128",
        "closed       by the server: 3 × 1006",
        "generator    4.02 µs CPU per handshake, 74.0 % of a core, busiest thread 74.2 %",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("latency") && !text.contains("messages") && !text.contains("checked"));
}

#[test]
fn idle_tells_of_what_holding_costs() {
    assert_eq!(
        plain(&sample::idle()),
        "\
target       ws://127.0.0.1:9876/
load         idle, 15,000 connections held
             10 s, 1 thread
machine      AMD EPYC 7763 64-Core Processor, 2 cores, linux 6.18.5 x86_64
             measured 2026-11-20T12:00:00Z with tidewire 0.1.0

connections  15,000 opened in 2.7 s, 0 failed
                   p50      p99      max
  dial         45.1 µs  94.7 µs   785 µs
  upgrade      71.3 µs   150 µs  1.24 ms
  in all        118 µs   248 µs  2.05 ms

server       0.30 % of a core, tidewire (pid 4711)
             1.04 kB per connection, resident 3.10 MB before, 18.7 MB after
generator    0.30 % of a core, busiest thread 0.30 %
"
    );
}

#[test]
fn nothing_came_about() {
    assert_eq!(
        plain(&sample::empty()),
        "\
target       ws://127.0.0.1:9876/
load         echo over 100 connections, 1 message in flight on each
             125 B of text, 10 s after 1 s of warm-up, 1 thread
machine      AMD EPYC 7763 64-Core Processor, 2 cores, linux 6.18.5 x86_64
             measured 2026-11-20T12:00:00Z with tidewire 0.1.0

connections  0 opened, 100 failed

messages             messages/s           payload            in all
  sent                        -                 -                 0
  received                    -                 -                 0

latency      none measured: no message came back

checked      nothing: no message came

generator    busiest thread 0 %
"
    );
}

#[test]
fn every_line_fits_whatever_was_measured() {
    for mut report in [
        sample::echo(),
        sample::troubled(),
        sample::empty(),
        sample::broadcast(),
        sample::connect(),
        sample::idle(),
        sample::extreme(),
    ] {
        for mode in [Mode::Echo, Mode::Broadcast, Mode::Connect, Mode::Idle] {
            report.load.mode = mode;
            for line in plain(&report).lines() {
                assert!(line.width() <= 80, "{} columns: {line}", line.width());
                assert!(!line.contains(char::is_control), "{line:?}");
                assert!(!line.contains("NaN"), "{line}");
            }
        }
    }
}

#[test]
fn colours_change_no_word() {
    let colored = render(&sample::troubled(), &Palette::new(true));
    assert!(colored.contains("\x1b[94mtarget\x1b[0m"));
    let mut bare = String::new();
    for (index, part) in colored.split('\x1b').enumerate() {
        bare.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(bare, plain(&sample::troubled()));
}

#[test]
fn many_kinds_of_errors_are_summed_up() {
    let mut report = sample::echo();
    report.errors = (0..11).map(|kind| (format!("kind {kind}"), 100 - kind)).collect();
    let text = plain(&report);
    assert!(text.contains("\nerrors             100 × kind 0\n                    99 × kind 1\n"), "{text}");
    assert!(text.contains("\n                   273 × of 3 further kinds (--json has them all)\n"), "{text}");
}
