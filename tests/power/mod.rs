//! The program's data directory after a crash at every step of a small life: a kill, and a power
//! loss with what may be lost of unsynced pages and names.
//! Never knows: the program's modules; it shares the disk that fails with the log's simulation.
//!
//! Goal: what was acknowledged is there, nothing is there that was deleted, and a broker starts.
//! Method: strace writes down what one broker does to its files while a client that knows exactly
//! what it was told creates, produces, rolls, deletes and creates again; the steps are replayed on
//! a disk in memory (CrashMonkey's and ALICE's idea), whose states a fresh broker is started on.
//! `KAW_CRASH_POINTS=n` looks at n states instead of the few that every run has time for;
//! `KAW_SEED=n` is another history of losses.

mod injected;
mod replay;
mod slow;
mod trace;
mod traced;
mod workload;

#[path = "../../src/log/tests/faulty/dice.rs"]
mod dice;
#[allow(dead_code)] // The simulation of the log fails syncs, too.
#[path = "../../src/log/tests/faulty/inode.rs"]
mod inode;
#[path = "../../src/log/tests/faulty/names.rs"]
mod names;

use std::fs;
use std::io::Write;
use std::path::Path;

use crate::harness::raw::Raw;
use crate::harness::{Kaw, found};
use dice::Dice;
use replay::Replay;
use traced::Traced;
use workload::{Loss, Told};

/// How many states every run of the tests looks at.
const STATES: u64 = 120;

it!(what_was_acknowledged_survives_a_crash_at_any_step, |kaw| {
    if found("strace").is_none() {
        return;
    }
    let calls = ["-y", "-xx", "-s", "1000000", "-e", trace::CALLS];
    let broker = Traced::start(kaw, &kaw.data(), &calls);
    let told = workload::run(&broker);
    let (lines, done) = broker.stop();
    done.ok();
    assert_eq!(told.refused, 0, "a sound disk takes all");
    let steps = trace::steps(&lines);
    assert!(100 < steps.len() && 10 < told.acknowledged(), "too little to tell");
    let (wanted, seed) = (number("KAW_CRASH_POINTS", STATES), number("KAW_SEED", 1));
    let mut dice = Dice(seed);
    let (mut kills, mut losses, mut checked) = (0, 0, 0);
    // Spread over all steps; a kill and power losses after each, as often as there is time for.
    let mut replay = Replay::new(&kaw.data());
    let all = steps.len() as u64;
    for (at, (line, step)) in steps.iter().enumerate() {
        replay.apply(step);
        let due = |at: u64| at * wanted / all;
        for state in 0..due(at as u64 + 1) - due(at as u64) {
            let dir = kaw.path("crashed");
            let _ = fs::remove_dir_all(&dir);
            let loss =
                if (at as u64 + state).is_multiple_of(3) { Loss::None } else { Loss::OfPower };
            match loss {
                Loss::None => replay.after_kill(&dir),
                Loss::OfPower => replay.after_power_loss(&mut dice, &dir),
            }
            *match loss {
                Loss::None => &mut kills,
                Loss::OfPower => &mut losses,
            } += 1;
            let context = format!("step {at} of {all}, {loss:?}, KAW_SEED={seed}: {step:?}");
            checked += check(kaw, &dir, &told, *line, loss, &context);
        }
    }
    let _ = writeln!(
        std::io::stderr(),
        "crashes of a broker: {all} steps, {kills} kills, {losses} power losses, \
         {checked} acknowledged records found again"
    );
});

/// A number that the environment sets.
fn number(name: &str, or: u64) -> u64 {
    std::env::var(name).map_or(or, |text| text.parse().expect("it is to be a number"))
}

/// Starts a broker on what a crash has left, and looks for what was promised by then.
fn check(kaw: &Kaw, dir: &Path, told: &Told, line: usize, loss: Loss, context: &str) -> u64 {
    let broker = kaw.broker_on(dir);
    let mut raw = Raw::open(&broker.address).expect(context);
    let checked = told.check(&mut raw, line, loss, context);
    broker.kill();
    checked
}
