//! Scenarios of the core whose instructions callgrind counts: `cargo xtask counts`.
//!
//! `bench-counts NAME` plays one of them; what it does inside [`measured`], and nothing else, is counted. Inputs are made before, keys
//! count from 1, and nothing depends on time or on random numbers, so that every run counts the same.

mod endpoint;
mod scenarios;

use scenarios::SCENARIOS;
use std::process::ExitCode;

/// Rounds before the measured ones: memory is asked for, the processor's features are looked up.
const WARM_UP: usize = 4;

fn main() -> ExitCode {
    let name = std::env::args().nth(1);
    let Some(name) = name else {
        for scenario in SCENARIOS {
            println!("{}", scenario.name);
        }
        return ExitCode::SUCCESS;
    };
    let Some(scenario) = SCENARIOS.iter().find(|scenario| scenario.name == name) else {
        eprintln!("no scenario is called {name:?}; without a name they are listed");
        return ExitCode::from(2);
    };
    (scenario.play)(scenario.rounds);
    println!("operations: {}", scenario.rounds * scenario.operations);
    println!("vectors: {}", vectors());
    ExitCode::SUCCESS
}

/// Plays one round for each input; `round` must do all that is to be counted.
fn play<I>(rounds: usize, input: impl Fn() -> I, mut round: impl FnMut(&mut I)) {
    let mut inputs: Vec<I> = (0..WARM_UP + rounds).map(|_| input()).collect();
    let (warm_up, counted) = inputs.split_at_mut(WARM_UP);
    warm_up.iter_mut().for_each(&mut round);
    for input in counted {
        measured(|| round(input));
    }
}

/// Callgrind counts from when this function is entered until it is left.
#[inline(never)]
fn measured(operation: impl FnOnce()) {
    operation();
}

/// The vector instructions that the core finds here. Valgrind has none of AVX-512.
fn vectors() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx512f") {
        return "avx512";
    } else if std::arch::is_x86_feature_detected!("avx2") {
        return "avx2";
    }
    "portable"
}
