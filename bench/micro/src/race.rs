//! Ways of doing the same thing, timed in turns: what disturbs one round disturbs all of them.

use std::time::{Duration, Instant};

const ROUNDS: usize = 41;
/// One way's turn within a round lasts about so long.
const TURN: Duration = Duration::from_micros(400);

struct Way {
    name: &'static str,
    repeat: Box<dyn FnMut(u32)>,
    /// Nanoseconds for one, of each round.
    rounds: Vec<f64>,
}

/// Ways of doing the same thing to `bytes` bytes, `batch` times in a call. Ratios are to the first.
pub(crate) struct Race {
    title: String,
    bytes: usize,
    batch: u32,
    ways: Vec<Way>,
}

impl Race {
    pub(crate) fn new(title: impl Into<String>, bytes: usize, batch: u32) -> Self {
        Self { title: title.into(), bytes, batch, ways: Vec::new() }
    }

    pub(crate) fn way(mut self, name: &'static str, mut once: impl FnMut() + 'static) -> Self {
        let repeat = Box::new(move |times| (0..times).for_each(|_| once()));
        self.ways.push(Way { name, repeat, rounds: Vec::new() });
        self
    }

    /// Runs the rounds and prints the medians.
    pub(crate) fn run(mut self) {
        let times: Vec<u32> = self.ways.iter_mut().map(|way| calibrate(&mut way.repeat)).collect();
        for _ in 0..ROUNDS {
            for (way, &times) in self.ways.iter_mut().zip(&times) {
                let start = Instant::now();
                (way.repeat)(times);
                way.rounds.push(start.elapsed().as_secs_f64() * 1e9 / f64::from(times * self.batch));
            }
        }
        println!("\n{:<44}{:>12}{:>9}{:>8}  (least–most of the ratio)", self.title, "ns", "GB/s", "ratio");
        let first = self.ways[0].rounds.clone();
        for way in &self.ways {
            let time = median(&way.rounds);
            let mut ratios: Vec<f64> =
                way.rounds.iter().zip(&first).map(|(own, first)| own / first).collect();
            ratios.sort_by(f64::total_cmp);
            // A tenth at either end is what another process did.
            let (low, high) = (ratios[ROUNDS / 10], ratios[ROUNDS - 1 - ROUNDS / 10]);
            #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
            let speed = self.bytes as f64 / time;
            println!(
                "  {:<42}{time:>12.1}{speed:>9.1}{:>8.2}  ({low:.2}–{high:.2})",
                way.name,
                median(&ratios)
            );
        }
    }
}

/// How many times fill a turn.
fn calibrate(repeat: &mut dyn FnMut(u32)) -> u32 {
    let mut times = 1;
    loop {
        let start = Instant::now();
        repeat(times);
        if start.elapsed() >= TURN / 2 || times > 1 << 24 {
            return times.max(1);
        }
        times *= 2;
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
