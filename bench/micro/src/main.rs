//! Times the inner loops of the core beside their limits: `cargo xtask micro`.
//!
//! Times are medians; a ratio is the median of the rounds' ratios to the first way. Run it on a machine with nothing else to do.

mod loops;
mod messages;
mod race;

fn main() {
    let only: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|only| only == name);
    for (name, run) in [
        ("mask", loops::mask as fn()),
        ("utf8", loops::utf8),
        ("deflate", messages::deflate),
        ("frame", messages::frame),
        ("message", messages::message),
    ] {
        if wanted(name) {
            run();
        }
    }
}
