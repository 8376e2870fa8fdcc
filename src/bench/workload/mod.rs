//! What a run does to a topic, one file a workload.
//! Never knows: clap, reports, where the broker came from.

mod batch;
pub mod consume;
pub mod end_to_end;
pub mod log;
pub mod pipe;
pub mod produce;
mod seen;
pub mod wire;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::measure::Recorded;

/// From here on a wait of this thread ends when it is over. By default the kernel may let it last
/// 50 µs longer to save power (prctl(2), PR_SET_TIMERSLACK), and what is due would leave so late.
fn wake_on_time() {
    // Where that cannot be, sends stay as late as that.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(1));
}

/// How a run looks from outside, and how it is ended from there.
#[derive(Default)]
pub struct Watch {
    stopped: AtomicBool,
    stage: AtomicU8,
    records: AtomicU64,
    recorded: Mutex<Recorded>,
}

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Starting,
    Filling,
    WarmingUp,
    Measuring,
    Verifying,
}

impl Watch {
    /// The run ends as soon as it can; its figures are void.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// What the run is at, and how many records it has dealt with there.
    pub fn look(&self) -> (Stage, u64) {
        let stage = match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Starting,
            1 => Stage::Filling,
            2 => Stage::WarmingUp,
            3 => Stage::Measuring,
            _ => Stage::Verifying,
        };
        (stage, self.records.load(Ordering::Relaxed))
    }

    /// The run is at this, and has dealt with so many records.
    pub fn show(&self, stage: Stage, records: u64) {
        self.stage.store(stage as u8, Ordering::Relaxed);
        self.records.store(records, Ordering::Relaxed);
    }

    /// What was noted of each record since it was taken last. Lock it for a batch of records.
    pub fn recorded(&self) -> MutexGuard<'_, Recorded> {
        // Whoever panicked has noted a record or not: both are sound.
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn take_recorded(&self) -> Recorded {
        std::mem::take(&mut self.recorded())
    }

    fn advance(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }
}
