use super::super::sample;
use super::*;
use unicode_width::UnicodeWidthStr as _;

fn named(name: &str, report: Report) -> Named {
    Named { name: name.into(), report }
}

/// Faster but slower: shorter times, fewer messages, some lost.
fn changed() -> Report {
    let mut report = sample::echo();
    report.latency = Some(sample::times(1_842_200, 411_000));
    report.received.messages = 1_500_000;
    report.faults.lost = 3;
    report
}

#[test]
fn one_new_report() {
    let text = render(&named("a.json", sample::echo()), &[named("b.json", changed())], &Palette::plain());
    assert_eq!(
        text,
        "\
old          a.json
new          b.json

                     old        new   change
rate           184,220/s  150,000/s  -18.6 % worse
throughput     23.0 MB/s  23.0 MB/s      0 %
p50               512 µs     411 µs  -19.7 % better
p75               548 µs     440 µs  -19.7 % better
p90               625 µs     501 µs  -19.7 % better
p99              1.08 ms     863 µs  -19.7 % better
p99.9            2.36 ms    1.89 ms  -19.7 % better
p99.99           4.20 ms    3.37 ms  -19.7 % better
max              8.91 ms    7.15 ms  -19.7 % better
mean              522 µs     419 µs  -19.7 % better
cpu              4.51 µs    4.51 µs      0 %
memory           1.04 kB    1.04 kB      0 %
connect.p50       118 µs     118 µs      0 %
connect.p99       248 µs     248 µs      0 %
dial.p50         45.1 µs    45.1 µs      0 %
dial.p99         94.7 µs    94.7 µs      0 %
upgrade.p50      71.3 µs    71.3 µs      0 %
upgrade.p99       150 µs     150 µs      0 %
faults                 0          3   from 0 worse
errors                 0          0      0 %
failed                 0          0      0 %
closes                 0          0      0 %
busy              74.2 %     74.2 %      0 %
"
    );
}

#[test]
fn different_loads_machines_and_targets_are_told() {
    let text = render(
        &named("a.json", sample::echo()),
        &[named("b\x1b.json", sample::troubled())],
        &Palette::plain(),
    );
    let warning = text.split_once("WARNING").unwrap().1;
    assert_eq!(
        warning,
        "      these differ as well, and may be what changed the figures:
                                old                      new
             rate               none                     200,000/s
             threads            1                        2
             target             ws://127.0.0.1:9876/     wss://example.org/␛[2J…
             TLS                none                     TLSv1.3 TLS13_AES_128_…
             extension          none                     permessage-deflate; cl…
             subprotocol        none                     chat\\u{202e}v2
             cut short          none                     interrupted
             generator limits   no                       yes
"
    );
    assert!(text.contains("new          b␛.json\n"));
}

#[test]
fn several_new_reports_stand_beside_and_below_each_other() {
    let new = [changed(), sample::troubled(), sample::empty()].map(|report| named("x.json", report));
    let text = render(&named("a.json", sample::echo()), &new, &Palette::plain());
    for line in [
        "                     old      new 1   change             new 2   change",
        "p99              1.08 ms     863 µs  -19.7 % better    1.08 ms      0 %",
        "                     old      new 3   change",
        "failed                 0        100   from 0 worse",
        "cpu              4.51 µs          -        -",
        "             rate               none                     200,000/s",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn every_line_fits_whatever_is_compared() {
    let all = || [sample::echo(), sample::empty(), sample::extreme(), sample::connect(), sample::idle()];
    for old in all() {
        let new = all().map(|report| named(&"\x1b日".repeat(100), report));
        for line in render(&named("a", old.clone()), &new, &Palette::plain()).lines() {
            assert!(line.width() <= 80, "{} columns: {line}", line.width());
            assert!(!line.contains(char::is_control) && !line.contains("NaN"), "{line:?}");
        }
    }
}

#[test]
fn a_change_is_judged_by_what_the_metric_means() {
    let judge = |name: &str, before, after| change(Metric::named(name).unwrap(), Some(before), Some(after));
    for (name, before, after, text, verdict) in [
        ("rate", 100.0, 110.0, "+10.0 %", "better"),
        ("rate", 110.0, 100.0, "-9.1 %", "worse"),
        ("p99", 100.0, 110.0, "+10.0 %", "worse"),
        ("memory", 5700.0, 1040.0, "-81.8 %", "better"),
        ("errors", 3.0, 0.0, "-100.0 %", "better"),
        ("errors", 0.0, 3.0, "from 0", "worse"),
        ("errors", 0.0, 0.0, "0 %", ""),
        ("p50", 1000.0, 1004.0, "0 %", ""),
        ("p50", 1000.0, 12_000.0, "× 12", "worse"),
        ("p50", 1.0, 1e18, "× >99999", "worse"),
        ("busy", 0.5, 0.9, "+80.0 %", ""),
    ] {
        assert_eq!(judge(name, before, after), (text.to_string(), verdict), "{name} {before} {after}");
    }
}
