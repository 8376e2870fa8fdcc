//! Whole lives of a log on a disk that fails, from one seed each.
//!
//! Several idempotent producers send numbered records, wait for acks or not, and send again what
//! was not acknowledged when the log is opened anew. Meanwhile the log rolls, is checkpointed,
//! loses its oldest records to retention and to whoever deletes them, is compacted where its seed
//! is odd, is deleted and made again; calls fail, the disk fills up, a sync fails, the process
//! dies, the power goes. `model` lives such a life, `checks` says what must hold whenever the log
//! is opened.
//!
//! `KAW_SEED=n` replays one seed. `KAW_TIMES=n` runs n times as many as every test run has time
//! for: `KAW_TIMES=100 cargo test --release --bin kaw simulation -- --nocapture`.

mod checks;
mod compaction;
mod epochs;
mod model;

use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use super::*;
use checks::Counts;
pub use checks::segments as check_files;
use model::{End, Model};

/// Which seeds to run: the one that is to be replayed, or `few`, times as many as were asked for.
pub fn seeds(few: u64) -> Range<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is a number, not '{text}'")))
    };
    match number("KAW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..few * number("KAW_TIMES").unwrap_or(1),
    }
}

/// Says which seed failed.
pub struct Announce(pub u64);

impl Drop for Announce {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("KAW_SEED={} replays this", self.0);
        }
    }
}

/// Past the test runner's capture: who reads the run sees how much was shown.
fn say(what: &str, seeds: &Range<u64>, counts: &Counts) {
    let count = seeds.end - seeds.start;
    let _ = writeln!(std::io::stderr(), "{what}: {count} seeds, {counts}");
}

#[test]
fn promises_hold_over_many_lives() {
    let (seeds, mut counts) = (seeds(1000), Counts::default());
    for seed in seeds.clone() {
        let _announce = Announce(seed);
        let mut model = Model::new(seed);
        let mut end = End::Clean;
        for _ in 0..6 {
            end = model.life(end, None);
        }
        model.open(end);
        counts.add(&model.counts);
    }
    say("lives of a log", &seeds, &counts);
}

#[test]
fn promises_hold_when_the_power_goes_after_any_write() {
    // One seed is a hundred lives and more.
    let (seeds, mut counts) = (seeds(12), Counts::default());
    for seed in seeds.clone() {
        let _announce = Announce(seed);
        let mut changes = 0;
        loop {
            let mut model = Model::new(seed);
            let end = model.life(End::Clean, Some(changes));
            let whole = model.survived;
            let end = model.life(end, Some(changes / 2));
            model.open(end);
            counts.add(&model.counts);
            if whole {
                break;
            }
            changes += 1;
        }
    }
    say("power losses after every write", &seeds, &counts);
}
