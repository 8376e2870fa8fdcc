//! The program as a user meets it: every test has its own home, data directory and ports.
//!
//! `it!(a_fact, |kaw| …)` is one test. Tests see only the `kaw` program, never its modules. They
//! run side by side, wait on conditions and never for a while, and leave nothing behind. What an
//! outside tool is needed for is skipped aloud where the tool is missing; with `KAW_REQUIRE_ALL=1`
//! a missing tool fails the test.

#![allow(clippy::unwrap_used)] // A test that panics has failed, which is what it is for.

/// One test: a name that is a fact, and what shows it.
macro_rules! it {
    ($fact:ident, |$kaw:ident| $body:expr) => {
        #[test]
        fn $fact() {
            $crate::harness::Kaw::with(stringify!($fact), |$kaw: &$crate::harness::Kaw| $body);
        }
    };
}

mod harness;

mod account;
mod admin;
mod apache;
mod backup;
mod bench;
mod bench_faults;
mod bench_output;
mod compact;
mod config;
mod consume;
mod crash;
mod door;
mod far;
mod fetch;
mod files;
mod floor;
mod format;
mod full;
mod group;
mod history;
mod hostile;
mod kcat;
mod kept;
mod leaders;
mod life;
mod log;
mod lost;
mod membership;
mod offsets;
mod order;
mod person;
mod pipeline;
mod power;
mod produce;
mod prompt;
mod python;
mod readme;
mod refused;
mod retention;
mod secure;
mod session;
mod syncs;
mod takeover;
mod told;
mod topic;
mod trail;
mod undecided;
mod walls;
