//! How many records a reader has seen, for the sender that waits for them.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Watch;

/// How long a wait may last before the watch is looked at again.
const GLANCE: Duration = Duration::from_millis(100);

#[derive(Default)]
pub struct Seen {
    count: Mutex<u64>,
    more: Condvar,
}

impl Seen {
    pub fn add(&self, count: u64) {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner) += count;
        self.more.notify_all();
    }

    /// Returns when so many were seen, when that takes too long, or when the run is stopped. A
    /// reader that still catches up on the warm-up would begin late on what is measured.
    pub fn wait_for(&self, count: u64, patience: Duration, watch: &Watch) {
        let deadline = Instant::now() + patience;
        let mut seen = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        while *seen < count && Instant::now() < deadline && !watch.is_stopped() {
            let waited = self.more.wait_timeout(seen, GLANCE);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn the_sender_goes_on_when_enough_was_seen_or_nothing_comes_or_it_is_stopped() {
        let (seen, watch) = (Seen::default(), Watch::default());
        let began = Instant::now();
        thread::scope(|scope| {
            scope.spawn(|| (0..10).for_each(|_| seen.add(1)));
            seen.wait_for(10, Duration::from_secs(60), &watch);
        });
        seen.wait_for(11, Duration::ZERO, &watch);
        watch.stop();
        seen.wait_for(11, Duration::from_secs(60), &watch);
        assert!(began.elapsed() < Duration::from_secs(60));
        assert_eq!(*seen.count.lock().unwrap(), 10);
    }
}
