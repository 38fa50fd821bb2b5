//! The kept seeds, and inputs made from them by chance, on the stable toolchain and without a fuzzer.

use std::{fs, path::Path};
use tidewire_fuzz::TARGETS;

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(name);
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder of seeds").map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| fs::read(file).unwrap()).collect()
}

#[test]
fn every_kept_seed_passes() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has seeds");
        for seed in seeds {
            target(&seed);
        }
    }
}

#[test]
fn seeds_changed_by_chance_pass() {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let mut chance = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below.max(1)
    };
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        for _ in 0..1000 {
            let mut input = seeds[chance(seeds.len())].clone();
            for _ in 0..1 + chance(4) {
                let at = chance(input.len());
                match chance(4) {
                    0 => input.insert(at, u8::try_from(chance(256)).unwrap()),
                    1 if at < input.len() => drop(input.remove(at)),
                    2 => input.extend_from_within(at..),
                    _ if at < input.len() => input[at] ^= 1 << chance(8),
                    _ => {}
                }
            }
            input.truncate(4096);
            target(&input);
        }
    }
}
