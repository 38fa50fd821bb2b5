use super::super::{sample, threshold};
use super::*;
use std::convert::Infallible;

/// A server that answers in `p99` nanoseconds at a rate, and keeps up to `most` messages a second.
fn report(rate: f64, p99: u64, most: f64) -> Report {
    let mut report = sample::echo();
    report.load.rate = Some(rate);
    report.elapsed_s = 1e4;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and not negative")]
    let messages = (rate.min(most) * 1e4).round() as u64;
    (report.sent.messages, report.received.messages) = (messages, messages);
    let latency = report.latency.as_mut().unwrap();
    latency.p99_ns = p99;
    report
}

/// Searches `p99<10ms` with a server that gives the p99 in milliseconds of each (rate, number of the run).
fn search(start: f64, most: f64, server: &mut dyn FnMut(f64, usize) -> u64) -> (Found, Vec<Step>) {
    let (mut steps, mut runs) = (Vec::new(), 0);
    let condition = threshold::condition("p99<10ms").unwrap();
    let found = find::<Infallible>(
        &condition,
        start,
        &mut |rate| {
            runs += 1;
            Ok(report(rate, server(rate, runs) * 1_000_000, most))
        },
        &mut |step| steps.push(step.clone()),
    );
    let Ok(found) = found;
    assert_eq!((found.steps, runs), (steps.len(), steps.len()));
    (found, steps)
}

#[test]
fn a_limit_is_found_from_below_and_above() {
    for limit in [0.7, 3.0, 999.0, 1000.0, 1001.0, 84_220.0, 2.5e6] {
        for start in [1.0, 1000.0, 1e6] {
            let (found, steps) = search(start, f64::MAX, &mut |rate, _| if rate <= limit { 2 } else { 50 });
            let rate = found.rate.unwrap();
            assert_eq!(found.end, End::Bracketed);
            assert!(rate <= limit && rate * 1.06 >= limit, "{limit} from {start}: {rate}");
            assert!(steps.len() < 35, "{limit} from {start}: {} runs", steps.len());
            assert_eq!(found.report.unwrap().load.rate, Some(rate));
            let ends = |held| {
                steps.iter().filter(|step| step.held == held && step.rate.to_bits() == rate.to_bits()).count()
            };
            assert_eq!(ends(true), 2, "the boundary is measured twice");
        }
    }
}

#[test]
fn a_rate_that_is_not_reached_fails_though_the_condition_holds() {
    let (found, steps) = search(1000.0, 50_000.0, &mut |_, _| 1);
    // 95 % of the rate count as the rate.
    let rate = found.rate.unwrap();
    assert!((48_000.0..=52_700.0).contains(&rate), "{rate}");
    let failed = steps.iter().find(|step| !step.held).unwrap();
    assert_eq!(failed.to_string(), "   7        64,000/s  fails  only 50,000/s reached, p99 1.00 ms");
}

#[test]
fn one_lucky_run_does_not_decide() {
    // The limit is 10,000; the fifth run, at 16,000, is lucky.
    let (found, steps) = search(1000.0, f64::MAX, &mut |rate, run| {
        if rate <= 10_000.0 || run == 5 { 2 } else { 50 }
    });
    assert!(steps[4].held && steps[4].rate > 10_000.0);
    let rate = found.rate.unwrap();
    assert!((9_400.0..=10_000.0).contains(&rate), "{rate} {steps:#?}");
}

#[test]
fn one_unlucky_run_does_not_decide() {
    // The limit is 10,000; the third run, at 4,000, is unlucky.
    let (found, steps) = search(1000.0, f64::MAX, &mut |rate, run| {
        if rate <= 10_000.0 && run != 3 { 2 } else { 50 }
    });
    assert!(!steps[2].held && steps[2].rate < 10_000.0);
    let rate = found.rate.unwrap();
    assert!((9_400.0..=10_000.0).contains(&rate), "{rate} {steps:#?}");
}

#[test]
fn the_ends_of_the_search() {
    let (found, steps) = search(1000.0, f64::MAX, &mut |_, _| 50);
    assert_eq!((found.rate, found.end), (None, End::NothingHolds));
    assert!(steps.len() < 20 && found.report.is_none());
    let (found, _) = search(1000.0, f64::MAX, &mut |_, _| 1);
    assert_eq!((found.rate, found.end), (Some(FASTEST), End::EverythingHolds));
    // Chance decides: the search ends, and says so unless the ends happened to agree.
    let mut state = 1u64;
    let (found, steps) = search(1000.0, f64::MAX, &mut |_, _| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if state >> 63 == 0 { 1 } else { 50 }
    });
    assert!(steps.len() <= RUNS && found.end != End::EverythingHolds);
}

#[test]
fn a_run_that_fails_ends_the_search() {
    let condition = threshold::condition("p99<10ms").unwrap();
    let result = find(&condition, 1000.0, &mut |_| Err("refused"), &mut |_| panic!("nothing was measured"));
    assert_eq!(result.unwrap_err(), "refused");
}

#[test]
fn the_result_is_a_sentence() {
    let condition = threshold::condition("p99<10ms").unwrap();
    let (found, _) = search(1000.0, f64::MAX, &mut |rate, _| if rate <= 84_220.0 { 2 } else { 50 });
    assert_eq!(
        found.sentence(&condition),
        "p99 < 10ms holds up to 83,000/s: it held there in most runs, and failed 5 % above (14 runs)"
    );
    let (found, _) = search(1000.0, f64::MAX, &mut |_, _| 50);
    assert!(found.sentence(&condition).starts_with("p99 < 10ms holds at no rate, down to 0.10/s"));
}

#[test]
fn a_message_that_a_short_run_had_no_time_for_is_not_a_missed_rate() {
    let condition = threshold::condition("p99<10ms").unwrap();
    let mut short = report(10.0, 1_000_000, 10.0);
    short.elapsed_s = 1.0;
    for (received, holds) in [(10, true), (9, true), (8, false), (0, false)] {
        short.received.messages = received;
        assert_eq!(judge(&condition, 10.0, &short).0, holds, "{received}");
    }
    let condition = threshold::condition("lost<1").unwrap();
    (short.elapsed_s, short.received.messages) = (0.05, 0);
    assert!(!judge(&condition, 10.0, &short).0, "nothing was measured");
}
